/**
 * Many things that fall due, most of which are taken out before they do.
 *
 * @module
 */

import { LinkedList, ListNode } from "./list.ts";

/** Something that may fall due. What it holds is its {@linkcode DueWheel}'s to change. */
export class Expiry<T> extends ListNode<T> {
  /** When it falls due. */
  dueAt: number = Infinity;
}

/** How much time a slot stands for, in milliseconds, and how many slots there are: two seconds. */
const SLOT_MS = 4;
const SLOTS = 512;

/**
 * A hashed timing wheel (Varghese and Lauck): putting in and taking out cost the same however many
 * there are. What is further ahead than the wheel's turn is passed over once a turn. Times are
 * exact: a slot only says where to look.
 */
export class DueWheel<T> {
  readonly #slots: readonly LinkedList<T>[] = Array.from({ length: SLOTS }, () => new LinkedList());
  /** The first slot, counted from the beginning of time, that may hold what is due. */
  #first: number;
  #size = 0;

  /** Makes an empty wheel. */
  constructor(now: number) {
    this.#first = slotOf(now);
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Puts something in, or moves what is in already. */
  put(expiry: Expiry<T>, dueAt: number): void {
    this.remove(expiry);
    expiry.dueAt = dueAt;
    this.#slots[Math.max(slotOf(dueAt), this.#first) % SLOTS]!.pushBack(expiry);
    this.#size++;
  }

  /** Takes something out. Harmless where it is not in. */
  remove(expiry: Expiry<T>): void {
    if (expiry.list?.remove(expiry)) this.#size--;
  }

  /** Takes out what is due, in no order to rely on. */
  take(now: number): T[] {
    const due: T[] = [];
    const last = slotOf(now);
    for (let slot = Math.max(this.#first, last - SLOTS + 1); slot <= last; slot++) {
      for (const expiry of this.#in(slot)) {
        if (expiry.dueAt > now) continue;
        this.remove(expiry);
        due.push(expiry.value);
      }
    }
    this.#first = Math.max(this.#first, last);
    return due;
  }

  /** When the next one falls due; `Infinity` where there is none. */
  get nextAt(): number {
    let nextAt = Infinity;
    if (this.#size === 0) return nextAt;
    for (let slot = this.#first; slot < this.#first + SLOTS; slot++) {
      // What stands in later slots is due later, but for what is put off to another turn.
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
