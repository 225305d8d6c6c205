/**
 * Looks at the licences of all that is installed, as the lock file tells them. Ends with 1 where one
 * is not among those that are known to be fine: then somebody reads it, and adds it here, or takes
 * another package.
 *
 *     node --import tsx tools/licences.ts
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What a user of the package gets with it: licences that ask for no more than to be named. */
const INSTALLED = ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0"];

/** What is used to work on the package, and goes to nobody. */
const FOR_WORK = [...INSTALLED, "BlueOak-1.0.0", "CC0-1.0", "MPL-2.0"];

/** What of a lock file says which packages there are. */
export interface Lock {
  readonly packages: {
    readonly [path: string]: {
      readonly dev?: boolean;
      readonly license?: string;
      readonly link?: boolean;
    };
  };
}

/** What is found. */
export interface Licences {
  /** How many packages there are, by licence. */
  readonly counts: ReadonlyMap<string, number>;
  /** Those whose licence is not known to be fine. */
  readonly unknown: readonly string[];
}

/** Looks at the licences of all packages of a lock file; what is linked is our own. */
export function licencesOf({ packages }: Lock): Licences {
  const counts = new Map<string, number>();
  const unknown: string[] = [];
  for (const [path, { dev = false, license = "none", link = false }] of Object.entries(packages)) {
    const name = path.split("node_modules/").at(-1);
    if (path === "" || link || !path.includes("node_modules/")) continue;
    counts.set(license, (counts.get(license) ?? 0) + 1);
    if (!isFine(license, dev ? FOR_WORK : INSTALLED)) unknown.push(`${name}: ${license}`);
  }
  return { counts, unknown };
}

/** Whether an expression of SPDX is met by those that are fine: one of `OR`, all of `AND`. */
function isFine(expression: string, fine: readonly string[]): boolean {
  const bare = expression.replace(/^\((.*)\)$/, "$1");
  if (bare.includes("(")) return false;
  return bare.split(" OR ").some((choice) =>
    choice.split(" AND ").every((name) => fine.includes(name))
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock: Lock = JSON.parse(
    readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"),
  );
  const { counts, unknown } = licencesOf(lock);
  console.log([...counts].map(([licence, count]) => `${licence}: ${count}`).join(", "));
  for (const name of unknown) console.error(`Nobody has looked at the licence of ${name}`);
  if (unknown.length > 0) process.exitCode = 1;
}
