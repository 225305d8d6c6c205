/**
 * The options of a WebSocket, read and checked once.
 *
 * @module
 */

import {
  checkFlag,
  checkNames,
  checkNumber,
  checkSignal,
  describe,
  quote,
} from "../../core/check.ts";
import { checkFields } from "../field_check.ts";
import { withFields } from "../request_headers.ts";
import type { RequestOptions } from "../request_options.ts";

/** Options of a WebSocket. */
export interface WebSocketOptions extends
  Pick<
    RequestOptions,
    "headers" | "ip" | "exclude" | "sticky" | "tls"
  >
{
  /**
   * The subprotocols to offer, preferred first. The server must choose one of them.
   *
   * @default {[]}
   */
  readonly protocols?: string | readonly string[] | undefined;
  /**
   * Whether to offer compression, each message by itself. If the server agrees, messages of 1,024 bytes
   * or more are compressed.
   *
   * @default {false}
   */
  readonly compress?: boolean | undefined;
  /** Ends it at any point. It fails with the signal's reason. */
  readonly signal?: AbortSignal | null | undefined;
  /**
   * How long it may take to open, in milliseconds, whatever connections and machines are tried.
   *
   * @default {30_000}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long one machine may take to answer, in milliseconds, before another one is asked.
   *
   * @default {10_000}
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * How long the server may be silent, in milliseconds, before it is sent a ping; `Infinity` sends
   * none.
   *
   * @default {30_000}
   */
  readonly pingIntervalMs?: number | undefined;
  /**
   * How long silence may last after a ping, in milliseconds, before the machine counts as dead.
   *
   * @default {10_000}
   */
  readonly pongTimeoutMs?: number | undefined;
  /**
   * How long the server may take to close after you asked, in milliseconds.
   *
   * @default {5_000}
   */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * The longest message to accept, in bytes, both compressed and not.
   *
   * @default {67_108_864}
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The most frames that one message may come in.
   *
   * @default {131_072}
   */
  readonly maxFragments?: number | undefined;
  /**
   * How much may wait to be sent, in bytes. A `send()` beyond that ends the connection.
   *
   * @default {67_108_864}
   */
  readonly maxBufferedBytes?: number | undefined;
}

/** The options of an open WebSocket, checked, with their defaults. */
export interface WebSocketTerms {
  readonly compress: boolean;
  readonly timeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly maxBufferedBytes: number;
}

const DEFAULTS: Omit<WebSocketTerms, "compress"> = {
  timeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  pingIntervalMs: 30_000,
  pongTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  maxMessageBytes: 67_108_864,
  maxFragments: 131_072,
  maxBufferedBytes: 67_108_864,
};

const OPTIONS: readonly string[] = [
  "protocols",
  "headers",
  "compress",
  "signal",
  ...Object.keys(DEFAULTS),
  "ip",
  "exclude",
  "sticky",
  "tls",
];

/** Fields that the handshake sets itself, in lower case. */
const OWN_FIELD = /^(?:connection|upgrade|sec-websocket-.*)$/i;

/**
 * Checks the options of a WebSocket, but for its subprotocols.
 *
 * @throws {TypeError | RangeError} Names the option, its value, and what would be valid
 */
export function checkTerms(options: WebSocketOptions): WebSocketTerms {
  checkNames("webSocket()", options, OPTIONS);
  const { compress = false, headers, signal } = options;
  checkFlag("compress", compress);
  checkSignal(signal);
  const fields = withFields(headers, []);
  checkFields(fields, "Header");
  for (const [name] of fields) {
    if (!OWN_FIELD.test(name)) continue;
    const advice = name.toLowerCase() === "sec-websocket-protocol" ? ": use protocols" : "";
    throw new TypeError(`Header ${quote(name)} is the handshake's own${advice}`);
  }
  const terms: { [name: string]: number } = {};
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    const given = (options as { readonly [name: string]: unknown })[name];
    const isCount = name.startsWith("max");
    terms[name] = given === undefined
      ? fallback
      : checkNumber(name, given, { min: isCount ? 1 : 0, whole: isCount });
  }
  return { ...terms as unknown as WebSocketTerms, compress };
}

/**
 * Reads the URL of a WebSocket.
 *
 * @throws {DOMException} SyntaxError: it is no URL, has a fragment, or another scheme
 */
export function readSocketUrl(given: string | URL): URL {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw syntaxError(`The URL ${quote(`${given}`)} cannot be read: it must be absolute`);
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  else if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    const schemes = "wss:, ws:, https: or http:";
    throw syntaxError(`The URL's scheme must be ${schemes}, got ${url.protocol}`);
  }
  if (url.href.includes("#")) throw syntaxError("The URL of a WebSocket must have no fragment");
  return url;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Reads the subprotocols to offer.
 *
 * @throws {DOMException} SyntaxError: one is no token, or stands there twice
 * @throws {TypeError} They are neither a text nor a list
 */
export function readSubprotocols(
  given: string | readonly string[] | undefined,
): readonly string[] {
  const isList = typeof given === "object" && given !== null && Symbol.iterator in given;
  if (given !== undefined && typeof given !== "string" && !isList) {
    throw new TypeError(`protocols must be a text or a list of texts, got ${describe(given)}`);
  }
  const protocols = typeof given === "string" ? [given] : [...given ?? []];
  const seen = new Set<string>();
  for (const protocol of protocols) {
    if (typeof protocol !== "string" || !TOKEN.test(protocol)) {
      const valid = "a token, such as \"chat\"";
      throw syntaxError(`Each of protocols must be ${valid}, got ${quote(protocol)}`);
    }
    if (seen.has(protocol.toLowerCase())) {
      throw syntaxError(`protocols must have none twice, got ${quote(protocol)} again`);
    }
    seen.add(protocol.toLowerCase());
  }
  return protocols;
}

/** The web's error for a text that cannot be read. */
export function syntaxError(message: string): DOMException {
  return new DOMException(message, "SyntaxError");
}
