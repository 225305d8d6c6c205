/**
 * The header fields of a response, cheap until they are read.
 *
 * @module
 */

import { CR, HTAB, latin1, LF, SP } from "./chars.ts";

const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);

/**
 * The fields of a head or of a trailer section, in the order and number that they arrived in. Names
 * are lower case, and values are texts whose characters are bytes (ISO 8859-1). It never changes.
 *
 * Nothing is decoded before the first reading. Each value is found when it is asked for: a program
 * that asks for the same one in a loop keeps it in a variable.
 */
export class ResponseHeaders implements Iterable<[name: string, value: string]> {
  // Until the first reading the fields are `#bytes` from `#start` to `#end`, and from then on
  // `#text`: a line feed, and then each line as it arrived, with its CR LF.
  #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #ascii: boolean;
  #text = "";
  // `#text` in lower case: a byte of ISO 8859-1 stays one, so positions are the same in both.
  #lower = "";

  /**
   * Takes lines that the parser has checked, and that nobody changes any more: a line feed at
   * `start`, and then each field line with its CR LF, up to `end`.
   */
  constructor(bytes: Uint8Array, start: number, end: number, ascii: boolean) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#ascii = ascii;
  }

  /**
   * The value of a field, or null where there is none. Of several values it makes one, with commas
   * between them (RFC 9110 section 5.3): `getAll()` is for `set-cookie`, which must not be joined.
   */
  get(name: string): string | null {
    const lower = this.#decode();
    const key = `\n${name.toLowerCase()}:`;
    let at = find(lower, key, 0);
    if (at < 0) return null;
    let value = this.#value(at + key.length);
    while ((at = lower.indexOf(key, at + key.length)) >= 0) {
      value += `, ${this.#value(at + key.length)}`;
    }
    return value;
  }

  /** The values of a field, each as it arrived. */
  getAll(name: string): string[] {
    const lower = this.#decode();
    const key = `\n${name.toLowerCase()}:`;
    const values: string[] = [];
    for (let at = find(lower, key, 0); at >= 0; at = lower.indexOf(key, at + key.length)) {
      values.push(this.#value(at + key.length));
    }
    return values;
  }

  /** Says whether a field is there, be its value empty. */
  has(name: string): boolean {
    return find(this.#decode(), `\n${name.toLowerCase()}:`, 0) >= 0;
  }

  /** Gives each field line's name and value. A name that arrived twice is given twice. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const lower = this.#decode();
    for (let at = 1; at < lower.length;) {
      const colon = lower.indexOf(":", at);
      yield [lower.slice(at, colon), this.#value(colon + 1)];
      at = lower.indexOf("\n", colon) + 1;
    }
  }

  /** Makes a `Headers` of its own, which the caller may change. */
  toHeaders(): Headers {
    const headers = new Headers();
    for (const [name, value] of this) headers.append(name, value);
    return headers;
  }

  #decode(): string {
    if (this.#text === "") {
      // As UTF-8 these bytes would be misread, unless they are ASCII.
      this.#text = this.#ascii
        ? decoder.decode(this.#bytes.subarray(this.#start, this.#end))
        : latin1(this.#bytes, this.#start, this.#end);
      this.#lower = this.#text.toLowerCase();
      this.#bytes = NOTHING;
    }
    return this.#lower;
  }

  /** The value of the line whose colon stands before `at`, without the white space around it. */
  #value(at: number): string {
    const text = this.#text;
    let end = text.indexOf("\n", at) - 1;
    let code: number;
    while ((code = text.charCodeAt(at)) === SP || code === HTAB) at++;
    if (at >= end) return "";
    while ((code = text.charCodeAt(end - 1)) === SP || code === HTAB) end--;
    return text.slice(at, end);
  }
}

/** Finds a line by `key`, its name between a line feed and a colon. */
function find(lower: string, key: string, from: number): number {
  const at = lower.indexOf(key, from);
  if (at < 0) return -1;
  // No name has a colon or a line feed: such a key has matched more than a name.
  for (let i = 1; i < key.length - 1; i++) {
    const code = key.charCodeAt(i);
    if (code === 0x3a || code === LF || code === CR) return -1;
  }
  return at;
}
