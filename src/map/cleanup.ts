/**
 * Ends idle connections that are too old, unused for too long, or too many.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { Steps } from "../core/steps.ts";
import type { Accountant } from "./accountant.ts";
import type { Connection } from "./connection.ts";
import type { DualMap } from "./dual_map.ts";
import type { Exits } from "./exits.ts";
import type { Fitness } from "./fitness.ts";

/**
 * Cleans up in the maps, in steps of one connection each, since there may be very many. Each method
 * returns how many it closed.
 */
export class Cleanup {
  readonly #maps: DualMap;
  readonly #accountant: Accountant;
  readonly #fitness: Fitness;
  readonly #exits: Exits;
  readonly #clock: Clock;

  /** Makes it. */
  constructor(
    maps: DualMap,
    accountant: Accountant,
    fitness: Fitness,
    exits: Exits,
    clock: Clock,
  ) {
    this.#maps = maps;
    this.#accountant = accountant;
    this.#fitness = fitness;
    this.#exits = exits;
    this.#clock = clock;
  }

  /** Closes what is idle and may not be leased any more, the coldest first. */
  *idle(): Steps<number> {
    const now = this.#clock.now();
    const wallNow = this.#clock.wallNow();
    let closed = this.#accountant.mayExceed ? yield* this.surplus() : 0;
    // Looks at all of them: one that was made long before it was added is nearer the front than its age.
    for (const connection of this.#coldestFirst()) {
      const reason = connection.leases > 0
        ? undefined
        : this.#fitness.unfit(connection, now, wallNow);
      if (reason && this.#exits.remove(connection, reason)) closed++;
      yield;
    }
    return closed;
  }

  /** Closes what is idle and older than a lifetime. What is leased then ends with its lease. */
  *expired(maxLifetimeMs: number): Steps<number> {
    const now = this.#clock.now();
    let closed = 0;
    for (const connection of this.#maps.connections()) {
      if (this.#fitness.expired(connection, now, maxLifetimeMs)) {
        if (connection.state === "idle") closed++;
        this.#exits.drain(connection, "lifetime");
      }
      yield;
    }
    return closed;
  }

  /** Closes idle connections beyond the present limits, the coldest first. */
  *surplus(): Steps<number> {
    let closed = 0;
    for (const connection of this.#coldestFirst()) {
      // Between two steps it may have been leased.
      const isTooMany = connection.leases === 0
        && this.#accountant.exceeds(connection.host, connection.address);
      if (isTooMany && this.#exits.remove(connection, "surplus")) closed++;
      yield;
    }
    this.#accountant.settle();
    return closed;
  }

  /** What is idle now: a copy, since a listener for `evict` may change the maps. */
  #coldestFirst(): Connection[] {
    const all: Connection[] = [];
    for (let node = this.#maps.idle.back; node; node = node.previous) {
      all.push(node.value.connection);
    }
    return all;
  }
}
