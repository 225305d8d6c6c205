/**
 * A request's body on its way out over one connection.
 *
 * @module
 */

import type { Connection } from "../../map/connection.ts";
import { type BodyReader, wrongLength } from "../body_reader.ts";
import type { ReadTrailers } from "../request.ts";
import { encodeChunk, encodeLastChunk } from "./request_body.ts";

/** Writes a body as fast as its connection takes it, until it is out or stopped. */
export class Upload {
  readonly #connection: Connection;
  #done = false;
  #stopped = false;
  #drained: (() => void) | undefined;

  /** Begins nothing yet: the head goes first. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Whether the connection has taken all of it, unless it was stopped. */
  get done(): boolean {
    return this.#done;
  }

  /** Writes the end of the request, or all of the body. */
  sendLast(bytes: Uint8Array): void {
    if (this.#stopped) return;
    this.#done = this.#connection.write(bytes);
    this.#drained = () => this.#done = true;
  }

  /**
   * Writes a body as it comes: in chunks, or as the number of bytes that the head has announced.
   * Trailers are asked for when a body in chunks has ended.
   *
   * @throws {TypeError} A part of it is not bytes
   * @throws {RangeError} It is not as long as the head has said
   * @throws What the body or its trailers throw
   */
  async send(body: BodyReader, length: number | null, trailers?: ReadTrailers): Promise<void> {
    let left = length ?? Infinity;
    let last: Uint8Array | undefined;
    while (!this.#stopped) {
      const part = await body.read();
      if (this.#stopped) return;
      if (part === null) {
        if (length === null) this.sendLast(encodeLastChunk(await trailers?.()));
        else if (left > 0) throw wrongLength("shorter", length);
        else if (last) this.sendLast(last);
        else this.#done = true;
        return;
      }
      if (part.length === 0) continue;
      if (part.length > left) throw wrongLength("longer", length);
      left -= part.length;
      let bytes = length === null ? encodeChunk(part) : new Uint8Array(part);
      if (left === 0) {
        // The last byte would get the request answered, although more of the body might come.
        last = bytes.subarray(-1);
        bytes = bytes.subarray(0, -1);
      }
      if (bytes.length > 0 && !this.#connection.write(bytes)) {
        await new Promise<void>((resolve) => this.#drained = resolve);
      }
    }
  }

  /** Writes on: the connection takes more. */
  onDrain(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  /** Stops writing. */
  stop(): void {
    this.#stopped = true;
    this.onDrain();
  }
}
