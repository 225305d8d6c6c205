/**
 * Reads requests off a connection of the test origin, and keeps what a test may ask about them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { mismatch } from "./pattern.ts";

/** A request as a scripted origin saw it. */
export interface RequestRecord {
  /** The connection's id. */
  readonly connection: number;
  readonly method: string;
  readonly path: string;
  /** When its head had come, in milliseconds, by the clock of the origin's process. */
  readonly at: number;
  /** The head, as it came, without its last line ends. */
  readonly head: string;
  /** How many bytes of the body came, without their framing. */
  bodyBytes: number;
  /** Where the body first differs from the pattern of `pattern.ts`; -1 where it does not. */
  bodyMismatch: number;
  /** The body's first bytes, each as a character. */
  bodyStart: string;
  /** The trailers, as header lines. */
  trailers: string[];
  /** The headers that may never be kept in a table, by HTTP/2. */
  readonly secrets?: readonly string[];
  /** Whether the request came to its end. */
  complete: boolean;
}

/** How much of a body is kept as text, in bytes. */
const START_BYTES = 1_024;

const NOTHING = Buffer.alloc(0);

/** Reads requests, in a row. */
export class RequestReader {
  readonly #connection: number;
  readonly #changed: () => void;
  readonly #onHead: (record: RequestRecord, body: Promise<void>) => void;
  #held: Buffer = NOTHING;
  #record: RequestRecord | undefined;
  #left = 0;
  #chunked = false;
  #resolve: () => void = () => {};

  constructor(
    connection: number,
    changed: () => void,
    onHead: (record: RequestRecord, body: Promise<void>) => void,
  ) {
    this.#connection = connection;
    this.#changed = changed;
    this.#onHead = onHead;
  }

  /** Takes what arrives. */
  take(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#step()) { /* until more must come */ }
    if (this.#held.length > 0) this.#held = Buffer.from(this.#held);
    this.#changed();
  }

  #step(): boolean {
    const record = this.#record;
    if (!record) return this.#takeHead();
    if (this.#left > 0) return this.#takeBody(record);
    if (!this.#chunked) return this.#end(record);
    return this.#takeChunkSize(record);
  }

  #takeHead(): boolean {
    const end = this.#held.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#held.toString("latin1", 0, end);
    this.#held = this.#held.subarray(end + 4);
    const [method = "", path = ""] = head.slice(0, head.indexOf("\r\n")).split(" ");
    this.#left = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0);
    this.#chunked = /^transfer-encoding:\s*chunked/im.test(head);
    const record = this.#record = {
      connection: this.#connection,
      method,
      path,
      at: performance.now(),
      head,
      bodyBytes: 0,
      bodyMismatch: -1,
      bodyStart: "",
      trailers: [],
      complete: false,
    };
    this.#onHead(record, new Promise((resolve) => this.#resolve = resolve));
    return true;
  }

  #takeBody(record: RequestRecord): boolean {
    const part = this.#held.subarray(0, this.#left);
    if (part.length === 0) return false;
    this.#held = this.#held.subarray(part.length);
    this.#left -= part.length;
    if (record.bodyMismatch < 0) record.bodyMismatch = mismatch(record.bodyBytes, part);
    if (record.bodyBytes < START_BYTES) {
      record.bodyStart += part.toString("latin1", 0, START_BYTES - record.bodyBytes);
    }
    record.bodyBytes += part.length;
    return true;
  }

  /** Takes a chunk's size line, with the line end of the chunk before it. */
  #takeChunkSize(record: RequestRecord): boolean {
    const from = record.bodyBytes > 0 ? 2 : 0;
    const end = this.#held.indexOf("\r\n", from);
    if (end < 0) return false;
    const size = Number.parseInt(this.#held.toString("latin1", from, end), 16);
    if (size > 0) {
      this.#left = size;
      this.#held = this.#held.subarray(end + 2);
      return true;
    }
    const last = this.#held.indexOf("\r\n\r\n", end);
    if (last < 0) return false;
    record.trailers = this.#held.toString("latin1", end, last).split("\r\n").filter(Boolean);
    this.#held = this.#held.subarray(last + 4);
    return this.#end(record);
  }

  #end(record: RequestRecord): true {
    record.complete = true;
    this.#record = undefined;
    this.#resolve();
    return true;
  }
}
