/**
 * A sink that keeps what it is told, and lets a test wait for it.
 *
 * @module
 */

import type { SocketSink } from "../../src/core/dialer.ts";
import { mismatch } from "./pattern.ts";

/** See the module. */
export class RecordingSink implements SocketSink {
  /** Bytes received. */
  received = 0;
  /** The first bytes received, as characters; no more than a test would look at. */
  text = "";
  /** Where the bytes first differed from the pattern of `pattern.ts`; -1 where they did not. */
  mismatch = -1;
  drains = 0;
  /** One entry for each call of `onClose`. */
  readonly closes: (Error | undefined)[] = [];
  /** Calls of anything after `onClose`. */
  late = 0;
  /** Is called with each chunk, after it was counted. */
  onChunk: () => void = () => {};
  readonly #waiters = new Set<() => void>();

  onData(bytes: Uint8Array): void {
    if (this.closes.length > 0) this.late++;
    if (this.text.length < 1_000) this.text += String.fromCharCode(...bytes.subarray(0, 1_000));
    if (this.mismatch < 0) this.mismatch = mismatch(this.received, bytes);
    this.received += bytes.length;
    this.onChunk();
    this.#changed();
  }

  onDrain(): void {
    if (this.closes.length > 0) this.late++;
    this.drains++;
    this.#changed();
  }

  onClose(error?: Error): void {
    this.closes.push(error);
    this.#changed();
  }

  /** Waits until `count` bytes are in. */
  bytes(count: number): Promise<void> {
    return this.#until(() => this.received >= count, `${count} bytes`);
  }

  /** Waits for an `onDrain` after so many, as `drains` said before the write. */
  drain(before: number): Promise<void> {
    return this.#until(() => this.drains > before, "onDrain");
  }

  /** Waits for `onClose`; gives its error. */
  async closed(): Promise<Error | undefined> {
    await this.#until(() => this.closes.length > 0, "onClose");
    return this.closes[0];
  }

  #until(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const seen = `${this.received} bytes, ${this.drains} drains, ${this.closes.length} closes`;
        reject(new Error(`The sink waited for ${what} and saw ${seen}, ${this.closes[0]}`));
      }, 10_000);
      this.#waiters.add(waiter);
    });
  }

  #changed(): void {
    for (const waiter of this.#waiters) waiter();
  }
}
