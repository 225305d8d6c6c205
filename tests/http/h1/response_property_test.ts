import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { env } from "node:process";
import { test } from "node:test";
import { ResponseParser } from "../../../src/http/h1/response_parser.ts";
import { bytesOf, type Outcome, Recorder, run, type RunOptions } from "./recorder.ts";
import { validResponse } from "./valid_response.ts";

/** How many inputs the fuzz takes; the other properties take a share of it. */
const RUNS = Number(env.HOTCONN_FUZZ_RUNS ?? 20_000);

const cuts = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 12 }),
  fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 200, maxLength: 200 }),
);

// `assertEquals` on each input would take most of the time.
function assertSame(actual: Outcome, expected: Outcome): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) assertEquals(actual, expected);
}

test("ResponseParser makes of any valid response what it says, however it is split", () => {
  fc.assert(
    fc.property(validResponse, cuts, fc.constantFrom("", "HTTP/1.1 200 OK\r\n", "\0"), (
      { method, text, untilEnd, expected },
      lengths,
      surplus,
    ) => {
      const end = { end: "clean" } as const;
      assertSame(run(text, { method, ...end }), expected);
      assertSame(run(text, { method, cuts: lengths, ...end }), expected);
      if (untilEnd) return;
      assertSame(run(text, { method }), expected);
      const more = run(text + surplus, { method, cuts: lengths });
      assertSame(more, { ...expected, surplus: surplus.length });
    }),
    { numRuns: Math.ceil(RUNS / 10) },
  );
});

test("ResponseParser refuses any valid response that is cut short", () => {
  fc.assert(
    fc.property(validResponse, fc.nat(), fc.boolean(), ({ method, text, untilEnd }, at, clean) => {
      const length = at % text.length;
      const { complete, refused } = run(text.slice(0, length), {
        method,
        end: clean ? "clean" : "unclean",
      });
      // A body until the end may be cut anywhere, and nobody would know, unless the end is unclean.
      if (untilEnd && clean && refused === null) return;
      assertEquals([complete, refused?.offset], [false, length]);
      assert(/^(no-response|truncated-head|truncated-body)$/.test(refused!.reason));
    }),
    { numRuns: Math.ceil(RUNS / 10) },
  );
});

const PIECES = [
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.0 200\r\n",
  "HTTP/1.1 100 \r\n\r\n",
  "HTTP/1.1 304 X\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 18446744073709551621\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip\r\n",
  "Connection: close\r\n",
  "Keep-Alive: timeout=5, max=1\r\n",
  "5\r\nhello\r\n",
  "5;a=\"b\"\r\n",
  "0\r\n",
  "ffffffffffffffff\r\n",
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\r",
  " ",
  "\t",
  ":",
  ",",
  "\0",
  "\x7f",
  "\x80",
  "A: b\r\n",
  "a".repeat(70),
];

const anyText = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => String.fromCharCode(...bytes)),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join("")),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 10 }).map((pieces) =>
    `HTTP/1.1 200 OK\r\n${pieces.join("")}`
  ),
);

const mutated = fc.tuple(
  validResponse,
  fc.array(
    fc.record({ at: fc.nat(), drop: fc.nat({ max: 3 }), put: fc.constantFrom("", ...PIECES) }),
    { minLength: 1, maxLength: 3 },
  ),
).map(([{ text }, edits]) => {
  for (const { at, drop, put } of edits) {
    const start = at % text.length;
    text = text.slice(0, start) + put + text.slice(start + drop);
    if (text === "") break;
  }
  return text;
});

test("ResponseParser takes any bytes at all: it ends, holds little, and throws one error only", () => {
  const limits = {
    maxLineBytes: 64,
    maxHeadBytes: 256,
    maxFields: 8,
    maxChunkExtensionBytes: 16,
    maxInterimResponses: 2,
  };
  fc.assert(
    fc.property(
      fc.oneof(anyText, mutated, mutated),
      cuts,
      fc.constantFrom("GET", "HEAD"),
      fc.constantFrom(undefined, "clean", "unclean"),
      fc.boolean(),
      (text, lengths, method, end, limited) => {
        // `run()` throws what is no HttpParseError, and when the parser holds too much.
        const options: RunOptions = { method };
        if (end !== undefined) options.end = end as "clean" | "unclean";
        if (limited) options.limits = limits;
        const whole = run(text, options);
        assertSame(run(text, { ...options, cuts: lengths }), whole);
        if (whole.refused !== null) assert(whole.refused.offset <= text.length);
      },
    ),
    { numRuns: RUNS },
  );
});

test("ResponseParser keeps many connections apart, although they share memory", () => {
  const step = fc.record({ who: fc.nat({ max: 3 }), length: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(
      fc.array(validResponse, { minLength: 4, maxLength: 4 }),
      fc.array(step, { maxLength: 40 }),
      (responses, steps) => {
        const parties = responses.map((response) => {
          const recorder = new Recorder();
          const parser = new ResponseParser(recorder);
          parser.reset(response.method);
          return { response, recorder, parser, rest: response.text };
        });
        const feed = (who: number, length: number) => {
          const party = parties[who]!;
          const chunk = bytesOf(party.rest.slice(0, length));
          party.rest = party.rest.slice(length);
          assertEquals(party.parser.push(chunk), chunk.length);
          chunk.fill(0x55);
        };
        for (const { who, length } of steps) feed(who, length);
        for (let who = 0; who < 4; who++) feed(who, Infinity);
        for (const { response, recorder, parser } of parties) {
          parser.finish(true);
          assertSame(recorder.outcome(parser, 0, null), response.expected);
        }
      },
    ),
    { numRuns: Math.ceil(RUNS / 20) },
  );
});
