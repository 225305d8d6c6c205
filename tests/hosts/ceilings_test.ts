import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { Ceilings } from "../../src/hosts/ceilings.ts";
import { Accountant } from "../../src/map/accountant.ts";

const ADDRESS = "192.0.2.1";

/** A machine that takes so many connections, and a program that would have more. */
class World {
  readonly clock = new ManualClock();
  readonly accountant = new Accountant({
    maxConnections: 1_000,
    maxConnectionsPerHost: 1_000,
    maxConnectionsPerIp: 100,
  });
  readonly learned: string[] = [];
  readonly rooms: number[] = [];
  readonly ceilings = new Ceilings(
    this.clock,
    this.accountant,
    (address, connections) => this.learned.push(`${address} ${connections}`),
  );
  takes = 24;
  open = 0;
  refusals = 0;

  constructor() {
    this.ceilings.listen({ onRoom: () => this.rooms.push(this.clock.now()) });
  }

  /** Dials as many as may be dialled, all of them at once. */
  dial(wanted = Infinity): void {
    let dialled = 0;
    while (dialled < wanted && this.accountant.blockedBy("a.test", ADDRESS) === undefined) {
      this.accountant.add("a.test", ADDRESS);
      dialled++;
    }
    for (; dialled > 0; dialled--) {
      if (this.open < this.takes) this.ceilings.served(ADDRESS, ++this.open);
      else {
        this.accountant.remove("a.test", ADDRESS);
        this.refusals++;
        this.ceilings.refused(ADDRESS, this.open);
      }
    }
  }

  /** Lets a connection end. */
  end(): void {
    this.open--;
    this.accountant.remove("a.test", ADDRESS);
  }

  /** Lets time pass, and dials whenever there is room. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.clock.advance(10);
      this.dial();
    }
  }
}

test("Ceilings hold an address to what its machine took, and try one more ever more seldom", () => {
  const world = new World();
  assertEquals(world.ceilings.of(ADDRESS), null);
  world.dial(40);
  assertEquals([world.open, world.refusals, world.ceilings.of(ADDRESS)], [24, 16, 24]);
  assertEquals(world.learned, []);
  world.pass(1_300);
  assertEquals(world.learned, ["192.0.2.1 24"]);
  assertEquals(world.refusals, 17);
  world.pass(9_000);
  assert(world.refusals >= 19 && world.refusals <= 20, `${world.refusals}`);
  world.pass(600_000);
  assert(world.refusals <= 34, `${world.refusals}`);
  assertEquals([world.open, world.learned.length], [24, 1]);
});

test("Ceilings rise as fast as a machine takes more, and are gone where none is in sight", () => {
  const world = new World();
  world.dial(40);
  world.takes = 30;
  world.pass(3_000);
  assertEquals([world.open, world.ceilings.of(ADDRESS)], [30, 30]);
  assert(world.refusals <= 22, `${world.refusals}`);
  world.takes = Infinity;
  world.pass(100_000);
  assertEquals([world.open, world.ceilings.of(ADDRESS)], [100, null]);
  assertEquals(world.accountant.ceilingOf(ADDRESS), Infinity);
});

test("Ceilings take what ends for room, and leave a machine alone that has not seen the end yet", () => {
  const world = new World();
  world.dial(40);
  const refused = world.refusals;
  world.end();
  world.dial();
  assertEquals([world.open, world.refusals], [24, refused]);
  world.takes = 23;
  world.end();
  world.dial();
  assertEquals([world.open, world.ceilings.of(ADDRESS), world.accountant.ceilingOf(ADDRESS)], [
    23,
    24,
    0,
  ]);
  world.clock.advance(49);
  world.dial();
  assertEquals(world.refusals, refused + 1);
  world.takes = 24;
  world.clock.advance(1);
  assertEquals(world.rooms.at(-1), world.clock.now());
  world.dial();
  assertEquals([world.open, world.refusals], [24, refused + 1]);
});

test("Ceilings fall where a machine takes fewer than before, time and again", () => {
  const world = new World();
  world.dial(40);
  const refused = world.refusals;
  world.takes = 10;
  while (world.open > 10) world.end();
  world.pass(500);
  assertEquals([world.open, world.ceilings.of(ADDRESS)], [10, 10]);
  assert(world.refusals <= refused + 16, `${world.refusals - refused}`);
  world.pass(3_000);
  assertEquals(world.learned, ["192.0.2.1 10"]);
});

test("Ceilings.forget() lets an address have its limit again, Ceilings.close() leaves no timer", () => {
  const world = new World();
  world.dial(40);
  world.ceilings.forget(ADDRESS);
  assertEquals([world.ceilings.of(ADDRESS), world.clock.timers, world.rooms.length], [null, 0, 1]);
  world.dial(1);
  assertEquals(world.ceilings.of(ADDRESS), 24);
  world.ceilings.close();
  assertEquals(world.clock.timers, 0);
  world.ceilings.refused(ADDRESS, 24);
  assertEquals([world.ceilings.of(ADDRESS), world.clock.timers], [null, 0]);
});
