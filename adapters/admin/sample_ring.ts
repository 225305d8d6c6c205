/**
 * The last samples of figures, in memory that does not grow.
 *
 * @module
 */

/** Keeps the last rows of numbers. Each row has the same columns. */
export class SampleRing {
  /** How many rows were ever added. */
  count = 0;
  readonly #rows: number;
  readonly #columns: number;
  readonly #values: Float32Array;

  /** Makes an empty one: its memory is allocated at once. */
  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
    this.#values = new Float32Array(rows * columns);
  }

  /** How much memory its rows take, in bytes. */
  get bytes(): number {
    return this.#values.byteLength;
  }

  /** The number of the oldest row that is kept. */
  get first(): number {
    return Math.max(0, this.count - this.#rows);
  }

  /** Adds a row, in place of the oldest one if there is no room. Numbers above 2^24 lose digits. */
  add(row: readonly number[]): void {
    this.#values.set(row, (this.count++ % this.#rows) * this.#columns);
  }

  /** One row, by how many came before it. It is a view: read it at once. */
  at(number: number): Float32Array {
    const begin = (number % this.#rows) * this.#columns;
    return this.#values.subarray(begin, begin + this.#columns);
  }
}
