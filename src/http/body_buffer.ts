/**
 * A response's body between the connection that it comes from and whoever reads it.
 *
 * @module
 */

/** Receives what the buffer wants of the connection. */
export interface BodySource {
  /** Nobody keeps up: stop reading. */
  pause(): void;
  /** There is room again: read on. */
  resume(): void;
  /** Nobody will read the rest. */
  cancel(reason: unknown): void;
}

/** More than this is not held for a reader who does not read, in bytes. */
const HIGH_WATER_BYTES = 262_144;

/** Below this the connection is read again, in bytes. */
const LOW_WATER_BYTES = 65_536;

/** Memory for no longer a body is made before it is there, in bytes: its length is only a promise. */
const MOST_AHEAD_BYTES = 8_388_608;

interface Reader {
  resolve(bytes: Uint8Array | null): void;
  reject(reason: unknown): void;
}

const EMPTY = new Uint8Array(0);

/**
 * Holds what has arrived and was not read yet. Past its high-water mark it has the connection
 * paused, unless all of the body was asked for at once.
 */
export class BodyBuffer {
  /** How long the body will be, in bytes, where that is known. */
  expectedBytes: number | undefined;
  readonly #source: BodySource;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #error: unknown = undefined;
  #failed = false;
  #paused = false;
  #whole = false;
  /** Memory for all of the body, where all of it is wanted: parts are copied once, to their place. */
  #gathered: Uint8Array | undefined;
  #reader: Reader | undefined;

  /** Makes an empty buffer. */
  constructor(source: BodySource) {
    this.#source = source;
  }

  /** Whether the body is there to its end, or has failed. */
  get settled(): boolean {
    return this.#ended || this.#failed;
  }

  /** Takes a part, and copies it. */
  push(bytes: Uint8Array): void {
    if (this.#gathered) this.#gathered.set(bytes, this.#bytes);
    else this.#chunks.push(bytes.slice());
    this.#bytes += bytes.length;
    if (this.#reader) {
      if (!this.#whole) this.#serve();
    } else if (this.#bytes > HIGH_WATER_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** Notes that all is there. */
  end(): void {
    this.#ended = true;
    this.#serve();
  }

  /** Notes that the rest will not come. What has arrived is let go. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.#failed = true;
    this.#error = error;
    this.#clear();
    this.#serve();
  }

  /** The next part; null after the last one. */
  read(): Promise<Uint8Array | null> {
    if (this.#failed) return Promise.reject(this.#error);
    const chunk = this.#chunks.shift();
    if (chunk) {
      this.#bytes -= chunk.length;
      this.#unpause();
      return Promise.resolve(chunk);
    }
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** All that has not been read, to the end. */
  readAll(): Promise<Uint8Array> {
    if (this.#failed) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(this.#join());
    this.#whole = true;
    const { expectedBytes = Infinity } = this;
    if (expectedBytes <= MOST_AHEAD_BYTES) this.#gathered = this.#copyTo(expectedBytes);
    this.#unpause();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve: () => resolve(this.#join()), reject };
    });
  }

  /** All that has not been read, if the end is there; undefined where it is not. */
  takeAll(): Uint8Array | undefined {
    return this.#ended ? this.#join() : undefined;
  }

  /** Lets the rest go. */
  cancel(reason: unknown): void {
    if (this.settled) this.#clear();
    else this.#source.cancel(reason);
  }

  #serve(): void {
    const reader = this.#reader;
    if (!reader) return;
    this.#reader = undefined;
    if (this.#failed) reader.reject(this.#error);
    else if (this.#whole) reader.resolve(EMPTY);
    else {
      const chunk = this.#chunks.shift();
      if (chunk) this.#bytes -= chunk.length;
      reader.resolve(chunk ?? null);
    }
  }

  #unpause(): void {
    if (!this.#paused || (!this.#whole && this.#bytes > LOW_WATER_BYTES)) return;
    this.#paused = false;
    if (!this.settled) this.#source.resume();
  }

  #join(): Uint8Array {
    const [first] = this.#chunks;
    const joined = this.#gathered?.subarray(0, this.#bytes)
      ?? (this.#chunks.length === 1 ? first! : this.#copyTo(this.#bytes));
    this.#clear();
    return joined;
  }

  /** Copies what is there to the beginning of new memory. */
  #copyTo(length: number): Uint8Array {
    if (length === 0) return EMPTY;
    const joined = new Uint8Array(length);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [];
    return joined;
  }

  #clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#gathered = undefined;
  }
}
