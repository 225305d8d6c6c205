/**
 * The chunked coding of a request's body (RFC 9112 section 7.1).
 *
 * @module
 */

import { checkFields, type HeaderField } from "../field_check.ts";

const encoder = new TextEncoder();

/**
 * Fields that mean nothing after the body, or something else to whoever looks there: framing,
 * routing, conditions, credentials, and what the body is (RFC 9110 section 6.5.1).
 */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "keep-alive",
  "max-forwards",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Makes a chunk of a part of a body: its size, a copy of it, and the line end. Of no bytes it makes
 * none, for an empty chunk would end the body.
 */
export function encodeChunk(data: Uint8Array): Uint8Array {
  if (data.length === 0) return new Uint8Array(0);
  const size = data.length.toString(16);
  const start = size.length + 2;
  const bytes = new Uint8Array(start + data.length + 2);
  for (let i = 0; i < size.length; i++) bytes[i] = size.charCodeAt(i);
  bytes[start - 2] = 0x0d;
  bytes[start - 1] = 0x0a;
  bytes.set(data, start);
  bytes[bytes.length - 2] = 0x0d;
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

/**
 * Makes what ends a chunked body: the last chunk, and the trailer section.
 *
 * @throws {TypeError} A trailer cannot be sent, or belongs into the head: says which, not its value
 */
export function encodeLastChunk(trailers: readonly HeaderField[] = []): Uint8Array {
  checkFields(trailers, "Trailer");
  let text = "0\r\n";
  for (const [name, value] of trailers) {
    if (NOT_IN_TRAILERS.has(name.toLowerCase())) {
      throw new TypeError(`Trailer ${name} is not allowed: it belongs into the head`);
    }
    text += `${name}: ${value}\r\n`;
  }
  text += "\r\n";
  const bytes = new Uint8Array(text.length);
  if (encoder.encodeInto(text, bytes).read !== text.length) {
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  }
  return bytes;
}
