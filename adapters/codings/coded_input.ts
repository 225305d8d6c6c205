/**
 * The coded bytes of a body, for a decoder to read.
 *
 * @module
 */

import { joinBytes } from "../../src/core/bytes.ts";
import type { BodyReader } from "../../src/http/body_reader.ts";

/** The longest piece, in bytes. What one step of decoding gives depends on it on some runtimes. */
const PIECE_BYTES = 16_384;

/** How much is read behind the end of what is coded, in bytes. */
const MOST_BEHIND_BYTES = 65_536;

/** Reads ahead by what is there, and takes back what was too much. */
export class CodedInput {
  readonly #source: BodyReader;
  #left: Uint8Array = new Uint8Array(0);
  #ended = false;

  /** Takes over the source. */
  constructor(source: BodyReader) {
    this.#source = source;
  }

  /** Returns the next piece, `most` bytes at the most; null at the end. It is never empty. */
  async next(most: number = PIECE_BYTES): Promise<Uint8Array | null> {
    while (this.#left.length === 0) {
      const part = this.#ended ? null : await this.#source.read();
      this.#ended ||= part === null;
      if (part === null) return null;
      this.#left = part;
    }
    const piece = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(piece.length);
    return piece;
  }

  /** Puts the end of the last piece back. */
  unread(bytes: Uint8Array): void {
    this.#left = this.#left.length === 0 ? bytes : joinBytes([bytes, this.#left]);
  }

  /** Returns `length` bytes, or what there is before the end. */
  async take(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const piece = await this.next(length - at);
      if (piece === null) return bytes.subarray(0, at);
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /**
   * Reads on to the end, skipping what nobody needs; if that is long, gives up.
   *
   * @param zeros Whether it must be zeros
   * @throws {TypeError} It is not
   */
  async finish(zeros = false): Promise<void> {
    let bytes = 0;
    for (let piece = await this.next(); piece; piece = await this.next()) {
      if (zeros && piece.some((byte) => byte !== 0)) {
        throw new TypeError("Something follows the coded body");
      }
      bytes += piece.length;
      if (bytes > MOST_BEHIND_BYTES) return this.cancel(new Error("Nothing of a body is left"));
    }
  }

  /** Gives up the rest. */
  cancel(reason: unknown): void {
    this.#ended = true;
    this.#left = new Uint8Array(0);
    this.#source.cancel(reason);
  }
}
