/**
 * The fields that say where a response ends and whether its connection lives on.
 *
 * @module
 */

import { COMMA, skipSpace, trimSpace, Word } from "../chars.ts";
import type { HttpParseReason } from "../parse_error.ts";

const CONNECTION = new Word("connection");
const CONTENT_LENGTH = new Word("content-length");
const KEEP_ALIVE = new Word("keep-alive");
const TRANSFER_ENCODING = new Word("transfer-encoding");
const CHUNKED = new Word("chunked");
const CLOSE = new Word("close");
const MAX = new Word("max=");
const TIMEOUT = new Word("timeout=");

/** Whether a name, from `line` to `colon`, is that of a field that the end of a body depends on. */
export function delimitsBody(view: DataView, line: number, colon: number): boolean {
  return CONTENT_LENGTH.equals(view, line, colon) || TRANSFER_ENCODING.equals(view, line, colon);
}

/** What a head says about its framing and its connection. */
export class Framing {
  /** Content-Length, or -1. */
  contentLength = -1;
  /** Whether Transfer-Encoding is there: it is chunked, then. */
  chunked = false;
  /** Whether Connection says close. */
  close = false;
  /** Whether Connection says keep-alive. */
  keepAlive = false;
  /** The timeout of Keep-Alive in seconds, or -1. */
  keepAliveTimeout = -1;
  /** The most requests that Keep-Alive allows, or -1. */
  keepAliveMax = -1;

  /** Forgets it all. */
  reset(): void {
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.keepAliveTimeout = -1;
    this.keepAliveMax = -1;
  }

  /**
   * Notes the field whose name goes from `line` to `colon`, and its value to `lineEnd`, if it is
   * one that matters. Returns why it is refused, or null.
   */
  note(
    bytes: Uint8Array,
    view: DataView,
    line: number,
    colon: number,
    lineEnd: number,
    minor: number,
  ): HttpParseReason | null {
    const start = skipSpace(bytes, colon + 1, lineEnd);
    const end = trimSpace(bytes, start, lineEnd);
    if (CONTENT_LENGTH.equals(view, line, colon)) {
      return this.#noteLength(bytes, start, end);
    }
    if (CONNECTION.equals(view, line, colon)) {
      this.#noteConnection(bytes, view, start, end);
    } else if (KEEP_ALIVE.equals(view, line, colon)) {
      this.#noteKeepAlive(bytes, view, start, end);
    } else if (TRANSFER_ENCODING.equals(view, line, colon)) {
      if (this.contentLength !== -1) return "length-and-encoding";
      // Another coding than chunked, chunked twice, or any in HTTP/1.0: RFC 9112 sections 6.1, 7.
      if (this.chunked || minor === 0 || !CHUNKED.equals(view, start, end)) {
        return "transfer-encoding";
      }
      this.chunked = true;
    }
    return null;
  }

  /**
   * Reads a length, which may be repeated in a list or in several fields: RFC 9110 section 8.6
   * allows a recipient to accept that.
   */
  #noteLength(bytes: Uint8Array, start: number, end: number): HttpParseReason | null {
    if (this.chunked) return "length-and-encoding";
    for (let at = start;; at++) {
      const comma = elementEnd(bytes, at, end);
      const from = skipSpace(bytes, at, comma);
      const length = readDecimal(bytes, from, trimSpace(bytes, from, comma));
      if (length === -1) return "content-length";
      if (this.contentLength === -1) this.contentLength = length;
      else if (this.contentLength !== length) return "content-length-conflict";
      if (comma === end) return null;
      at = comma;
    }
  }

  #noteConnection(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    for (let at = start;; at++) {
      const comma = elementEnd(bytes, at, end);
      const from = skipSpace(bytes, at, comma);
      const to = trimSpace(bytes, from, comma);
      if (KEEP_ALIVE.equals(view, from, to)) this.keepAlive = true;
      else if (CLOSE.equals(view, from, to)) this.close = true;
      if (comma === end) return;
      at = comma;
    }
  }

  /** Reads hints such as `timeout=5, max=100`. One that makes no sense is ignored. */
  #noteKeepAlive(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    for (let at = start;; at++) {
      const comma = elementEnd(bytes, at, end);
      const from = skipSpace(bytes, at, comma);
      const to = trimSpace(bytes, from, comma);
      if (to > from + 8 && TIMEOUT.equals(view, from, from + 8)) {
        this.keepAliveTimeout = readDecimal(bytes, from + 8, to);
      } else if (to > from + 4 && MAX.equals(view, from, from + 4)) {
        this.keepAliveMax = readDecimal(bytes, from + 4, to);
      }
      if (comma === end) return;
      at = comma;
    }
  }
}

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
