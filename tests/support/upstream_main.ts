/**
 * The program behind a proxy under test: plain HTTP/1.1, what it does is told by the last part of
 * the path.
 *
 * - `text`: some compressible text
 * - `bytes?size=`: so many bytes of the pattern of `pattern.ts`; with `chunked`, in chunks
 * - `hash`: how many bytes the request's body had, and their SHA-256, as JSON
 * - `until-close`: an answer of HTTP/1.0, whose body ends with its connection
 * - a status code: that status, without a body
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { readInput, sayReady } from "./node_program.ts";
import { pattern } from "./pattern.ts";
import { TEXT } from "./upstream.ts";

const PART_BYTES = 65_536;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://upstream");
  const name = url.pathname.split("/").at(-1) ?? "";
  if (name === "hash") return await answerHash(request, response);
  request.resume();
  if (name === "text") {
    response.setHeader("content-type", "text/plain");
    response.end(TEXT);
  } else if (name === "bytes") {
    response.setHeader("content-type", "application/octet-stream");
    await answerBytes(response, Number(url.searchParams.get("size")), url.searchParams);
  } else if (name === "until-close") {
    response.socket!.end(`HTTP/1.0 200 OK\r\nContent-Type: text/css\r\n\r\n${TEXT}`);
  } else {
    response.statusCode = Number(name) || 404;
    if (name === "304") response.setHeader("etag", "\"same\"");
    response.end();
  }
}

async function answerHash(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    hash.update(part);
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ bytes, sha256: hash.digest("hex") }));
}

async function answerBytes(
  response: ServerResponse,
  size: number,
  options: URLSearchParams,
): Promise<void> {
  if (!options.has("chunked")) response.setHeader("content-length", size);
  await pipeline(function*() {
    for (let at = 0; at < size; at += PART_BYTES) {
      yield pattern(at, Math.min(PART_BYTES, size - at));
    }
  }, response);
}

await readInput();
const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
// The proxies choose how long connections stay: here they stay for good.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => sayReady(server.address()));
