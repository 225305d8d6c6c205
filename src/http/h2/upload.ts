/**
 * A request's body on its way out over one stream.
 *
 * @module
 */

import { asPart, type BodyReader } from "../body_reader.ts";

/** Takes parts of a body. */
export interface UploadTarget {
  /** Sends a part, the last one with the end; true where it takes more at once. */
  sendPart(bytes: Uint8Array, isEnd: boolean): boolean;
}

const NOTHING = new Uint8Array(0);

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
   * Sends a body: as long as it is, or as many bytes as the head has said.
   *
   * @throws {TypeError} A part of it is not bytes
   * @throws {RangeError} It is not as long as the head has said
   * @throws What the body throws
   */
  async send(body: BodyReader, length: number | null): Promise<void> {
    let left = length ?? Infinity;
    while (!this.#stopped) {
      const given = await body.read();
      if (this.#stopped) return;
      if (given === null) {
        if (length !== null && left > 0) throw new RangeError(mismatch("shorter", length));
        this.#target.sendPart(NOTHING, true);
        return;
      }
      const part = asPart(given);
      if (part.length === 0) continue;
      if (part.length > left) throw new RangeError(mismatch("longer", length));
      left -= part.length;
      if (!this.#target.sendPart(part, false)) {
        await new Promise<void>((resolve) => this.#sent = resolve);
      }
    }
  }

  /** Goes on: the part is out. */
  onSent(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    sent?.();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#stopped = true;
    this.onSent();
  }
}

function mismatch(how: string, length: number | null): string {
  return `The body is ${how} than its content-length says, which is ${length}`;
}
