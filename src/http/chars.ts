/**
 * Classes of bytes, by RFC 9110 section 5.6.2, and comparisons without regard to case.
 *
 * @module
 */

/** The horizontal tab. */
export const HTAB = 0x09;
/** The line feed. */
export const LF = 0x0a;
/** The carriage return. */
export const CR = 0x0d;
/** The space. */
export const SP = 0x20;
/** The comma, between the elements of a list. */
export const COMMA = 0x2c;
/** The colon, after a field name. */
export const COLON = 0x3a;
/** The semicolon, before a chunk extension. */
export const SEMICOLON = 0x3b;

/** 1 for each byte that may stand in a token, else 0. */
export const IS_TOKEN: Uint8Array = new Uint8Array(256);
for (let byte = 0x30; byte <= 0x39; byte++) IS_TOKEN[byte] = 1;
for (let byte = 0x41; byte <= 0x5a; byte++) IS_TOKEN[byte] = IS_TOKEN[byte + 0x20] = 1;
for (const char of "!#$%&'*+-.^_`|~") IS_TOKEN[char.charCodeAt(0)] = 1;

/** A lower-case word of four letters or more, to compare four bytes at a time. */
export class Word {
  /** How many bytes it has. */
  readonly length: number;
  readonly #fours: Int32Array;
  readonly #last: number;

  /** Takes letters and hyphens: of those, the bit 0x20 is the only difference between cases. */
  constructor(text: string) {
    const view = new DataView(Uint8Array.from(text, (char) => char.charCodeAt(0)).buffer);
    this.length = text.length;
    this.#last = text.length - 4;
    this.#fours = Int32Array.from(
      { length: Math.ceil(text.length / 4) },
      (_, index) => view.getInt32(Math.min(4 * index, this.#last), true),
    );
  }

  /** Says whether the bytes from `start` to `end` are this word, in whatever case; none is a CR. */
  equals(view: DataView, start: number, end: number): boolean {
    if (end - start !== this.length) return false;
    const fours = this.#fours;
    const last = fours.length - 1;
    for (let i = 0; i < last; i++) {
      if ((view.getInt32(start + 4 * i, true) | 0x2020_2020) !== fours[i]) return false;
    }
    // The last four bytes, some of them again if the length is not a multiple of four.
    return (view.getInt32(start + this.#last, true) | 0x2020_2020) === fours[last];
  }
}

/** The first position from `start` that is neither space nor tab, `end` at most. */
export function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  while (start < end && (bytes[start] === SP || bytes[start] === HTAB)) start++;
  return start;
}

/** The position after the last byte before `end` that is neither space nor tab, `start` at least. */
export function trimSpace(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
  return end;
}

/** Makes a text of bytes, one character each (ISO 8859-1), since fields may hold any byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
