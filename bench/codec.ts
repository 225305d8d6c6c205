/**
 * Measures the HTTP/1.1 codec beside `http-parser-js`, and on Node beside its own llhttp.
 *
 * The others make strings of all fields at once, ours when they are read: hence the benchmarks that
 * read one, and all. Run it with `node --import tsx`, `bun`, or `deno run --allow-all`.
 *
 * @module
 */

import { bench, do_not_optimize, group, run, summary } from "mitata";
import { createRequire } from "node:module";
import { encodeRequest } from "../src/http/h1/request_head.ts";
import { ResponseParser } from "../src/http/h1/response_parser.ts";
import type { ResponseHeaders } from "../src/http/response_headers.ts";

const KIB = 1024;
const FIELDS: [name: string, value: string][] = [
  ["Date", "Mon, 01 Jan 2024 00:00:00 GMT"],
  ["Content-Type", "application/json; charset=utf-8"],
  ["Connection", "keep-alive"],
  ["Keep-Alive", "timeout=5"],
  ["Cache-Control", "private, max-age=0, must-revalidate"],
  ["ETag", "W/\"1b-abcdefghijklmnop\""],
  ["Server", "nginx/1.25.3"],
  ["Vary", "Accept-Encoding, Origin"],
  ["X-Request-Id", "7f0c1a2b-3d4e-5f60-7182-93a4b5c6d7e8"],
  ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"],
  ["X-Content-Type-Options", "nosniff"],
];

function response(fields: [name: string, value: string][], body: string): Uint8Array {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${lines}\r\n${body}`);
}

const TINY = [response([["Content-Length", "2"]], "ok")];
const TYPICAL = [response([...FIELDS, ["Content-Length", "27"]], "x".repeat(27))];
const CHUNKED = [
  response(
    [["Content-Type", "text/plain"], ["Transfer-Encoding", "chunked"]],
    `${`400\r\n${"x".repeat(KIB)}\r\n`.repeat(10)}0\r\n\r\n`,
  ),
];
const LARGE = [
  response([["Content-Length", String(KIB * KIB)]], ""),
  ...new Array<Uint8Array>(16).fill(new Uint8Array(64 * KIB).fill(0x78)),
];

/** Parses one response, in chunks, and returns how many bytes its body had. */
type Parse = (chunks: readonly Uint8Array[]) => number;

let headers: ResponseHeaders | undefined;
const ours = ((): Parse => {
  let bytes = 0;
  const parser = new ResponseParser({
    onInterim() {},
    onHead(_status, _statusText, found) {
      headers = found;
    },
    onBody(part) {
      bytes += part.length;
    },
    onTrailers() {},
  });
  return (chunks) => {
    bytes = 0;
    parser.reset("GET");
    for (const chunk of chunks) parser.push(chunk);
    return parser.complete ? bytes : -1;
  };
})();

/** What `http-parser-js` and llhttp have in common, and what differs. */
interface PeerParser {
  [callback: number]: unknown;
  initialize(type: unknown, resource?: object): void;
  execute(chunk: Uint8Array, start: number, length: number): number | Error;
}
interface PeerClass {
  new(type?: unknown): PeerParser;
  readonly RESPONSE: unknown;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

function peer(Parser: PeerClass): Parse {
  const parser = new Parser(Parser.RESPONSE);
  let bytes = 0;
  let complete = false;
  parser.initialize(Parser.RESPONSE, {});
  parser[Parser.kOnHeadersComplete] = () => 0;
  // One tells the position, the other gives a part.
  parser[Parser.kOnBody] = (part: Uint8Array, _start?: number, length?: number) => {
    bytes += length ?? part.length;
  };
  parser[Parser.kOnMessageComplete] = () => {
    complete = true;
  };
  return (chunks) => {
    bytes = 0;
    complete = false;
    for (const chunk of chunks) {
      const result = parser.execute(chunk, 0, chunk.length);
      if (typeof result !== "number") throw result;
    }
    return complete ? bytes : -1;
  };
}

const require = createRequire(import.meta.url);
const peers: [name: string, parse: Parse][] = [];
try {
  const { HTTPParser } = require("http-parser-js") as { HTTPParser: PeerClass };
  peers.push(["http-parser-js", peer(HTTPParser)]);
} catch (error) {
  console.warn(`Without http-parser-js: ${String(error).split("\n")[0]}`);
}
if (!("Deno" in globalThis) && !("Bun" in globalThis)) {
  const { HTTPParser } = require("_http_common") as { HTTPParser: PeerClass };
  peers.push(["llhttp", peer(HTTPParser)]);
}

function compare(name: string, chunks: Uint8Array[], length: number, read?: () => unknown): void {
  const buffers = chunks.map((chunk) => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
  for (const [who, parse] of [["hotconn", ours] as const, ...peers]) {
    if (parse(buffers) !== length) throw new Error(`${who} did not parse: ${name}`);
  }
  group(name, () =>
    summary(() => {
      bench("hotconn", () => {
        do_not_optimize(ours(chunks));
        if (read !== undefined) do_not_optimize(read());
      }).baseline(true);
      for (const [who, parse] of peers) bench(who, () => do_not_optimize(parse(buffers)));
    }));
}

compare("a tiny response", TINY, 2);
compare("12 fields", TYPICAL, 27);
compare("12 fields, one read", TYPICAL, 27, () => headers?.get("content-type"));
compare("12 fields, all read", TYPICAL, 27, () => [...headers ?? []]);
compare("10 KiB in 10 chunks", CHUNKED, 10 * KIB);
compare("1 MiB in parts of 64 KiB", LARGE, KIB * KIB);

group("a request with 6 fields", () => {
  const request = {
    method: "GET",
    target: "/api/v1/things/42?x=1&y=2",
    host: "example.com",
    headers: [
      ["user-agent", "hotconn"],
      ["accept", "application/json, text/plain, */*"],
      ["accept-encoding", "gzip, deflate, br"],
      ["authorization", "Bearer abcdefghijklmnopqrstuvwxyz0123456789"],
      ["x-request-id", "7f0c1a2b-3d4e-5f60-7182-93a4b5c6d7e8"],
      ["cookie", "session=abcdef0123456789; theme=dark"],
    ] as [name: string, value: string][],
  };
  bench("encodeRequest()", () => do_not_optimize(encodeRequest(request)));
  const post = { ...request, method: "POST", body: new Uint8Array(100) };
  bench("encodeRequest() with a body", () => do_not_optimize(encodeRequest(post)));
});

await run();
