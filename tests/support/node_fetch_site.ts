/**
 * A server without a network with the answers that node-fetch's own tests are about.
 *
 * @module
 */

import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import type { MemoryDialer, MemorySocket } from "../../adapters/memory.ts";
import type { HttpPool } from "../../src/http/http_pool.ts";
import { type Answer, answer, memoryHttp, type ServedRequest } from "./memory_http.ts";

/** The URL that paths are added to. */
export const BASE = "https://a.test/";

const TEXT = { "content-type": "text/plain" };

const coded = (coding: string, bytes: Uint8Array | string) =>
  answer("200 OK", { ...TEXT, "content-encoding": coding }, bytes);

const bare = (status: string, coding: string) =>
  `HTTP/1.1 ${status}\r\ncontent-encoding: ${coding}\r\n\r\n`;

/** What is at each path; what depends on the request, or on the socket, is in `serve`. */
const PAGES: { readonly [path: string]: Answer } = {
  "brotli": coded("br", brotliCompressSync("a few words")),
  "cookie":
    "HTTP/1.1 200 OK\r\nset-cookie: one=1\r\nset-cookie: two=2\r\ncontent-length: 0\r\n\r\n",
  "deflate": coded("deflate", deflateSync("a few words")),
  "deflate-raw": coded("deflate", deflateRawSync("a few words")),
  "error/400": answer("400 Bad Request", TEXT, "your fault"),
  "error/500": answer("500 Internal Server Error", TEXT, "our fault"),
  "error/json": answer("200 OK", { "content-type": "application/json" }, "{made: here}"),
  "gzip": coded("gzip", gzipSync("a few words")),
  "gzip-capital": coded("GZip", gzipSync("a few words")),
  "gzip-truncated": coded("gzip", gzipSync("a few words").subarray(0, -8)),
  "short": answer("200 OK", TEXT, "of it"),
  "html": answer("200 OK", { "content-type": "text/html" }, "<html></html>"),
  "not-gzip": coded("gzip", "plain all the same"),
  "json": answer("200 OK", { "content-type": "application/json" }, "{\"made\":\"here\"}"),
  "stra%C3%9Fe": answer("200 OK"),
  "no-content": "HTTP/1.1 204 No Content\r\n\r\n",
  "no-content/brotli": bare("204 No Content", "br"),
  "no-content/gzip": bare("204 No Content", "gzip"),
  "not-modified": "HTTP/1.1 304 Not Modified\r\n\r\n",
  "not-modified/gzip": bare("304 Not Modified", "gzip"),
  "options": answer("200 OK", { allow: "GET, HEAD, OPTIONS" }, "a few words"),
  "plain": answer("200 OK", TEXT, "text"),
  "redirect/chain": answer("301 Moved", { location: "/redirect/301" }),
  "redirect/no-location": answer("301 Moved"),
  "redirect/slow": answer("301 Moved", { location: "/silent" }),
  "redirect/slow-stream": answer("301 Moved", { location: "/slow" }),
  "sdch": coded("sdch", "as it came"),
  "silent": null,
  "slow": "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\ntest",
};

function serve({ body, headers, method, path }: ServedRequest, socket: MemorySocket): Answer {
  const page = path.slice(1).replace(/\?.*$/, "");
  if (method === "HEAD") {
    return page === "error/404"
      ? bare("404 Not Found", "gzip")
      : "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\n";
  }
  const status = /^redirect\/(\d+)$/.exec(page)?.[1];
  if (status !== undefined) return answer(`${status} Moved`, { location: "/inspect" });
  if (page === "inspect") {
    return answer(
      "200 OK",
      { "content-type": "application/json" },
      JSON.stringify({ method, body, headers: Object.fromEntries(headers) }),
    );
  }
  if (page === "error/reset") socket.end();
  if (page === "error/cut-off") {
    socket.receive(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    queueMicrotask(() => socket.end());
  }
  if (page.startsWith("error/") && PAGES[page] === undefined) return null;
  return page in PAGES ? PAGES[page]! : answer("200 OK");
}

/** Opens a pool that has only this server. */
export function nodeFetchSite(): HttpPool & { readonly dialer: MemoryDialer } {
  return memoryHttp(serve, { maxRetries: 0 });
}
