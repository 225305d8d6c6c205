/**
 * A request's body that is read as it comes, for as many attempts as possible.
 *
 * @module
 */

import { type BodyReader, openBody } from "./body_reader.ts";

/**
 * How much of a body is kept for another attempt, in bytes: what a server's first window lets
 * through before it can have said anything, and the part behind it.
 */
const HELD_BYTES = 131_072;
/** What each part counts in addition, in bytes: many small ones take more memory than they hold. */
const PART_BYTES = 64;

/** Reads a body once, and repeats what it has read as long as it still has all of it. */
export class StreamedBody {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #repeats: boolean;
  #reader: BodyReader;
  /** What was read, from the beginning; undefined once some of it was dropped. */
  #held: Uint8Array[] | undefined = [];
  #heldBytes = 0;
  /** The part being read, which an ended attempt leaves to the next one; or the end. */
  #coming: Promise<Uint8Array | null> | undefined;
  #wasOpened = false;

  /** Takes over a body. `repeats` says that it can be read any number of times. */
  constructor(body: AsyncIterable<Uint8Array>, repeats: boolean) {
    this.#body = body;
    this.#repeats = repeats;
    this.#reader = openBody(body);
  }

  /** Whether it can be given to another attempt, from its beginning. */
  get canRepeat(): boolean {
    return this.#repeats || this.#held !== undefined;
  }

  /**
   * Gives it to an attempt, from its beginning. Nobody may use what was given to the attempt before.
   * To cancel what is given does nothing: the body is cancelled here.
   *
   * @param holds Whether what is read is kept, up to a limit, for another attempt
   */
  open(holds: boolean): BodyReader {
    if (this.#repeats) {
      if (this.#wasOpened) {
        this.#reader.cancel(undefined);
        this.#reader = openBody(this.#body);
      }
      this.#wasOpened = true;
      return this.#reader;
    }
    let held = this.#held;
    let at = 0;
    if (!holds) this.letGo();
    const read = () => {
      const part = held?.[at++];
      if (part) return Promise.resolve(part);
      if (!this.#held) held = undefined;
      return this.#coming ??= this.#read();
    };
    return { read, cancel: () => {} };
  }

  /** Stops keeping it: there will be no other attempt. */
  letGo(): void {
    this.#held = undefined;
  }

  /** Gives up the rest. */
  cancel(reason: unknown): void {
    this.letGo();
    this.#reader.cancel(reason);
  }

  async #read(): Promise<Uint8Array | null> {
    // Not when a part comes: there may be no attempt just then that could lose it.
    if (this.#heldBytes >= HELD_BYTES) this.letGo();
    const given = await this.#reader.read();
    if (given === null) return null;
    this.#coming = undefined;
    if (this.#held) {
      // Its owner may use the memory again for the next one. (`slice()` of a Buffer copies nothing.)
      const part = new Uint8Array(given);
      this.#held.push(part);
      this.#heldBytes += part.length + PART_BYTES;
    }
    return given;
  }
}
