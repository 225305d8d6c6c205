/**
 * Who watches the requests of a pool: the seam for tracing.
 *
 * @module
 */

import type { Lease } from "../pool/lease/lease.ts";
import type { RequestOutcome } from "../pool/watch/request_counts.ts";
import type { HeaderField } from "./field_check.ts";

/** A request, as its watcher sees it. */
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
  /** Whether it was answered to the last byte, failed, or was cancelled. */
  readonly outcome: RequestOutcome;
  /** The status of the answer; 0 if there was none. */
  readonly status: number;
  /** How often it was sent. */
  readonly attempts: number;
  /** How often of these to a second machine, because the first was silent. */
  readonly hedges: number;
  /** Why it failed, or was cancelled. */
  readonly error: unknown;
}

/** Watches one request. Its functions must not throw. */
export interface RequestWatch {
  /** Header fields that are sent with it. */
  readonly headers?: readonly HeaderField[];
  /** Called when it has to wait for a connection. */
  queued?(): void;
  /** Called when it has a connection, and is sent over it. */
  sent?(lease: Lease): void;
  /** Called before it is sent again after a failure. */
  retried?(error: unknown): void;
  /** Called when it waits for `forMs` milliseconds, because it was told to come back later. */
  paused?(forMs: number): void;
  /** Called when it is sent to a second machine too, because the first is silent. */
  hedged?(lease: Lease): void;
  /** Called when the second machine was faster: its answer counts. */
  hedgeWon?(lease: Lease): void;
  /** Called when one of the two attempts has failed, and the one over this lease goes on alone. */
  hedgeAlone?(lease: Lease, error: unknown): void;
  /** Called when it is over. */
  ended?(end: ObservedEnd): void;
}

/** Watches requests. Its functions must not throw. */
export interface RequestObserver {
  /** Called when a request starts. Returns what watches it, or undefined. */
  begin(request: ObservedRequest): RequestWatch | undefined;
}
