/**
 * A minimal HTTP/1.1 responder for the test origin. Any path is answered with a JSON line that says
 * who answered; these paths do more:
 *
 * - `/bytes/N`: a body of N bytes
 * - `/chunked/N`: the same, chunked
 * - `/delay/MS`: answers after so many milliseconds
 * - `/close`: answers with `Connection: close`, and closes
 * - `/hang`: never answers
 * - `/cut`: half a body, then FIN
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { pattern } from "./pattern.ts";

/** Who answers. */
export interface Responder {
  readonly address: string;
  readonly sni: string | null;
  /** The connection's id. */
  readonly connection: number;
  /** Is called for each request; gives its number on this connection. */
  onRequest(): number;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly host: string;
}

/** Answers requests on a stream; gives the function to call with what arrives. */
export function serveHttp(stream: Duplex, responder: Responder): (bytes: Uint8Array) => void {
  let head = "";
  let bodyLeft = 0;
  let pending: Promise<void> = Promise.resolve();

  return (bytes) => {
    let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    while (text.length > 0) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, text.length);
        bodyLeft -= taken;
        text = text.slice(taken);
        continue;
      }
      head += text;
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      text = head.slice(end + 4);
      const request = parseHead(head.slice(0, end));
      bodyLeft = Number(/^content-length:\s*(\d+)/im.exec(head.slice(0, end))?.[1] ?? 0);
      head = "";
      const number = responder.onRequest();
      // In order, as pipelining wants it, even when one is delayed.
      pending = pending.then(() => answer(stream, request, number, responder));
    }
  };
}

function parseHead(head: string): Request {
  const [method = "", path = ""] = head.slice(0, head.indexOf("\r\n")).split(" ");
  return { method, path, host: /^host:\s*(\S*)/im.exec(head)?.[1] ?? "" };
}

async function answer(
  stream: Duplex,
  request: Request,
  number: number,
  responder: Responder,
): Promise<void> {
  const [, route, argument] = request.path.split("/");
  if (route === "hang") return;
  if (route === "delay") {
    await new Promise((resolve) => setTimeout(resolve, Number(argument)).unref?.());
  }
  if (stream.destroyed) return;
  const body = route === "bytes" || route === "chunked"
    ? pattern(0, Number(argument))
    : Buffer.from(
      JSON.stringify({
        address: responder.address,
        sni: responder.sni,
        connection: responder.connection,
        request: number,
        method: request.method,
        path: request.path,
        host: request.host,
      }) + "\n",
    );
  const type = route === "bytes" ? "application/octet-stream" : "application/json";
  const framing = route === "chunked"
    ? "Transfer-Encoding: chunked"
    : `Content-Length: ${body.length}`;
  const closing = route === "close" ? "Connection: close\r\n" : "";
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n${framing}\r\n${closing}\r\n`;
  if (request.method === "HEAD") stream.write(head);
  else if (route === "cut") {
    stream.end(Buffer.concat([Buffer.from(head), body.subarray(0, body.length >> 1)]));
  } else if (route === "chunked") {
    stream.write(head);
    for (let at = 0; at < body.length; at += 16_384) {
      const part = body.subarray(at, at + 16_384);
      stream.write(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, crlf]));
    }
    stream.write("0\r\n\r\n");
  } else stream.write(Buffer.concat([Buffer.from(head), body]));
  if (route === "close") stream.end();
}

const crlf = Buffer.from("\r\n");
