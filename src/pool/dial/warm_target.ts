/**
 * How warm a host is to be kept, by all who have a say in it.
 *
 * @module
 */

import { type AddressFailure, ClosedError } from "../../core/errors.ts";
import { Wait } from "../../core/wait.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import { type WarmResult, WarmUp } from "./warm_up.ts";

/**
 * How many connections of a host are to be kept open. The last word holds: that of a warm-up also
 * when it has ended, in vain or not, unless it was given up.
 */
export class WarmTarget {
  /** Who waits for their connections to be open, first come first. */
  readonly warmUps: Set<WarmUp> = new Set();
  readonly #host: string;
  readonly #options: ResolvedPoolOptions;
  readonly #onChange: () => void;
  #connections = 0;
  /** How many there are to be whatever becomes of the warm-ups under way. */
  #kept = 0;

  /** Begins with none. */
  constructor(host: string, options: ResolvedPoolOptions, onChange: () => void) {
    this.#host = host;
    this.#options = options;
    this.#onChange = onChange;
  }

  /** How many connections are to be kept open. */
  get connections(): number {
    return this.#connections;
  }

  /** Keeps so many open from now on, whatever becomes of warm-ups. */
  keep(connections: number): void {
    this.#kept = connections;
    this.#aimAt(connections);
  }

  /** Keeps so many open from now on, unless the signal takes it back, and waits until they are. */
  async warmUp(connections: number, signal: AbortSignal | undefined): Promise<WarmResult> {
    const { clock, maxRetries } = this.#options;
    this.#aimAt(connections);
    let isGivenUp = false;
    const wait: Wait<WarmResult> = new Wait(
      clock,
      { signal },
      () => {
        isGivenUp = true;
        this.warmUps.delete(warmUp);
        // The last of the others that are under way is the word that holds, if there is one.
        if (this.#connections === connections) {
          this.#aimAt([...this.warmUps].at(-1)?.target ?? this.#kept);
        }
      },
      () => new ClosedError("pool"),
    );
    const warmUp = new WarmUp(this.#host, connections, maxRetries, wait);
    this.warmUps.add(warmUp);
    try {
      return await wait.promise;
    } finally {
      // Where another one has overtaken it, that one's word holds.
      if (this.#connections === connections && !isGivenUp) this.#kept = connections;
    }
  }

  /** Tells those who wait of a failed dial. */
  failed(failure: AddressFailure): void {
    for (const warmUp of this.warmUps) warmUp.failed(failure);
  }

  /** Ends every wait with a reason. */
  refuse(reason: unknown): void {
    for (const warmUp of this.warmUps) warmUp.fail(reason);
    this.warmUps.clear();
  }

  #aimAt(connections: number): void {
    this.#connections = connections;
    this.#onChange();
  }
}
