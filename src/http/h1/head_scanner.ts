/**
 * Finds the end of a head or of a trailer section, checks every byte on the way, and notes what
 * framing needs. Nothing becomes a string on the way, the reason phrase apart.
 *
 * @module
 */

import { COLON, CR, HTAB, IS_TOKEN, latin1, LF, SP } from "../chars.ts";
import type { CheckedLimits } from "../limits.ts";
import { HttpParseError, type HttpParseReason } from "../parse_error.ts";
import { ResponseHeaders } from "../response_headers.ts";
import { lowerLetters, skipText } from "./fours.ts";
import { delimitsBody, Framing } from "./framing.ts";
import { HeadBuffer } from "./head_buffer.ts";

/** `HTTP`, and `/1.` without the byte after it, as they are read: the lowest byte first. */
const HTTP = 0x5054_5448;
const SLASH_ONE_DOT = 0x002e_312f;
/** The length of `HTTP/1.1 200`. */
const CODE_END = 12;

/** Where the scanner is. */
const STATUS = 0;
const PHRASE = 1;
const NAME = 2;
const VALUE = 3;

/** Scans one head, or trailer section, after another. What it says is of the last head. */
export class HeadScanner {
  /** What the fields say of the framing. */
  readonly framing: Framing = new Framing();
  /** The status code. */
  status = 0;
  /** The reason phrase. */
  statusText = "";
  /** The minor version: 0 for HTTP/1.0, and more for HTTP/1.1 (RFC 9110 section 2.5). */
  minor = 1;

  readonly #limits: CheckedLimits;
  readonly #buffer: HeadBuffer;
  #trailers = false;
  /** Which byte of the response the head begins at. */
  #origin = 0;
  #ascii = true;
  #count = 0;
  // Positions, counted from the buffer's base. Where scanning goes on, and within what; where the
  // current line begins, and its colon is; where the first field line begins.
  #stage = STATUS;
  #at = 0;
  #line = 0;
  #colon = 0;
  #fields = 0;

  /** Makes a scanner that holds nothing yet. */
  constructor(limits: CheckedLimits) {
    this.#limits = limits;
    this.#buffer = new HeadBuffer(limits.maxHeadBytes);
  }

  /** How many bytes of memory it holds between calls. */
  get heldBytes(): number {
    return this.#buffer.bytes.length;
  }

  /** Begins a head at byte `origin` of the response. `feed()` must follow at once. */
  beginHead(origin: number): void {
    this.framing.reset();
    this.#trailers = false;
    this.#begin(origin, STATUS);
  }

  /** Begins a trailer section, likewise. What the head said stays as it is. */
  beginTrailers(origin: number): void {
    this.#trailers = true;
    this.#begin(origin, NAME);
  }

  /**
   * Scans `chunk` from `start` on. Returns the position after the head, or -1 if the chunk ended
   * first: then the next one goes on there.
   *
   * @throws {HttpParseError} The head breaks a rule or a limit
   */
  feed(chunk: Uint8Array, start: number): number {
    const buffer = this.#buffer;
    for (let from = start;;) {
      from += buffer.fill(chunk, from);
      if (this.#scan()) return from - (buffer.length - buffer.base - this.#at);
      if (from === chunk.length) {
        buffer.keep();
        return -1;
      }
    }
  }

  /** Returns the fields, and drops the bytes: once, after `feed()` has found the end. */
  takeHeaders(): ResponseHeaders {
    const { bytes, base } = this.#buffer;
    const end = base + this.#at;
    // With the line feed before the first field line, and without the empty line.
    const headers = new ResponseHeaders(bytes, base + this.#fields - 1, end - 2, this.#ascii);
    this.#buffer.finish(end);
    return headers;
  }

  /** Drops the bytes. */
  release(): void {
    this.#buffer.release();
  }

  #begin(origin: number, stage: number): void {
    this.#buffer.begin();
    this.#origin = origin;
    this.#stage = stage;
    this.#ascii = true;
    this.#count = 0;
    this.#at = 0;
    this.#line = 0;
    this.#fields = 0;
  }

  /** Scans what is there. Returns whether the end was found, `#at` after it. */
  #scan(): boolean {
    const { bytes, view, base, length } = this.#buffer;
    const { maxLineBytes, maxFields } = this.#limits;
    const headEdge = base + this.#limits.maxHeadBytes;
    let stage = this.#stage;
    if (stage === STATUS) {
      if (!this.#scanStatus()) return false;
      this.#at = CODE_END;
      stage = PHRASE;
    }
    let i = base + this.#at;
    let line = base + this.#line;
    let colon = base + this.#colon;
    for (;;) {
      // Wherever a chunk ends, the same byte is refused for the same reason: limits come first.
      const edge = Math.min(line + maxLineBytes, headEdge);
      if (stage === NAME) {
        for (;;) {
          i = lowerLetters(view, i);
          if (IS_TOKEN[bytes[i]!] === 0) break;
          i++;
        }
        if (i > edge) this.#failLimit(edge, headEdge);
        if (i === length) break;
        if (bytes[i] !== COLON || i === line) {
          if (bytes[i] !== CR || i !== line) this.#failName(i, line);
          if (i + 1 === length) break;
          if (bytes[i + 1] !== LF) this.#fail("line-end", i);
          this.#at = i + 2 - base;
          return true;
        }
        colon = i++;
        stage = VALUE;
      }
      // A field value, or a reason phrase: the grammar is the same.
      for (;;) {
        i = skipText(view, i);
        const byte = bytes[i]!;
        if (byte >= 0x80) this.#ascii = false;
        else if (byte !== HTAB) break;
        i++;
      }
      if (i > edge) this.#failLimit(edge, headEdge);
      if (bytes[i] !== CR) {
        if (i === length) break;
        this.#fail(bytes[i] === LF ? "line-end" : "field-value", i);
      }
      if (i + 1 === length) break;
      if (bytes[i + 1] !== LF) this.#fail("line-end", i);
      if (stage === VALUE) {
        if (++this.#count > maxFields) this.#fail("too-many-fields", line);
        // The names that framing needs are this long.
        const nameLength = colon - line;
        if (nameLength === 10 || nameLength === 14 || nameLength === 17) {
          this.#note(line, colon, i);
        }
      } else {
        this.#notePhrase(i);
      }
      i += 2;
      line = i;
      stage = NAME;
    }
    this.#stage = stage;
    this.#at = i - base;
    this.#line = line - base;
    this.#colon = colon - base;
    return false;
  }

  /** Reads `HTTP/1.1 200`, and looks at the byte after it. Returns whether all that is there. */
  #scanStatus(): boolean {
    const { bytes, view, base, length } = this.#buffer;
    if (length - base <= CODE_END) {
      this.#checkStatus(length - base);
      return false;
    }
    const minor = bytes[base + 7]! - 0x30;
    const hundreds = bytes[base + 9]! - 0x30;
    const tens = bytes[base + 10]! - 0x30;
    const ones = bytes[base + 11]! - 0x30;
    const after = bytes[base + CODE_END];
    if (
      view.getInt32(base, true) !== HTTP
      || (view.getInt32(base + 4, true) & 0x00ff_ffff) !== SLASH_ONE_DOT
      || minor < 0 || minor > 9 || bytes[base + 8] !== SP
      || hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9
      || (after !== SP && after !== CR)
    ) this.#checkStatus(CODE_END + 1);
    this.minor = minor;
    this.status = hundreds * 100 + tens * 10 + ones;
    return true;
  }

  /** Refuses the first of these bytes that cannot be in a status line. */
  #checkStatus(count: number): void {
    const { bytes, base } = this.#buffer;
    const digits = "HTTP/1.d ddd";
    for (let i = 0; i < count; i++) {
      const byte = bytes[base + i]!;
      const isDigit = byte >= (i === 9 ? 0x31 : 0x30) && byte <= 0x39;
      const ok = i === CODE_END
        ? byte === SP || byte === CR
        : digits[i] === "d"
        ? isDigit
        : byte === digits.charCodeAt(i);
      if (!ok) this.#fail("status-line", base + i);
    }
  }

  #notePhrase(end: number): void {
    const { bytes, base } = this.#buffer;
    // A server must send the space before an empty phrase, and some do not (RFC 9112 section 4).
    const start = Math.min(base + CODE_END + 1, end);
    this.statusText = end - start === 2 && bytes[start] === 0x4f && bytes[start + 1] === 0x4b
      ? "OK"
      : latin1(bytes, start, end);
    this.#fields = end + 2 - base;
  }

  #note(line: number, colon: number, lineEnd: number): void {
    const { bytes, view } = this.#buffer;
    if (this.#trailers) {
      if (delimitsBody(view, line, colon)) this.#fail("trailer-field", line);
      return;
    }
    const refused = this.framing.note(bytes, view, line, colon, lineEnd, this.minor);
    if (refused !== null) this.#fail(refused, line);
  }

  #failLimit(edge: number, headEdge: number): never {
    this.#fail(edge === headEdge ? "head-too-long" : "line-too-long", edge);
  }

  #failName(at: number, line: number): never {
    const byte = this.#buffer.bytes[at];
    if (at === line && (byte === SP || byte === HTAB)) this.#fail("folded-line", at);
    this.#fail(at === line && byte === LF ? "line-end" : "field-name", at);
  }

  #fail(reason: HttpParseReason, at: number): never {
    throw new HttpParseError(reason, this.#origin + at - this.#buffer.base);
  }
}
