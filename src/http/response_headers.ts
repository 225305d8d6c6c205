/**
 * The header fields of a response, cheap until they are read.
 *
 * @module
 */

import { HTAB, latin1, SP } from "./chars.ts";

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
  // Until the first reading the fields are `#bytes` from `#start` to `#end`, and then `#text`.
  #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #ascii: boolean;
  #text = "";

  /**
   * Takes lines that the parser has checked, and that never change: a line feed at `start`, and
   * then each field line up to its CR LF, the name in lower case, up to `end`.
   */
  constructor(bytes: Uint8Array, start: number, end: number, ascii: boolean) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#ascii = ascii;
  }

  /**
   * The value of a field, or null if there is none. Of several values it makes one, with commas
   * between them (RFC 9110 section 5.3): `getAll()` is for `set-cookie`, which must not be joined.
   */
  get(name: string): string | null {
    const text = this.#decode();
    const key = keyOf(name);
    let at = find(text, key);
    if (at < 0) return null;
    let value = valueAt(text, at + key.length);
    while ((at = text.indexOf(key, at + key.length)) >= 0) {
      value += `, ${valueAt(text, at + key.length)}`;
    }
    return value;
  }

  /** The values of a field, each as it arrived. */
  getAll(name: string): string[] {
    const text = this.#decode();
    const key = keyOf(name);
    const values: string[] = [];
    for (let at = find(text, key); at >= 0; at = text.indexOf(key, at + key.length)) {
      values.push(valueAt(text, at + key.length));
    }
    return values;
  }

  /** Says whether a field is there, even with an empty value. */
  has(name: string): boolean {
    return find(this.#decode(), keyOf(name)) >= 0;
  }

  /** Yields each field line's name and value. A name that arrived twice is yielded twice. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const entries: [name: string, value: string][] = [];
    this.#each((name, value) => entries.push([name, value]));
    return entries[Symbol.iterator]();
  }

  /** Makes a new `Headers`, which the caller may change. */
  toHeaders(): Headers {
    return this.appendTo(new Headers());
  }

  /** Adds the fields to others, and returns these. Making them from a list takes far longer. */
  appendTo(headers: Headers): Headers {
    this.#each((name, value) => headers.append(name, value));
    return headers;
  }

  #each(take: (name: string, value: string) => void): void {
    const text = this.#decode();
    for (let at = 1; at < text.length;) {
      const colon = text.indexOf(":", at);
      take(ownPart(text, at, colon), valueAt(text, colon + 1));
      at = text.indexOf("\n", colon) + 1;
    }
  }

  #decode(): string {
    if (this.#text === "") {
      // As UTF-8 these bytes would be misread, unless they are ASCII.
      this.#text = this.#ascii
        ? decoder.decode(this.#bytes.subarray(this.#start, this.#end))
        : latin1(this.#bytes, this.#start, this.#end);
      this.#bytes = NOTHING;
    }
    return this.#text;
  }
}

function keyOf(name: string): string {
  return `\n${name.toLowerCase()}:`;
}

/** Finds the first line with a key, or returns -1. */
function find(text: string, key: string): number {
  const at = text.indexOf(key);
  // No name has a line feed or a colon: a key that has one has matched more than a name.
  return at >= 0 && (key.lastIndexOf("\n") > 0 || key.indexOf(":") < key.length - 1) ? -1 : at;
}

/** A part of a text keeps all of it in memory: it must not where that is so long, in characters. */
const LONG_TEXT = 1_024;

/** A longer part may keep the whole text, in characters. */
const SHORT_PART = 4_096;

/** A part of a text, copied if the rest is far longer. */
function ownPart(text: string, at: number, end: number): string {
  const length = end - at;
  if (text.length < LONG_TEXT || length > SHORT_PART || length * 8 > text.length) {
    return text.slice(at, end);
  }
  // Engines optimise away everything else that joins and cuts texts.
  const codes: number[] = [];
  for (let i = at; i < end; i++) codes.push(text.charCodeAt(i));
  return String.fromCharCode(...codes);
}

/** The value of the line whose colon stands before `at`, without the white space around it. */
function valueAt(text: string, at: number): string {
  let end = text.indexOf("\r", at);
  let code: number;
  while ((code = text.charCodeAt(at)) === SP || code === HTAB) at++;
  if (at >= end) return "";
  while ((code = text.charCodeAt(end - 1)) === SP || code === HTAB) end--;
  return ownPart(text, at, end);
}
