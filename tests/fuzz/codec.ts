/**
 * The target `codec`: what servers send, and heads of requests.
 *
 * An input's first line says how it is read: `HEAD`, `small` limits, a `clean` or `unclean` end of
 * the stream, a number that says how it is cut into chunks, or `request`. The rest is what was received;
 * or a method, target, host, and names and values of fields, each with its own line feed.
 *
 * @module
 */

import { encodeRequest } from "../../src/http/h1/request_head.ts";
import { bytesOf, type Outcome, run, type RunOptions, textOf } from "../http/h1/recorder.ts";
import { Random } from "../support/random.ts";
import { readResponse } from "./codec_reference.ts";
import { attempt, type FuzzTarget, hold } from "./fuzzer.ts";

const SMALL = {
  maxLineBytes: 64,
  maxHeadBytes: 256,
  maxFields: 8,
  maxChunkExtensionBytes: 16,
  maxInterimResponses: 2,
};

const LIMITS = /^(line-too-long|head-too-long|too-many-.*|chunk-extension-too-long)$/;

/** What bytes of servers and heads of requests must hold to. */
export const codec: FuzzTarget = {
  name: "codec",
  corpus: [
    "clean 1\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "clean 2\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + "5\r\nhello\r\n1;a=\"b\"\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "unclean 3\nHTTP/1.0 200\r\nConnection: keep-alive\r\n\r\nuntil the end",
    "HEAD small 4\nHTTP/1.1 100 \r\n\r\nHTTP/1.1 304 Not Modified\r\nKeep-Alive: timeout=5\r\n\r\n",
    "request\nGET\n/path?query\na.test\nx-a\n1\nx-b\n2",
    "request\nPOST\n*\na.test:8443\ncontent-length\n0",
  ],
  tokens: [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.0",
    "HTTP/2",
    "Content-Length: 5\r\n",
    "Content-Length:",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Keep-Alive: timeout=5, max=1\r\n",
    "X: y\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0;a=\"\\\"\"\r\n",
    "ffffffffffffffff",
    "1fffffffffffff",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "=",
    "\"",
    "\\",
    "\0",
    "\x7f",
    "\x80",
    "small ",
    "HEAD ",
    "request\n",
    "host",
    "connection",
    "a".repeat(60),
  ],
  separators: ["\r\n\r\n", "\r\n", "\n", ":", ",", " "],
  maxLength: 4_000,
  generate,
  check(input) {
    const lineEnd = input.indexOf("\n");
    const words = input.slice(0, Math.max(0, lineEnd));
    const rest = input.slice(lineEnd + 1).replace(/[^\0-\xff]/g, "?");
    return words.includes("request") ? checkRequest(rest) : checkResponse(words, rest);
  },
};

function generate(random: Random): string {
  const lines = Array.from(
    { length: random.below(5) },
    (_, i) => `x-${i}: ${random.below(1_000)}\r\n`,
  );
  const chunks = Array.from({ length: random.below(6) }, () => "x".repeat(1 + random.below(40)));
  const body = chunks.join("");
  const isChunked = random.chance(0.5);
  lines.splice(
    random.below(lines.length + 1),
    0,
    isChunked ? "transfer-encoding: chunked\r\n" : `content-length: ${body.length}\r\n`,
  );
  const coded = isChunked
    ? [...chunks.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`), "0\r\n\r\n"].join("")
    : body;
  const words = [`${random.below(1_000)}`, random.pick(["", "clean", "unclean"])];
  if (random.chance(0.2)) words.push("HEAD");
  if (random.chance(0.2)) words.push("small");
  const status = 200 + random.below(400);
  return `${words.join(" ")}\nHTTP/1.1 ${status} x\r\n${lines.join("")}\r\n${coded}`;
}

function checkResponse(words: string, text: string): string {
  const options: RunOptions = { method: words.includes("HEAD") ? "HEAD" : "GET" };
  if (words.includes("clean")) options.end = words.includes("unclean") ? "unclean" : "clean";
  if (words.includes("small")) options.limits = SMALL;
  // `run()` throws what is no HttpParseError, and where the parser holds too much, or loses bytes.
  const whole = run(text, options);
  const said = JSON.stringify(whole);
  const same = (what: string, cuts: readonly number[]) => {
    const outcome = JSON.stringify(run(text, { ...options, cuts }));
    hold(outcome === said, `In ${what} it is another response`, whole, cuts);
  };
  same("single bytes", new Array<number>(text.length).fill(1));
  const random = new Random(Number(/\d+/.exec(words)?.[0] ?? 0) % 2 ** 32);
  same(
    "pieces",
    Array.from({ length: 12 }, () => random.below(text.length + 1) >> random.below(6)),
  );
  checkSizes(whole, text, options);
  if (whole.complete && whole.surplus > 0) {
    // What follows a response must not change what it was.
    const own = run(text.slice(0, text.length - whole.surplus), options);
    hold(JSON.stringify({ ...own, surplus: whole.surplus }) === said, "Surplus tells", own, whole);
  }
  checkReference(whole, text, options);
  return kindOf(whole);
}

function checkSizes(outcome: Outcome, text: string, options: RunOptions): void {
  const { body, head, interim, refused, surplus, trailers } = outcome;
  hold(body.length + surplus <= text.length, "There is more than was sent", outcome);
  hold(refused === null || refused.offset <= text.length, "Refused beyond the end", refused);
  if (!options.limits) return;
  hold(interim.length <= SMALL.maxInterimResponses, "Too many interim responses", interim);
  for (const fields of [head?.fields, trailers, ...interim.map(({ fields }) => fields)]) {
    hold((fields?.length ?? 0) <= SMALL.maxFields, "Too many fields", fields);
  }
}

/** Another reader, which sees the whole text at once, must make the same of it. */
function checkReference(outcome: Outcome, text: string, { end, method }: RunOptions): void {
  const expected = readResponse(text, method === "HEAD");
  const { reason = "" } = outcome.refused ?? {};
  if (LIMITS.test(reason)) return;
  const by = { outcome, expected };
  if (expected.kind === "bad") {
    hold(reason !== "", "A bad response was taken", by);
    hold(!/^(no-response|truncated-.*)$/.test(reason), "A bad response was waited for", by);
    return;
  }
  if (expected.kind === "short") {
    hold(!outcome.complete, "A short response was complete", by);
    hold(
      end === undefined ? reason === "" : /^(no-response|truncated-.*)$/.test(reason),
      "A short response was refused",
      by,
    );
    return;
  }
  const { complete, surplus } = outcome;
  if (expected.untilEnd) {
    hold(complete === (end === "clean"), "Only a clean end ends it", by);
    hold((reason === "truncated-body") === (end === "unclean"), "An unclean end cuts it off", by);
  } else {
    hold(complete && reason === "" && surplus === expected.surplus, "It ends elsewhere", by);
    hold(outcome.keepAlive === expected.keepAlive, "It says otherwise of the connection", by);
  }
  hold(outcome.body === expected.body, "It has another body", by);
  hold(outcome.interim.length === expected.interim, "Other interim responses", by);
  hold(JSON.stringify(outcome.head?.fields) === JSON.stringify(expected.fields), "Fields", by);
  hold(
    JSON.stringify(outcome.trailers ?? []) === JSON.stringify(expected.trailers),
    "Trailers",
    by,
  );
}

function kindOf({ body, complete, head, interim, keepAlive, refused, surplus, trailers }: Outcome) {
  const size = (length: number) => Math.min(8, Math.ceil(Math.log2(length + 1)));
  return [
    refused?.reason ?? "",
    size(refused?.offset ?? 0),
    Math.floor((head?.status ?? 0) / 100),
    Math.min(4, head?.fields.length ?? 0),
    Math.min(3, interim.length),
    size(body.length),
    Math.min(2, trailers?.length ?? 0),
    complete,
    keepAlive,
    surplus > 0,
  ].join();
}

/** Whatever a head is made of, it says that on the wire and nothing else, or it is refused. */
function checkRequest(text: string): string {
  const [method = "", target = "", host = "", ...rest] = text.split("\n");
  const headers = Array.from(
    { length: rest.length >> 1 },
    (_, i) => [rest[2 * i]!, rest[2 * i + 1]!] as const,
  );
  const bytes = attempt(() => encodeRequest({ method, target, host, headers }), TypeError);
  if (!bytes) return "refused";
  const wire = textOf(bytes);
  const [line, ...fields] = wire.slice(0, -4).split("\r\n");
  hold(wire.endsWith("\r\n\r\n") && wire.indexOf("\r\n\r\n") === wire.length - 4, "Ends", wire);
  hold(line === `${method} ${target} HTTP/1.1`, "Another request line", wire);
  hold(!/[\0\r\n]/.test(wire.replaceAll("\r\n", "")), "A control character", wire);
  const own = /^(host|content-length|transfer-encoding)$/i;
  const given = headers.filter(([name]) => !own.test(name));
  const sent = fields.filter((field) => !own.test(field.slice(0, field.indexOf(":"))));
  hold(
    JSON.stringify(sent) === JSON.stringify(given.map(([name, value]) => `${name}: ${value}`)),
    "Other fields",
    wire,
  );
  const hosts = fields.filter((field) => /^host:/i.test(field));
  hold(hosts.length === 1 && fields[0] === hosts[0], "Not one Host, first", wire);
  hold(!fields.some((field) => /^transfer-encoding:/i.test(field)), "A coding", wire);
  hold(bytesOf(wire).length === bytes.length, "Lost bytes", wire);
  return `sent ${fields.length} ${method.length}`;
}
