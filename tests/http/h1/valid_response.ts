/**
 * Generates valid responses together with what a parser must make of them.
 *
 * @module
 */

import fc from "fast-check";
import type { Field, Outcome } from "./recorder.ts";

/** A valid response, and what it means. */
export interface ValidResponse {
  /** The request's method. */
  method: string;
  /** The response, each character one byte. */
  text: string;
  /** Whether only the end of the stream ends it. */
  untilEnd: boolean;
  /** What a parser must make of it. */
  expected: Outcome;
}

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const FRAMING = ["connection", "content-length", "keep-alive", "transfer-encoding"];

function charsWhere(test: (code: number) => boolean): string[] {
  return Array.from({ length: 256 }, (_, code) => code)
    .filter(test)
    .map((code) => String.fromCharCode(code));
}

const textChar = fc.oneof(
  { arbitrary: fc.constantFrom(..."abcXYZ019-:;,=\"\\ "), weight: 8 },
  {
    arbitrary: fc.constantFrom(
      ...charsWhere((code) => code === 9 || (code >= 0x20 && code !== 0x7f)),
    ),
    weight: 1,
  },
);
const text = fc.array(textChar, { maxLength: 24 }).map((chars) => chars.join(""));
const byteChar = fc.constantFrom(...charsWhere(() => true));
const token = fc.array(fc.constantFrom(...TOKEN), { minLength: 1, maxLength: 20 })
  .map((chars) => chars.join(""));
const name = fc.oneof(
  token.filter((value) => !FRAMING.includes(value.toLowerCase())),
  fc.constantFrom("Content-Type", "Set-Cookie", "VARY", "date", "X-Content-Length", "Trailer"),
);
const space = fc.constantFrom("", " ", "\t", " \t ");
const body = fc.oneof(
  fc.constant(""),
  fc.array(byteChar, { maxLength: 40 }).map((chars) => chars.join("")),
  fc.constantFrom("\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
);

interface Line {
  wire: string;
  field: Field;
}

const line: fc.Arbitrary<Line> = fc.tuple(name, space, text, space).map((
  [fieldName, before, value, after],
) => ({
  wire: `${fieldName}:${before}${value}${after}\r\n`,
  field: [fieldName.toLowerCase(), value.replace(/^[ \t]+|[ \t]+$/g, "")],
}));
const lines = fc.array(line, { maxLength: 6 });

function fixed(fieldName: string, value: string): Line {
  return { wire: `${fieldName}: ${value}\r\n`, field: [fieldName.toLowerCase(), value] };
}

interface Interim {
  status: number;
  lines: Line[];
}

const interim: fc.Arbitrary<Interim> = fc.record({
  status: fc.constantFrom(100, 102, 103, 110, 199),
  lines,
});

const extension = fc.oneof(
  { arbitrary: fc.constant(""), weight: 4 },
  { arbitrary: fc.constantFrom(";a", " ; a = \"b;\\\"\xff\"", ";a=b;c"), weight: 1 },
  { arbitrary: token.map((value) => `;${value}=${value}`), weight: 1 },
);

const chunked = fc.record({
  chunks: fc.array(
    fc.record({
      data: fc.array(byteChar, { minLength: 1, maxLength: 20 }).map((chars) => chars.join("")),
      extension,
      zeros: fc.constantFrom("", "0", "00000"),
      upper: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
  last: extension,
  trailers: fc.oneof({ arbitrary: fc.constant<Line[]>([]), weight: 2 }, {
    arbitrary: lines,
    weight: 1,
  }),
});

/** Any valid response. */
export const validResponse: fc.Arbitrary<ValidResponse> = fc.record({
  method: fc.constantFrom("GET", "POST", "HEAD"),
  minor: fc.constantFrom(0, 1, 1, 1),
  status: fc.oneof(
    fc.constantFrom(200, 204, 206, 304, 404, 500),
    fc.integer({ min: 200, max: 999 }),
  ),
  phrase: fc.option(text, { nil: null }),
  interims: fc.oneof(
    { arbitrary: fc.constant<Interim[]>([]), weight: 3 },
    { arbitrary: fc.array(interim, { maxLength: 3 }), weight: 1 },
  ),
  before: lines,
  after: lines,
  connection: fc.constantFrom(null, null, "close", "keep-alive", "Keep-Alive, foo", "x,CLOSE"),
  framing: fc.constantFrom("length", "length", "twice", "chunked", "end"),
  body,
  chunked,
}).map((parts) => {
  const framing = parts.framing === "chunked" && parts.minor === 0 ? "end" : parts.framing;
  const bodiless = parts.method === "HEAD" || parts.status === 204 || parts.status === 304;
  const own: Line[] = [...parts.before];
  let content = parts.body;
  let coded = parts.body;
  let trailers: Field[] | null = null;
  if (framing === "length") own.push(fixed("Content-Length", String(content.length)));
  if (framing === "twice") {
    own.push(fixed("content-length", `${content.length}, ${content.length}`));
    own.push(fixed("Content-Length", `0${content.length}`));
  }
  if (framing === "chunked") {
    own.push(fixed("Transfer-Encoding", "Chunked"));
    content = parts.chunked.chunks.map((chunk) => chunk.data).join("");
    coded = parts.chunked.chunks.map((chunk) => {
      const hex = chunk.data.length.toString(16);
      const size = chunk.zeros + (chunk.upper ? hex.toUpperCase() : hex);
      return `${size}${chunk.extension}\r\n${chunk.data}\r\n`;
    }).join("");
    coded += `0${parts.chunked.last}\r\n`;
    coded += `${parts.chunked.trailers.map(({ wire }) => wire).join("")}\r\n`;
    if (parts.chunked.trailers.length > 0) {
      trailers = parts.chunked.trailers.map(({ field }) => field);
    }
  }
  if (parts.connection !== null) own.push(fixed("CONNECTION", parts.connection));
  own.push(...parts.after);
  if (bodiless) {
    content = coded = "";
    trailers = null;
  }
  const untilEnd = framing === "end" && !bodiless;
  // A 204 must announce no body: one that does may bring it all the same.
  const announced = framing === "chunked" || (framing !== "end" && parts.body.length > 0);
  const promised = parts.status === 204 && announced;
  const tokens = (parts.connection ?? "").toLowerCase().split(/, ?/);
  const keepAlive = !untilEnd && !promised && !tokens.includes("close")
    && (parts.minor === 1 || tokens.includes("keep-alive"));
  const head = `HTTP/1.${parts.minor} ${parts.status}`
    + (parts.phrase === null ? "" : ` ${parts.phrase}`)
    + `\r\n${own.map(({ wire }) => wire).join("")}\r\n`;
  const interims = parts.interims.map(({ status, lines }) =>
    `HTTP/1.1 ${status} x\r\n${lines.map(({ wire }) => wire).join("")}\r\n`
  );
  return {
    method: parts.method,
    text: interims.join("") + head + coded,
    untilEnd,
    expected: {
      interim: parts.interims.map(({ status, lines }) => ({
        status,
        fields: lines.map(({ field }) => field),
      })),
      head: {
        status: parts.status,
        statusText: parts.phrase ?? "",
        fields: own.map(({ field }) => field),
      },
      body: content,
      trailers,
      complete: true,
      keepAlive,
      surplus: 0,
      refused: null,
    },
  };
});
