/**
 * Opens a WebSocket. It is loaded when the first one is opened, with all that speaks the protocol: who
 * opens none does not pay for it.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import { WebSocketError } from "../../core/errors.ts";
import type { Lease } from "../../pool/lease/lease.ts";
import { readTarget } from "../request.ts";
import { withFields } from "../request_headers.ts";
import type { PooledResponse } from "../response.ts";
import type { Upgraded, UpgradeOptions } from "../upgrade.ts";
import type { MessageCompression } from "./compression.ts";
import { type Handshake, makeHandshake, readAgreement } from "./handshake.ts";
import type { WebSocketOptions, WebSocketTerms } from "./web_socket_options.ts";
import { type SessionUser, WebSocketSession } from "./web_socket_session.ts";

/** What opening needs of a pool. */
export interface WebSocketHost {
  readonly clock: Clock;
  /** Loads what compresses messages, if there is anything. */
  readonly loadCompression: (() => Promise<MessageCompression>) | undefined;
  /**
   * Asks a machine to go on with another protocol, as `HttpPool.upgrade` does, and another machine
   * where one does not answer in time.
   */
  upgrade(
    url: string,
    options: UpgradeOptions,
    answerTimeoutMs: number,
  ): Promise<Upgraded | PooledResponse>;
}

/** A WebSocket to be opened. */
export interface Opening {
  /** Its URL, with the scheme `http:` or `https:`. */
  readonly url: string;
  readonly options: WebSocketOptions;
  readonly protocols: readonly string[];
  readonly terms: WebSocketTerms;
  /** Ends the opening. */
  readonly signal: AbortSignal;
}

/** A WebSocket that is open. */
export interface Opened {
  readonly session: WebSocketSession;
  /** The session's, until it ends. */
  readonly lease: Lease;
  /** The subprotocol that was chosen, or an empty text. */
  readonly protocol: string;
  /** The extensions that were chosen, or an empty text. */
  readonly extensions: string;
  /** Begins to read. */
  start(): void;
}

/**
 * Opens a WebSocket.
 *
 * @throws {WebSocketError} The server does not agree
 * @throws What `HttpPool.upgrade` throws
 */
export async function open(
  host: WebSocketHost,
  opening: Opening,
  user: SessionUser,
): Promise<Opened> {
  const { protocols, signal, terms } = opening;
  const [handshake, compression] = await Promise.all([
    makeHandshake(protocols, terms.compress),
    terms.compress ? host.loadCompression?.() : undefined,
  ]);
  signal.throwIfAborted();
  const answer = await ask(host, opening, handshake);
  const { lease } = answer;
  const agreement = readAgreement(answer.headers, handshake);
  if (typeof agreement === "string") {
    const { address, host } = lease.connection;
    const fields = { failure: "handshake", host, address, status: 101 } as const;
    const error = new WebSocketError(fields, `the answer will not do: ${agreement}`);
    lease.failure = { kind: "response", error };
    lease.release({ reuse: false });
    throw error;
  }
  const { extensions, protocol } = agreement;
  const agreed = extensions === "" ? undefined : compression;
  const session = new WebSocketSession(host.clock, lease, terms, user, agreed);
  const start = () => {
    if (!lease.released) answer.attach(session);
  };
  return { session, lease, protocol, extensions, start };
}

async function ask(
  host: WebSocketHost,
  { options, signal, terms, url }: Opening,
  { fields }: Handshake,
): Promise<Upgraded> {
  const { exclude, headers, ip, sticky, tls } = options;
  const { handshakeTimeoutMs, timeoutMs } = terms;
  const answer = await host.upgrade(url, {
    protocol: "websocket",
    headers: withFields(headers, fields),
    ip,
    exclude,
    sticky,
    tls,
    signal,
    timeoutMs: timeoutMs === Infinity ? undefined : timeoutMs,
  }, handshakeTimeoutMs);
  if ("lease" in answer) return answer;
  const { connection: { address }, status } = answer;
  answer.body.cancel().catch(() => {});
  const about = { failure: "handshake", host: readTarget(url).host, address, status } as const;
  throw new WebSocketError(about, `the server answered ${status}, not 101`);
}
