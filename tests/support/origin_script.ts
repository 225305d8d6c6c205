/**
 * A scripted HTTP/1.1 server for the test origin: a test gives the bytes of each answer, their
 * pieces and pauses, and what happens then; and hears what was asked, to the byte.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { Action } from "./origin_types.ts";
import { pattern } from "./pattern.ts";
import { RequestReader, type RequestRecord } from "./request_reader.ts";

/** One step of an answer. */
export type Step =
  /** Sends text, each character a byte. */
  | { readonly send: string }
  /** Sends so many bytes of the pattern of `pattern.ts`, as fast as they are taken. */
  | { readonly pattern: number; readonly chunked?: boolean }
  | { readonly waitMs: number }
  /** Goes on when the request has arrived with its body. */
  | { readonly wait: "body" }
  | { readonly do: Exclude<Action["kind"], "send"> };

/** An answer; `[]` is none at all. */
export type Script = readonly Step[];

/** The answers by path: the first request gets the first one, and the last one stays. */
export type Scripts = { readonly [path: string]: Script | readonly Script[] };

/** What a connection does for a script. */
export interface ScriptedConnection {
  readonly id: number;
  readonly stream: Duplex;
  act(action: Action): void;
  onRequest(): void;
  onSent(bytes: number): void;
  changed(): void;
}

/** What all connections of a scripted origin share. */
export class ScriptedOrigin {
  /** Every request, in the order of their heads. */
  readonly log: RequestRecord[] = [];
  readonly #scripts: Scripts;
  readonly #asked = new Map<string, number>();

  constructor(scripts: Scripts) {
    this.#scripts = scripts;
  }

  /** Serves a connection; gives the function to call with what arrives. */
  serve(connection: ScriptedConnection): (bytes: Uint8Array) => void {
    let pending = Promise.resolve();
    const reader = new RequestReader(connection.id, connection.changed, (record, body) => {
      this.log.push(record);
      connection.onRequest();
      const script = this.next(record.path);
      pending = pending.then(() => play(script, connection, body));
    });
    return (bytes) => reader.take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  /** The answer to the next request for a path. */
  next(path: string): Script {
    const scripts = this.#scripts[path] ?? this.#scripts["*"] ?? [];
    if (!isList(scripts)) return scripts;
    const asked = this.#asked.get(path) ?? 0;
    this.#asked.set(path, asked + 1);
    return scripts[Math.min(asked, scripts.length - 1)] ?? [];
  }
}

function isList(scripts: Script | readonly Script[]): scripts is readonly Script[] {
  return Array.isArray(scripts[0]);
}

async function play(
  script: Script,
  connection: ScriptedConnection,
  body: Promise<void>,
): Promise<void> {
  const { stream } = connection;
  for (const step of script) {
    if (stream.destroyed) return;
    if ("send" in step) stream.write(Buffer.from(step.send, "latin1"));
    else if ("pattern" in step) await pump(step.pattern, step.chunked ?? false, connection);
    else if ("waitMs" in step) {
      await new Promise((resolve) => void setTimeout(resolve, step.waitMs).unref());
    } else if ("wait" in step) await body;
    else connection.act({ kind: step.do });
  }
}

async function pump(
  bytes: number,
  chunked: boolean,
  { onSent, stream }: ScriptedConnection,
): Promise<void> {
  for (let sent = 0; sent < bytes && !stream.destroyed;) {
    const part = pattern(sent, Math.min(65_536, bytes - sent));
    sent += part.length;
    const framed = chunked
      ? Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")])
      : part;
    const room = stream.write(framed);
    onSent(part.length);
    if (!room) await drained(stream);
  }
  if (chunked) stream.write("0\r\n\r\n");
}

function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off("drain", settle);
      stream.off("close", settle);
      resolve();
    };
    stream.on("drain", settle);
    stream.on("close", settle);
  });
}
