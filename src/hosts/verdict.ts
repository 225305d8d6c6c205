/**
 * What is reported about an endpoint's health.
 *
 * @module
 */

import type { DialFailure } from "../core/errors.ts";

/**
 * What failed. A closed set: the ways in which a dial fails, and
 *
 * - `status`: an answer that counts as a failure
 * - `response`: no answer, or not all of it
 * - `silence`: no byte to several requests at once, for longer than is likely there
 * - `lease`: a lease that ended with an error
 * - `proxy`: a proxy opened no tunnel, for which the address is never ejected
 * - `probe`: a check that got a connection, and not the answer that it asks for
 */
export type FailureKind =
  | DialFailure
  | "status"
  | "response"
  | "silence"
  | "lease"
  | "proxy"
  | "probe";

/** The last outcome at an endpoint. */
export interface Verdict {
  /** Whether it was good. */
  readonly ok: boolean;
  /** What it did. */
  readonly reason: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** What is known of an endpoint's failures. */
export interface EndpointHealth {
  /** The last verdict, if any. */
  readonly verdict: Verdict | null;
  /** When it was last checked, in milliseconds since 1970; null if it never was. */
  readonly lastCheckedAt: number | null;
  /** How often it failed, by what failed. */
  readonly failures: { readonly [Kind in FailureKind]?: number };
  /** How many failures there were in a row, including the address's own. */
  readonly consecutiveFailures: number;
  /** How often it was ejected recently. */
  readonly ejections: number;
  /** Why it is ejected, if it is. */
  readonly ejectedFor: string | null;
}

/** The health of an endpoint that nothing is known about. */
export const NO_HEALTH: EndpointHealth = {
  verdict: null,
  lastCheckedAt: null,
  failures: {},
  consecutiveFailures: 0,
  ejections: 0,
  ejectedFor: null,
};

/** Whether it is the program that dials which lacks something: it says nothing of the machine. */
export function isOwnLack(kind: FailureKind): boolean {
  return kind === "resources" || kind === "permission";
}

/** A failure as a verdict's reason. */
export function reasonOf(kind: FailureKind, error: unknown): string {
  return error instanceof Error ? `${kind}: ${error.message}` : kind;
}
