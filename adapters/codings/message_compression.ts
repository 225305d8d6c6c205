/**
 * Compresses messages of WebSocket by `node:zlib`, which all runtimes have.
 *
 * @module
 */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { MessageCompression } from "../../src/http/websocket/compression.ts";

/** The empty block that ends a message, and is not sent (RFC 7692 section 7.2.1). */
const END = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

const finishFlush = constants.Z_SYNC_FLUSH;

/** See the module. */
export const messageCompression: MessageCompression = {
  deflate(message) {
    const deflated = deflateRawSync(message, { finishFlush });
    return deflated.subarray(0, deflated.length - END.length);
  },
  inflate(message, maxBytes) {
    const whole = new Uint8Array(message.length + END.length);
    whole.set(message);
    whole.set(END, message.length);
    const maxOutputLength = Math.min(maxBytes, 2 ** 31 - 1);
    const inflated = inflateRawSync(whole, { finishFlush, maxOutputLength });
    // A copy: small ones may share their memory.
    return new Uint8Array(inflated);
  },
};
