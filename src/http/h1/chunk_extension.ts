/**
 * Chunk extensions, byte by byte (RFC 9112 section 7.1.1). We know none, so they are checked and
 * forgotten. Checked, because a parser that is careless about where they end can be made to see
 * another body than its neighbour sees.
 *
 * @module
 */

import { HTAB, IS_TOKEN, SEMICOLON, SP } from "../chars.ts";

/** Within extensions: a semicolon, or the end of the line, may follow. */
export const BEFORE_SEMICOLON = 0;
const BEFORE_NAME = 1;
const IN_NAME = 2;
const AFTER_NAME = 3;
const BEFORE_VALUE = 4;
const IN_VALUE = 5;
const IN_QUOTES = 6;
const AFTER_BACKSLASH = 7;
const AFTER_SPACE = 8;
/** The byte cannot stand here. */
export const BAD_EXTENSION = -1;

/** Where the byte leads from `state`; the CR that ends the line is not to be given. */
export function extensionStep(state: number, byte: number): number {
  const space = byte === SP || byte === HTAB;
  switch (state) {
    case BEFORE_SEMICOLON:
      return byte === SEMICOLON ? BEFORE_NAME : space ? AFTER_SPACE : BAD_EXTENSION;
    case AFTER_SPACE:
      return byte === SEMICOLON ? BEFORE_NAME : space ? AFTER_SPACE : BAD_EXTENSION;
    case BEFORE_NAME:
      return space ? BEFORE_NAME : IS_TOKEN[byte] === 1 ? IN_NAME : BAD_EXTENSION;
    case IN_NAME:
      if (IS_TOKEN[byte] === 1) return IN_NAME;
      return afterName(byte, space);
    case AFTER_NAME:
      return afterName(byte, space);
    case BEFORE_VALUE:
      if (byte === 0x22) return IN_QUOTES;
      return space ? BEFORE_VALUE : IS_TOKEN[byte] === 1 ? IN_VALUE : BAD_EXTENSION;
    case IN_VALUE:
      return IS_TOKEN[byte] === 1 ? IN_VALUE : extensionStep(BEFORE_SEMICOLON, byte);
    case IN_QUOTES:
      if (byte === 0x22) return BEFORE_SEMICOLON;
      if (byte === 0x5c) return AFTER_BACKSLASH;
      return isText(byte) ? IN_QUOTES : BAD_EXTENSION;
    default:
      return isText(byte) ? IN_QUOTES : BAD_EXTENSION;
  }
}

/** Says whether the line may end here. */
export function mayEndExtension(state: number): boolean {
  return state === BEFORE_SEMICOLON || state === IN_NAME || state === IN_VALUE;
}

function afterName(byte: number, space: boolean): number {
  if (byte === 0x3d) return BEFORE_VALUE;
  return byte === SEMICOLON ? BEFORE_NAME : space ? AFTER_NAME : BAD_EXTENSION;
}

/** Says whether a byte may stand in a quoted string: no control but the tab. */
function isText(byte: number): boolean {
  return byte === HTAB || (byte >= SP && byte !== 0x7f);
}
