/**
 * A TCP socket as a plain duplex stream, so that TLS on top of it can be watched and meddled with:
 * which records came, how the peer ended, a FIN held back or sent early.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** What a tap tells. */
export interface WireTapEvents {
  /** Bytes arrived, still encrypted. */
  onBytes(bytes: Uint8Array): void;
  /** The peer sent FIN. */
  onFin(): void;
  /** The peer sent RST. */
  onReset(): void;
}

/** See the module. Only Node runs TLS over a duplex reliably. */
export class WireTap extends Duplex {
  readonly #raw: Socket;
  #paused = false;
  #holdFin = false;
  #finned = false;
  #finPushed = false;

  constructor(raw: Socket, events: WireTapEvents) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    raw.on("data", (bytes: Buffer) => {
      events.onBytes(bytes);
      if (!this.push(bytes)) raw.pause();
    });
    raw.on("end", () => {
      this.#finned = true;
      events.onFin();
      // One turn later, so that TLS has told of a close_notify that came in the same packet.
      setImmediate(() => {
        this.#finPushed = true;
        this.push(null);
      });
    });
    raw.on("error", (error: NodeJS.ErrnoException) => {
      // After its FIN a peer that is gone answers anything with RST: that is no news.
      if (error.code === "ECONNRESET" && !this.#finned) events.onReset();
      this.destroy(error);
    });
    raw.on("close", () => this.destroy());
  }

  /** Whether TLS has been told of the peer's FIN. */
  get finPushed(): boolean {
    return this.#finPushed;
  }

  /** Stops or resumes reading from the system, whatever TLS wants. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (paused) this.#raw.pause();
    else this.#raw.resume();
  }

  /** Lets the end of the stream end TLS only: no FIN. */
  holdFin(): void {
    this.#holdFin = true;
  }

  override _read(): void {
    if (!this.#paused) this.#raw.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // After a FIN sent behind its back, what TLS still says is swallowed.
    if (this.#raw.writableEnded || this.#raw.destroyed) done();
    else this.#raw.write(chunk, done);
  }

  override _final(done: () => void): void {
    if (this.#holdFin || this.#raw.writableEnded) done();
    else this.#raw.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (error !== null || this.#finned) this.#raw.destroy();
    // TLS is done on both sides, but the peer's FIN is worth waiting for: it is reported.
    else {
      if (!this.#raw.writableEnded) this.#raw.end();
      this.#raw.resume();
    }
    done(error);
  }
}
