/**
 * Runs a response parser and notes all that it says, in a form that can be compared.
 *
 * @module
 */

import { ResponseParser, type ResponseSink } from "../../../src/http/h1/response_parser.ts";
import type { ResponseLimits } from "../../../src/http/limits.ts";
import { HttpParseError } from "../../../src/http/parse_error.ts";
import type { ResponseHeaders } from "../../../src/http/response_headers.ts";

/** A field, as it is read. */
export type Field = [name: string, value: string];

/** What became of a response. */
export interface Outcome {
  /** The interim responses. */
  interim: { status: number; fields: Field[] }[];
  /** The head, or null where none came. */
  head: { status: number; statusText: string; fields: Field[] } | null;
  /** The body, each byte a character. */
  body: string;
  /** The trailers, or null where none came. */
  trailers: Field[] | null;
  /** Whether the response is complete. */
  complete: boolean;
  /** Whether the connection may be used again, or null where the response is not complete. */
  keepAlive: boolean | null;
  /** How many bytes were left over. */
  surplus: number;
  /** Why it was refused, and where, or null. */
  refused: { reason: string; offset: number } | null;
}

/** How to run the parser. */
export interface RunOptions {
  /** The request's method, GET if none is named. */
  method?: string;
  /** The lengths of the chunks but the last; all in one if none are named. */
  cuts?: readonly number[];
  /** The parser's limits. */
  limits?: ResponseLimits;
  /** How the stream ends after the bytes; it does not if nothing is said. */
  end?: "clean" | "unclean";
}

/** Makes bytes of a text, each character one byte. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Makes a text of bytes, each byte one character. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Notes what a parser says. Fields are read only at the end, when all chunks were overwritten. */
export class Recorder implements ResponseSink {
  readonly #interim: { status: number; headers: ResponseHeaders }[] = [];
  #head: { status: number; statusText: string; headers: ResponseHeaders } | null = null;
  #trailers: ResponseHeaders | null = null;
  #body = "";

  onInterim(status: number, headers: ResponseHeaders): void {
    this.#interim.push({ status, headers });
  }
  onHead(status: number, statusText: string, headers: ResponseHeaders): void {
    if (this.#head !== null) throw new Error("A second head");
    this.#head = { status, statusText, headers };
  }
  onBody(bytes: Uint8Array): void {
    if (this.#head === null) throw new Error("A body before its head");
    if (bytes.length === 0) throw new Error("An empty part of a body");
    this.#body += textOf(bytes);
  }
  onTrailers(trailers: ResponseHeaders): void {
    if (this.#trailers !== null) throw new Error("A second trailer section");
    this.#trailers = trailers;
  }

  /** Tells what was noted. */
  outcome(parser: ResponseParser, surplus: number, refused: Outcome["refused"]): Outcome {
    return {
      interim: this.#interim.map(({ status, headers }) => ({ status, fields: [...headers] })),
      head: this.#head === null ? null : {
        status: this.#head.status,
        statusText: this.#head.statusText,
        fields: [...this.#head.headers],
      },
      body: this.#body,
      trailers: this.#trailers === null ? null : [...this.#trailers],
      complete: parser.complete,
      keepAlive: parser.complete ? parser.keepAlive : null,
      surplus,
      refused,
    };
  }
}

/**
 * Parses a response, each chunk a copy that is overwritten as soon as `push()` returns. Whatever
 * is thrown and is no `HttpParseError` is thrown on.
 */
export function run(response: string | Uint8Array, options: RunOptions = {}): Outcome {
  const bytes = typeof response === "string" ? bytesOf(response) : response;
  const recorder = new Recorder();
  const parser = new ResponseParser(recorder, options.limits);
  parser.reset(options.method ?? "GET");
  const lengths = [...options.cuts ?? [], bytes.length];
  let surplus = 0;
  let at = 0;
  try {
    for (const length of lengths) {
      const chunk = bytes.slice(at, at + length);
      at += chunk.length;
      const consumed = parser.push(chunk);
      if (consumed < chunk.length && !parser.complete) throw new Error("Left bytes of a response");
      if (consumed > chunk.length) throw new Error("Consumed more than there was");
      surplus += chunk.length - consumed;
      chunk.fill(0xaa);
      const most = (options.limits?.maxHeadBytes ?? 65_536) + 2_048 + 5;
      if (parser.heldBytes > most) throw new Error(`Holds ${parser.heldBytes} bytes`);
      if (parser.complete && parser.heldBytes > 0) throw new Error("Holds bytes while idle");
    }
    if (options.end !== undefined) parser.finish(options.end === "clean");
  } catch (error) {
    if (!(error instanceof HttpParseError)) throw error;
    if (parser.heldBytes > 0) throw new Error("Holds bytes after a refusal", { cause: error });
    return recorder.outcome(parser, 0, { reason: error.reason, offset: error.offset });
  }
  return recorder.outcome(parser, surplus, null);
}

/** Parses a response whole and byte by byte, and says why it was refused: the same both times. */
export function refusal(response: string, options: RunOptions = {}): string | null {
  const whole = run(response, options);
  const bytewise = run(response, { ...options, cuts: new Array(response.length).fill(1) });
  if (JSON.stringify(whole) !== JSON.stringify(bytewise)) {
    throw new Error(`Whole ${JSON.stringify(whole)}, bytewise ${JSON.stringify(bytewise)}`);
  }
  return whole.refused === null ? null : `${whole.refused.reason} at ${whole.refused.offset}`;
}
