/**
 * Makes heads and trailers of responses out of header blocks, and refuses what is malformed (RFC
 * 9113 section 8).
 *
 * @module
 */

import { COLON, CR, HTAB, IS_TOKEN, latin1, LF, SP } from "../chars.ts";
import { ResponseHeaders } from "../response_headers.ts";
import { connectionError, type Http2Error, streamError } from "./error_codes.ts";
import { FIELD_OVERHEAD, type FieldBytes } from "./header_table.ts";
import { type FieldSink, HpackDecoder, type TableField } from "./hpack_decoder.ts";
import { CONNECTION_FIELDS } from "./request_fields.ts";

/** The head of a response, or a trailer section. It never changes, so that several may share it. */
export interface Http2Head {
  /** The status; 0 in a trailer section. */
  readonly status: number;
  /** The fields. */
  readonly headers: ResponseHeaders;
  /** What content-length says, or -1. */
  readonly contentLength: number;
  /** Why it may not be used, if it may not. */
  readonly error: Http2Error | undefined;
}

/** What a head may have. */
export interface HeadLimits {
  /** How many bytes, with 32 for each field added to its text. */
  readonly maxHeadBytes: number;
  /** How many fields, counting each crumb of a cookie. */
  readonly maxFields: number;
}

/** Up to this many times a limit, a head is read to its end, so that the next one can be read. */
const MOST_OVER = 4;

// Verdicts on fields.
const PLAIN = 1;
const HIGH = 2;
const STATUS = 3;
const LENGTH = 4;
const COOKIE = 5;
const PSEUDO = 6;
const BAD_NAME = 7;
const BAD_VALUE = 8;
const FORBIDDEN = 9;

/** 1 for what may stand in a value (RFC 9110 section 5.5). */
const IS_TEXT = new Uint8Array(256).fill(1, SP);
IS_TEXT[HTAB] = 1;
IS_TEXT[0x7f] = 0;

/** Blocks up to this size are remembered, in bytes. */
const MOST_REMEMBERED_BYTES = 1_024;

/** How many blocks are remembered, by their lengths: the same head often comes again. */
const REMEMBERED = 16;

interface Remembered {
  /** The version of the dynamic table that it is valid for; -1 for any. */
  readonly version: number;
  /** What it adds to the dynamic table. */
  readonly added: readonly TableField[];
  readonly isTrailers: boolean;
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly head: Http2Head;
}

/** Reads the header blocks of one connection. */
export class HeadReader implements FieldSink {
  readonly #limits: HeadLimits;
  readonly #decoder = new HpackDecoder();
  readonly #remembered: (Remembered | undefined)[] = new Array<undefined>(REMEMBERED);
  #text = new Uint8Array(1_024);
  #length = 0;
  #fields = 0;
  #size = 0;
  #status = 0;
  #contentLength = -1;
  #isAscii = true;
  #isTrailers = false;
  #hasRegular = false;
  #cookie = "";
  #error: Http2Error | undefined;

  /** Makes a reader. */
  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /**
   * Reads a block. A malformed one has an `error`.
   *
   * @throws {Http2Error} The connection must end
   */
  read(bytes: Uint8Array, start: number, end: number, isTrailers: boolean): Http2Head {
    const length = end - start;
    const slot = length % REMEMBERED;
    const known = this.#remembered[slot];
    const decoder = this.#decoder;
    const { version } = decoder;
    if (known && (known.version === -1 || known.version === version)) {
      if (isSame(known, bytes, start, length, isTrailers)) {
        decoder.replay(known.added);
        return known.head;
      }
    }
    this.#begin(isTrailers);
    decoder.decode(bytes, start, end, this);
    const head = this.#finish();
    if (length > MOST_REMEMBERED_BYTES || head.error) return head;
    // Some servers add the same fields again with each response, and never refer to them.
    if (decoder.isFree) this.#remember(slot, known, bytes.subarray(start, end), head, -1);
    else if (decoder.version === version) {
      this.#remember(slot, known, bytes.subarray(start, end), head, version);
    }
    return head;
  }

  /** Reads a block that nobody wants, so that the next one can be read. */
  skip(bytes: Uint8Array, start: number, end: number): void {
    this.#begin(true);
    this.#decoder.decode(bytes, start, end, this);
  }

  /** Takes a field. */
  onField(field: FieldBytes): void {
    const { bytes, end, middle, start } = field;
    this.#fields++;
    this.#size += end - start + FIELD_OVERHEAD;
    const { maxFields, maxHeadBytes } = this.#limits;
    if (this.#size > maxHeadBytes || this.#fields > maxFields) {
      this.#tooMuch();
      return;
    }
    if (this.#error) return;
    switch (field.verdict ||= judge(field)) {
      case HIGH:
        this.#isAscii = false;
        break;
      case PLAIN:
        break;
      case STATUS:
        this.#takeStatus(bytes, middle, end);
        return;
      case LENGTH:
        this.#takeLength(bytes, middle, end);
        break;
      case COOKIE:
        // Crumbs are one field elsewhere (section 8.2.3).
        this.#cookie += `${this.#cookie === "" ? "" : "; "}${latin1(bytes, middle, end)}`;
        this.#hasRegular = true;
        return;
      case PSEUDO:
        this.#refuse("a pseudo-header that no response has");
        return;
      case BAD_NAME:
        this.#refuse("a field name is not a lower-case token");
        return;
      case BAD_VALUE:
        this.#refuse("the value of a field has a control character, or white space around it");
        return;
      case FORBIDDEN:
        this.#refuse("a field that belongs to HTTP/1.1 connections");
        return;
    }
    this.#hasRegular = true;
    this.#append(bytes, start, middle, end);
  }

  #begin(isTrailers: boolean): void {
    this.#isTrailers = isTrailers;
    this.#text[0] = LF;
    this.#length = 1;
    this.#fields = this.#size = this.#status = 0;
    this.#contentLength = -1;
    this.#isAscii = true;
    this.#hasRegular = false;
    this.#cookie = "";
    this.#error = undefined;
  }

  #finish(): Http2Head {
    if (this.#cookie !== "") {
      const line = Uint8Array.from(`cookie${this.#cookie}`, (char) => char.charCodeAt(0));
      if (line.some((byte) => byte > 0x7e)) this.#isAscii = false;
      this.#append(line, 0, "cookie".length, line.length);
    }
    if (!this.#isTrailers && this.#status === 0) this.#refuse("it has no :status");
    const text = this.#text.slice(0, this.#length);
    return {
      status: this.#status,
      headers: new ResponseHeaders(text, 0, text.length, this.#isAscii),
      contentLength: this.#contentLength,
      error: this.#error,
    };
  }

  #append(bytes: Uint8Array, start: number, middle: number, end: number): void {
    let at = this.#length;
    const length = at + end - start + 3;
    if (length > this.#text.length) {
      const text = new Uint8Array(length * 2);
      text.set(this.#text.subarray(0, at));
      this.#text = text;
    }
    const text = this.#text;
    for (let i = start; i < middle; i++) text[at++] = bytes[i]!;
    text[at++] = COLON;
    if (end - middle > 32) {
      text.set(bytes.subarray(middle, end), at);
      at += end - middle;
    } else for (let i = middle; i < end; i++) text[at++] = bytes[i]!;
    text[at++] = CR;
    text[at++] = LF;
    this.#length = at;
  }

  #takeStatus(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isTrailers || this.#hasRegular || this.#status !== 0) {
      this.#refuse(":status stands in the wrong place");
      return;
    }
    const status = end - start === 3 ? numberAt(bytes, start, end) : NaN;
    if (!(status >= 100)) this.#refuse(":status is not a valid status");
    else if (status === 101) this.#refuse("the status 101 does not exist here");
    else this.#status = status;
  }

  #takeLength(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start <= 16 ? numberAt(bytes, start, end) : NaN;
    if (!Number.isSafeInteger(length)) this.#refuse("content-length is not a number");
    else if (this.#contentLength >= 0 && this.#contentLength !== length) {
      this.#refuse("content-length is given with different values");
    } else this.#contentLength = length;
  }

  #refuse(detail: string): void {
    this.#error ??= streamError("PROTOCOL_ERROR", `the response is malformed: ${detail}`);
  }

  #tooMuch(): void {
    const { maxFields, maxHeadBytes } = this.#limits;
    const detail = this.#size > maxHeadBytes
      ? `a head is longer than ${maxHeadBytes} bytes (maxHeadBytes)`
      : `a head has more than ${maxFields} fields (maxFields)`;
    // A block without end is not read to its end.
    if (this.#size > maxHeadBytes * MOST_OVER || this.#fields > maxFields * MOST_OVER) {
      throw connectionError("ENHANCE_YOUR_CALM", `${detail}, by far`);
    }
    this.#error ??= streamError("ENHANCE_YOUR_CALM", detail);
  }

  #remember(
    slot: number,
    known: Remembered | undefined,
    block: Uint8Array,
    head: Http2Head,
    version: number,
  ): void {
    const { length } = block;
    const bytes = known && known.bytes.length >= length
      ? known.bytes
      : new Uint8Array(Math.max(256, length));
    bytes.set(block);
    const { added } = this.#decoder;
    this.#remembered[slot] = { version, added, isTrailers: this.#isTrailers, length, bytes, head };
  }
}

function isSame(
  known: Remembered,
  bytes: Uint8Array,
  start: number,
  length: number,
  isTrailers: boolean,
): boolean {
  if (known.length !== length || known.isTrailers !== isTrailers) return false;
  const remembered = known.bytes;
  for (let i = 0; i < length; i++) if (remembered[i] !== bytes[start + i]) return false;
  return true;
}

/** What a field is, by its name and the bytes of its value. */
function judge({ bytes, end, middle, start }: FieldBytes): number {
  if (bytes[start] === COLON) {
    return latin1(bytes, start, middle) === ":status" ? STATUS : PSEUDO;
  }
  if (start === middle) return BAD_NAME;
  for (let i = start; i < middle; i++) {
    const byte = bytes[i]!;
    if (IS_TOKEN[byte] === 0 || (byte >= 0x41 && byte <= 0x5a)) return BAD_NAME;
  }
  let isHigh = false;
  for (let i = middle; i < end; i++) {
    const byte = bytes[i]!;
    if (IS_TEXT[byte] === 0) return BAD_VALUE;
    if (byte > 0x7e) isHigh = true;
  }
  if (end > middle && (isSpace(bytes[middle]!) || isSpace(bytes[end - 1]!))) return BAD_VALUE;
  // The names that mean something here have these lengths.
  const length = middle - start;
  if (length === 6 || length === 7 || length === 10 || length >= 14 && length <= 17) {
    const name = latin1(bytes, start, middle);
    if (CONNECTION_FIELDS.has(name)) return FORBIDDEN;
    if (name === "content-length") return LENGTH;
    if (name === "cookie") return COOKIE;
  }
  return isHigh ? HIGH : PLAIN;
}

/** The number that digits make, or NaN. */
function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let number = start < end ? 0 : NaN;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    number = digit >= 0 && digit <= 9 ? number * 10 + digit : NaN;
  }
  return number;
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}
