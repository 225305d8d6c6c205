/**
 * Asks the registry for known vulnerabilities of what is installed. Ends with 1 where there are some
 * of severity high or critical; where the registry has nothing to tell, it says so, and that is all.
 *
 *     node --import tsx tools/audit.ts
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What an audit comes to. */
export interface AuditVerdict {
  readonly passes: boolean;
  readonly text: string;
}

/** A package with what is known of it, as npm reports it. */
interface Finding {
  readonly name?: string;
  readonly severity?: string;
  readonly range?: string;
}

/** Reads what `npm audit --json` printed. */
export function verdictOf(printed: string): AuditVerdict {
  const report = readReport(printed);
  if (!report) return { passes: true, text: "The registry has no audit to give" };
  const findings = Object.values(report.vulnerabilities);
  const grave = findings.filter(({ severity = "" }) => /^(high|critical)$/.test(severity));
  const lines = findings.map(({ name, range, severity }) => `${severity}: ${name} ${range}`);
  const text = [
    `${findings.length} packages with findings, ${grave.length} of severity high or critical`,
    ...lines,
  ].join("\n");
  return { passes: grave.length === 0, text };
}

/** What of npm's report matters; undefined where it is none. */
function readReport(
  printed: string,
): { readonly vulnerabilities: { readonly [name: string]: Finding } } | undefined {
  try {
    const report = JSON.parse(printed);
    const isReport = typeof report?.vulnerabilities === "object" && report.vulnerabilities !== null;
    return isReport ? report : undefined;
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { stdout } = spawnSync("npm", ["audit", "--json"], { encoding: "utf8", timeout: 60_000 });
  const { passes, text } = verdictOf(stdout ?? "");
  console.log(text);
  if (!passes) process.exitCode = 1;
}
