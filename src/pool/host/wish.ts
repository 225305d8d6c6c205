/**
 * What several callers who wait want alike.
 *
 * @module
 */

/** Somebody in a line. */
interface Placed {
  /** Whoever came earlier has a lower one. */
  readonly place: number;
}

/**
 * What several callers who wait for a host want alike, each with its own filter: if nothing is there
 * for one of them, nothing is there for the others.
 */
export class Wish<Caller extends Placed> {
  /** Its key. */
  readonly key: string;
  /** Those who have it, first come first. */
  #callers = new Set<Caller>();
  /** Goes over them as they leave: a look from the start would pass the gaps of those who have left. */
  #rest = this.#callers.values();
  #first: Caller | undefined;
  #last: Caller | undefined;

  /** Makes one that nobody has. */
  constructor(key: string) {
    this.key = key;
  }

  /** How many have it. */
  get size(): number {
    return this.#callers.size;
  }

  /** The first of them. */
  get first(): Caller | undefined {
    return this.#first;
  }

  /** Adds a caller, who may have had another one until now. */
  add(caller: Caller): void {
    this.#callers.add(caller);
    if (this.#last && caller.place < this.#last.place) {
      // It had another wish until now, and came before those who have this one.
      const sorted = [...this.#callers].sort((one, other) => one.place - other.place);
      this.#callers = new Set(sorted);
      this.#last = sorted.at(-1);
      this.#start();
      return;
    }
    this.#last = caller;
    if (!this.#first) this.#start();
  }

  /** Takes a caller out. */
  delete(caller: Caller): void {
    this.#callers.delete(caller);
    if (caller === this.#first) this.#first = this.#rest.next().value;
  }

  #start(): void {
    this.#rest = this.#callers.values();
    this.#first = this.#rest.next().value;
  }
}
