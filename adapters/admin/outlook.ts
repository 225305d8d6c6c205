/**
 * What a pool's figures mean: whether anything is wrong, and what.
 *
 * @module
 */

import { type Finding, rankOf } from "../../src/pool/watch/findings.ts";
import type { PoolStats } from "../../src/pool/watch/stats.ts";
import { answerProblems, workProblems } from "./answers.ts";
import { placeProblems } from "./places.ts";
import type { Problem } from "./problem.ts";
import type { Recent } from "./recent.ts";

/** What is wrong with a pool, and what its callers got recently: plain data. */
export interface Outlook {
  /** The severity of the worst problem; `fine` if there is none but what is for information. */
  readonly worst: "critical" | "warning" | "fine";
  /** All that may be wrong, the worst first, including the findings of the diagnosis. */
  readonly problems: readonly Problem[];
  /** What happened in the last minute. */
  readonly recent: Recent;
  /** Whether the pool is closed. */
  readonly closed: boolean;
}

/** What an outlook is made from. */
export interface OutlookParts {
  readonly stats: PoolStats;
  readonly recent: Recent;
  readonly findings: readonly Finding[];
  readonly closed: boolean;
}

/** Says what a pool's figures mean. */
export function outlookOf({ closed, findings, recent, stats }: OutlookParts): Outlook {
  const found = findings.map((finding): Problem => ({ ...finding, text: textOf(finding) }));
  const problems: Problem[] = [
    ...closed ? [CLOSED] : [],
    ...answerProblems(recent),
    ...found,
    ...placeProblems(stats, found),
    ...workProblems(recent),
  ];
  problems.sort((a, b) => rankOf(a.severity) - rankOf(b.severity));
  const worst = problems[0]?.severity ?? "info";
  return { worst: worst === "info" ? "fine" : worst, problems, recent, closed };
}

const CLOSED: Problem = {
  severity: "critical",
  what: "closed",
  text: "The pool is closed",
  message: "The pool is closed, and gives out no more connections.",
  advice:
    "A closed pool cannot be opened again. If it should not have closed, restart the program.",
};

/** A finding in a few words. */
function textOf({ address = "", host = "", message, severity, what }: Finding): string {
  const isCritical = severity === "critical";
  switch (what) {
    case "leaseHeld":
      return `A lease of ${host} does not end`;
    case "lockHeld":
      return "A dial does not end";
    case "starving":
      return host ? `${host} is at a limit, and callers wait` : "Several hosts wait for one limit";
    case "full":
      return `${address} takes no more connections`;
    case "streamsTaken":
      return `All streams of ${address} are taken`;
    case "dialStorm":
      return "Many dials, few leases";
    case "flapping":
      return `${address} is ejected time and again`;
    case "allToldLater":
      return `${host}: all say to come back later`;
    case "panic":
      return isCritical
        ? `${host} has no good address`
        : `Fewer than half of ${host}\u2019s addresses are good`;
    case "resolverFailing":
      return isCritical
        ? `${host} cannot be resolved`
        : `${host} cannot be resolved, its last addresses are used`;
    case "allDenied":
      return `No address of ${host} may be used`;
    case "otherPort":
      return `The options for ${host} are for another port`;
    case "fleetAlone":
      return "The fleet\u2019s store does not answer";
    default:
      // The first sentence of it: an address has dots too, but no space after them.
      return message.replace(/\.(?: .*)?$/s, "");
  }
}
