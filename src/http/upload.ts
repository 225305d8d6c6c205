/**
 * A request's body on its way out over one connection.
 *
 * @module
 */

import { describe } from "../core/check.ts";
import type { TlsSocket } from "../core/dialer.ts";
import type { BodyReader } from "./body_reader.ts";
import { encodeChunk, encodeLastChunk } from "./codec/request_body.ts";

/** Writes a body as fast as its connection takes it, until it is out or stopped. */
export class Upload {
  readonly #socket: TlsSocket;
  #done = false;
  #stopped = false;
  #drained: (() => void) | undefined;

  /** Begins nothing yet: the head goes first. */
  constructor(socket: TlsSocket) {
    this.#socket = socket;
  }

  /** Whether the connection has taken all of it, as long as it is not stopped. */
  get done(): boolean {
    return this.#done;
  }

  /** Writes the end of the request, be it all of the body. */
  sendLast(bytes: Uint8Array): void {
    if (this.#stopped) return;
    this.#done = this.#socket.write(bytes);
    this.#drained = () => this.#done = true;
  }

  /**
   * Writes a body as it comes, in chunks.
   *
   * @throws {TypeError} A part of it is not bytes
   * @throws What the body throws
   */
  async send(body: BodyReader): Promise<void> {
    while (!this.#stopped) {
      const part = await body.read();
      if (this.#stopped) return;
      if (part === null) return this.sendLast(encodeLastChunk());
      if (!(part instanceof Uint8Array)) {
        throw new TypeError(`A part of the body must be a Uint8Array, got ${describe(part)}`);
      }
      if (part.length > 0 && !this.#socket.write(encodeChunk(part))) {
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

  /** Writes nothing more. */
  stop(): void {
    this.#stopped = true;
    this.onDrain();
  }
}
