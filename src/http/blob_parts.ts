/**
 * A body that is read piece by piece out of blobs, and as often as it is needed.
 *
 * @module
 */

/** What a blob must have, whichever library made it. */
export type BlobLike = Pick<Blob, "size" | "type" | "arrayBuffer" | "slice">;

/** How much of a blob is held at a time, in bytes. */
const PIECE_BYTES = 262_144;

/** Bytes and blobs, one after the other. Each iteration starts from the beginning. */
export class BlobParts implements AsyncIterable<Uint8Array> {
  /** How long all of it is, in bytes. */
  readonly bytes: number;
  readonly #parts: readonly (Uint8Array | BlobLike)[];

  /** Reads nothing yet. */
  constructor(parts: readonly (Uint8Array | BlobLike)[]) {
    this.#parts = parts;
    this.bytes = parts.reduce((sum, part) => sum + sizeOf(part), 0);
  }

  /** Gives it piece by piece. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (const part of this.#parts) {
      if (part instanceof Uint8Array) {
        yield part;
        continue;
      }
      for (let at = 0; at < part.size; at += PIECE_BYTES) {
        const piece = part.slice(at, Math.min(at + PIECE_BYTES, part.size));
        yield new Uint8Array(await piece.arrayBuffer());
      }
    }
  }

  /** Reads all of it. */
  async whole(): Promise<Uint8Array> {
    const whole = new Uint8Array(this.bytes);
    let at = 0;
    for await (const piece of this) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}

function sizeOf(part: Uint8Array | BlobLike): number {
  return part instanceof Uint8Array ? part.length : part.size;
}
