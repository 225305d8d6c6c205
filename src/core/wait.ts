/**
 * One wait for one value, ended once: by the value, a failure, an abort or a deadline.
 *
 * @module
 */

import { offAbort, onAbort } from "./abort.ts";
import type { Clock, Timer } from "./clock.ts";

/** How long a wait may last. */
export interface WaitOptions {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the wait may take, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/**
 * A wait whose timer keeps the program alive, as whatever is waited for should. Only the first to
 * settle it succeeds: `resolve` returns false if the wait had ended, and the value stays the
 * caller's. The timer and the signal's listener are removed on every way out.
 */
export class Wait<T> {
  /** Settles with the wait. */
  readonly promise: Promise<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: Timer;
  readonly #onAbort = () => {
    this.#giveUp();
    this.reject(this.#signal?.reason);
  };
  readonly #giveUp: () => void;
  #resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;
  #settled = false;

  /**
   * Begins to wait. The signal must not have aborted.
   *
   * @param giveUp Called when the signal or the deadline ends the wait, before it rejects
   * @param timeoutError Makes the deadline's error
   */
  constructor(clock: Clock, options: WaitOptions, giveUp: () => void, timeoutError: () => Error) {
    const { signal, timeoutMs = Infinity } = options;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#giveUp = giveUp;
    this.#signal = signal;
    if (signal) onAbort(signal, this.#onAbort);
    // Even without a deadline: otherwise the program could end in a pause between two attempts.
    this.#timer = clock.setTimer(
      () => {
        if (timeoutMs === Infinity) return;
        giveUp();
        this.reject(timeoutError());
      },
      timeoutMs,
      true,
    );
  }

  /** Whether the wait has ended. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Ends the wait with a value; false if it had ended. */
  resolve(value: T): boolean {
    if (!this.#end()) return false;
    this.#resolve(value);
    return true;
  }

  /** Ends the wait with a reason; false if it had ended. */
  reject(reason: unknown): boolean {
    if (!this.#end()) return false;
    this.#reject(reason);
    return true;
  }

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#signal) offAbort(this.#signal, this.#onAbort);
    this.#timer.cancel();
    return true;
  }
}
