import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import test from "node:test";
import type { Connection } from "../../src/map/connection.ts";
import { endpointOf } from "../../src/map/endpoint.ts";
import { MapWorld, peerOf } from "../support/map_world.ts";
import { turns } from "../support/turns.ts";

const HOST = "a.example";

function takeAll({ manager }: MapWorld, host = HOST): Connection[] {
  const taken: Connection[] = [];
  for (let next = manager.take(host); next; next = manager.take(host)) {
    manager.checkInvariants();
    taken.push(next);
  }
  return taken;
}

test("take() gives the connection that was used last, and the coldest one last (LIFO)", async () => {
  await using it = new MapWorld();
  const { clock, manager } = it;
  const [a, b, c] = [1, 2, 3].map(() => it.add(HOST, "192.0.2.1"));
  assert(a && b && c);
  assertEquals(takeAll(it), [c, b, a]);
  for (const connection of [b, c, a]) {
    clock.advance(1);
    assert(manager.give(connection));
    manager.checkInvariants();
  }
  assertEquals(takeAll(it), [a, c, b]);
  for (const connection of [a, b]) manager.give(connection);
  assertStrictEquals(manager.coldestIdle(), a);
  assertStrictEquals(manager.take(HOST), b);
  assertStrictEquals(manager.take(HOST), a);
  assertEquals(manager.idleCount, 0);
});

test("take() gives one lease a connection, and give() frees exactly that one", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const a = it.add(HOST, "192.0.2.1");
  assertStrictEquals(manager.take(HOST), a);
  assertEquals([a.state, a.leases, manager.idleCount], ["leased", 1, 0]);
  assertEquals(manager.take(HOST), undefined);
  assert(manager.give(a));
  assertEquals([a.state, a.leases, manager.idleCount], ["idle", 0, 1]);
  assertThrows(() => manager.give(a), Error, "no lease to end");
  manager.checkInvariants();
  assertEquals(a.requestCount, 1);
});

test("take() gives any ready address of a host with the same chance", async () => {
  await using it = new MapWorld({ seed: 11 });
  const { manager } = it;
  const addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
  for (const address of addresses) {
    it.add(HOST, address);
    // More connections at an address do not draw more to it.
    if (address === "192.0.2.1") { for (let i = 0; i < 5; i++) it.add(HOST, address); }
  }
  const counts = new Map(addresses.map((address) => [address, 0]));
  for (let i = 0; i < 3_000; i++) {
    const taken = manager.take(HOST);
    assert(taken);
    counts.set(taken.address, (counts.get(taken.address) ?? 0) + 1);
    manager.give(taken);
  }
  for (const [address, count] of counts) {
    assert(count > 900 && count < 1_100, `${address}: ${count}`);
  }
});

test("take() gives only an address that is accepted, each of those with the same chance", async () => {
  await using it = new MapWorld({ seed: 12 });
  const { manager } = it;
  for (let last = 1; last <= 4; last++) it.add(HOST, `192.0.2.${last}`);
  const accepts = (address: string) => address !== "192.0.2.2" && address !== "192.0.2.4";
  const counts = new Map<string, number>();
  for (let i = 0; i < 2_000; i++) {
    const taken = manager.take(HOST, { accepts });
    assert(taken);
    counts.set(taken.address, (counts.get(taken.address) ?? 0) + 1);
    manager.give(taken);
  }
  assertEquals([...counts.keys()].sort(), ["192.0.2.1", "192.0.2.3"]);
  for (const count of counts.values()) assert(count > 900 && count < 1_100, String(count));
  assertEquals(manager.take(HOST, { accepts: () => false }), undefined);
  assertEquals(manager.idleCount, 4);
});

test("take() closes what has been unused for too long, the hottest included, and goes on", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  const [a, b] = [it.add(HOST, "192.0.2.1"), it.add(HOST, "192.0.2.1")];
  clock.advance(999);
  const hot = it.add(HOST, "192.0.2.2");
  clock.advance(1);
  assertEquals(takeAll(it), [hot]);
  assertEquals(new Set(it.evicted()), new Set([[a.id, "idle"], [b.id, "idle"]]));
  assertFalse(peerOf(a).open);
  manager.give(hot);
  clock.advance(1_000);
  assertEquals(manager.take(HOST), undefined);
  assertEquals(it.evicted(), [[hot.id, "idle"]]);
  assertEquals(manager.getHostMapping().size, 0);
});

test("take() leaves a host its minimum however long unused, but nothing beyond it", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  manager.setMinimum(HOST, 2);
  const [a, b, c] = [1, 2, 3].map(() => it.add(HOST, "192.0.2.1"));
  assert(a && b && c);
  clock.advance(5_000);
  assertEquals(takeAll(it), [b, a]);
  assertEquals(it.evicted(), [[c.id, "idle"]]);
});

test("take() closes what a machine's sleep made stale, the warm minimum included (trap 17)", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  manager.setMinimum(HOST, 5);
  const stale = it.add(HOST, "192.0.2.1");
  clock.advance(10);
  clock.shiftWall(3_600_000);
  const fresh = it.add(HOST, "192.0.2.2");
  assertEquals(takeAll(it), [fresh]);
  assertEquals(it.evicted(), [[stale.id, "idle"]]);
});

test("take() closes nothing because the wall clock was set back (trap 17)", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  const connection = it.add(HOST, "192.0.2.1");
  clock.shiftWall(-3_600_000);
  clock.advance(999);
  assertStrictEquals(manager.take(HOST), connection);
  manager.give(connection);
  clock.advance(1_000);
  // The clock that only moves forward still tells that it is old.
  assertEquals(manager.take(HOST), undefined);
  assertEquals(it.evicted(), [[connection.id, "idle"]]);
});

test("take() closes nothing that was given back after the machine's sleep (trap 17)", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  const connection = it.add(HOST, "192.0.2.1");
  manager.take(HOST);
  clock.shiftWall(3_600_000);
  assert(manager.give(connection));
  assertStrictEquals(manager.take(HOST), connection);
});

test("take() closes what its server is known to have given up, whatever the minimum", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 60_000 });
  const { clock, manager } = it;
  manager.setMinimum(HOST, 2);
  const hinted = it.add(HOST, "192.0.2.1");
  hinted.serverIdleMs = 3_000;
  clock.advance(2_999);
  assertStrictEquals(manager.take(HOST), hinted);
  manager.give(hinted);
  clock.advance(3_000);
  assertEquals(manager.take(HOST), undefined);
  assertEquals(it.evicted(), [[hinted.id, "idle"]]);
});

test("take() closes what is unhealthy or has outlived its lifetime, and says which", async () => {
  await using it = new MapWorld({ maxLifetimeMs: 10_000 });
  const { clock } = it;
  const old = it.add(HOST, "192.0.2.1");
  clock.advance(9_999);
  const sick = it.add(HOST, "192.0.2.1");
  const well = it.add(HOST, "192.0.2.1");
  sick.healthy = false;
  clock.advance(1);
  assertEquals(takeAll(it), [well]);
  assertEquals(new Set(it.evicted()), new Set([[old.id, "lifetime"], [sick.id, "unhealthy"]]));
  // One that nobody may trust is ended at once.
  assertFalse(peerOf(sick).open);
});

test("give() keeps a connection that is fit, and closes any other with its reason", async () => {
  const cases: readonly [(it: MapWorld, connection: Connection) => boolean, string][] = [
    [({ manager }, connection) => manager.give(connection, false), "used"],
    [({ manager }, connection) => {
      connection.healthy = false;
      return manager.give(connection);
    }, "unhealthy"],
    [({ clock, manager }, connection) => {
      clock.advance(10_000);
      return manager.give(connection);
    }, "lifetime"],
    [({ manager }, connection) => {
      manager.drain(connection);
      return manager.give(connection);
    }, "drain"],
    [({ manager }, connection) => {
      manager.drain(connection, "room");
      manager.drain(connection, "surplus");
      return manager.give(connection, false);
    }, "room"],
    [({ clock, manager }, connection) => {
      clock.advance(10_000);
      manager.cleanupExpiredConnections();
      return manager.give(connection);
    }, "lifetime"],
  ];
  for (const [give, reason] of cases) {
    await using it = new MapWorld({ maxLifetimeMs: 10_000 });
    const connection = it.add(HOST, "192.0.2.1");
    it.manager.take(HOST);
    assertEquals(it.evicted(), []);
    assertFalse(give(it, connection), reason);
    assertEquals(it.evicted(), [[connection.id, reason]]);
    assertEquals(connection.state, "closed");
    assertFalse(peerOf(connection).open);
    assertEquals(it.manager.getConnectionCount(), 0);
    it.manager.checkInvariants();
  }
});

test("give() lets a connection go that left the maps while it was leased", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const ends: readonly ((connection: Connection) => void)[] = [
    (connection) => peerOf(connection).end(),
    (connection) => peerOf(connection).end(new Error("broken")),
    (connection) => peerOf(connection).receive(new Uint8Array(1)),
    (connection) => connection.destroy(),
    (connection) => manager.removeConnection(connection),
    () => manager.removeConnection("192.0.2.1"),
  ];
  const reasons = ["peer", "error", "unsolicited", "removed", "removed", "removed"];
  for (const [i, end] of ends.entries()) {
    const connection = it.add(HOST, "192.0.2.1");
    manager.take(HOST);
    end(connection);
    await turns();
    manager.checkInvariants();
    assertEquals(it.evicted(), [[connection.id, reasons[i]]]);
    assertEquals(manager.getConnectionCount(), 0);
    assertFalse(manager.give(connection));
    assertEquals([connection.state, connection.leases], ["closed", 0]);
    assertEquals(it.evicted(), []);
    manager.checkInvariants();
  }
});

test("a connection of more than one lease is shared: the busy one before an idle one", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const single = it.add(HOST, "192.0.2.1");
  const shared = it.add(HOST, "192.0.2.1", { capacity: 3 });
  assertEquals(takeAll(it), [shared, shared, shared, single]);
  assertEquals([shared.leases, shared.requestCount, single.leases], [3, 3, 1]);
  assert(manager.give(shared));
  manager.checkInvariants();
  assertEquals([shared.state, shared.leases, manager.idleCount], ["leased", 2, 0]);
  assertStrictEquals(manager.take(HOST), shared);
  assertEquals(manager.take(HOST), undefined);
  for (let i = 0; i < 3; i++) {
    assert(manager.give(shared));
    manager.checkInvariants();
  }
  assertEquals([shared.state, manager.idleCount], ["idle", 1]);
  assertThrows(() => manager.give(shared), Error, "no lease to end");
  manager.give(single);
  assertEquals(takeAll(it).length, 4);
});

test("of two shared connections in use, the one that was used last is taken first", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const first = it.add(HOST, "192.0.2.1", { capacity: 2 });
  assertEquals([manager.take(HOST), manager.take(HOST)], [first, first]);
  const second = it.add(HOST, "192.0.2.1", { capacity: 2 });
  assertStrictEquals(manager.take(HOST), second);
  manager.give(first);
  assertStrictEquals(manager.take(HOST), first);
  assertStrictEquals(manager.take(HOST), second);
});

test("a shared connection in use is neither idle nor closed under anybody, however long its leases", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  const shared = it.add(HOST, "192.0.2.1", { capacity: 3 });
  manager.take(HOST);
  clock.advance(5_000);
  clock.shiftWall(5_000);
  assertEquals(manager.cleanupIdleConnections(), 0);
  assertStrictEquals(manager.take(HOST), shared);
  manager.give(shared);
  manager.give(shared);
  assertStrictEquals(manager.take(HOST), shared);
});

test("take() drains a shared connection that is unhealthy or old while others use it", async () => {
  for (const reason of ["unhealthy", "lifetime"] as const) {
    await using it = new MapWorld({ maxLifetimeMs: 10_000, idleTimeoutMs: 1e9 });
    const { clock, manager } = it;
    const shared = it.add(HOST, "192.0.2.1", { capacity: 3 });
    assertEquals([manager.take(HOST), manager.take(HOST)], [shared, shared]);
    if (reason === "unhealthy") shared.healthy = false;
    else clock.advance(10_000);
    manager.checkInvariants();
    assertEquals(manager.take(HOST), undefined);
    manager.checkInvariants();
    assertEquals([shared.state, shared.leases], ["draining", 2]);
    assert(peerOf(shared).open);
    const fresh = it.add(HOST, "192.0.2.1");
    assertStrictEquals(manager.take(HOST), fresh);
    assertFalse(manager.give(shared));
    assertEquals(it.evicted(), []);
    assert(peerOf(shared).open);
    assertFalse(manager.give(shared));
    assertEquals(it.evicted(), [[shared.id, reason]]);
  }
});

test("give() of a shared connection that is not fit lets the other leases on it end first", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const shared = it.add(HOST, "192.0.2.1", { capacity: 2 });
  manager.take(HOST);
  manager.take(HOST);
  assertFalse(manager.give(shared, false));
  manager.checkInvariants();
  assertEquals(manager.take(HOST), undefined);
  assert(peerOf(shared).open);
  assertFalse(manager.give(shared));
  assertEquals(it.evicted(), [[shared.id, "used"]]);
});

test("drain() closes an idle connection at once and a leased one with its lease", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const idle = it.add("b.example", "192.0.2.1");
  const leased = it.add(HOST, "192.0.2.1");
  manager.take(HOST);
  manager.drain(idle);
  manager.drain(leased);
  manager.drain(leased);
  manager.checkInvariants();
  assertEquals(it.evicted(), [[idle.id, "drain"]]);
  assertEquals(leased.state, "draining");
  assertEquals(manager.getConnections("192.0.2.1"), [leased]);
  assertEquals(manager.take(HOST), undefined);
  assertFalse(manager.give(leased));
  assertEquals(it.evicted(), [[leased.id, "drain"]]);
  manager.drain(leased);
  assertEquals(it.evicted(), []);
});

test("What a host has lost serves who names it, and nobody who was led there by a key", async () => {
  await using it = new MapWorld();
  const a = it.add(HOST, "192.0.2.1");
  const [lane] = [...it.manager.hosts.lanesOf(HOST)];
  const endpoint = endpointOf(a);
  assert(lane && endpoint);
  const choice = { accepts: (address: string) => address === a.address, only: a.address };
  assertStrictEquals(it.manager.checkout.takeFrom(lane, choice), a);
  it.manager.give(a);
  lane.setMember(endpoint, false);
  lane.setStanding(endpoint, "gone");
  it.manager.checkInvariants();
  assertEquals(it.manager.checkout.takeFrom(lane, choice), undefined);
  assertStrictEquals(it.manager.checkout.takeFrom(lane, { ...choice, named: a.address }), a);
  it.manager.give(a);
});
