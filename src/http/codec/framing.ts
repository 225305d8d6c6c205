/**
 * The fields that say where a response ends and whether its connection lives on.
 *
 * @module
 */

import { COMMA, equalsWord, skipSpace, trimSpace } from "./chars.ts";

/** The element of a list that begins at `start` ends here: at a comma, or at `end`. */
function elementEnd(bytes: Uint8Array, start: number, end: number): number {
  while (start < end && bytes[start] !== COMMA) start++;
  return start;
}

/** Reads digits only, up to 2^53 - 1. Returns -1 for anything else. */
function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value;
}

/** What `readContentLength` returns for a value that is no length. */
export const BAD_LENGTH = -1;
/** What `readContentLength` returns for a list of lengths that differ. */
export const LENGTHS_DIFFER = -2;

/**
 * Reads a Content-Length: a length, or a list of the same length over and over, which RFC 9110
 * section 8.6 lets a recipient take for one.
 */
export function readContentLength(bytes: Uint8Array, start: number, end: number): number {
  let length = -1;
  for (let at = start;; at++) {
    const comma = elementEnd(bytes, at, end);
    const from = skipSpace(bytes, at, comma);
    const value = readDecimal(bytes, from, trimSpace(bytes, from, comma));
    if (value === -1) return BAD_LENGTH;
    if (length !== -1 && length !== value) return LENGTHS_DIFFER;
    length = value;
    if (comma === end) return length;
    at = comma;
  }
}

/** Says whether a list, such as Connection's, has a token. */
export function hasToken(bytes: Uint8Array, start: number, end: number, token: string): boolean {
  for (let at = start;; at++) {
    const comma = elementEnd(bytes, at, end);
    const from = skipSpace(bytes, at, comma);
    if (equalsWord(bytes, from, trimSpace(bytes, from, comma), token)) return true;
    if (comma === end) return false;
    at = comma;
  }
}

/**
 * Reads a parameter of Keep-Alive, such as `timeout` in `timeout=5, max=100`. It is a hint: what
 * makes no sense is as good as absent. Returns -1 where it is.
 */
export function readKeepAlive(bytes: Uint8Array, start: number, end: number, name: string): number {
  for (let at = start;; at++) {
    const comma = elementEnd(bytes, at, end);
    const from = skipSpace(bytes, at, comma);
    const equals = from + name.length;
    if (equals < comma && bytes[equals] === 0x3d && equalsWord(bytes, from, equals, name)) {
      return readDecimal(bytes, equals + 1, trimSpace(bytes, equals + 1, comma));
    }
    if (comma === end) return -1;
    at = comma;
  }
}
