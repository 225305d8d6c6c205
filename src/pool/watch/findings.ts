/**
 * What may be wrong with a pool: findings. `docs/events-and-findings.md` says what to do about each.
 *
 * @module
 */

/**
 * What was found. A closed set.
 *
 * - `leaseHeld`: a lease has not ended for long
 * - `lockHeld`: a lock inside the pool has been held for long
 * - `starving`: callers wait, and a limit is in the way; one finding for all hosts that wait for
 *   the same limit, without a `host` if they are several
 * - `full`: a machine takes no more connections than it has
 * - `streamsTaken`: callers wait, and a server's limit of HTTP/2 streams is reached
 * - `dialStorm`: the pool dials far more than it uses
 * - `flapping`: an address is ejected and readmitted again and again
 * - `allToldLater`: all machines of a host say to come back later
 * - `panic`: fewer than half of a host's addresses are good
 * - `resolverFailing`: the resolver fails for a host
 * - `addressesLeftOut`: the resolver gave addresses of a host that cannot be dialled
 * - `allDenied`: none of a host's addresses may be used
 * - `fleetAlone`: the fleet's store does not answer, and the pool goes on alone
 * - `fleetForeign`: the fleet's store has entries that this version cannot read
 * - `otherPort`: options of a host are for a port that nobody uses, while another port of it is used
 * - `proxyUnused`: the environment names a proxy, and the pool was not told whether to use it; once
 */
export type FindingKind =
  | "leaseHeld"
  | "lockHeld"
  | "starving"
  | "full"
  | "streamsTaken"
  | "dialStorm"
  | "flapping"
  | "allToldLater"
  | "panic"
  | "resolverFailing"
  | "addressesLeftOut"
  | "allDenied"
  | "fleetAlone"
  | "fleetForeign"
  | "otherPort"
  | "proxyUnused";

/** How bad it is: `critical` means that callers fail, or will. */
export type Severity = "info" | "warning" | "critical";

/** Something that may be wrong: plain data. */
export interface Finding {
  /** How bad it is. */
  readonly severity: Severity;
  /** What it is. */
  readonly what: FindingKind;
  /** The host that it is about, in canonical text. */
  readonly host?: string;
  /** The address that it is about, in canonical text. */
  readonly address?: string;
  /** The connection that it is about, by its number. */
  readonly connectionId?: number;
  /** What was seen, in plain sentences. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  /** Where the lease was acquired, where that was remembered. */
  readonly stack?: string;
}

/** A finding, and what tells one occurrence of it from the next. */
export interface Occurrence {
  readonly key: string;
  readonly finding: Finding;
}

const ORDER: readonly Severity[] = ["critical", "warning", "info"];

/** How bad something is, the worst being 0. */
export function rankOf(severity: Severity): number {
  return ORDER.indexOf(severity);
}

/** The worst first; what is equally bad in the order in which it was found. */
export function sortFindings(findings: readonly Occurrence[]): Occurrence[] {
  return [...findings].sort((a, b) => rankOf(a.finding.severity) - rankOf(b.finding.severity));
}

/** A time in milliseconds as a message shows it. */
export function showMs(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`;
}
