/**
 * Things that fall due, the next one always at hand.
 *
 * @module
 */

/** Something that falls due. What it holds is its {@linkcode DueList}'s to change. */
export interface Due {
  /** When it falls due. */
  dueAt: number;
  /** Where it stands in its list; -1 while it stands in none. */
  place: number;
}

/** A binary heap whose members know their place: each change costs no more than its depth. */
export class DueList<T extends Due> {
  readonly #heap: T[] = [];

  /** How many there are. */
  get size(): number {
    return this.#heap.length;
  }

  /** What falls due next. */
  get next(): T | undefined {
    return this.#heap[0];
  }

  /** Puts something in, or moves what is in already. */
  put(item: T, dueAt: number): void {
    item.dueAt = dueAt;
    if (item.place < 0) item.place = this.#heap.push(item) - 1;
    this.#settle(item);
  }

  /** Takes something out. Harmless where it is not in. */
  remove(item: T): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#heap.pop()!;
    if (last === item) return;
    this.#set(last, place);
    this.#settle(last);
  }

  /** Takes out everything. */
  clear(): void {
    for (const item of this.#heap) item.place = -1;
    this.#heap.length = 0;
  }

  #set(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }

  /** Moves an item up, or else down, until it stands right. */
  #settle(item: T): void {
    const heap = this.#heap;
    for (let parent = heap[(item.place - 1) >> 1]; parent && item.place > 0;) {
      if (parent.dueAt <= item.dueAt) break;
      const { place } = parent;
      this.#set(parent, item.place);
      this.#set(item, place);
      parent = heap[(place - 1) >> 1];
    }
    for (;;) {
      const [left, right] = [heap[2 * item.place + 1], heap[2 * item.place + 2]];
      const child = right && left && right.dueAt < left.dueAt ? right : left;
      if (!child || child.dueAt >= item.dueAt) return;
      const { place } = child;
      this.#set(child, item.place);
      this.#set(item, place);
    }
  }
}
