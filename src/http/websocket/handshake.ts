/**
 * The opening handshake: what is asked, and what must be answered (RFC 6455 section 4).
 *
 * @module
 */

import { base64 } from "../../core/base64.ts";
import type { HeaderField } from "../field_check.ts";
import type { ResponseHeaders } from "../response_headers.ts";
import { isAgreed, OFFER } from "./compression.ts";

/** What is asked, and the key to the answer. */
export interface Handshake {
  /** The fields to send, besides those of any upgrade. */
  readonly fields: readonly HeaderField[];
  /** The subprotocols that are offered. */
  readonly protocols: readonly string[];
  /** Whether compression is offered. */
  readonly compress: boolean;
  /** What Sec-WebSocket-Accept must be. */
  readonly accept: string;
}

/** What was agreed upon. */
export interface Agreement {
  /** The subprotocol, or an empty text. */
  readonly protocol: string;
  /** The extensions, or an empty text. */
  readonly extensions: string;
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES = 16;

/** Makes a handshake with a new key. */
export async function makeHandshake(
  protocols: readonly string[],
  compress: boolean,
): Promise<Handshake> {
  const key = base64(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  const fields: HeaderField[] = [["sec-websocket-key", key], ["sec-websocket-version", "13"]];
  if (protocols.length > 0) fields.push(["sec-websocket-protocol", protocols.join(", ")]);
  if (compress) fields.push(["sec-websocket-extensions", OFFER]);
  return { fields, protocols, compress, accept: base64(new Uint8Array(digest)) };
}

/** Reads the answer to a handshake: what was agreed upon, or what is wrong with it, as text. */
export function readAgreement(headers: ResponseHeaders, handshake: Handshake): Agreement | string {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return "it has no field Upgrade: websocket";
  }
  const connection = headers.get("connection")?.toLowerCase().split(",") ?? [];
  if (!connection.some((option) => option.trim() === "upgrade")) {
    return "it has no field Connection: Upgrade";
  }
  if (headers.get("sec-websocket-accept") !== handshake.accept) {
    return "its Sec-WebSocket-Accept is not what the key asks for";
  }
  const extensions = headers.get("sec-websocket-extensions");
  if (extensions !== null && !handshake.compress) {
    return "it chooses an extension, and none was offered";
  }
  if (extensions !== null && !isAgreed(extensions)) {
    return "it chooses another extension than was offered, or another form of it";
  }
  const protocol = headers.get("sec-websocket-protocol");
  if (handshake.protocols.length > 0 && (protocol === null || protocol === "")) {
    return "it chooses none of the subprotocols that were offered";
  }
  if (protocol !== null && !handshake.protocols.includes(protocol)) {
    return "it chooses a subprotocol that was not offered";
  }
  return { protocol: protocol ?? "", extensions: extensions ?? "" };
}
