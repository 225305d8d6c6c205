/**
 * Those who wait for a connection of a host, first come first served.
 *
 * @module
 */

import { type Settle, Waiter } from "./waiter.ts";

/** How long a line is before its gaps are worth closing. */
const LEAST_TO_TIDY = 1_024;

/**
 * A line that callers may leave from any place. There may be very many of them, and most want nothing
 * in particular. Such a caller is two entries here: how to settle its promise, and since when it waits.
 * It becomes a {@linkcode Waiter} only when somebody looks at it, so the collector has less to move. The
 * entries stand in arrays with gaps, which are closed when they are more than half of it. Every
 * operation is O(1), taken over many.
 */
export class WaiterLine<Queue> {
  readonly #queue: Queue;
  #items: (Settle | Waiter<Queue> | undefined)[] = [];
  /** Since when each waits, in the clock's milliseconds. */
  #since: number[] = [];
  /** Where the first one stands in the arrays. */
  #head = 0;
  /** The place of what stands at the beginning of the arrays. */
  #offset = 0;
  #size = 0;
  /** How many loops go over it now. Meanwhile no gap is closed. */
  #looks = 0;

  /** Makes a line where nobody waits. */
  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /** How many stand in it. */
  get size(): number {
    return this.#size;
  }

  /** The first one. */
  get front(): Waiter<Queue> | undefined {
    return this.#lookAt(this.#head);
  }

  /** Since when the first one has waited, in the clock's milliseconds; `Infinity` without any. */
  get since(): number {
    return this.#since[this.#head] ?? Infinity;
  }

  /** Whether there is a first one who would have any connection. */
  get takesAny(): boolean {
    const first = this.#items[this.#head];
    return typeof first === "function" || (first !== undefined && !first.filter);
  }

  /** Puts a caller at the end who wants nothing in particular. */
  push(settle: Settle, since: number): void {
    this.#put(settle, since);
  }

  /** Puts a caller at the end who may have wishes. */
  enter(waiter: Waiter<Queue>): void {
    waiter.place = this.#put(waiter, waiter.since);
  }

  /** Takes the first one out, unless somebody has looked at it; undefined then, and without any. */
  shift(): Settle | undefined {
    const first = this.#items[this.#head];
    if (typeof first !== "function") return undefined;
    this.#takeOut(this.#head);
    return first;
  }

  /** Takes one out, from any place; false if it does not stand here. */
  remove(waiter: Waiter<Queue>): boolean {
    if (!this.has(waiter)) return false;
    this.#takeOut(waiter.place - this.#offset);
    return true;
  }

  /** Whether one stands here. */
  has(waiter: Waiter<Queue>): boolean {
    return this.#items[waiter.place - this.#offset] === waiter;
  }

  /** Goes from the front to the present end. Callers may come and leave meanwhile. */
  [Symbol.iterator](): Generator<Waiter<Queue>, void, undefined> {
    return this.after(0);
  }

  /** Does the same after as many from the front, whom it does not look at. */
  *after(count: number): Generator<Waiter<Queue>, void, undefined> {
    const end = this.#items.length;
    let from = this.#head;
    for (let left = count; from < end && left > 0; from++) if (this.#items[from]) left--;
    this.#looks++;
    try {
      for (let at = from; at < end; at++) {
        const waiter = this.#lookAt(at);
        if (waiter) yield waiter;
      }
    } finally {
      this.#looks--;
    }
  }

  #put(item: Settle | Waiter<Queue>, since: number): number {
    const { length } = this.#items;
    if (length >= LEAST_TO_TIDY && length >= this.#size * 2 && this.#looks === 0) this.#tidy();
    this.#size++;
    this.#since.push(since);
    return this.#offset + this.#items.push(item) - 1;
  }

  #takeOut(at: number): void {
    this.#items[at] = undefined;
    this.#size--;
    while (this.#head < this.#items.length && !this.#items[this.#head]) this.#head++;
  }

  #lookAt(at: number): Waiter<Queue> | undefined {
    const item = this.#items[at];
    if (typeof item !== "function") return item;
    const waiter = new Waiter(this.#queue, this.#since[at]!, item);
    waiter.place = this.#offset + at;
    return this.#items[at] = waiter;
  }

  /** Closes the gaps. If all of them are at the front, no entry moves. */
  #tidy(): void {
    const items = this.#items.slice(this.#head);
    const since = this.#since.slice(this.#head);
    this.#offset += this.#head;
    this.#head = 0;
    if (items.length > this.#size) {
      this.#since = since.filter((_, at) => items[at] !== undefined);
      this.#items = items.filter((item) => item !== undefined);
      for (const [at, item] of this.#items.entries()) {
        if (item instanceof Waiter) item.place = this.#offset + at;
      }
    } else {
      this.#items = items;
      this.#since = since;
    }
  }
}
