import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import type { FleetSite } from "../../src/fleet/fleet.ts";
import { StoreMember } from "../../src/fleet/member.ts";
import { MemoryFleetStore } from "../support/memory_fleet_store.ts";
import { Random, withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

// HOTCONN_FLEET=1000,500 takes a minute, and asks as often.
const [MEMBERS = 200, ADDRESSES = 100] = (process.env.HOTCONN_FLEET ?? "200,100").split(",")
  .map(Number);
const CAP = 100;
const OPTIONS = {
  leaseMs: 10_000,
  goneAfterMs: 30_000,
  alone: "share",
  name: "x",
  quorum: 1,
} as const;

/** What a member bears who uses these keys. */
class Site implements FleetSite {
  readonly keys: readonly string[];
  used: (key: string) => number = () => 0;

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  onRoom(): void {}
  onShrink(): void {}
  onDoubt(): void {}
  onLeave(): void {}
  onWell(): void {}
  onBlock(): void {}
  onUnblock(): void {}
  onDrain(): void {}
  onWeight(): void {}
  onLesson(): void {}
  onLink(): void {}
  learned = () => [];
  experience = () => undefined;
  known = () => new Set<string>();

  load(): ReturnType<FleetSite["load"]> {
    const places = this.keys.map((key) => [key, this.used(key), this.used(key)] as const);
    const connections = places.reduce((sum, [, used]) => sum + used, 0);
    return { connections, leased: connections, places };
  }
}

test("Members of a large fleet ask the store less than twice a second each, and see all of it", () =>
  withSeed(async (seed) => {
    const random = new Random(seed);
    const clock = new ManualClock(seed);
    const store = new MemoryFleetStore(clock);
    const keys = Array.from({ length: MEMBERS }, () => {
      const own = new Set<string>();
      while (own.size < 5) {
        const number = random.below(ADDRESSES);
        own.add(`a 10.0.${number >> 8}.${number & 255}`);
      }
      return [...own];
    });
    const sites = keys.map((own) => new Site(own));
    const members = sites.map((site) => new StoreMember(clock, store, OPTIONS, site));
    for (const [index, { permits }] of members.entries()) {
      sites[index]!.used = (key) => permits.used(key);
    }
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
    for (const member of members) member.start();
    await pass(20);
    const before = store.calls;
    const heardBefore = members[0]!.stats().hints;
    await pass(20);
    const each = (store.calls - before) / 20 / MEMBERS;
    const heard = (members[0]!.stats().hints - heardBefore) / 20;
    assert(each < 2, `each asks ${each} times a second`);
    const counts = new Map<string, number>();
    for (const [index, { permits }] of members.entries()) {
      for (const key of keys[index]!) {
        counts.set(key, (counts.get(key) ?? 0) + permits.used(key));
      }
    }
    assert([...counts.values()].every((count) => count <= CAP));
    const { addresses, peers } = await members[0]!.look();
    assertEquals(peers.length, MEMBERS);
    const sums = addresses.map(({ connections, place }) => [`a ${place}`, connections] as const);
    assertEquals(new Map(sums), counts);
    if (process.env.HOTCONN_FLEET !== undefined) {
      console.log(`${each * MEMBERS} calls a second, and ${heard} hints to each member`);
    }
    for (const member of members) void member.close();
  }));
