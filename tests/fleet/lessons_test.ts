import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { write } from "../../src/fleet/words.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import { type Endpoint, endpointOf } from "../../src/map/endpoint.ts";
import { fleetOver, readFleetOptions } from "../../src/pool/fleet/fleet_over.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { FleetScene } from "../support/fleet_scene.ts";
import { MemoryFleetStore } from "../support/memory_fleet_store.ts";

/** A pool's endpoint of a.test, to which it has a connection. */
async function endpoint(scene: FleetScene, pool: ConnectionPool): Promise<Endpoint> {
  const leasing = pool.acquire("a.test");
  await scene.pass(500);
  const lease = await leasing;
  lease.release();
  return endpointOf(lease.connection)!;
}

/** Has a server be seen to hang up twice on what was idle for so long. */
function hangsUpAfter(scene: FleetScene, at: Endpoint, idleMs: number): void {
  const now = scene.clock.now();
  at.noteHangUp(idleMs, now - idleMs);
  at.noteHangUp(idleMs, now);
}

test("How long a server keeps what is idle is known to all pools when one has seen it, for a time", async () => {
  await using scene = new FleetScene();
  const [one, other] = [scene.add(), scene.add()];
  const [mine, theirs] = [await endpoint(scene, one), await endpoint(scene, other)];
  const trusted = () => [mine, theirs].map((at) => at.trustedIdleMs(scene.clock.now()));
  assertEquals(trusted(), [Infinity, Infinity]);
  hangsUpAfter(scene, mine, 20_000);
  await scene.pass(5_000, 100);
  assertEquals(trusted(), [18_000, 18_000]);

  const late = await endpoint(scene, scene.add());
  assertEquals(late.trustedIdleMs(scene.clock.now()), 18_000);
  // What a pool sees itself wins, and is what the others hear next.
  hangsUpAfter(scene, theirs, 60_000);
  assertEquals(trusted(), [18_000, 58_000]);
  await scene.pass(5_000, 100);
  assertEquals(trusted(), [18_000, 58_000]);
  await scene.pass(700_000, 1_000);
  assertEquals(late.trustedIdleMs(scene.clock.now()), Infinity);
});

test("Two pools that see different things tell the store each once in a while, and do not dispute", async () => {
  await using scene = new FleetScene();
  const [one, other] = [scene.add(), scene.add()];
  const [mine, theirs] = [await endpoint(scene, one), await endpoint(scene, other)];
  hangsUpAfter(scene, mine, 20_000);
  hangsUpAfter(scene, theirs, 60_000);
  const before = one.fleet!.stats().hints;
  await scene.pass(120_000, 500);
  const heard = one.fleet!.stats().hints - before;
  assert(heard >= 1 && heard <= 2, `${heard} hints`);
});

test("A lesson that is absurd, or too old, teaches nothing", async () => {
  await using scene = new FleetScene();
  const at = await endpoint(scene, scene.add());
  const events = { onHint: () => {}, onLost: () => {} };
  const link = await scene.store.connect(events, new AbortController().signal);
  const lesson = { kind: "lesson", host: "a.test", address: "192.0.2.1", streams: 0 } as const;
  const now = scene.clock.wallNow();
  for (const idleMs of [1, 499, -5, 1e15]) await link.hint(write({ ...lesson, idleMs, at: now }));
  await link.hint(write({ ...lesson, idleMs: 5_000, at: now - 600_000 }));
  await link.hint(write({ ...lesson, host: "other.test", idleMs: 5_000, at: now }));
  await scene.pass(100);
  assertEquals(at.trustedIdleMs(scene.clock.now()), Infinity);
  await link.hint(write({ ...lesson, idleMs: 5_000, at: now - 590_000 }));
  await scene.pass(100);
  assertEquals(at.trustedIdleMs(scene.clock.now()), 5_000);
  await scene.pass(10_000, 100);
  assertEquals(at.trustedIdleMs(scene.clock.now()), Infinity);
});

test("A pool that hears that a server speaks HTTP/1.1 dials for all who wait, and not for one first", async () => {
  for (const streams of [0, 1]) {
    const clock = new ManualClock();
    const store = new MemoryFleetStore(clock);
    const events = { onHint: () => {}, onLost: () => {} };
    const link = await store.connect(events, new AbortController().signal);
    const lesson = { kind: "lesson", host: "a.test", address: "192.0.2.1", idleMs: 0 } as const;
    if (streams > 0) {
      const text = write({ ...lesson, streams, at: clock.wallNow() });
      await link.put("lessons", "a.test 192.0.2.1", text, 600_000);
    }
    const pool = new HttpPool({
      clock,
      dialer: memoryDialer({ clock, script: () => ({ delayMs: 5_000 }) }),
      resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
      fleet: fleetOver(store, readFleetOptions("a fleet", {})),
      maxConnectionsPerIp: 100,
    });
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 20) {
        clock.advance(20);
        for (let turn = 0; turn < 30; turn++) await null;
      }
    };
    await pass(100);
    const calls = Array.from({ length: 8 }, () => pool.request("https://a.test/").catch(() => {}));
    await pass(2_000);
    assertEquals(pool.stats().dialing, streams === 0 ? 1 : 8);
    const closing = pool.close({ graceMs: 0 });
    await Promise.all([closing, ...calls, pass(100)]);
  }
});
