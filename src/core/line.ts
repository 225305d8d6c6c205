/**
 * Those who wait in a line, first come first served.
 *
 * @module
 */

/** Something that may stand in a {@linkcode Line}, which alone changes its place. */
export interface Placed {
  /** Where it stands, or stood last, counted from the first that ever stood in the line. */
  place: number;
}

/** How long a line is before its gaps are worth closing. */
const LEAST_TO_TIDY = 1_024;

/**
 * A line that may be left from any place. It is an array with gaps, which are closed when they are
 * more than half of it: unlike with a linked list, whoever stands here costs the line one reference,
 * and the collector need not go from one to the next. Every operation is O(1), taken over many.
 */
export class Line<T extends Placed> {
  #items: (T | undefined)[] = [];
  /** Where the first one stands in the array. */
  #head = 0;
  /** The place of what stands at the beginning of the array. */
  #offset = 0;
  #size = 0;

  /** How many stand in it. */
  get size(): number {
    return this.#size;
  }

  /** Who came first. */
  get front(): T | undefined {
    return this.#items[this.#head];
  }

  /** Puts what stands in no line at the end. */
  push(item: T): void {
    if (this.#items.length >= LEAST_TO_TIDY && this.#items.length >= this.#size * 2) this.#tidy();
    item.place = this.#offset + this.#items.length;
    this.#items.push(item);
    this.#size++;
  }

  /** Takes one out, from any place; false where it does not stand here. */
  remove(item: T): boolean {
    if (!this.has(item)) return false;
    this.#items[item.place - this.#offset] = undefined;
    this.#size--;
    while (this.#head < this.#items.length && !this.#items[this.#head]) this.#head++;
    return true;
  }

  /** Whether one stands here. */
  has(item: T): boolean {
    return this.#items[item.place - this.#offset] === item;
  }

  /** Goes from the front to the end as it is now. Anybody may leave on the way. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    const items = this.#items;
    const end = items.length;
    for (let at = this.#head; at < end; at++) {
      const item = items[at];
      if (item && this.has(item)) yield item;
    }
  }

  /** Closes the gaps. Whoever goes over the line meanwhile has the array as it was. */
  #tidy(): void {
    this.#offset += this.#items.length;
    this.#items = this.#items.filter((item) => item !== undefined);
    this.#items.forEach((item, at) => item && (item.place = this.#offset + at));
    this.#head = 0;
  }
}
