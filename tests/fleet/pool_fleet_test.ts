import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import test from "node:test";
import { LimitError } from "../../src/core/errors.ts";
import type { FleetEvent } from "../../src/fleet/fleet.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { openMetrics } from "../../src/metrics/open_metrics.ts";
import { readFleetOptions } from "../../src/pool/fleet/fleet_over.ts";
import { ejectFrom, FleetScene, standings } from "../support/fleet_scene.ts";

test("Pools of a fleet hold maxConnectionsPerIp together, and share it", async () => {
  await using scene = new FleetScene();
  for (let number = 0; number < 4; number++) {
    const pool = scene.add({ maxConnectionsPerIp: 40 });
    for (let caller = 0; caller < 40; caller++) {
      pool.acquire("a.test", { timeoutMs: 3_000_000 }).catch(() => {});
    }
  }
  await scene.pass(8_000);
  const counts = scene.pools.map(({ manager }) => manager.getConnectionCount());
  const all = scene.count("192.0.2.1");
  assert(all <= 38 && all >= 36, `${all} connections: ${counts.join(", ")}`);
  assert(Math.min(...counts) >= 7, counts.join(", "));
  assertEquals(scene.store.granted("a 192.0.2.1") <= 38, true);
});

test("openMetrics() and diagnose() add up no fleet, however large it is", async () => {
  await using scene = new FleetScene();
  const pool = scene.add();
  await scene.pass(200);
  const fleet = pool.fleet!;
  let sums = 0;
  const stats = fleet.stats.bind(fleet);
  fleet.stats = () => {
    sums++;
    return stats();
  };
  assert(openMetrics(pool).includes("hotconn_fleet_members{pool=\"default\"} 1\n"));
  assertEquals(pool.diagnose(), []);
  assertEquals(sums, 0);
});

test("What a pool does not use goes back to the others, and all of it when the pool is closed", async () => {
  await using scene = new FleetScene();
  const [one, two] = [0, 1].map(() => scene.add({ maxConnectionsPerIp: 20, idleTimeoutMs: 1_000 }));
  const leases = [];
  for (let caller = 0; caller < 12; caller++) {
    leases.push(one!.acquire("a.test"));
    await scene.pass(100);
  }
  for (const lease of await Promise.all(leases)) lease.release();
  for (let caller = 0; caller < 19; caller++) {
    two!.acquire("a.test", { timeoutMs: 3_000_000 }).catch(() => {});
  }
  await scene.pass(60_000, 100);
  assertEquals(two!.manager.getConnectionCount(), 19);
  await two!.close({ graceMs: 0 });
  assertEquals(scene.store.granted("a 192.0.2.1"), 0);
});

test("A pool whose store is lost goes on with what it has, says so, and comes back by itself", async () => {
  await using scene = new FleetScene();
  const pool = scene.add();
  const told: FleetEvent[] = [];
  pool.on("fleet", (event) => told.push(event));
  const lease = pool.acquire("a.test");
  await scene.pass(200);
  (await lease).release();
  scene.store.stop();
  await scene.pass(30_000, 100);
  const again = await pool.acquire("a.test");
  assertEquals(again.reused, true);
  again.release();
  assertEquals(pool.fleet!.stats().state, "alone");
  assertEquals(pool.diagnose().map(({ what }) => what), ["fleetAlone"]);
  scene.store.start(true);
  await scene.pass(5_000, 100);
  assertEquals(told.map(({ state }) => state), ["joined", "alone", "joined"]);
  assertEquals(pool.diagnose(), []);
});

test("A pool that is cut off shrinks to its share, or ends what it has where it is to stop", async () => {
  for (const [alone, left] of [["share", 19], ["stop", 0]] as const) {
    await using scene = new FleetScene({ alone });
    const [one, other] = [0, 1].map(() => scene.add({ maxConnectionsPerIp: 40 }));
    const leases = Array.from({ length: 30 }, () => one!.acquire("a.test", { timeoutMs: 60_000 }));
    await scene.pass(3_000);
    for (const lease of await Promise.all(leases)) lease.release();
    assertEquals(one!.manager.getConnectionCount(), 30);
    scene.cut(0);
    // A lease after the last answer, and before anybody counts it as gone.
    await scene.pass(14_000, 100);
    const shrunk = one!.manager.getConnectionCount();
    assert(shrunk <= 19, `${shrunk} connections after a lease`);
    await scene.pass(14_000, 100);
    assertEquals(one!.manager.getConnectionCount(), left);
    assertEquals(other!.fleet!.stats().state, "joined");
  }
});

test("warm() waits for the fleet's permits, and says so where there are none", async () => {
  await using scene = new FleetScene();
  const [one, other] = [0, 1].map(() => scene.add({ maxConnectionsPerIp: 10 }));
  const warming = one!.warm("a.test", { connections: 9 });
  await scene.pass(2_000);
  assertEquals((await warming).connections, 9);
  // All of them in use, so that nothing is given back.
  const leases = Array.from({ length: 9 }, () => one!.acquire("a.test"));
  await scene.pass(500);
  const refused = assertRejects(
    () => other!.warm("a.test", { connections: 1 }),
    LimitError,
    "Connection refused by the limit of 10 for ip 192.0.2.1",
  );
  await scene.pass(2_500);
  await refused;
  for (const lease of leases) (await lease).release();
});

test("A pool that starts without the store may have a connection to a machine, and no more", async () => {
  await using scene = new FleetScene();
  scene.store.stop();
  const pool = scene.add({ maxConnectionsPerIp: 10 });
  const leases = [0, 1].map(() => pool.acquire("a.test", { timeoutMs: 20_000 }));
  leases[1]!.catch(() => {});
  await scene.pass(3_000);
  assertEquals(pool.manager.getConnectionCount(), 1);
  await leases[0]!;
});

test("A host's own maxConnections holds for the fleet", async () => {
  await using scene = new FleetScene();
  for (let number = 0; number < 2; number++) {
    const pool = scene.add({ hosts: { "b.test": { maxConnections: 8 } } });
    for (let caller = 0; caller < 8; caller++) {
      pool.acquire("b.test", { timeoutMs: 3_000_000 }).catch(() => {});
    }
  }
  await scene.pass(8_000);
  const counts = scene.pools.map(({ manager }) => manager.getConnectionCount());
  assertEquals(counts.reduce((sum, count) => sum + count, 0), 8, counts.join(", "));
});

test("What one pool ejects the others doubt at once, and dial once at most; recovery is known to all", async () => {
  await using scene = new FleetScene();
  for (let number = 0; number < 4; number++) scene.add();
  const use = async () => {
    for (const pool of scene.pools) {
      for (let caller = 0; caller < 8; caller++) {
        pool.acquire("b.test").then((lease) => lease.release(), () => {});
      }
    }
    await scene.pass(200);
  };
  for (let time = 0; time < 10; time++) await use();
  scene.down.add("192.0.2.2");
  for (const { manager } of scene.pools) manager.removeConnection("192.0.2.2");
  const [first, ...others] = scene.pools;
  await ejectFrom(scene, first!, "192.0.2.2");
  await scene.pass(20);
  for (const pool of others) assertEquals(standings(pool)["192.0.2.2"], "doubtful");
  for (let time = 0; time < 3; time++) await use();
  assert(scene.refused.slice(1).every((times) => times <= 1), scene.refused.join(", "));
  scene.down.clear();
  for (let time = 0; time < 300 && standings(first!)["192.0.2.2"] !== "good"; time++) await use();
  for (let time = 0; time < 5; time++) await use();
  for (const pool of scene.pools) assertEquals(standings(pool)["192.0.2.2"], "good");
});

test("A pool that condemns everything harms nobody", async () => {
  await using scene = new FleetScene();
  const [broken, well] = [scene.add(), scene.add()];
  for (let time = 0; time < 10; time++) {
    for (let caller = 0; caller < 8; caller++) {
      well!.acquire("b.test").then((lease) => lease.release());
    }
    await scene.pass(100);
  }
  for (const last of [1, 2, 3, 4]) {
    broken!.fleet!.condemn("b.test", `192.0.2.${last}`, "its network is broken", 30_000);
    await scene.pass(20);
  }
  const doubted = Object.values(standings(well!)).filter((standing) => standing !== "good");
  assert(doubted.length <= 2, `${doubted.length} are doubted`);
  const lease = well!.acquire("b.test");
  await scene.pass(100);
  (await lease).release();
});

test("A block for the fleet holds in every pool, in those that come later too, until it is ended", async () => {
  await using scene = new FleetScene();
  const one = scene.add();
  await scene.pass(100);
  one.fleet!.block("192.0.2.3", { reason: "on fire" });
  await scene.pass(100);
  scene.add();
  await scene.pass(100);
  const blocks = () => scene.pools.map((pool) => pool.stats().blocks.map(({ ip }) => ip));
  assertEquals(blocks(), [["192.0.2.3"], ["192.0.2.3"]]);
  scene.pools[1]!.fleet!.unblock("192.0.2.3");
  await scene.pass(100);
  assertEquals(blocks(), [[], []]);
});

test("What is foreign in the store is passed over, and found", async () => {
  await using scene = new FleetScene();
  const link = await scene.store.connect(
    { onHint: () => {}, onLost: () => {} },
    new AbortController().signal,
  );
  const foreign = [
    "garbage",
    "{}",
    "[]",
    "null",
    "{\"v\":2,\"kind\":\"bad\"}",
    "{\"v\":1,\"kind\":\"block\"}",
  ];
  for (const value of foreign) await link.put("verdicts", value, value, 60_000);
  await link.put("blocks", "huge", "x".repeat(1_000_000), 60_000);
  const pool = scene.add();
  await scene.pass(100);
  await link.hint(
    "{\"v\":1,\"kind\":\"bad\",\"host\":\"b.test\",\"address\":\"nowhere\",\"member\":\"x\"}",
  );
  await scene.pass(100);
  assertEquals(pool.fleet!.stats().foreign, foreign.length + 2);
  assertEquals(pool.diagnose().map(({ what }) => what), ["fleetForeign"]);
  assertEquals(pool.stats().blocks, []);
});

test("The options of a fleet are checked", () => {
  const read = (options: object) => () => readFleetOptions("a fleet", options);
  assertThrows(read({ nam: "x" }), TypeError, "nam");
  for (const name of ["a b", "", "x".repeat(65), 5]) {
    assertThrows(read({ name }), TypeError, "name must be");
  }
  assertThrows(read({ alone: "maybe" }), TypeError, "alone must be");
  assertThrows(read({ leaseMs: 1 }), RangeError, "leaseMs must be");
  assertThrows(read({ leaseMs: 10_000, goneAfterMs: 15_000 }), RangeError, "goneAfterMs must be");
  assertThrows(read({ quorum: 0 }), RangeError, "quorum must be");
});

test("A member that comes when others use all permits gets its share, although its callers only wait", async () => {
  await using scene = new FleetScene({ leaseMs: 2_000, goneAfterMs: 5_000 });
  let stop = false;
  const all: Promise<void>[] = [];
  for (const _ of [1, 2]) {
    const pool = scene.add({
      maxConnectionsPerIp: 20,
      acquireTimeoutMs: 60_000,
      resolver: staticResolver({ "a.test": ["192.0.2.1"], "c.test": ["192.0.2.5"] }),
    });
    await scene.pass(100, 5);
    // The second asks a moment later: what the first lacks is offered to it all the same.
    for (const host of ["a.test", "c.test"]) {
      for (let i = 0; i < 30; i++) {
        all.push((async () => {
          while (!stop) {
            const lease = await pool.acquire(host);
            await new Promise<void>((resolve) => scene.clock.setTimer(resolve, 20));
            lease.release();
          }
        })());
      }
      await scene.pass(15, 5);
    }
    await scene.pass(3_000, 5);
  }
  const shares = ["192.0.2.1", "192.0.2.5"].map((address) =>
    scene.pools.map(({ manager }) => manager.getConnections(address).length)
  );
  stop = true;
  await scene.pass(6_000, 5);
  await Promise.all(all);
  for (const [first, second] of shares) {
    assert(second! >= 6 && first! + second! <= 19, `${first} and ${second}`);
  }
});
