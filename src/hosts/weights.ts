/**
 * Weights of addresses that are set while the pool runs.
 *
 * @module
 */

import { addressKey, MAX_WEIGHT, withItsPort } from "../core/address.ts";
import { checkNumber } from "../core/check.ts";
import type { Clock } from "../core/clock.ts";

/** A weight that was set for an IP address, or for one port of it. */
export interface SetWeight {
  /** What it is for: an IP address, `192.0.2.1`, or one port of it, `192.0.2.1:443`. */
  readonly ip: string;
  /** How much the address is to bear, beside the others of its host. */
  readonly weight: number;
  /** Since when, in milliseconds since 1970 by the clock's `now()`. */
  readonly since: number;
}

/** What was set, or taken off. */
export interface WeightChange {
  /** What it is for: an IP address, or one port of it. */
  readonly ip: string;
  /** The weight from now on; null if it was taken off. */
  readonly weight: number | null;
}

/** What is notified of changes. */
export interface WeightEvents {
  /** A weight was set, or taken off. */
  onChange(change: WeightChange): void;
}

/** Keeps weights that override options and resolvers until they are taken off. */
export class Weights {
  /** By IP address, or by address with its port, 443 included: oldest first. */
  readonly #weights = new Map<string, SetWeight>();
  readonly #clock: Clock;
  readonly #events: WeightEvents;

  /** Begins without any. */
  constructor(clock: Clock, events: WeightEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /**
   * Sets the weight of an IP address, with all its ports, or of one address with its port. A second
   * call for the same replaces the first, and `null` takes it off.
   *
   * @throws {TypeError | RangeError} The address or the weight is not valid
   */
  set(ip: string, weight: number | null): void {
    const key = addressKey(ip);
    if (weight !== null) checkNumber("weight", weight, { min: 0, max: MAX_WEIGHT });
    if (!this.#weights.delete(key) && weight === null) return;
    if (weight !== null) {
      this.#weights.set(key, Object.freeze({ ip: key, weight, since: this.#clock.now() }));
    }
    this.#events.onChange({ ip: key, weight });
  }

  /** What is set for an address: for its port, else for its IP address; undefined if nothing is. */
  of({ ip, text }: { readonly ip: string; readonly text: string }): number | undefined {
    if (this.#weights.size === 0) return undefined;
    return (this.#weights.get(withItsPort(text, ip)) ?? this.#weights.get(ip))?.weight;
  }

  /** What is set, oldest first. */
  list(): SetWeight[] {
    return [...this.#weights.values()];
  }
}
