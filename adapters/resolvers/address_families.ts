/**
 * IPv4 and IPv6 addresses, asked for separately, as one answer.
 *
 * @module
 */

import { describe, messageOf } from "../../src/core/check.ts";
import { setDeadline, systemClock, type Timer } from "../../src/core/clock.ts";
import { ResolveError } from "../../src/core/errors.ts";
import type { Resolution } from "../../src/hosts/resolver.ts";

/** An IP version. */
export type Family = 4 | 6;

/** Both IP versions. */
export const BOTH_FAMILIES: readonly Family[] = [4, 6];

/** How long the second answer is waited for: RFC 8305 section 3, "Resolution Delay". */
export const RESOLUTION_DELAY_MS = 50;

/**
 * Checks a list of IP versions.
 *
 * @throws {TypeError} It is no list, has nothing in it or something twice, or what is no IP version
 */
export function checkFamilies(families: readonly Family[]): readonly Family[] {
  const isList = Array.isArray(families) && families.length > 0
    && new Set(families).size === families.length
    && families.every((family) => BOTH_FAMILIES.includes(family));
  if (isList) return [...families];
  const got = Array.isArray(families) ? `[${families.join(", ")}]` : describe(families);
  throw new TypeError(`families must be a list of 4, 6 or both, got ${got}`);
}

/**
 * Asks for the addresses of each family at once, and returns them in the order of the families,
 * with the shortest of their TTLs. If one has come and another has not after 50 ms, it does not
 * wait, and says that the answer is partial and holds for no time, so that it is soon asked for
 * again. A family that fails is skipped if another one has addresses.
 *
 * @param ask Gives at least one address, or throws; its error's message says why
 * @throws {ResolveError} There is no address of any family
 * @throws The signal's reason, when it aborts first
 */
export async function askFamilies(
  host: string,
  families: readonly Family[],
  signal: AbortSignal,
  ask: (family: Family) => Promise<Resolution>,
): Promise<Resolution> {
  signal.throwIfAborted();
  const answers = new Map<Family, Resolution>();
  const failures = new Map<Family, unknown>();
  const isComplete = () => answers.size + failures.size === families.length;
  await new Promise<void>((resolve, reject) => {
    let timer: Timer | undefined;
    const end = () => {
      timer?.cancel();
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = () => {
      reject(signal.reason);
      end();
    };
    const onHeard = () => {
      if (isComplete()) end();
      else if (answers.size > 0 && !signal.aborted) {
        timer = setDeadline(systemClock, end, RESOLUTION_DELAY_MS);
      }
    };
    // Before those who are asked listen, so that a failure caused by the abort is not reported first.
    signal.addEventListener("abort", onAbort, { once: true });
    for (const family of families) {
      ask(family).then(
        (answer) => answers.set(family, answer),
        (error) => failures.set(family, error),
      ).then(onHeard);
    }
  });
  const got = families.flatMap((family) => answers.get(family) ?? []);
  if (got.length === 0) {
    const reasons = families.map((family) => `IPv${family}: ${messageOf(failures.get(family))}`);
    throw new ResolveError(host, reasons.join("; "), { cause: failures.get(families[0]!) });
  }
  const addresses = got.flatMap(({ addresses }) => addresses);
  if (!isComplete()) return { addresses, ttlMs: 0, partial: true };
  const ttls = got.flatMap(({ ttlMs }) => ttlMs ?? []);
  return { addresses, ttlMs: ttls.length > 0 ? Math.min(...ttls) : undefined };
}
