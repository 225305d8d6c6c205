/**
 * A timing wheel, for many things of which most are removed before they are due.
 *
 * @module
 */

import { type Clock, type Timer, whenRead } from "./clock.ts";
import { LinkedList, ListNode } from "./list.ts";

/** Something that may become due. Only its {@linkcode DueWheel} changes its fields. */
export class Expiry<T> extends ListNode<T> {
  /** When it is due, in the clock's milliseconds. */
  dueAt: number = Infinity;
}

/** The time of a slot, in milliseconds, and the number of slots: two seconds in all. */
const SLOT_MS = 4;
const SLOTS = 512;

/** How long those that are due are called in one turn, in milliseconds, before others get theirs. */
const TURN_MS = 4;

/** If nothing was looked at for longer than this, the program stood still, in milliseconds. */
const STOOD_STILL_MS = 5;

/**
 * A hashed timing wheel (Varghese and Lauck) with one timer for all: adding and removing cost the
 * same however many there are. What is due later than one turn of the wheel is skipped once a turn.
 * Times are exact: a slot only says where to look. If thousands are due at once, they are called
 * over several turns.
 */
export class DueWheel<T> {
  readonly #clock: Clock;
  readonly #onDue: (value: T, now: number) => void;
  readonly #holds: boolean;
  readonly #slots: readonly LinkedList<T>[] = Array.from({ length: SLOTS }, () => new LinkedList());
  /** Those that are due, and wait to be called. */
  readonly #due = new LinkedList<T>();
  /** The first slot, counted from the beginning of time, that may hold what is due. */
  #first: number;
  #size = 0;
  #timer: Timer | undefined;
  /** When the timer fires; `Infinity` if there is none. */
  #timerAt = Infinity;
  /** Up to when the program is known not to have stood still. */
  #lookedAt = 0;
  #looking = false;
  #closed = false;
  #tidying = false;

  /**
   * Makes an empty wheel.
   *
   * @param onDue Called with each one that is due; it is out by then, and may be put in again
   * @param holds Whether it keeps the program alive while anything is in, due ever or never
   */
  constructor(clock: Clock, onDue: (value: T, now: number) => void, holds = false) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#holds = holds;
    this.#first = slotOf(clock.now());
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds something, or moves what is in already. `Infinity` is never due. */
  put(expiry: Expiry<T>, dueAt: number): void {
    if (expiry.list?.remove(expiry)) this.#size--;
    expiry.dueAt = dueAt;
    // What is never due can be in any slot.
    this.#slots[Math.max(slotOf(dueAt), this.#first) % SLOTS || 0]!.pushBack(expiry);
    this.#size++;
    if (dueAt < this.#timerAt || (this.#holds && !this.#timer)) this.#arm(dueAt);
  }

  /** Removes something; false if it is not in. */
  remove(expiry: Expiry<T>): boolean {
    if (!expiry.list?.remove(expiry)) return false;
    // Usually another one comes at once: only if none does is the timer cancelled.
    if (--this.#size === 0 && this.#holds && !this.#tidying) {
      this.#tidying = true;
      queueMicrotask(this.#tidy);
    }
    return true;
  }

  /** Stops, and calls nobody any more. */
  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  readonly #tidy = () => {
    this.#tidying = false;
    if (this.#size === 0) this.#disarm();
  };

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #arm(dueAt: number): void {
    if (this.#looking || this.#closed) return;
    this.#timer?.cancel();
    this.#timerAt = dueAt;
    this.#setTimer(() => {
      const now = this.#clock.now();
      // What arrived while the program stood still is read first. If it stands still again before
      // that, what falls due then waits for the next look: nothing was read since. Deno reads in the
      // turn of another timer, Node perhaps only after that.
      if (now - Math.max(dueAt, this.#lookedAt) > STOOD_STILL_MS) {
        this.#setTimer(() => whenRead(this.#clock, () => this.#look(now)), 0);
      } else this.#look(now);
    }, Math.ceil(dueAt - this.#clock.now()));
  }

  #setTimer(callback: () => void, delayMs: number): void {
    this.#timer = this.#clock.setTimer(callback, delayMs, this.#holds);
  }

  /** Calls those that were due at a time. What had arrived by then was read. */
  #look(now: number): void {
    if (this.#closed) return;
    this.#disarm();
    this.#looking = true;
    const startedAt = this.#clock.now();
    // To read what had arrived is not to stand still, if it took little time.
    this.#lookedAt = startedAt - now > STOOD_STILL_MS ? now : startedAt;
    try {
      this.#find(now);
      // One by one: a call may remove others.
      for (let expiry = this.#due.front; expiry; expiry = this.#due.front) {
        this.remove(expiry as Expiry<T>);
        this.#onDue(expiry.value, now);
        if (this.#clock.now() - startedAt >= TURN_MS) break;
      }
    } finally {
      this.#looking = false;
      if (this.#due.size > 0) this.#goOn();
      else if (this.#size > 0) this.#arm(this.#nextAt);
    }
  }

  /** Looks again when others have had their turn: a timer would fire a millisecond later at best. */
  #goOn(): void {
    const now = this.#clock.now();
    if (this.#clock.afterReading) this.#clock.afterReading(() => this.#look(now));
    else this.#arm(now);
  }

  #find(now: number): void {
    const last = slotOf(now);
    for (let slot = Math.max(this.#first, last - SLOTS + 1); slot <= last; slot++) {
      for (const expiry of this.#in(slot)) {
        if (expiry.dueAt > now) continue;
        expiry.list?.remove(expiry);
        this.#due.pushBack(expiry);
      }
    }
    this.#first = Math.max(this.#first, last);
  }

  /** When the next one is due. */
  get #nextAt(): number {
    let nextAt = Infinity;
    for (let slot = this.#first; slot < this.#first + SLOTS; slot++) {
      // What is in later slots is due later, except for what is put off to another turn.
      if (nextAt < slot * SLOT_MS) break;
      for (const { dueAt } of this.#in(slot)) if (dueAt < nextAt) nextAt = dueAt;
    }
    return nextAt;
  }

  *#in(slot: number): Generator<Expiry<T>, void, undefined> {
    let node = this.#slots[slot % SLOTS]!.front;
    while (node) {
      const { next } = node;
      yield node as Expiry<T>;
      node = next;
    }
  }
}

function slotOf(time: number): number {
  return Math.floor(time / SLOT_MS);
}
