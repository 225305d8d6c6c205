/**
 * HTTP/2 at the test origin, by Node's own server: answers as `origin_http.ts` and scripts say.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http2 from "node:http2";
import { Duplex } from "node:stream";
import type { Script } from "./origin_script.ts";
import type { Action } from "./origin_types.ts";
import { pattern } from "./pattern.ts";
import type { RequestRecord } from "./request_reader.ts";

/** What a connection does for its streams. */
export interface Http2Responder {
  readonly id: number;
  readonly address: string;
  /** The script for a path; undefined where there are none. */
  script(path: string): Script | undefined;
  /** Is called for each request. */
  onRequest(record: RequestRecord): void;
  act(action: Action): void;
  /** Is called with the last stream of a GOAWAY. */
  onGoaway(lastId: number): void;
}

/** Serves HTTP/2 on a connection whose handshake is done. */
export function serveHttp2(socket: Duplex, responder: Http2Responder): void {
  const server = http2.createServer();
  server.on("sessionError", () => {});
  server.on("session", (session) => {
    session.on("goaway", (_code, lastId) => responder.onGoaway(lastId));
  });
  server.on("stream", (stream, headers) => {
    const path = String(headers[":path"]);
    const method = String(headers[":method"]);
    const body = new Promise<void>((resolve) => stream.on("end", resolve).on("close", resolve));
    stream.on("error", () => {});
    stream.resume();
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const head = [`${method} ${path} HTTP/2`, ...fields, "", ""].join("\r\n");
    const record: RequestRecord = {
      connection: responder.id,
      method,
      path,
      at: performance.now(),
      head,
      bodyBytes: 0,
      bodyMismatch: -1,
      bodyStart: "",
      trailers: [],
      secrets: Reflect.get(headers, http2.sensitiveHeaders) as string[],
      complete: true,
    };
    stream.on("trailers", (fields) => {
      record.trailers = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
    });
    responder.onRequest(record);
    const script = responder.script(path);
    void (script ? play(script, stream, responder, body) : answer(path, stream, responder));
  });
  server.emit("connection", bridgeTo(socket));
}

/** A stream over another one. Node 20 ends with an error where a socket has bytes already. */
function bridgeTo(socket: Duplex): Duplex {
  let isOpen = false;
  let pieces: Uint8Array[] = [];
  const flush = () => {
    if (pieces.length > 0 && socket.writable) socket.write(Buffer.concat(pieces));
    pieces = [];
  };
  const bridge = new Duplex({
    read: () => void (isOpen && socket.resume()),
    write: (bytes: Uint8Array, _encoding, callback) => {
      if (pieces.push(bytes) === 1) setImmediate(flush);
      // Whatever has been written when a turn ends leaves in one piece: an answer is there, or not.
      if (socket.writableNeedDrain) socket.once("drain", () => callback());
      else callback();
    },
    final: (callback) => {
      flush();
      socket.end(callback);
    },
    destroy: (error, callback) => {
      socket.destroy();
      callback(error);
    },
  });
  setImmediate(() => {
    isOpen = true;
    socket.on("data", (bytes: Uint8Array) => void (bridge.push(bytes) || socket.pause()));
    socket.on("end", () => bridge.push(null));
    socket.on("close", () => bridge.destroy());
  });
  return bridge;
}

async function play(
  script: Script,
  stream: http2.ServerHttp2Stream,
  { act }: Http2Responder,
  body: Promise<void>,
): Promise<void> {
  for (const step of script) {
    if (stream.destroyed) return;
    if ("send" in step) send(step.send, stream);
    else if ("waitMs" in step) await later(step.waitMs);
    else if ("wait" in step) await body;
    else if ("do" in step) act({ kind: step.do });
    else throw new Error(`HTTP/2 has no step ${JSON.stringify(step)}`);
  }
}

/** Sends what a script has as the text of HTTP/1.1. */
function send(text: string, stream: http2.ServerHttp2Stream): void {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [line = "", ...fields] = head.split("\r\n");
  const headers: http2.OutgoingHttpHeaders = { ":status": Number(line.split(" ")[1]) };
  for (const field of fields) {
    const colon = field.indexOf(":");
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
  }
  stream.respond(headers);
  stream.end(Buffer.from(body, "latin1"));
}

async function answer(
  path: string,
  stream: http2.ServerHttp2Stream,
  { address, id }: Http2Responder,
): Promise<void> {
  const [, route, argument] = path.split("/");
  if (route === "hang") return;
  if (route === "delay") await later(Number(argument));
  if (stream.destroyed) return;
  const body = route === "bytes"
    ? pattern(0, Number(argument))
    : Buffer.from(`${JSON.stringify({ address, connection: id, path })}\n`);
  stream.respond({ ":status": 200, "content-length": body.length });
  stream.end(body);
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
