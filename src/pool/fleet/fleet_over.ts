/**
 * Makes a fleet over a store, of options that are checked.
 *
 * @module
 */

import { checkNames, checkNumber, describe } from "../../core/check.ts";
import type { Fleet, FleetMember } from "../../fleet/fleet.ts";
import { StoreMember } from "../../fleet/member.ts";
import type { FleetStore } from "../../fleet/store.ts";
import { type PoolParts, PoolSite, relay } from "./pool_site.ts";

/** Options of a fleet, whatever its store is. All members must have the same. */
export interface FleetOptions {
  /**
   * The fleet's name: pools with the same name over the same store are one fleet.
   *
   * @default {"hotconn"}
   */
  readonly name?: string;
  /**
   * For how long a member uses its permits without an answer from the store, in milliseconds. It
   * renews them three times as often.
   *
   * @default {10_000}
   */
  readonly leaseMs?: number;
  /**
   * After how long a silence a member counts as gone whose connection the store no longer has, in
   * milliseconds: at least twice `leaseMs`.
   *
   * @default {30_000}
   */
  readonly goneAfterMs?: number;
  /**
   * What a member does that the store does not answer: it goes on with its share of each cap, or
   * stops before it counts as gone. Without the store `"stop"` means that no connection is left.
   *
   * @default {"share"}
   */
  readonly alone?: "share" | "stop";
  /**
   * How many members must have ejected an address before it is doubted here.
   *
   * @default {1}
   */
  readonly quorum?: number;
}

/** The names of a fleet's options. */
const FLEET_OPTIONS: readonly string[] = [
  "name",
  "leaseMs",
  "goneAfterMs",
  "alone",
  "quorum",
];

/**
 * Checks the options of a fleet, and fills in the defaults.
 *
 * @param names The options that there are besides
 * @throws {TypeError | RangeError} Names the option, its value, and what would be valid
 */
export function readFleetOptions(
  what: string,
  options: FleetOptions,
  names: readonly string[] = [],
): Required<FleetOptions> {
  checkNames(what, options, [...names, ...FLEET_OPTIONS]);
  const { alone = "share", name = "hotconn" } = options;
  if (typeof name !== "string" || !/^[\w.:-]{1,64}$/.test(name)) {
    throw new TypeError(
      `name must be 1 to 64 letters, digits, or one of . : _ -, got ${describe(name)}`,
    );
  }
  if (alone !== "share" && alone !== "stop") {
    throw new TypeError(`alone must be "share" or "stop", got ${describe(alone)}`);
  }
  const leaseMs = checkNumber("leaseMs", options.leaseMs ?? 10_000, { min: 100, max: 600_000 });
  const bounds = { min: 2 * leaseMs, max: 3_600_000 };
  const given = options.goneAfterMs ?? Math.max(30_000, 3 * leaseMs);
  const goneAfterMs = checkNumber("goneAfterMs", given, bounds);
  const quorum = checkNumber("quorum", options.quorum ?? 1, { min: 1, whole: true });
  return { alone, name, leaseMs, goneAfterMs, quorum };
}

/**
 * A fleet that meets in a store. A pool knows it by its interface alone: so nothing of a fleet is
 * loaded if there is none.
 */
export function fleetOver(store: FleetStore, options: Required<FleetOptions>): Fleet {
  return {
    join(parts: PoolParts): FleetMember {
      const { clock, manager } = parts;
      const member = new StoreMember(clock, store, options, new PoolSite(parts));
      manager.accountant.share(member.permits);
      relay(parts, member);
      member.start();
      return member;
    },
  };
}
