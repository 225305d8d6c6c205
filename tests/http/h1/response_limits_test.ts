import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { ResponseParser } from "../../../src/http/h1/response_parser.ts";
import { checkLimits, DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { HttpParseError } from "../../../src/http/parse_error.ts";
import { bytesOf, Recorder, refusal, run } from "./recorder.ts";

const START = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${START}Transfer-Encoding: chunked\r\n\r\n`;

test("ResponseParser refuses a line longer than maxLineBytes, and takes one as long", () => {
  const limits = { maxLineBytes: 40 };
  assertEquals(refusal(`${START}A: ${"b".repeat(37)}\r\n\r\n`, { limits }), null);
  assertEquals(
    refusal(`${START}A: ${"b".repeat(38)}\r\n\r\n`, { limits }),
    `line-too-long at ${START.length + 40}`,
  );
  assertEquals(
    refusal(`${START}${"a".repeat(50)}: b\r\n`, { limits }),
    `line-too-long at ${START.length + 40}`,
  );
  assertEquals(refusal(`HTTP/1.1 200 ${"x".repeat(27)}\r\n`, { limits }), null);
  assertEquals(refusal(`HTTP/1.1 200 ${"x".repeat(28)}\r\n`, { limits }), "line-too-long at 40");
  // The limit comes before whatever else is wrong after it.
  assertEquals(refusal(`HTTP/1.1 200 ${"x".repeat(28)}\0\r\n`, { limits }), "line-too-long at 40");
  assertEquals(
    refusal(`${CHUNKED}0\r\nA: ${"b".repeat(38)}\r\n`, { limits }),
    `line-too-long at ${CHUNKED.length + 3 + 40}`,
  );
});

test("ResponseParser refuses a head, or trailers, longer than maxHeadBytes", () => {
  const limits = { maxHeadBytes: 60 };
  const fields = `A: ${"b".repeat(15)}\r\nC: ${"d".repeat(15)}\r\n`;
  // The empty line that ends it is not counted.
  assertEquals((START + fields).length, 57);
  assertEquals(refusal(`${START}${fields}e:\r\n\r\n`, { limits }), "head-too-long at 60");
  assertEquals(refusal(`${START}${fields}:\r\n`, { limits }), "field-name at 57");
  assertEquals(refusal(`${START}${fields}\r\n`, { limits }), null);
  assertEquals(refusal(START + "a".repeat(100), { limits }), "head-too-long at 60");
  // Each head has the limit to itself.
  const interim = `HTTP/1.1 100 Continue\r\nA: ${"b".repeat(20)}\r\n\r\n`;
  assertEquals(refusal(interim.repeat(3) + START, { limits }), null);
  assertEquals(
    refusal(`${CHUNKED}0\r\n${fields}${fields}`, { limits }),
    `head-too-long at ${CHUNKED.length + 3 + 60}`,
  );
});

test("ResponseParser refuses more fields than maxFields", () => {
  const limits = { maxFields: 3 };
  assertEquals(refusal(`${START}A:\r\nA:\r\nA:\r\n\r\n`, { limits }), null);
  assertEquals(refusal(`${START}A:\r\nA:\r\nA:\r\nA:\r\n`, { limits }), "too-many-fields at 29");
  assertEquals(
    refusal(`${CHUNKED}0\r\nA:\r\nA:\r\nA:\r\nA:\r\n`, { limits }),
    `too-many-fields at ${CHUNKED.length + 3 + 12}`,
  );
});

test("ResponseParser refuses extensions longer than maxChunkExtensionBytes, in every chunk", () => {
  const limits = { maxChunkExtensionBytes: 4 };
  assertEquals(refusal(`${CHUNKED}1;abc\r\nx\r\n1;abc\r\nx\r\n`, { limits }), null);
  assertEquals(
    refusal(`${CHUNKED}1;abc\r\nx\r\n1;abcd\r\n`, { limits }),
    `chunk-extension-too-long at ${CHUNKED.length + 10 + 5}`,
  );
  assertEquals(
    refusal(`${CHUNKED}1    ${" ".repeat(9)}`, { limits }),
    `chunk-extension-too-long at ${CHUNKED.length + 5}`,
  );
});

test("ResponseParser refuses more interim responses than maxInterimResponses", () => {
  const limits = { maxInterimResponses: 2 };
  const interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
  assertEquals(refusal(`${interim.repeat(2)}${START}\r\n`, { limits }), null);
  assertEquals(
    refusal(`${interim.repeat(3)}${START}\r\n`, { limits }),
    `too-many-interim at ${interim.length * 3}`,
  );
  assertEquals(
    refusal(interim, { limits: { maxInterimResponses: 0 } }),
    `too-many-interim at ${interim.length}`,
  );
  assertEquals(run(interim.repeat(17)).refused?.reason, "too-many-interim");
});

test("ResponseParser has limits by default, and a head within them passes", () => {
  assertEquals(
    run(START + `A: ${"b".repeat(16_000)}\r\n`.repeat(5)).refused?.reason,
    "head-too-long",
  );
  assertEquals(run(START + `A: ${"b".repeat(16_382)}\r\n`).refused?.reason, "line-too-long");
  assertEquals(run(START + "A:\r\n".repeat(257)).refused?.reason, "too-many-fields");
  assertEquals(
    run(`${CHUNKED}1;${"a".repeat(4_096)}`).refused?.reason,
    "chunk-extension-too-long",
  );
  const outcome = run(`${START}${`A: ${"b".repeat(16_000)}\r\n`.repeat(4)}\r\n`);
  assertEquals([outcome.refused, outcome.head?.fields.length], [null, 4]);
});

test("ResponseParser holds no more than the limit, however slowly an endless head arrives", () => {
  const limits = { maxHeadBytes: 10_000, maxLineBytes: 9_000, maxFields: 100_000 };
  for (const line of [`A: ${"b".repeat(100)}\r\n`, "A:\r\n", `A: ${"b".repeat(8_000)}\r\n`]) {
    for (const size of [1, 7, 1_000]) {
      const parser = new ResponseParser(new Recorder(), limits);
      parser.reset("GET");
      const bytes = bytesOf(START + line.repeat(10_100 / line.length + 1));
      const error = assertThrows(() => {
        for (let at = 0; at < bytes.length; at += size) {
          parser.push(bytes.slice(at, at + size));
          assert(parser.heldBytes <= 10_000 + 2_048 + 5);
        }
      }, HttpParseError);
      assertEquals([error.reason, error.offset], ["head-too-long", 10_000]);
      assertEquals(parser.heldBytes, 0);
    }
  }
});

test("checkLimits() fills in what is not named, and refuses what is no sensible number", () => {
  assert(checkLimits() === DEFAULT_LIMITS);
  assertEquals(checkLimits({ maxFields: 7 }), { ...DEFAULT_LIMITS, maxFields: 7 });
  const bad: [limits: Record<string, number>, message: string][] = [
    [{ maxLineBytes: 12 }, "Option maxLineBytes is 12; it must be an integer from 13"],
    [{ maxHeadBytes: 16 }, "Option maxHeadBytes is 16; it must be an integer from 17"],
    [{ maxHeadBytes: 2 ** 29 }, "it must be an integer from 17 to 268435456"],
    [{ maxFields: -1 }, "Option maxFields is -1"],
    [{ maxFields: 1.5 }, "Option maxFields is 1.5"],
    [{ maxChunkExtensionBytes: Number.NaN }, "Option maxChunkExtensionBytes is NaN"],
    [{ maxInterimResponses: Infinity }, "Option maxInterimResponses is Infinity"],
  ];
  for (const [limits, message] of bad) {
    assertThrows(() => new ResponseParser(new Recorder(), limits), RangeError, message);
  }
});
