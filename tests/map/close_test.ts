import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { ClosedError } from "../../src/core/errors.ts";
import { MapWorld, peerOf, StubbornSocket } from "../support/map_world.ts";
import { turns } from "../support/turns.ts";

/** A promise, and whether it has resolved. */
function watch(promise: Promise<void>): { readonly done: boolean } {
  const watched = { done: false };
  promise.then(() => watched.done = true);
  return watched;
}

test("close() of an empty manager resolves, and a second call gives the same promise", async () => {
  const { clock, manager } = new MapWorld();
  const closing = manager.close();
  assertStrictEquals(manager.close({ graceMs: 1_000 }), closing);
  await closing;
  assertStrictEquals(manager.close(), closing);
  assertEquals(clock.timers, 0);
});

test("close() without grace ends everything: idle in good order, leased at once", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const idle = it.add("a.example", "192.0.2.1");
  const leased = it.add("b.example", "192.0.2.1");
  manager.take("b.example");
  const ends: (string | undefined)[] = [];
  leased.setSink({ onData() {}, onDrain() {}, onClose: (error) => void ends.push(error?.message) });
  await manager.close();
  manager.checkInvariants();
  assertEquals(it.sockets.size, 0);
  assertEquals(it.evicted(), [[idle.id, "close"], [leased.id, "close"]]);
  assertEquals([manager.getConnectionCount(), manager.endingCount, clock.timers], [0, 0, 0]);
  assertEquals(ends.length, 1);
  assert(ends[0]?.includes("removed while in use"));
  assertFalse(manager.give(leased));
});

test("close() with grace ends idle connections at once, and leased ones with their leases", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const idle = it.add("a.example", "192.0.2.1");
  const leased = it.add("a.example", "192.0.2.2");
  const shared = it.add("b.example", "192.0.2.2", { capacity: 2 });
  manager.take("a.example", { accepts: (address) => address === "192.0.2.2" });
  manager.take("b.example");
  manager.take("b.example");
  const closing = watch(manager.close({ graceMs: 5_000 }));
  await turns();
  manager.checkInvariants();
  assertEquals(it.evicted(), [[idle.id, "close"]]);
  assertEquals([leased.state, shared.state], ["draining", "draining"]);
  assertEquals([peerOf(leased).open, peerOf(shared).open], [true, true]);
  assertEquals([manager.take("a.example"), manager.take("b.example")], [undefined, undefined]);
  clock.advance(1_000);
  assertFalse(manager.give(leased));
  assertFalse(manager.give(shared));
  await turns();
  assertEquals(it.evicted(), [[leased.id, "close"]]);
  assertFalse(closing.done);
  clock.advance(1_000);
  assertFalse(manager.give(shared));
  await turns();
  assertEquals(it.evicted(), [[shared.id, "close"]]);
  // It need not wait for the end of the grace.
  assert(closing.done);
  assertEquals([it.sockets.size, clock.timers], [0, 0]);
});

test("close() ends leases that outlast the grace", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const leased = it.add("a.example", "192.0.2.1");
  manager.take("a.example");
  const closing = watch(manager.close({ graceMs: 5_000 }));
  await turns();
  clock.advance(4_999);
  await turns();
  assert(peerOf(leased).open);
  clock.advance(1);
  await turns();
  assertFalse(peerOf(leased).open);
  assert(closing.done);
  assertEquals(it.evicted(), [[leased.id, "close"]]);
  assertFalse(manager.give(leased));
  assertEquals(clock.timers, 0);
});

test("close() with grace ends as soon as the peers of all that is leased have hung up", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const leased = it.add("a.example", "192.0.2.1");
  manager.take("a.example");
  const closing = watch(manager.close({ graceMs: 5_000 }));
  await turns();
  peerOf(leased).end();
  await turns();
  assert(closing.done);
  assertEquals(it.evicted(), [[leased.id, "peer"]]);
  assertEquals(clock.timers, 0);
});

test("close() does not wait out a grace that nobody needs", async () => {
  const it = new MapWorld();
  it.add("a.example", "192.0.2.1");
  await it.manager.close({ graceMs: 1e9 });
  assertEquals([it.sockets.size, it.clock.timers], [0, 0]);
});

test("close() destroys what does not end in good order within a second", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const socket = new StubbornSocket(it.socket());
  const stubborn = it.add("a.example", "192.0.2.1", { socket });
  const closing = watch(manager.close());
  await turns();
  assert(socket.closing);
  assertEquals(it.evicted(), [[stubborn.id, "close"]]);
  assertEquals([manager.getConnectionCount(), manager.endingCount], [0, 1]);
  clock.advance(999);
  await turns();
  assertFalse(closing.done);
  clock.advance(1);
  await turns();
  assert(closing.done);
  assertFalse(socket.open);
  assertEquals([manager.endingCount, clock.timers], [0, 0]);
});

test("close() waits for what was removed before it, and destroys that too", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const socket = new StubbornSocket(it.socket());
  it.add("a.example", "192.0.2.1", { socket });
  manager.removeConnection("192.0.2.1");
  assertEquals(manager.endingCount, 1);
  const closing = watch(manager.close());
  await turns();
  assertFalse(closing.done);
  clock.advance(1_000);
  await turns();
  assert(closing.done);
  assertEquals(manager.endingCount, 0);
});

test("close() waits for what it refuses meanwhile", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  it.add("a.example", "192.0.2.1", { socket: new StubbornSocket(it.socket()) });
  const closing = watch(manager.close());
  await turns();
  clock.advance(500);
  const late = it.connect("a.example", "192.0.2.1", { socket: new StubbornSocket(it.socket()) });
  assertThrows(() => manager.addConnection(late), ClosedError);
  clock.advance(500);
  await turns();
  assert(closing.done);
  assertEquals([it.sockets.size, manager.endingCount, clock.timers], [0, 0, 0]);
});

test("what is given back, removed or cleaned up while it closes breaks nothing", async () => {
  const it = new MapWorld({ maxLifetimeMs: 10_000 });
  const { clock, manager } = it;
  const [a, b, c] = [1, 2, 3].map((last) => it.add("a.example", `192.0.2.${last}`));
  assert(a && b && c);
  for (let i = 0; i < 3; i++) manager.take("a.example");
  const closing = watch(manager.close({ graceMs: 60_000 }));
  // Before its first step and after it.
  assertFalse(manager.give(a));
  manager.checkInvariants();
  await turns();
  clock.advance(20_000);
  assertEquals(manager.cleanupIdleConnections(), 0);
  assertEquals(manager.cleanupExpiredConnections(), 0);
  assertEquals(manager.removeConnection(b), 1);
  manager.drain(c);
  manager.checkInvariants();
  assertFalse(manager.give(b));
  assertFalse(manager.give(c));
  await turns();
  assert(closing.done);
  assertEquals(it.evicted(), [[a.id, "close"], [b.id, "removed"], [c.id, "close"]]);
});

test("a manager is closed at the end of the block that is using it", async () => {
  const it = new MapWorld();
  {
    await using manager = it.manager;
    it.add("a.example", "192.0.2.1");
    assertEquals(manager.getConnectionCount(), 1);
  }
  assertEquals(it.sockets.size, 0);
  assertThrows(() => it.manager.addConnection(it.connect("a.example", "192.0.2.1")), ClosedError);
});

test("take() gives nothing from the moment that close() is called", async () => {
  const it = new MapWorld();
  const { manager } = it;
  it.add("a.example", "192.0.2.1");
  const closing = manager.close({ graceMs: 1_000 });
  assertEquals(manager.take("a.example"), undefined);
  await closing;
  assertEquals(manager.take("a.example"), undefined);
});

test("the timers of close() keep the program alive until all is closed (trap 18)", async () => {
  const it = new MapWorld();
  const { clock, manager } = it;
  const held: [delayMs: number, holds: boolean | undefined][] = [];
  const setTimer = clock.setTimer.bind(clock);
  Object.assign(clock, {
    setTimer(callback: () => void, delayMs: number, holds?: boolean) {
      held.push([delayMs, holds]);
      return setTimer(callback, delayMs);
    },
  });
  const leased = it.add("a.example", "192.0.2.1");
  manager.take("a.example");
  const closing = manager.close({ graceMs: 5_000 });
  await turns();
  manager.give(leased);
  await closing;
  assertEquals(held, [[5_000, true], [1_000, true]]);
});
