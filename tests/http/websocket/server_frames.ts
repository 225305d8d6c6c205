/**
 * The frames of a server as it may write them, right or wrong; and those of a client, read back.
 *
 * @module
 */

import { joinBytes } from "../../../src/core/bytes.ts";

/** What a server's frame is made of; what is left out is as it should be. */
export interface FrameParts {
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** How its length is written: in the second byte, in two more, or in eight. */
  readonly lengthBytes?: 0 | 2 | 8;
}

/** A frame of a client. */
export interface ClientFrame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

const encoder = new TextEncoder();

/** Bytes of a text, or as they are. */
export function bytesOf(payload: string | Uint8Array): Uint8Array {
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}

/** Bytes by their hexadecimal digits. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/[0-9a-f]{2}/g) ?? [], (pair) => parseInt(pair, 16));
}

/** Makes a frame. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = "",
  { fin = true, lengthBytes, masked = false, rsv = 0 }: FrameParts = {},
): Uint8Array {
  const bytes = bytesOf(payload);
  const { length } = bytes;
  const more = lengthBytes ?? (length < 126 ? 0 : length < 65_536 ? 2 : 8);
  const head = new Uint8Array(2 + more + (masked ? 4 : 0));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (more === 0 ? length : more === 2 ? 126 : 127);
  const view = new DataView(head.buffer);
  if (more === 2) view.setUint16(2, length);
  if (more === 8) view.setBigUint64(2, BigInt(length));
  return joinBytes([head, bytes]);
}

/** Makes a close frame. */
export function closeFrame(code?: number, reason: string | Uint8Array = ""): Uint8Array {
  if (code === undefined) return frame(8);
  return frame(8, joinBytes([Uint8Array.of(code >> 8, code & 0xff), bytesOf(reason)]));
}

/**
 * Reads the frames of a client to the last byte.
 *
 * @throws {Error} They are not what a client may send
 */
export function readFrames(bytes: Uint8Array): ClientFrame[] {
  const frames: ClientFrame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const first = view.getUint8(at);
    const second = view.getUint8(at + 1);
    if ((second & 0x80) === 0) throw new Error("A client's frame is not masked");
    let length = second & 0x7f;
    at += 2;
    if (length === 126) {
      length = view.getUint16(at);
      if (length < 126) throw new Error("A length is written longer than it need be");
      at += 2;
    } else if (length === 127) {
      length = Number(view.getBigUint64(at));
      if (length < 65_536) throw new Error("A length is written longer than it need be");
      at += 8;
    }
    const mask = bytes.slice(at, at + 4);
    at += 4;
    if (at + length > bytes.length) throw new Error("A frame is not whole");
    const payload = bytes.slice(at, at + length).map((byte, i) => byte ^ mask[i % 4]!);
    at += length;
    frames.push({ fin: first >= 0x80, rsv: (first >> 4) & 7, opcode: first & 15, payload });
  }
  return frames;
}
