/**
 * The deadlines of many, most of whom leave before their time.
 *
 * @module
 */

import type { Clock, Timer } from "./clock.ts";
import { type Due, DueList } from "./due_list.ts";
import { LinkedList, type ListNode } from "./list.ts";

/** Who has a deadline: `dueAt`, in the clock's milliseconds, `Infinity` for none. */
export interface Expiring extends Due {
  /** Its place among those whose deadlines come in order, or in none. */
  readonly dueNode: ListNode<Expiring>;
}

/**
 * Calls each one at its deadline, with one timer for all. It keeps the program alive while anybody
 * is in, deadline or not. What comes in the order of its deadlines costs O(1); what does not, as
 * much as a heap.
 */
export class Deadlines<T extends Expiring> {
  readonly #clock: Clock;
  readonly #expire: (item: T) => void;
  readonly #inOrder = new LinkedList<Expiring>();
  readonly #others = new DueList<Expiring>();
  #size = 0;
  #timer: Timer | undefined;
  #armedFor = Infinity;
  #tidying = false;

  /**
   * Begins without any.
   *
   * @param expire Called with each one that is due; it is out by then
   */
  constructor(clock: Clock, expire: (item: T) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** Takes one in that is not in. */
  add(item: T): void {
    const { dueAt, dueNode } = item;
    const last = this.#inOrder.back;
    if (!last || last.value.dueAt <= dueAt) this.#inOrder.pushBack(dueNode);
    else this.#others.put(item, dueAt);
    this.#size++;
    if (!this.#timer || dueAt < this.#armedFor) this.#arm(dueAt);
  }

  /** Takes one out; false where it is not in. */
  remove(item: T): boolean {
    if (!this.#inOrder.remove(item.dueNode)) {
      if (item.place < 0) return false;
      this.#others.remove(item);
    }
    // Most often somebody else comes at once: only where nobody does is the timer taken back.
    if (--this.#size === 0 && !this.#tidying) {
      this.#tidying = true;
      queueMicrotask(this.#tidy);
    }
    return true;
  }

  readonly #tidy = () => {
    this.#tidying = false;
    if (this.#size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  };

  #arm(dueAt: number): void {
    this.#timer?.cancel();
    this.#armedFor = dueAt;
    this.#timer = this.#clock.setTimer(() => this.#wake(), dueAt - this.#clock.now(), true);
  }

  get #next(): Expiring | undefined {
    const first = this.#inOrder.front?.value;
    const other = this.#others.next;
    return first && other && other.dueAt < first.dueAt ? other : first ?? other;
  }

  #wake(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let next = this.#next; next; next = this.#next) {
      // The one that the timer was set for may be early by less than its grain.
      if (next.dueAt > now && (next.dueAt !== this.#armedFor || next.dueAt === Infinity)) break;
      this.remove(next as T);
      this.#expire(next as T);
    }
    const next = this.#next;
    if (next && !this.#timer) this.#arm(next.dueAt);
  }
}
