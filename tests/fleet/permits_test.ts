import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { withSeed } from "../support/random.ts";
import { PermitWorld, type WorldOptions } from "./permit_world.ts";

const SMALL = { members: 12, keys: 4, cap: 40, keysEach: 2 };

test("No machine ever counts more than its cap, whatever happens to members that stop when cut off", () =>
  withSeed((seed) => {
    for (let round = 0; round < 3; round++) {
      const world = new PermitWorld({ ...SMALL, seed: seed + round, alone: "stop", lossy: true });
      disturb(world, SMALL.members, 60, (what) => {
        const index = world.random.below(SMALL.members);
        const ms = world.random.below(15_000);
        if (what < 2) world.kill(index);
        else if (what < 4) world.pause(index, ms);
        else if (what < 7) {
          world.cut(index, ms, world.random.chance(0.5) && !isPaused(world, index));
        } else if (what < 8) {
          world.restartStore(world.random.below(4_000), world.random.chance(0.5));
        } else if (what < 9) world.pauseStore(ms);
      });
    }
  }));

test("No machine ever counts more than its cap, where members go on that are cut off for less than that", () =>
  withSeed((seed) => {
    for (let round = 0; round < 3; round++) {
      const world = new PermitWorld({ ...SMALL, seed: seed + round, alone: "share" });
      disturb(world, SMALL.members, 60, (what) => {
        const index = world.random.below(SMALL.members);
        // The reserve is for one that cannot reach the store at a time.
        if (what < 2 && world.aloneCount === 0) world.kill(index);
        else if (what < 4) world.pause(index, world.random.below(15_000));
        else if (what < 7) world.cut(index, world.random.below(900), false);
        else if (what < 8) world.restartStore(world.random.below(900), world.random.chance(0.5));
        else if (what < 9) world.pauseStore(world.random.below(900));
      });
    }
  }));

test("What a killed member had is in use again, and so is nearly all of a cap that many want", () =>
  withSeed((seed) => {
    const options: WorldOptions = {
      seed,
      members: 4,
      keys: 1,
      cap: 100,
      keysEach: 1,
      alone: "share",
    };
    const world = new PermitWorld(options);
    world.demand(() => 50);
    world.run(5_000);
    assert(world.counts.get("a 0")! >= 90, `${world.counts.get("a 0")} of 100 are in use`);
    world.kill(1);
    world.run(12_000);
    world.demand(() => 50);
    world.run(12_000);
    assert(world.counts.get("a 0")! >= 90, `${world.counts.get("a 0")} of 100 after a kill`);
    const each = world.members.map(({ sockets }) => sockets.get("a 0") ?? 0);
    assert(Math.min(...each) >= 12, `they have ${each.join(", ")}`);
  }));

test("What a paused member holds stays its own, however long it is silent", () =>
  withSeed((seed) => {
    const world = new PermitWorld({
      seed,
      members: 2,
      keys: 1,
      cap: 100,
      keysEach: 1,
      alone: "share",
    });
    world.members[0]!.demand.set("a 0", 60);
    world.run(5_000);
    assertEquals(world.members[0]!.sockets.get("a 0"), 60);
    world.pause(0, 120_000);
    world.members[1]!.demand.set("a 0", 100);
    world.run(119_000);
    assertEquals(world.members[0]!.sockets.get("a 0"), 60);
    assert(world.members[1]!.sockets.get("a 0")! >= 30);
    world.run(10_000);
    const [first, second] = world.members.map(({ sockets }) => sockets.get("a 0")!);
    assert(first! + second! >= 90, `they have ${first} and ${second}`);
  }));

test("A thousand members and five hundred addresses stay within each cap", () =>
  withSeed((seed) => {
    const options = { members: 1_000, keys: 500, cap: 100, keysEach: 5, alone: "stop" } as const;
    const world = new PermitWorld({ ...options, seed });
    world.demand(() => world.random.below(20));
    world.run(1_200);
    for (let index = 0; index < 50; index++) world.kill(world.random.below(options.members));
    for (let index = 0; index < 50; index++) {
      world.pause(world.random.below(options.members), world.random.below(8_000));
    }
    world.run(500);
    world.restartStore(500, true);
    world.run(1_500);
    let open = 0;
    for (const count of world.counts.values()) open += count;
    assert(open > 10_000, `${open} connections in all`);
  }));

function isPaused(world: PermitWorld, index: number): boolean {
  return world.members[index]!.pausedUntil > world.clock.now();
}

/** Lets time pass, in which something happens now and then. */
function disturb(
  world: PermitWorld,
  members: number,
  times: number,
  happen: (what: number) => void,
) {
  for (let time = 0; time < times; time++) {
    world.demand(() => world.random.pick([0, 1, 3, members, 40]));
    world.run(world.random.below(2_500));
    happen(world.random.below(10));
  }
}
