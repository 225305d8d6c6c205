/**
 * How many connections machines take: a server may hang up on, refuse, or turn away more.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";
import type { Accountant } from "../map/accountant.ts";

/** What others act on. */
export interface CeilingEvents {
  /** An address may have more connections than a moment ago. */
  onRoom(address: string): void;
}

/** How many connections a machine takes, and when to try whether it takes more. */
interface Ceiling {
  /** How many it was seen to take. */
  connections: number;
  /** How many more are tried at once. */
  step: number;
  /** How often in a row it refused another. */
  refusals: number;
  /** How often in a row it did not even take as many as it had. */
  lacks: number;
  /** How many it had then. */
  had: number;
  /** When to try more, in the clock's milliseconds. */
  growAt: number;
  /** When to dial again at all, in the clock's milliseconds. */
  holdUntil: number;
  /** Whether it was reported. */
  told: boolean;
  timer: Timer | undefined;
}

/** After how long one more is tried, and how long that grows while it is refused, in milliseconds. */
const GROW_MS = { first: 1_000, max: 60_000 };

/**
 * How long a machine is left alone that refused although it has fewer than it took before, in
 * milliseconds. It may not have noticed the end of the last one yet.
 */
const HOLD_MS = 50;

/** How many such refusals in a row mean that it takes fewer than before. */
const LACKS = 3;

/** If this many tried at once are accepted, no ceiling is in sight any more. */
const MAX_STEP = 32;

/** How much is added to a pause at random, so that programs do not try together. */
const JITTER = 0.25;

/**
 * Learns how many connections each address takes, and limits it to that in the accountant. Now and
 * then one more is tried; if that is accepted, two more, then four.
 */
export class Ceilings {
  readonly #clock: Clock;
  readonly #accountant: Accountant;
  readonly #onLearned: (address: string, connections: number) => void;
  readonly #ceilings = new Map<string, Ceiling>();
  #events: CeilingEvents | undefined;
  #closed = false;

  /**
   * Begins without any.
   *
   * @param onLearned Called when an address takes this many connections, and refused one more
   */
  constructor(
    clock: Clock,
    accountant: Accountant,
    onLearned: (address: string, connections: number) => void,
  ) {
    this.#clock = clock;
    this.#accountant = accountant;
    this.#onLearned = onLearned;
  }

  /** Sets the listener for what is learned. */
  listen(events: CeilingEvents): void {
    this.#events = events;
  }

  /** How many connections an address was seen to take; null if nothing was. */
  of(address: string): number | null {
    return this.#ceilings.get(address)?.connections ?? null;
  }

  /** Notes that an address refused another, and how many it has. */
  refused(address: string, open: number): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    let ceiling = this.#ceilings.get(address);
    if (!ceiling) {
      this.#ceilings.set(address, ceiling = newCeiling(open));
    } else if (open >= ceiling.connections) {
      ceiling.connections = open;
      // Several that were tried together count as one try.
      if (now < ceiling.growAt) return;
    } else {
      if (now < ceiling.holdUntil) return;
      if (++ceiling.lacks < LACKS) {
        ceiling.had = open;
        ceiling.holdUntil = now + HOLD_MS * 2 ** (ceiling.lacks - 1);
        this.#apply(address, ceiling);
        return;
      }
      ceiling.connections = Math.max(1, open);
      ceiling.told = false;
    }
    ceiling.lacks = 0;
    ceiling.step = 1;
    const pauseMs = Math.min(GROW_MS.first * 2 ** ceiling.refusals++, GROW_MS.max);
    ceiling.growAt = now + pauseMs * (1 + JITTER * this.#clock.random());
    this.#apply(address, ceiling);
  }

  /** Notes that a connection to an address has served for the first time, and how many have. */
  served(address: string, open: number): void {
    const ceiling = this.#ceilings.get(address);
    if (!ceiling) return;
    ceiling.lacks = ceiling.holdUntil = 0;
    if (open > ceiling.connections) {
      ceiling.connections = open;
      // One that was under way when another was refused is not a try.
      if (this.#clock.now() >= ceiling.growAt) {
        ceiling.refusals = 0;
        ceiling.step *= 2;
      }
      if (ceiling.step > MAX_STEP) {
        this.forget(address);
        return;
      }
    }
    this.#apply(address, ceiling);
  }

  /** Forgets what an address was seen to take. */
  forget(address: string): void {
    const ceiling = this.#ceilings.get(address);
    if (!ceiling) return;
    ceiling.timer?.cancel();
    this.#ceilings.delete(address);
    this.#accountant.setCeiling(address, undefined);
    this.#events?.onRoom(address);
  }

  /** Stops learning. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#ceilings.values()) timer?.cancel();
    this.#ceilings.clear();
  }

  /** Passes the present limit on to the accountant, and plans the next change. */
  #apply(address: string, ceiling: Ceiling): void {
    const now = this.#clock.now();
    const { connections, growAt, had, holdUntil, lacks, step } = ceiling;
    let most = now < growAt ? connections : connections + step;
    if (lacks > 0) most = now < holdUntil ? 0 : had + 1;
    const before = this.#accountant.ceilingOf(address);
    this.#accountant.setCeiling(address, most);
    ceiling.timer?.cancel();
    ceiling.timer = undefined;
    const at = now < holdUntil ? holdUntil : now < growAt ? growAt : Infinity;
    if (at < Infinity) ceiling.timer = this.#clock.setTimer(() => this.#wake(address), at - now);
    if (most > before) this.#events?.onRoom(address);
  }

  #wake(address: string): void {
    const ceiling = this.#ceilings.get(address);
    if (!ceiling) return;
    // A machine that is going down is not full, which shows within the first pause.
    if (!ceiling.told && this.#clock.now() >= ceiling.growAt) {
      ceiling.told = true;
      this.#onLearned(address, ceiling.connections);
    }
    this.#apply(address, ceiling);
  }
}

function newCeiling(open: number): Ceiling {
  return {
    connections: Math.max(1, open),
    step: 1,
    refusals: 0,
    lacks: 0,
    had: 0,
    growAt: 0,
    holdUntil: 0,
    told: false,
    timer: undefined,
  };
}
