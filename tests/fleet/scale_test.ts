import { assert } from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import type { FleetSite } from "../../src/fleet/fleet.ts";
import { StoreMember } from "../../src/fleet/member.ts";
import { MemoryFleetStore } from "../../src/fleet/memory_store.ts";
import { Random, withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

// A thousand and five hundred ask as often, and take a minute.
const MEMBERS = 200;
const ADDRESSES = 100;
const CAP = 100;
const OPTIONS = {
  leaseMs: 10_000,
  goneAfterMs: 30_000,
  alone: "share",
  name: "x",
  quorum: 1,
} as const;

const site: FleetSite = {
  onRoom: () => {},
  onShrink: () => {},
  onDoubt: () => {},
  onLeave: () => {},
  onWell: () => {},
  onBlock: () => {},
  onUnblock: () => {},
  onLink: () => {},
  experience: () => undefined,
  known: () => new Set(),
  load: () => ({ connections: 0, leased: 0 }),
};

test("Members of a large fleet ask the store less than twice a second each", () =>
  withSeed(async (seed) => {
    const random = new Random(seed);
    const clock = new ManualClock(seed);
    const store = new MemoryFleetStore(clock);
    const members = Array.from({ length: MEMBERS }, () => new StoreMember(clock, store, OPTIONS));
    const keys = members.map(() => Array.from({ length: 5 }, () => `a ${random.below(ADDRESSES)}`));
    const pass = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        for (const [index, { permits }] of members.entries()) {
          for (const key of keys[index]!) {
            if (permits.used(key) < 5 && permits.mayAdd(key, CAP)) permits.add(key, CAP);
          }
        }
        clock.advance(1_000);
        await turns(10);
      }
    };
    for (const member of members) member.start(site);
    await pass(20);
    const before = store.calls;
    await pass(20);
    const each = (store.calls - before) / 20 / MEMBERS;
    assert(each < 2, `each asks ${each} times a second`);
    const counts = new Map<string, number>();
    for (const [index, { permits }] of members.entries()) {
      for (const key of new Set(keys[index])) {
        counts.set(key, (counts.get(key) ?? 0) + permits.used(key));
      }
    }
    assert([...counts.values()].every((count) => count <= CAP));
    for (const member of members) void member.close();
  }));
