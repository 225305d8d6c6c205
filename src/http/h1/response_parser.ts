/**
 * The client's side of HTTP/1.1: bytes in, responses out.
 *
 * @module
 */

import { CR, HTAB, LF, SEMICOLON, SP } from "../chars.ts";
import { type CheckedLimits, checkLimits, type ResponseLimits } from "../limits.ts";
import { HttpParseError, type HttpParseReason } from "../parse_error.ts";
import type { ResponseHeaders } from "../response_headers.ts";
import {
  BAD_EXTENSION,
  BEFORE_SEMICOLON,
  extensionStep,
  mayEndExtension,
} from "./chunk_extension.ts";
import { HeadScanner } from "./head_scanner.ts";

/**
 * Receives the parts of a response, in order, while `push()` runs. Its methods must not throw, and
 * must not call the parser: a sink that has had enough notes it, and ignores the rest.
 */
export interface ResponseSink {
  /** Takes an interim response: 100, 103, and whatever else is 1xx, but not 101. */
  onInterim(status: number, headers: ResponseHeaders): void;
  /** Takes the head. What the parser says about the response is valid from here on. */
  onHead(status: number, statusText: string, headers: ResponseHeaders): void;
  /** Takes a part of the body, never empty. The bytes are the sink's only until it returns. */
  onBody(bytes: Uint8Array): void;
  /** Takes the trailer section, unless there is none or it is empty. */
  onTrailers(trailers: ResponseHeaders): void;
}

/** Nothing is expected yet. */
const IDLE = 0;
/** Before the first byte of a head. */
const START = 1;
const HEAD = 2;
/** Within a body of a known length. */
const LENGTH = 3;
/** Within a body that the end of the stream ends. */
const STREAM = 4;
/** Within a chunk's size line, and its data. */
const SIZE = 5;
const EXTENSION = 6;
const SIZE_LF = 7;
const DATA = 8;
const DATA_CR = 9;
const DATA_LF = 10;
/** After the last chunk: at the beginning of the trailer section, after a CR there, within it. */
const LAST = 11;
const LAST_LF = 12;
const TRAILERS = 13;
const COMPLETE = 14;
const FAILED = 15;

/** The value of each byte as a hexadecimal digit, or -1. */
const HEX_VALUE: Int8Array = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 10; digit++) HEX_VALUE[0x30 + digit] = digit;
for (let digit = 10; digit < 16; digit++) {
  HEX_VALUE[0x41 - 10 + digit] = HEX_VALUE[0x61 - 10 + digit] = digit;
}

/** As many hexadecimal digits, leading zeros and all, as a size may have. */
const MOST_SIZE_DIGITS = 16;

/**
 * Parses one response after another from a connection's bytes, strictly by RFC 9112, into a sink.
 *
 * A caller says `reset(method)` when it sends a request, then calls `push()` with what arrives until
 * `complete`, or `finish()` when the stream ends. Bytes that `push()` does not consume belong to no
 * response: the connection must be destroyed, as it must after any error.
 */
export class ResponseParser {
  #sink: ResponseSink;
  readonly #limits: CheckedLimits;
  readonly #scanner: HeadScanner;
  #state = IDLE;
  #started = false;
  #isHead = false;
  #mayUpgrade = false;
  /** Whether the request, or an interim response, said close, or the body ends with the stream. */
  #closes = false;
  #interim = 0;
  /** The bytes of the response in the chunks before the current one. */
  #before = 0;
  /** How much of the body, or of the chunk, is still to come. */
  #left = 0;
  /** Within extensions: the state. */
  #extension = BEFORE_SEMICOLON;
  /** How many digits of a chunk size were seen, or bytes of its extensions. */
  #count = 0;
  #error: unknown = null;

  /**
   * Makes a parser for one connection, which expects nothing yet.
   *
   * @throws {RangeError} A limit is out of range
   */
  constructor(sink: ResponseSink, limits?: ResponseLimits) {
    this.#sink = sink;
    this.#limits = checkLimits(limits);
    this.#scanner = new HeadScanner(this.#limits);
  }

  /** Reports to another sink from now on. */
  serve(sink: ResponseSink): void {
    this.#sink = sink;
  }

  /** Whether a response was expected, and is there to its last byte. */
  get complete(): boolean {
    return this.#state === COMPLETE;
  }

  /** Whether a byte of the expected response has arrived, even of an interim one. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether the connection may be used again once the response is complete (RFC 9112 section 9.3). */
  get keepAlive(): boolean {
    const scanner = this.#scanner;
    return !scanner.framing.close && !this.#closes
      && (scanner.minor > 0 || scanner.framing.keepAlive);
  }

  /** How long the server says it keeps an idle connection (`Keep-Alive: timeout=`), in milliseconds. */
  get keepAliveTimeoutMs(): number | undefined {
    const seconds = this.#scanner.framing.keepAliveTimeout;
    return seconds < 0 ? undefined : seconds * 1000;
  }

  /** How many more requests the server says it takes on the connection (`Keep-Alive: max=`). */
  get keepAliveMax(): number | undefined {
    const max = this.#scanner.framing.keepAliveMax;
    return max < 0 ? undefined : max;
  }

  /** The length that the head gives, or undefined. HEAD and 304 have one, and no body. */
  get contentLength(): number | undefined {
    const length = this.#scanner.framing.contentLength;
    return length < 0 ? undefined : length;
  }

  /** How many bytes of memory it holds for a head that has not arrived in full. */
  get heldBytes(): number {
    return this.#scanner.heldBytes;
  }

  /**
   * Expects the response to a request with this method. What was under way is forgotten.
   *
   * @param mayUpgrade Whether another protocol was asked for: then a 101 is the response, and complete
   * @param closes Whether the request has asked for the connection to be closed after it
   * @throws {TypeError} The method is CONNECT: what follows its response is no body, but a tunnel
   */
  reset(method: string, mayUpgrade = false, closes = false): void {
    this.#mayUpgrade = mayUpgrade;
    if (method === "CONNECT") throw new TypeError("Method CONNECT opens a tunnel, not supported");
    this.#scanner.release();
    this.#isHead = method === "HEAD";
    this.#started = false;
    this.#closes = closes;
    this.#interim = 0;
    this.#before = 0;
    this.#error = null;
    this.#state = START;
  }

  /**
   * Takes the next bytes, and keeps none that the caller may write over. Returns how many of them
   * belong to the response: fewer than all only where it is complete, or none was expected.
   *
   * @throws {HttpParseError} The response breaks a rule or a limit; the same one if called again
   */
  push(bytes: Uint8Array): number {
    const end = bytes.length;
    let i = 0;
    try {
      while (i < end) {
        switch (this.#state) {
          case START:
            this.#started = true;
            this.#state = HEAD;
            this.#scanner.beginHead(this.#before + i);
            i = this.#takeHead(bytes, i);
            break;
          case HEAD:
            i = this.#takeHead(bytes, i);
            break;
          case LENGTH:
          case STREAM:
          case DATA:
            i = this.#takeBody(bytes, i);
            break;
          case TRAILERS:
            i = this.#takeTrailers(bytes, i);
            break;
          case IDLE:
          case COMPLETE:
            this.#before += i;
            return i;
          case FAILED:
            throw this.#error;
          default:
            i = this.#takeFraming(bytes, i);
        }
      }
    } catch (error) {
      this.#abandon(error);
      throw error;
    }
    this.#before += i;
    return i;
  }

  /**
   * Ends the response where the stream ends. `clean` says that the peer ended it in an orderly way:
   * with close_notify, where there is TLS. Otherwise a body that only the end of the stream delimits
   * may have been cut off (RFC 9112 section 9.8).
   *
   * @throws {HttpParseError} A response is expected, and its end has not arrived
   */
  finish(clean: boolean): void {
    switch (this.#state) {
      case IDLE:
      case COMPLETE:
        return;
      case FAILED:
        throw this.#error;
      case STREAM:
        if (!clean) break;
        this.#state = COMPLETE;
        return;
    }
    const reason = !this.#started
      ? "no-response"
      : this.#state <= HEAD
      ? "truncated-head"
      : "truncated-body";
    const error = new HttpParseError(reason, this.#before);
    this.#abandon(error);
    throw error;
  }

  #takeHead(bytes: Uint8Array, from: number): number {
    const scanner = this.#scanner;
    const i = scanner.feed(bytes, from);
    if (i < 0) return bytes.length;
    const headers = scanner.takeHeaders();
    const status = scanner.status;
    if (status < 200) {
      // Nobody asked for an upgrade, so nobody could speak the other protocol.
      if (status === 101) {
        if (!this.#mayUpgrade) this.#fail("upgrade-not-asked", i);
        this.#state = COMPLETE;
        this.#sink.onHead(status, scanner.statusText, headers);
        return i;
      }
      if (++this.#interim > this.#limits.maxInterimResponses) this.#fail("too-many-interim", i);
      if (scanner.framing.close) this.#closes = true;
      this.#state = START;
      this.#sink.onInterim(status, headers);
      return i;
    }
    // In the order of RFC 9112 section 6.3.
    const length = scanner.framing.contentLength;
    let state = LENGTH;
    if (this.#isHead || status === 204 || status === 304) {
      state = COMPLETE;
      // A 204 that announces a body may still send it: it would be read as the next response.
      if (status === 204 && (length > 0 || scanner.framing.chunked)) this.#closes = true;
    } else if (scanner.framing.chunked) {
      this.#beginChunk();
      state = SIZE;
    } else if (length === 0) {
      state = COMPLETE;
    } else if (length > 0) {
      this.#left = length;
    } else {
      this.#closes = true;
      state = STREAM;
    }
    this.#sink.onHead(status, scanner.statusText, headers);
    this.#state = state;
    return i;
  }

  #takeBody(bytes: Uint8Array, from: number): number {
    let end = bytes.length;
    if (this.#state !== STREAM) {
      if (end - from > this.#left) end = from + this.#left;
      this.#left -= end - from;
    }
    // Most of a long body arrives in chunks that are nothing else.
    const whole = from === 0 && end === bytes.length;
    this.#sink.onBody(whole ? bytes : bytes.subarray(from, end));
    if (this.#left === 0 && this.#state !== STREAM) {
      this.#state = this.#state === DATA ? DATA_CR : COMPLETE;
    }
    return end;
  }

  /** Reads what surrounds the chunks' data. */
  #takeFraming(bytes: Uint8Array, from: number): number {
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i]!;
      switch (this.#state) {
        case SIZE: {
          const digit = HEX_VALUE[byte]!;
          if (digit >= 0) {
            this.#left = this.#left * 16 + digit;
            if (++this.#count > MOST_SIZE_DIGITS || this.#left > Number.MAX_SAFE_INTEGER) {
              this.#fail("chunk-size", i);
            }
            break;
          }
          if (this.#count === 0) this.#fail("chunk-size", i);
          if (byte === CR) {
            this.#state = SIZE_LF;
            break;
          }
          if (byte !== SEMICOLON && byte !== SP && byte !== HTAB) this.#fail("chunk-size", i);
          this.#state = EXTENSION;
          this.#extension = BEFORE_SEMICOLON;
          this.#count = 0;
          // The same byte again: it begins the extensions.
          i--;
          break;
        }
        case EXTENSION:
          if (byte === CR && mayEndExtension(this.#extension)) {
            this.#state = SIZE_LF;
            break;
          }
          this.#extension = extensionStep(this.#extension, byte);
          if (this.#extension === BAD_EXTENSION) this.#fail("chunk-extension", i);
          if (++this.#count > this.#limits.maxChunkExtensionBytes) {
            this.#fail("chunk-extension-too-long", i);
          }
          break;
        case SIZE_LF:
          if (byte !== LF) this.#fail("line-end", i);
          if (this.#left > 0) {
            this.#state = DATA;
            return i + 1;
          }
          this.#state = LAST;
          break;
        case DATA_CR:
          if (byte !== CR) this.#fail("chunk-end", i);
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (byte !== LF) this.#fail("chunk-end", i);
          this.#beginChunk();
          this.#state = SIZE;
          break;
        case LAST:
          if (byte !== CR) {
            this.#state = TRAILERS;
            this.#scanner.beginTrailers(this.#before + i);
            // The scanner's memory is shared: it must be fed at once.
            return this.#takeTrailers(bytes, i);
          }
          this.#state = LAST_LF;
          break;
        default:
          if (byte !== LF) this.#fail("line-end", i);
          this.#state = COMPLETE;
          return i + 1;
      }
    }
    return bytes.length;
  }

  #takeTrailers(bytes: Uint8Array, from: number): number {
    const i = this.#scanner.feed(bytes, from);
    if (i < 0) return bytes.length;
    this.#sink.onTrailers(this.#scanner.takeHeaders());
    this.#state = COMPLETE;
    return i;
  }

  #beginChunk(): void {
    this.#left = 0;
    this.#count = 0;
  }

  #fail(reason: HttpParseReason, at: number): never {
    throw new HttpParseError(reason, this.#before + at);
  }

  #abandon(error: unknown): void {
    this.#state = FAILED;
    this.#error = error;
    this.#scanner.release();
  }
}
