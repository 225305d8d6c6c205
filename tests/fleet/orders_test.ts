import { assert, assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { FleetScene } from "../support/fleet_scene.ts";

const blocks = (pools: readonly ConnectionPool[]) =>
  pools.map((pool) => pool.stats().blocks.map(({ ip }) => ip));
const counts = (pools: readonly ConnectionPool[]) =>
  pools.map(({ manager }) => manager.getConnectionCount());

test("A store that has lost its data is told of the blocks that hold, and newcomers learn of them", async () => {
  await using scene = new FleetScene();
  const one = scene.add();
  await scene.pass(100);
  assertEquals(await one.fleet!.block("192.0.2.3", { forMs: 3_600_000 }), true);
  scene.store.stop();
  scene.store.start(true);
  await scene.pass(10_000, 100);
  scene.add();
  await scene.pass(200);
  assertEquals(blocks(scene.pools), [["192.0.2.3"], ["192.0.2.3"]]);
  const left = scene.pools[1]!.stats().blocks[0]!.until - scene.clock.now();
  assert(left > 3_500_000 && left < 3_600_000, `${left} ms are left`);
});

test("Who was away learns of what was ordered meanwhile: blocks, their ends and drains, each once", async () => {
  await using scene = new FleetScene();
  const [one, away] = [scene.add(), scene.add()];
  await scene.pass(100);
  await one.fleet!.block("192.0.2.3");
  await scene.pass(100);
  let told = 0;
  away.on("block", () => told++);
  void away.warm("a.test", { connections: 2 });
  await scene.pass(500);
  assertEquals([blocks([away]), counts([away])], [[["192.0.2.3"]], [2]]);
  scene.cut(1);
  await scene.pass(100);
  one.fleet!.unblock("192.0.2.3").catch(() => {});
  one.fleet!.block("192.0.2.4").catch(() => {});
  one.fleet!.drain("a.test").catch(() => {});
  await scene.pass(1_000);
  assertEquals([blocks([away]), counts([away])], [[["192.0.2.3"]], [2]]);
  scene.heal(1);
  await scene.pass(5_000, 100);
  assertEquals([blocks([away]), counts([away]), told], [[["192.0.2.4"]], [0], 1]);
  scene.cut(1);
  scene.heal(1);
  void away.warm("a.test", { connections: 2 });
  await scene.pass(10_000, 100);
  assertEquals([counts([away]), told], [[2], 1]);
});

test("A drain is not for who came after it", async () => {
  await using scene = new FleetScene();
  const one = scene.add();
  await scene.pass(100);
  await one.fleet!.drain("a.test");
  await scene.pass(1_000);
  const late = scene.add();
  void late.warm("a.test", { connections: 2 });
  await scene.pass(5_000, 100);
  assertEquals(counts([late]), [2]);
});

test("What is no address, or no option, is refused, and told to nobody", async () => {
  await using scene = new FleetScene();
  const pools = [scene.add(), scene.add()];
  await scene.pass(100);
  const { fleet } = pools[0]!;
  await assertRejects(() => fleet!.block("nowhere"), TypeError);
  await assertRejects(() => fleet!.block("192.0.2.1", { forMs: 0.5 }), RangeError);
  await assertRejects(() => fleet!.unblock("nowhere"), TypeError);
  await assertRejects(() => fleet!.drain("a b"), TypeError);
  await assertRejects(() => fleet!.setWeight("nowhere", 1), TypeError);
  for (const weight of [-1, Infinity, NaN]) {
    await assertRejects(() => fleet!.setWeight("192.0.2.1", weight), Error, "weight must be");
  }
  await scene.pass(100);
  assertEquals(blocks(pools), [[], []]);
});

test("What the fleet lifted before a pool came lifts nothing that the pool has blocked itself since", async () => {
  await using scene = new FleetScene();
  const one = scene.add();
  await scene.pass(100);
  await one.fleet!.block("192.0.2.3");
  await one.fleet!.unblock("192.0.2.3");
  await scene.pass(1_000);
  const late = scene.add();
  late.block("192.0.2.3");
  await scene.pass(10_000, 100);
  assertEquals(blocks([one, late]), [[], ["192.0.2.3"]]);
});
