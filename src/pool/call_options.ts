/**
 * How a pool is asked for connections, warmed and closed.
 *
 * @module
 */

import { checkFlag, checkNames, checkNumber, checkSignal } from "../core/check.ts";
import type { TlsOptions } from "../core/dialer.ts";
import type { AddressChoice } from "./host/address_filter.ts";
import type { Protocols } from "./host/tls_profiles.ts";

/** How a caller wants a connection. */
export interface AcquireOptions extends AddressChoice {
  /** Ends the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, in milliseconds. By default, the pool's `acquireTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Its own TLS options, in place of those of the host or pool. */
  readonly tls?: TlsOptions | undefined;
  /**
   * The same machine for the same text, as long as it is known and answers; another one if it fails.
   * When machines come or go, only their own share moves.
   */
  readonly sticky?: string | undefined;
  /** Without TLS, over the pool's `plainDialer`. */
  readonly plain?: boolean | undefined;
}

const ACQUIRE_OPTIONS = ["signal", "timeoutMs", "ip", "exclude", "sticky", "tls", "plain"];

/**
 * Refuses what is not valid, whether or not it would be looked at. The addresses are checked where they
 * are read.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not valid
 */
export function checkAcquireOptions(options: AcquireOptions): void {
  checkNames("acquire()", options, ACQUIRE_OPTIONS);
  const { plain, signal, timeoutMs } = options;
  checkSignal(signal);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, { min: 0 });
  if (plain !== undefined) checkFlag("plain", plain);
}

/** How a host is warmed. */
export interface WarmOptions {
  /**
   * How many connections to keep open, spread over the host's addresses; 0 lets them go again. By
   * default, the host's `minIdle`; if that is 0, nothing is warmed. Required for a host that is not in
   * `hosts`.
   */
  readonly connections?: number | undefined;
  /** Ends the warm-up. The host is kept as warm as before. */
  readonly signal?: AbortSignal | undefined;
}

/** How a pool is closed. */
export interface CloseOptions {
  /**
   * How long leases may go on, in milliseconds, before their connections are ended.
   *
   * @default {5_000}
   */
  readonly graceMs?: number | undefined;
}

/** How a caller is served who speaks HTTP. */
export interface HttpAcquireOptions extends AcquireOptions {
  /** Over the protocols that hold for the host, or over these. */
  readonly http: true | Protocols;
  /** Only to go on in another protocol. */
  readonly upgrade?: boolean;
}
