/**
 * A response's body, between its connection and its reader.
 *
 * @module
 */

/** What the buffer calls to control the connection. */
export interface BodySource {
  /** The reader is too slow: stop reading. */
  pause(): void;
  /** There is room again: read on. */
  resume(): void;
  /** Nobody will read the rest. */
  cancel(reason: unknown): void;
  /** What has arrived begins to wait for a reader. */
  waiting?(): void;
  /** A reader begins to wait for what is to come, or waits no longer. */
  awaited?(isAwaited: boolean): void;
}

/** How much is held for a reader who does not read, in bytes. */
const HIGH_WATER_BYTES = 262_144;

/** Below this the connection is read again, in bytes. */
const LOW_WATER_BYTES = 65_536;

/** The longest body for which memory is made in advance, in bytes: its length is only a promise. */
const MOST_AHEAD_BYTES = 8_388_608;

/** If a body begins with this share of its length, the rest is awaited in one piece. */
const LARGE_SHARE = 0.25;

/** Parts are joined up to this size, in bytes: each separate one costs some 200 more. */
const JOIN_BYTES = 4_096;

interface Reader {
  resolve(bytes: Uint8Array | null): void;
  reject(reason: unknown): void;
}

/**
 * Holds what has arrived and was not read yet. Past its high-water mark it has the connection
 * paused, unless all of the body was asked for at once.
 */
export class BodyBuffer {
  /** Called when the rest will not come. It must not refer to the reader: see `body_stream.ts`. */
  onFailed: ((error: unknown) => void) | undefined;
  readonly #source: BodySource;
  /** How long what is not read yet will be, in bytes; 0 if that is not known. */
  #expectedBytes: number;
  #chunks: Uint8Array[] = [];
  /** The memory of the last part, if small ones were joined to it. */
  #room: Uint8Array | undefined;
  #bytes = 0;
  #ended = false;
  #error: unknown = undefined;
  #failed = false;
  #paused = false;
  #whole = false;
  /** Memory for all of the body, if it is wanted whole: parts are copied once, to their place. */
  #gathered: Uint8Array | undefined;
  #reader: Reader | undefined;

  /** Makes an empty buffer, for a body of a given length, if that is known. */
  constructor(source: BodySource, expectedBytes: number = 0) {
    this.#source = source;
    this.#expectedBytes = expectedBytes <= MOST_AHEAD_BYTES ? expectedBytes : 0;
  }

  /** Whether the body is there to its end, or has failed. */
  get settled(): boolean {
    return this.#ended || this.#failed;
  }

  /** Takes a part, and copies it. */
  push(bytes: Uint8Array): void {
    // A reader that asks for the body at its first bytes is no reason to stop.
    const isFull = this.#bytes > HIGH_WATER_BYTES;
    const isFirst = this.#bytes === 0;
    if (this.#gathered) this.#gathered.set(bytes, this.#bytes);
    else if (this.#bytes === 0 && this.#isLargeShare(bytes.length)) {
      this.#gathered = new Uint8Array(this.#expectedBytes);
      this.#gathered.set(bytes);
    } else this.#keep(bytes);
    this.#bytes += bytes.length;
    if (this.#reader) {
      if (!this.#whole) this.#serve();
    } else if (isFull && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
    if (isFirst && this.#bytes > 0 && !this.#reader) this.#source.waiting?.();
  }

  /** Notes that all is there. */
  end(): void {
    this.#ended = true;
    this.#serve();
  }

  /** Notes that the rest will not come. What has arrived is dropped. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.#failed = true;
    this.#error = error;
    this.#clear();
    this.#serve();
    this.onFailed?.(error);
  }

  /** The next part; null after the last one. */
  read(): Promise<Uint8Array | null> {
    if (this.#failed) return Promise.reject(this.#error);
    this.#expectedBytes = 0;
    const chunk = this.#take();
    if (chunk) {
      this.#unpause();
      if (this.#bytes > 0 && !this.settled) this.#source.waiting?.();
      return Promise.resolve(chunk);
    }
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#await({ resolve, reject }));
  }

  /** All that has not been read, to the end. */
  readAll(): Promise<Uint8Array> {
    if (this.#failed) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(this.#join());
    this.#whole = true;
    if (this.#expectedBytes > 0) this.#gathered ??= this.#copyTo(this.#expectedBytes);
    this.#unpause();
    return new Promise((resolve, reject) =>
      this.#await({ resolve: () => resolve(this.#join()), reject })
    );
  }

  /** All that has not been read, if the end is there; undefined if it is not. */
  takeAll(): Uint8Array | undefined {
    return this.#ended ? this.#join() : undefined;
  }

  /** Gives up the rest. */
  cancel(reason: unknown): void {
    if (this.settled) this.#clear();
    else this.#source.cancel(reason);
  }

  #await(reader: Reader): void {
    this.#reader = reader;
    this.#source.awaited?.(true);
  }

  #serve(): void {
    const reader = this.#reader;
    if (!reader) return;
    this.#reader = undefined;
    this.#source.awaited?.(false);
    if (this.#failed) reader.reject(this.#error);
    else reader.resolve(this.#whole ? null : this.#take());
  }

  /** The next part that is there, or null. */
  #take(): Uint8Array | null {
    const chunk = this.#gathered?.subarray(0, this.#bytes) ?? this.#chunks.shift();
    this.#gathered = undefined;
    if (!chunk) return null;
    this.#bytes -= chunk.length;
    return chunk;
  }

  #isLargeShare(length: number): boolean {
    const expected = this.#expectedBytes;
    return length < expected && length >= expected * LARGE_SHARE;
  }

  /**
   * Copies a part, behind the last one if both are small, since servers decide how small they are.
   */
  #keep(bytes: Uint8Array): void {
    const at = this.#chunks.length - 1;
    const last = this.#chunks[at];
    const length = bytes.length + (last ? last.length : 0);
    if (!last || length > JOIN_BYTES) {
      // A Buffer's `slice()` copies nothing, and a stream takes over the memory that it is given.
      this.#chunks.push(new Uint8Array(bytes));
      this.#room = undefined;
      return;
    }
    if (!this.#room || length > this.#room.length) {
      this.#room = new Uint8Array(Math.min(length * 2, JOIN_BYTES));
      this.#room.set(last);
    }
    this.#room.set(bytes, last.length);
    this.#chunks[at] = this.#room.subarray(0, length);
  }

  #unpause(): void {
    if (!this.#paused || (!this.#whole && this.#bytes > LOW_WATER_BYTES)) return;
    this.#paused = false;
    if (!this.settled) this.#source.resume();
  }

  #join(): Uint8Array {
    // The reader of a body takes its buffer for the body.
    const isWhole = this.#chunks.length === 1 && !this.#room;
    const joined = this.#gathered?.subarray(0, this.#bytes)
      ?? (isWhole ? this.#chunks[0]! : this.#copyTo(this.#bytes));
    this.#clear();
    return joined;
  }

  /** Copies what is there to the beginning of new memory. */
  #copyTo(length: number): Uint8Array {
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
