/**
 * The second machine that a request is sent to, because the first is silent.
 *
 * @module
 */

import type { Attempt } from "./attempt.ts";

/** The attempt at another machine beside the first, or the wait for a connection to one. */
export class Hedge {
  /** How many times the request was sent to another machine besides. */
  count = 0;
  /** Whether the answer came from there. */
  won = false;
  #attempt: Attempt | undefined;
  #wait: AbortController | undefined;

  /** The attempt under way, if there is one. */
  get attempt(): Attempt | undefined {
    return this.#attempt;
  }

  /** Whether there is an attempt, or a wait for a connection. */
  get underWay(): boolean {
    return this.#attempt !== undefined || this.#wait !== undefined;
  }

  /** Whether it waits for a connection. */
  get waiting(): boolean {
    return this.#wait !== undefined;
  }

  /** Begins to wait for a connection. The signal tells when nobody wants it any more. */
  wait(): AbortSignal {
    this.#wait = new AbortController();
    return this.#wait.signal;
  }

  /** Notes that the wait is over, with a connection or without. */
  endWait(): void {
    this.#wait = undefined;
  }

  /** Holds an attempt over the connection that it waited for. */
  hold(attempt: Attempt): void {
    this.endWait();
    this.#attempt = attempt;
    this.count++;
  }

  /** Gives its attempt up to whoever asks, and waits for none any more. */
  take(): Attempt | undefined {
    this.#wait?.abort();
    this.#wait = undefined;
    const attempt = this.#attempt;
    this.#attempt = undefined;
    return attempt;
  }
}
