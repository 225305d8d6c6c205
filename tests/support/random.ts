/**
 * Chance that can be repeated: a seed from the environment variable `HOTCONN_SEED`, or a new one,
 * that every failure tells.
 *
 * @module
 */

import process from "node:process";
import { messageOf } from "../../src/core/check.ts";
import { ManualClock } from "../../src/core/clock.ts";

/** Draws from a seed's sequence. */
export class Random {
  readonly #clock: ManualClock;

  /** Begins a seed's sequence. */
  constructor(seed: number) {
    this.#clock = new ManualClock(seed);
  }

  /** A whole number from 0 to `below`, that not included. */
  below(below: number): number {
    return Math.floor(this.#clock.random() * below);
  }

  /** Whether something with a chance of 0 to 1 happens. */
  chance(chance: number): boolean {
    return this.#clock.random() < chance;
  }

  /** One of several. */
  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError("Nothing to pick from");
    return from[this.below(from.length)] as T;
  }

  /** One of several, each as likely as its weight says. */
  weighted<T>(from: readonly (readonly [weight: number, value: T])[]): T {
    let rest = this.#clock.random() * from.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of from) {
      rest -= weight;
      if (rest < 0) return value;
    }
    throw new RangeError("Nothing to pick from");
  }
}

/**
 * Runs a random test.
 *
 * @throws {Error} The test failed; the message says with which seed
 */
export async function withSeed(run: (seed: number) => void | Promise<void>): Promise<void> {
  const given = process.env["HOTCONN_SEED"];
  const seed = given ? Number(given) : Math.floor(Math.random() * 2 ** 32);
  try {
    await run(seed);
  } catch (cause) {
    const message = messageOf(cause);
    throw new Error(`With HOTCONN_SEED=${seed}: ${message}`, { cause });
  }
}
