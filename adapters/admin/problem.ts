/**
 * Something that may be wrong with a pool, and how the admin router says it.
 *
 * @module
 */

import type { Severity } from "../../src/pool/watch/findings.ts";

/** Something that may be wrong. */
export interface Problem {
  /** How bad it is. */
  readonly severity: Severity;
  /** What it is: a finding's kind, or something that only the figures show. */
  readonly what: string;
  /** The host that it is about. */
  readonly host?: string;
  /** The address that it is about. */
  readonly address?: string;
  /** The state of the addresses that it is about, if it is about all of them. */
  readonly state?: "doubtful" | "ejected" | "resting";
  /** It in a few words. */
  readonly text: string;
  /** What was seen, in plain sentences. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

/** A count with its noun. */
export function plural(count: number, one: string, many: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** A part of something in percent, never rounded to none or to all of it. */
export function percentOf(part: number, all: number): string {
  const percent = 100 * part / all;
  if (percent > 99 && percent < 100) return `${Math.floor(percent * 10) / 10} %`;
  if (percent >= 1) return `${Math.round(percent)} %`;
  return percent > 0 ? `${Math.max(0.1, Math.round(percent * 10) / 10)} %` : "0 %";
}

/** A span of time that ends now, as it follows the name of what happened within it. */
export function withinSpan(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000));
  if (seconds < 55) return `in the last ${seconds} s`;
  if (seconds < 90) return "in the last minute";
  return `in the last ${Math.round(seconds / 60)} min`;
}

/** The first of some texts, and how many more there are. */
export function someOf(texts: readonly string[]): string {
  const more = texts.length - 3;
  return texts.slice(0, 3).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
