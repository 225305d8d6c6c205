/**
 * A pool that speaks HTTP with a server without a network.
 *
 * @module
 */

import { decoders } from "../../adapters/codings/decoders.ts";
import { type MemoryDialer, memoryDialer, type MemorySocket } from "../../adapters/memory.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { ResponseMaker } from "../../src/http/fetched_response.ts";
import type { HttpPoolOptions } from "../../src/http/http_options.ts";
import { HttpPool } from "../../src/http/http_pool.ts";

/** A request as the server sees it. */
export interface ServedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** What a server answers: the response's bytes as text or bytes, or nothing at all. */
export type Answer = string | Uint8Array | null;

/** Makes the text of a response with a body of known length. */
export function answer(
  status: string,
  headers: { readonly [name: string]: string } = {},
  body: string | Uint8Array = "",
): Uint8Array {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const fields = Object.entries({ "content-length": `${bytes.length}`, ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = new TextEncoder().encode(`HTTP/1.1 ${status}\r\n${fields}\r\n`);
  const whole = new Uint8Array(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

/** Makes a pool whose every host is one machine that answers as `serve` says. */
export function memoryHttp(
  serve: (request: ServedRequest, socket: MemorySocket) => Answer,
  options: Omit<Partial<HttpPoolOptions>, "dialer"> = {},
  respond?: ResponseMaker,
): HttpPool & { readonly dialer: MemoryDialer } {
  const dialer = memoryDialer({
    script: () => ({ socket: { onWrite: collect(serve) } }),
  });
  const names = ["a.test", "b.test"];
  const resolver = staticResolver(Object.fromEntries(names.map((name) => [name, ["192.0.2.1"]])));
  const pool = new HttpPool({ resolver, ...options, dialer }, respond, decoders);
  return Object.assign(pool, { dialer });
}

/** Gathers what is written until a request is whole, and answers it. */
function collect(
  serve: (request: ServedRequest, socket: MemorySocket) => Answer,
): (socket: MemorySocket, bytes: Uint8Array) => void {
  let text = "";
  return (socket, bytes) => {
    for (const byte of bytes) text += String.fromCharCode(byte);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const [start = "", ...lines] = text.slice(0, end).split("\r\n");
    const [method = "", path = ""] = start.split(" ");
    const headers = new Headers(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    let body = text.slice(end + 4);
    if (headers.get("transfer-encoding") === "chunked") {
      if (!body.endsWith("0\r\n\r\n")) return;
      body = body.replace(/[0-9a-f]+\r\n((?:.|\n)*?)\r\n/g, "$1").replace(/\r\n$/, "");
    } else if (body.length < Number(headers.get("content-length") ?? 0)) return;
    text = "";
    queueMicrotask(() => {
      const bytes = serve({ method, path, headers, body }, socket);
      if (typeof bytes === "string") socket.receive(new TextEncoder().encode(bytes));
      else if (bytes) socket.receive(bytes);
    });
  };
}
