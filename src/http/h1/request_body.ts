/**
 * The chunked coding of a request's body (RFC 9112 section 7.1).
 *
 * @module
 */

import { checkTrailers, type HeaderField } from "../field_check.ts";

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
  checkTrailers(trailers);
  let text = "0\r\n";
  for (const [name, value] of trailers) text += `${name}: ${value}\r\n`;
  text += "\r\n";
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
