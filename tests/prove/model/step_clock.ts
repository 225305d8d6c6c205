/**
 * A clock by hand that lets everything happen between two timers that waits for nothing but its turn,
 * as a runtime does.
 *
 * @module
 */

import { type Clock, ManualClock, type Timer } from "../../../src/core/clock.ts";
import { turns } from "../../support/turns.ts";

/** How many turns everything is given: more than any chain of promises here is long. */
const TURNS = 40;

/** How many timers may be due in one moment: more than any pool here has. */
const MAX_AT_ONCE = 5_000;

interface StepTimer extends Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that passes from timer to timer. */
export class StepClock implements Clock {
  readonly #chance: ManualClock;
  readonly #timers = new Set<StepTimer>();
  #now = 1_000_000;
  #wallOffset = 0;
  #firedAt = 0;
  #firedThen = 0;

  constructor(seed: number) {
    this.#chance = new ManualClock(seed);
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.#wallOffset;
  }

  random(): number {
    return this.#chance.random();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: StepTimer = {
      at: this.#now + Math.max(delayMs, 0),
      callback,
      cancel: () => void this.#timers.delete(timer),
    };
    this.#timers.add(timer);
    return timer;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Moves the wall clock alone. */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /** Lets time pass: each timer fires when it is due. */
  async pass(ms: number): Promise<void> {
    await turns(TURNS);
    const end = this.#now + ms;
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.at);
      await this.#fire(timer);
    }
    this.#now = end;
  }

  /** Lets time jump, as where the program was held up: what is due by then fires late. */
  async jump(ms: number): Promise<void> {
    this.#now += ms;
    for (let timer = this.#next(this.#now); timer; timer = this.#next(this.#now)) {
      await this.#fire(timer);
    }
  }

  async #fire(timer: StepTimer): Promise<void> {
    this.#timers.delete(timer);
    if (this.#firedAt !== this.#now) this.#firedThen = 0;
    this.#firedAt = this.#now;
    if (++this.#firedThen > MAX_AT_ONCE) {
      throw new Error("Time stands still: a timer is set ever again for this moment");
    }
    timer.callback();
    await turns(TURNS);
  }

  /** The first timer that is due by a time; of several for one time the one that was set first. */
  #next(end: number): StepTimer | undefined {
    let next: StepTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (!next || timer.at < next.at)) next = timer;
    }
    return next;
  }
}
