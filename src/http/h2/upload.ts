/**
 * A request's body on its way out over one stream.
 *
 * @module
 */

import { type BodyReader, wrongLength } from "../body_reader.ts";
import type { HeaderField } from "../field_check.ts";
import type { ReadTrailers } from "../request.ts";

/** Takes parts of a body. */
export interface UploadTarget {
  /** Sends a part; true if it takes more at once. */
  sendPart(bytes: Uint8Array): boolean;
  /** Sends the end, with trailers if there are any. */
  sendEnd(trailers: readonly HeaderField[]): void;
}

/** Reads a body as fast as its stream takes it, until it is out or stopped. */
export class Http2Upload {
  readonly #target: UploadTarget;
  #stopped = false;
  #sent: (() => void) | undefined;

  /** Begins nothing yet. */
  constructor(target: UploadTarget) {
    this.#target = target;
  }

  /**
   * Sends a body: as long as it is, or as many bytes as the head has said. Trailers are asked for
   * when it has ended.
   *
   * @throws {TypeError} A part of it is not bytes
   * @throws {RangeError} It is not as long as the head has said
   * @throws What the body or its trailers throw
   */
  async send(body: BodyReader, length: number | null, trailers?: ReadTrailers): Promise<void> {
    let left = length ?? Infinity;
    while (!this.#stopped) {
      const part = await body.read();
      if (this.#stopped) return;
      if (part === null) {
        if (length !== null && left > 0) throw wrongLength("shorter", length);
        const fields = trailers ? await trailers() : [];
        if (!this.#stopped) this.#target.sendEnd(fields);
        return;
      }
      if (part.length === 0) continue;
      if (part.length > left) throw wrongLength("longer", length);
      left -= part.length;
      if (!this.#target.sendPart(part)) {
        await new Promise<void>((resolve) => this.#sent = resolve);
      }
    }
  }

  /** Goes on with the next part. */
  onSent(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    sent?.();
  }

  /** Stops sending. */
  stop(): void {
    this.#stopped = true;
    this.onSent();
  }
}
