/**
 * Compressed messages (permessage-deflate, RFC 7692), each by itself: neither side keeps what came
 * before, which costs some of the gain, and no memory while nothing is sent.
 *
 * @module
 */

import type { OwnBytes } from "./message_reader.ts";

/** Compresses and decompresses, by what a runtime has. */
export interface MessageCompression {
  /** A message as it is sent: raw DEFLATE, without the empty block at its end. */
  deflate(message: Uint8Array): Uint8Array;
  /**
   * Decompresses such a message.
   *
   * @throws {RangeError} It is longer than `maxBytes`
   * @throws It is no such message
   */
  inflate(message: Uint8Array, maxBytes: number): OwnBytes;
}

/** What is offered. */
export const OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** What a server may add: it may use a smaller window. */
const WINDOW = /^server_max_window_bits=(?:"(?:8|9|1[0-5])"|8|9|1[0-5])$/;

/** Whether what a server has chosen is what was offered (RFC 7692 section 7.1). */
export function isAgreed(chosen: string): boolean {
  const [name, ...parameters] = chosen.split(";").map((part) => part.trim());
  if (name !== "permessage-deflate") return false;
  const names = new Set(parameters.map((parameter) => parameter.split("=")[0]));
  return names.size === parameters.length
    && names.has("server_no_context_takeover")
    && parameters.every((parameter) =>
      parameter === "server_no_context_takeover"
      || parameter === "client_no_context_takeover"
      || WINDOW.test(parameter)
    );
}
