/**
 * Finds the end of a head or of a trailer section, checks every byte on the way, and notes what
 * framing needs. Nothing becomes a string on the way, the reason phrase apart.
 *
 * @module
 */

import {
  COLON,
  CR,
  equalsWord,
  HTAB,
  IS_TOKEN,
  latin1,
  LF,
  skipSpace,
  SP,
  trimSpace,
} from "./chars.ts";
import {
  BAD_LENGTH,
  hasToken,
  LENGTHS_DIFFER,
  readContentLength,
  readKeepAlive,
} from "./framing.ts";
import type { CheckedLimits } from "./limits.ts";
import { HttpParseError, type HttpParseReason } from "./parse_error.ts";
import { ResponseHeaders } from "./response_headers.ts";

// Bytes are copied before they are scanned, for they are ours only during a call: to one slab that
// all scanners share, so that a connection between two heads holds no memory. Scanning is one
// synchronous step that calls nobody, so they never mix; a head that is not complete when a chunk
// ends moves to a buffer of its own. The part of a slab that a finished head took is never written
// again: the `ResponseHeaders` read from it.
const SLAB_BYTES = 16_384;
/** How much is copied at a time: nearly every head in one go, and little of a body for nothing. */
const FILL_BYTES = 2_048;
/** A zero after the last byte stops every loop, and four bytes are read at a time. */
const SLACK_BYTES = 4;

let slab = new Uint8Array(SLAB_BYTES);
let slabView = new DataView(slab.buffer);
let slabAt = 0;

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));

const PREFIX = "HTTP/1.";
/** `HTTP/1.1 200`: what every status line begins with, as long. */
const CODE_END = 12;

/** Four spaces, four times 0x7f, four ones, and the four sign bits, for four bytes at a time. */
const SPACES = 0x2020_2020;
const DELETES = 0x7f7f_7f7f;
const ONES = 0x0101_0101;
const SIGNS = 0x8080_8080 | 0;

/** What the scanner is within. */
const STATUS = 0;
const PHRASE = 1;
const NAME = 2;
const VALUE = 3;

/** Scans one head, or trailer section, after another. Its fields are those of the last head. */
export class HeadScanner {
  /** The status code. */
  status = 0;
  /** The reason phrase. */
  statusText = "";
  /** The minor version: 0 for HTTP/1.0, and more for HTTP/1.1 (RFC 9110 section 2.5). */
  minor = 1;
  /** Content-Length, or -1. */
  contentLength = -1;
  /** Whether Transfer-Encoding is there: chunked, then. */
  chunked = false;
  /** Whether Connection says close. */
  close = false;
  /** Whether Connection says keep-alive. */
  keepAlive = false;
  /** The timeout of Keep-Alive in seconds, or -1. */
  keepAliveTimeout = -1;
  /** The most requests that Keep-Alive allows, or -1. */
  keepAliveMax = -1;

  readonly #limits: CheckedLimits;
  #bytes: Uint8Array = NO_BYTES;
  #view: DataView = NO_VIEW;
  /** Whether `#bytes` is the slab. */
  #shared = false;
  /** Where the head begins, where its first field line, and how far `#bytes` is filled. */
  #base = 0;
  #firstField = 0;
  #length = 0;
  /** Where scanning goes on, and within what. */
  #at = 0;
  #stage = NAME;
  /** Where the current line begins, and its colon. */
  #line = 0;
  #colon = 0;
  #count = 0;
  #ascii = true;
  #trailers = false;
  #origin = 0;

  /** Makes a scanner that holds nothing yet. */
  constructor(limits: CheckedLimits) {
    this.#limits = limits;
  }

  /** How many bytes it holds between calls. */
  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** Gets ready for a head that begins at byte `origin` of the response. */
  beginHead(origin: number): void {
    this.#begin(origin, STATUS);
    this.#trailers = false;
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.keepAliveTimeout = -1;
    this.keepAliveMax = -1;
  }

  /** Gets ready for a trailer section. What the head said stays as it is. */
  beginTrailers(origin: number): void {
    this.#begin(origin, NAME);
    this.#trailers = true;
  }

  /**
   * Scans `chunk` from `start` on. Returns the position after the head, or -1 where the chunk ended
   * first: the next one goes on there.
   *
   * @throws {HttpParseError} The head breaks a rule or a limit
   */
  feed(chunk: Uint8Array, start: number): number {
    for (let from = start;;) {
      let count = chunk.length - from;
      if (count > FILL_BYTES) count = FILL_BYTES;
      this.#append(chunk, from, count);
      from += count;
      if (this.#scan()) return from - (this.#length - this.#at);
      if (from === chunk.length) {
        this.#leaveSlab(this.#length);
        return -1;
      }
    }
  }

  /** Gives the fields, and lets go of the bytes. To be called once, after `feed()` found the end. */
  takeHeaders(): ResponseHeaders {
    // The line feed before the first field line goes with it; the last CR LF is left.
    const headers = new ResponseHeaders(
      this.#bytes,
      this.#firstField - 1,
      this.#at - 2,
      this.#ascii,
    );
    if (this.#shared) slabAt = this.#at;
    this.release();
    return headers;
  }

  /** Lets go of the bytes. */
  release(): void {
    this.#bytes = NO_BYTES;
    this.#view = NO_VIEW;
    this.#shared = false;
  }

  #begin(origin: number, stage: number): void {
    if (slabAt + 1 + FILL_BYTES + SLACK_BYTES > SLAB_BYTES) {
      slab = new Uint8Array(SLAB_BYTES);
      slabView = new DataView(slab.buffer);
      slabAt = 0;
    }
    this.#bytes = slab;
    this.#view = slabView;
    this.#shared = true;
    // As if a line had ended before: see `takeHeaders()`.
    slab[slabAt] = LF;
    const base = slabAt + 1;
    this.#base = base;
    this.#firstField = base;
    this.#length = base;
    this.#at = base;
    this.#line = base;
    this.#stage = stage;
    this.#count = 0;
    this.#ascii = true;
    this.#origin = origin;
  }

  #append(chunk: Uint8Array, from: number, count: number): void {
    const length = this.#length + count;
    if (length + SLACK_BYTES > this.#bytes.length) this.#leaveSlab(length);
    const part = from === 0 && count === chunk.length
      ? chunk
      : chunk.subarray(from, from + count);
    this.#bytes.set(part, this.#length);
    this.#bytes[length] = 0;
    this.#length = length;
  }

  /** Moves to a buffer of its own that has room up to `length`, in today's positions. */
  #leaveSlab(length: number): void {
    const start = this.#base - 1;
    const needed = length - start + SLACK_BYTES;
    if (!this.#shared && start + needed <= this.#bytes.length) return;
    // What is held was scanned, so it is within the limit: so is what doubles it, cut to this.
    const most = 1 + this.#limits.maxHeadBytes + FILL_BYTES + SLACK_BYTES;
    const bytes = new Uint8Array(Math.max(needed, Math.min(2 * needed, most)));
    bytes.set(this.#bytes.subarray(start, this.#length + 1));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#shared = false;
    this.#base -= start;
    this.#firstField -= start;
    this.#length -= start;
    this.#at -= start;
    this.#line -= start;
    this.#colon -= start;
  }

  /** Scans what is there. Returns whether the end was found, `#at` after it. */
  #scan(): boolean {
    const bytes = this.#bytes;
    const view = this.#view;
    const length = this.#length;
    let i = this.#at;
    let stage = this.#stage;
    if (stage === STATUS) {
      if (!this.#scanStatus()) return false;
      i = this.#base + CODE_END;
      stage = PHRASE;
    }
    for (;;) {
      if (stage === NAME) {
        while (IS_TOKEN[bytes[i]!] !== 0) i++;
        if (i > this.#edge()) this.#failLimit();
        const byte = bytes[i]!;
        if (i === length) {
          this.#at = i;
          this.#stage = NAME;
          return false;
        }
        if (byte !== COLON || i === this.#line) {
          if (byte !== CR || i !== this.#line) this.#failName(byte, i);
          if (i + 1 === length) {
            this.#at = i;
            this.#stage = NAME;
            return false;
          }
          if (bytes[i + 1] !== LF) this.#fail("line-end", i);
          this.#at = i + 2;
          return true;
        }
        this.#colon = i++;
        stage = VALUE;
      }
      // A field value, or a reason phrase: they have the same grammar.
      for (;;) {
        // Four bytes at a time, as long as none is a control (below 0x20, or 0x7f) or above 0x7f.
        for (;;) {
          const four = view.getInt32(i, true);
          const deletes = four ^ DELETES;
          if (
            ((four | ((four - SPACES) & ~four) | ((deletes - ONES) & ~deletes)) & SIGNS) !== 0
          ) break;
          i += 4;
        }
        while (((bytes[i]! - SP) >>> 0) < 0x5f) i++;
        const byte = bytes[i]!;
        if (byte >= 0x80) this.#ascii = false;
        else if (byte !== HTAB) break;
        i++;
      }
      if (i > this.#edge()) this.#failLimit();
      if (i >= length - 1 && (i === length || bytes[i] === CR)) {
        this.#at = i;
        this.#stage = stage;
        return false;
      }
      if (bytes[i] !== CR) this.#fail(bytes[i] === LF ? "line-end" : "field-value", i);
      if (bytes[i + 1] !== LF) this.#fail("line-end", i);
      if (stage === VALUE) {
        if (++this.#count > this.#limits.maxFields) this.#fail("too-many-fields", this.#line);
        // Only names of these lengths matter here.
        const nameLength = this.#colon - this.#line;
        if (nameLength === 10 || nameLength === 14 || nameLength === 17) this.#note(i);
      } else {
        this.#notePhrase(i);
      }
      i += 2;
      this.#line = i;
      stage = NAME;
    }
  }

  /** Reads `HTTP/1.1 200`, and looks at what follows. Returns whether it is all there. */
  #scanStatus(): boolean {
    const bytes = this.#bytes;
    const base = this.#base;
    const count = Math.min(this.#length - base, CODE_END + 1);
    let status = 0;
    for (let i = 0; i < count; i++) {
      const byte = bytes[base + i]!;
      const digit = byte - 0x30;
      const ok = i < 7
        ? byte === PREFIX.charCodeAt(i)
        : i === 8
        ? byte === SP
        : i === 12
        ? byte === SP || byte === CR
        : digit >= 0 && digit <= 9 && (i !== 9 || digit !== 0);
      if (!ok) this.#fail("status-line", base + i);
      if (i === 7) this.minor = digit;
      else if (i > 8 && i < 12) status = status * 10 + digit;
    }
    this.status = status;
    return count === CODE_END + 1;
  }

  #notePhrase(end: number): void {
    const bytes = this.#bytes;
    // A server must send the space before an empty phrase, and some do not (RFC 9112 section 4).
    const start = Math.min(this.#base + CODE_END + 1, end);
    this.statusText = end - start === 2 && bytes[start] === 0x4f && bytes[start + 1] === 0x4b
      ? "OK"
      : latin1(bytes, start, end);
    this.#firstField = end + 2;
  }

  /** Notes a field that framing needs, if the line that ends at `lineEnd` is one. */
  #note(lineEnd: number): void {
    const bytes = this.#bytes;
    const line = this.#line;
    const colon = this.#colon;
    const start = skipSpace(bytes, colon + 1, lineEnd);
    const end = trimSpace(bytes, start, lineEnd);
    if (equalsWord(bytes, line, colon, "content-length")) {
      if (this.#trailers) this.#fail("trailer-field", line);
      const length = readContentLength(bytes, start, end);
      if (length === BAD_LENGTH) this.#fail("content-length", start);
      if (
        length === LENGTHS_DIFFER || (this.contentLength !== -1 && this.contentLength !== length)
      ) this.#fail("content-length-conflict", start);
      if (this.chunked) this.#fail("length-and-encoding", line);
      this.contentLength = length;
    } else if (equalsWord(bytes, line, colon, "transfer-encoding")) {
      if (this.#trailers) this.#fail("trailer-field", line);
      if (this.contentLength !== -1) this.#fail("length-and-encoding", line);
      // Chunked twice, or in HTTP/1.0, is faulty framing (RFC 9112 sections 6.1, 7).
      if (this.chunked || this.minor === 0 || !equalsWord(bytes, start, end, "chunked")) {
        this.#fail("transfer-encoding", start);
      }
      this.chunked = true;
    } else if (this.#trailers) {
      return;
    } else if (equalsWord(bytes, line, colon, "connection")) {
      if (hasToken(bytes, start, end, "close")) this.close = true;
      if (hasToken(bytes, start, end, "keep-alive")) this.keepAlive = true;
    } else if (equalsWord(bytes, line, colon, "keep-alive")) {
      this.keepAliveTimeout = readKeepAlive(bytes, start, end, "timeout");
      this.keepAliveMax = readKeepAlive(bytes, start, end, "max");
    }
  }

  /** The last position at which the current line may end. */
  #edge(): number {
    return Math.min(this.#line + this.#limits.maxLineBytes, this.#base + this.#limits.maxHeadBytes);
  }

  #failLimit(): never {
    const head = this.#base + this.#limits.maxHeadBytes;
    const edge = this.#edge();
    this.#fail(edge === head ? "head-too-long" : "line-too-long", edge);
  }

  #failName(byte: number, at: number): never {
    const reason = at !== this.#line
      ? "field-name"
      : byte === SP || byte === HTAB
      ? "folded-line"
      : byte === LF
      ? "line-end"
      : "field-name";
    this.#fail(reason, at);
  }

  #fail(reason: HttpParseReason, at: number): never {
    throw new HttpParseError(reason, this.#origin + at - this.#base);
  }
}
