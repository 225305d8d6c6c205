/**
 * Serialises the head of a request, and a small body with it.
 *
 * @module
 */

import { COLON, CR, IS_TOKEN, LF } from "../chars.ts";
import {
  checkFields,
  checkHost,
  checkMethod,
  checkTarget,
  type HeaderField,
} from "../field_check.ts";
import { skipLetters, skipText } from "./fours.ts";

/** A request to serialise. */
export interface RequestHead {
  /** The method, in the case that it is sent in: methods are case-sensitive. CONNECT is refused. */
  readonly method: string;
  /** The path and query as they are sent, or `*` for OPTIONS. */
  readonly target: string;
  /** The value of Host: the host, with its port unless that is 443. A field of that name wins. */
  readonly host: string;
  /**
   * The other fields, in the order that they are sent in. Characters up to U+00FF are sent as one
   * byte each. Host may be among them, once. Content-Length and Transfer-Encoding follow from `body`:
   * here they may only agree with it.
   *
   * @default {[]}
   */
  readonly headers?: readonly HeaderField[];
  /**
   * What follows: all of a body, which is copied behind the head; the length in bytes of one that
   * is written later; `"chunked"` for one that is written later with `encodeChunk()`; null for none.
   *
   * @default {null}
   */
  readonly body?: Uint8Array | number | "chunked" | null;
}

// Heads are written to a slab that is never written twice: what a socket holds does not change.
const SLAB_BYTES = 16_384;
/** What is longer gets its own memory. */
const SMALL_BYTES = 4_096;
/** Four bytes are read at a time. */
const SLACK_BYTES = 4;

let slab = new Uint8Array(0);
let slabView = new DataView(slab.buffer);
let slabAt = 0;

const encoder = new TextEncoder();
const NO_FIELDS: readonly HeaderField[] = [];

/**
 * Serialises a request's head, and its body if that is given as bytes, in one piece. The bytes
 * never change; the memory around them belongs to other requests, so go by their offset. Host comes
 * first (RFC 9110 section 7.2). If a method usually has a body, and there is none, it says
 * `content-length: 0` (section 8.6).
 *
 * @throws {TypeError} Something cannot be sent, or contradicts the framing: says what, and where,
 * and repeats no value
 */
export function encodeRequest(request: RequestHead): Uint8Array {
  const { method, target, headers = NO_FIELDS, body = null } = request;
  checkMethod(method);
  checkTarget(target, method);
  if (method === "TRACE" && body !== null) throw new TypeError("Method TRACE must have no body");
  const length = bodyLength(body, method);
  let host: string | null = null;
  let fields = "";
  let lengthGiven = false;
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i]!;
    const name = header[0];
    const value = header[1];
    // The fields that we set have names this long.
    const nameLength = name.length;
    if (nameLength === 4 || nameLength === 14 || nameLength === 17) {
      const lower = name.toLowerCase();
      if (lower === "host") {
        if (host !== null) throw new TypeError("Header host is given twice");
        host = value;
        continue;
      }
      if (lower === "content-length") {
        if (value !== String(length < 0 ? 0 : length) || body === "chunked") {
          throw new TypeError(`Header content-length contradicts the body: ${describe(body)}`);
        }
        lengthGiven = true;
        continue;
      }
      if (lower === "transfer-encoding") {
        if (body !== "chunked" || value.toLowerCase() !== "chunked") {
          throw new TypeError(`Header transfer-encoding contradicts the body: ${describe(body)}`);
        }
        continue;
      }
    }
    fields += `${name}: ${value}\r\n`;
  }
  checkHost(host ??= request.host);
  const start = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n`;
  const end = body === "chunked"
    ? "transfer-encoding: chunked\r\n\r\n"
    : length >= 0 || lengthGiven
    ? `content-length: ${Math.max(length, 0)}\r\n\r\n`
    : "\r\n";
  const text = start + fields + end;
  const total = text.length + (body instanceof Uint8Array ? body.length : 0);
  const at = total > SMALL_BYTES ? -1 : reserve(total);
  const bytes = at < 0 ? new Uint8Array(total) : slab.subarray(at, at + total);
  const { read, written } = encoder.encodeInto(text, bytes);
  // As UTF-8 only ASCII has as many bytes as characters. What is not is in the fields.
  const ascii = read === text.length && written === text.length;
  if (!ascii || at < 0 || !isPlain(headers, at + start.length, at + text.length - end.length)) {
    checkFields(headers, "Header");
    if (!ascii) { for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); }
  }
  if (body instanceof Uint8Array) bytes.set(body, text.length);
  return bytes;
}

/** The length to announce, or -1 for none. */
function bodyLength(body: RequestHead["body"], method: string): number {
  if (typeof body === "number") {
    if (Number.isSafeInteger(body) && body >= 0) return body;
    throw new TypeError(`Body length is ${body}; it must be an integer from 0 to 2^53 - 1`);
  }
  if (body instanceof Uint8Array) return body.length;
  if (body === "chunked") return -1;
  return method === "POST" || method === "PUT" || method === "PATCH" ? 0 : -1;
}

function describe(body: RequestHead["body"]): string {
  if (body === "chunked") return "it is chunked";
  if (body === null || body === undefined) return "there is none";
  return `it has ${typeof body === "number" ? body : body.length} bytes`;
}

/** Takes room in the slab, and returns where it begins. */
function reserve(length: number): number {
  if (slabAt + length + SLACK_BYTES > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabView = new DataView(slab.buffer);
    slabAt = 0;
  }
  const start = slabAt;
  slabAt += length;
  return start;
}

/**
 * Whether the field lines in the slab from `i` to `end` are surely valid: each name with the length
 * that it should have, of token characters, and its value without controls. Much faster than
 * `checkFields()`, which decides if this does not.
 */
function isPlain(headers: readonly HeaderField[], i: number, end: number): boolean {
  const bytes = slab;
  const view = slabView;
  for (let field = 0; field < headers.length; field++) {
    const nameEnd = i + headers[field]![0].length;
    if (nameEnd === i) return false;
    for (;;) {
      i = skipLetters(view, i);
      if (IS_TOKEN[bytes[i]!] === 0) break;
      i++;
    }
    if (i !== nameEnd || bytes[i] !== COLON) return false;
    i = skipText(view, i);
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return false;
    i += 2;
  }
  // A value with a line break in it would leave a line over.
  return i === end;
}
