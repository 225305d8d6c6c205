/**
 * How a pool is asked for connections, warmed and closed.
 *
 * @module
 */

import type { TlsOptions } from "../core/dialer.ts";
import type { AddressChoice } from "./host/address_filter.ts";
import type { Protocols } from "./host/tls_profiles.ts";

/** How a caller wants a connection. */
export interface AcquireOptions extends AddressChoice {
  /** Ends the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, in milliseconds; the pool's `acquireTimeoutMs` where it is left out. */
  readonly timeoutMs?: number | undefined;
  /** Other TLS parameters than the pool's. */
  readonly tls?: TlsOptions | undefined;
  /**
   * The same machine for the same text, as long as it is known and answers; another one where it
   * fails. When machines come or go, only what was theirs moves.
   */
  readonly sticky?: string | undefined;
  /** Without TLS, over the pool's `plainDialer`. */
  readonly plain?: boolean | undefined;
}

/** How a host is warmed. */
export interface WarmOptions {
  /**
   * How many connections to keep open, spread over the host's addresses; 0 lets them go again. The
   * host's `minIdle` where it is left out: nothing is warmed where that is 0. A host that is not in
   * `hosts` needs it.
   */
  readonly connections?: number | undefined;
  /** Ends the warm-up: the host is kept as warm as before. */
  readonly signal?: AbortSignal | undefined;
}

/** How a pool is closed. */
export interface CloseOptions {
  /**
   * How long leases may go on, in milliseconds, before their connections are ended.
   *
   * @default {5_000}
   */
  readonly graceMs?: number;
}

/** How a caller is served who speaks HTTP. */
export interface HttpAcquireOptions extends AcquireOptions {
  /** Over the protocols that hold for the host, or over these. */
  readonly http: true | Protocols;
}
