/**
 * One wait for a host's connections to be open.
 *
 * @module
 */

import { type AddressFailure, HostUnavailableError } from "../../core/errors.ts";
import type { Wait } from "../../core/wait.ts";

/** What became of a warm-up. */
export interface WarmResult {
  /** The host, in canonical text. */
  readonly host: string;
  /** How many connections to the host are open. */
  readonly connections: number;
  /** The addresses that failed on the way, each with its last failure. */
  readonly failures: readonly AddressFailure[];
}

/** One wait for a host's connections to be open. */
export class WarmUp {
  /** How many are wanted. */
  readonly target: number;
  readonly #host: string;
  readonly #wait: Wait<WarmResult>;
  readonly #failures = new Map<string, AddressFailure>();
  #retriesLeft: number;
  #done = -1;
  #awaited = -1;

  /** Begins to wait. */
  constructor(host: string, target: number, maxRetries: number, wait: Wait<WarmResult>) {
    this.#host = host;
    this.target = target;
    this.#retriesLeft = maxRetries;
    this.#wait = wait;
  }

  /** Notes how many are open; false where that is as many as before. */
  progress(done: number): boolean {
    const hasChanged = done !== this.#done;
    this.#done = done;
    return hasChanged;
  }

  /** Notes a failed dial. */
  failed(failure: AddressFailure): void {
    this.#failures.set(failure.address, failure);
  }

  /** Whether failed addresses are to be waited for once more, until the next one is due. */
  retry(dueAt: number): boolean {
    // Looked at for whatever other reason meanwhile, it is the same wait still.
    if (dueAt === this.#awaited) return true;
    this.#awaited = dueAt;
    return this.#retriesLeft-- > 0;
  }

  /**
   * Ends the wait with as many connections as there are; with none, it has failed, for the reason
   * that is given where no address failed.
   */
  settle(connections: number, whyNone: () => Error): void {
    const failures = [...this.#failures.values()];
    if (connections > 0) {
      this.#wait.resolve({ host: this.#host, connections, failures });
    } else if (failures.length === 0) this.#wait.reject(whyNone());
    else this.#wait.reject(new HostUnavailableError(this.#host, failures));
  }

  /** Ends the wait with a reason. */
  fail(reason: unknown): void {
    this.#wait.reject(reason);
  }
}
