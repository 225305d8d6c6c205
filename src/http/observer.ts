/**
 * Who watches the requests of a pool: the seam for tracing.
 *
 * @module
 */

import type { Lease } from "../pool/lease/lease.ts";
import type { RequestOutcome } from "../pool/watch/request_counts.ts";
import type { HeaderField } from "./field_check.ts";

/** A request as its watcher is told of it. */
export interface ObservedRequest {
  /** The method. */
  readonly method: string;
  /** The URL, without credentials and fragment. */
  readonly url: string;
  /** The host's name, or its address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** How a request ended. */
export interface ObservedEnd {
  /** Whether it was answered to the last byte, failed, or was given up. */
  readonly outcome: RequestOutcome;
  /** The status of the answer; 0 where there was none. */
  readonly status: number;
  /** How often it was sent. */
  readonly attempts: number;
  /** How often of these to another machine besides, because the first was silent. */
  readonly hedges: number;
  /** Why it failed, or was given up. */
  readonly error: unknown;
}

/** Watches one request. Its functions must not throw. */
export interface RequestWatch {
  /** Header fields that are sent with it. */
  readonly headers?: readonly HeaderField[];
  /** It has to wait for a connection. */
  queued?(): void;
  /** It has a connection, and is sent over it. */
  sent?(lease: Lease): void;
  /** It is to be sent once more, after a failure. */
  retried?(error: unknown): void;
  /** It waits for so many milliseconds, because it was told to come back later. */
  paused?(forMs: number): void;
  /** It is sent to another machine besides, because the first is silent. */
  hedged?(lease: Lease): void;
  /** The other machine was faster: its answer is the one that counts. */
  hedgeWon?(lease: Lease): void;
  /** One of the two attempts has failed: the one over this lease goes on alone. */
  hedgeAlone?(lease: Lease, error: unknown): void;
  /** It is over. */
  ended?(end: ObservedEnd): void;
}

/** Watches requests. It must not throw. */
export interface RequestObserver {
  /** A request begins: gives who watches it, or nobody. */
  begin(request: ObservedRequest): RequestWatch | undefined;
}
