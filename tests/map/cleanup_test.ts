import { assert, assertEquals, assertFalse, assertGreater, assertLess } from "@std/assert";
import test from "node:test";
import { MapWorld, peerOf } from "../support/map_world.ts";

test("cleanupIdleConnections() closes what has been unused for the timeout, the coldest first", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  const [a, b, c, d] = ["a", "b", "a", "c"].map((name) => {
    clock.advance(100);
    return it.add(`${name}.example`, "192.0.2.1");
  });
  assert(a && b && c && d);
  // The first was used since: it is the hottest now.
  manager.take("b.example");
  manager.give(b);
  clock.advance(700);
  assertEquals(manager.cleanupIdleConnections(), 1);
  assertEquals(it.evicted(), [[a.id, "idle"]]);
  manager.checkInvariants();
  clock.advance(299);
  assertEquals(manager.cleanupIdleConnections(), 1);
  clock.advance(1);
  assertEquals(manager.cleanupIdleConnections(), 2);
  assertEquals(it.evicted(), [[c.id, "idle"], [d.id, "idle"], [b.id, "idle"]]);
  assertEquals(manager.getConnectionCount(), 0);
  assertEquals(manager.cleanupIdleConnections(), 0);
});

test("cleanupIdleConnections() never takes what is leased or draining, however long unused", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000, maxLifetimeMs: Infinity });
  const { clock, manager } = it;
  const leased = it.add("a.example", "192.0.2.1");
  const draining = it.add("b.example", "192.0.2.1");
  const idle = it.add("c.example", "192.0.2.1");
  manager.take("a.example");
  manager.take("b.example");
  manager.drain(draining);
  clock.advance(1e9);
  assertEquals(manager.cleanupIdleConnections(), 1);
  manager.checkInvariants();
  assertEquals(it.evicted(), [[idle.id, "idle"]]);
  assertEquals([leased.state, draining.state], ["leased", "draining"]);
  // The lease's end counts as a use.
  manager.give(leased);
  assertEquals(manager.cleanupIdleConnections(), 0);
});

test("cleanupIdleConnections() leaves each host its minimum, the hottest of its connections", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  manager.setMinimum("a.example", 2);
  const [a1, a2, a3] = [1, 2, 3].map((last) => it.add("a.example", `192.0.2.${last}`));
  const b = it.add("b.example", "192.0.2.1");
  assert(a1 && a2 && a3);
  clock.advance(5_000);
  assertEquals(manager.cleanupIdleConnections(), 2);
  assertEquals(it.evicted(), [[a1.id, "idle"], [b.id, "idle"]]);
  assertEquals(manager.getConnectionsForHost("a.example"), [a2, a3]);
  // What is in use counts as well.
  manager.take("a.example", { accepts: (address) => address === "192.0.2.2" });
  manager.setMinimum("a.example", 1);
  assertEquals(manager.cleanupIdleConnections(), 1);
  assertEquals(manager.getConnectionsForHost("a.example"), [a2]);
  manager.setMinimum("a.example", 0);
  manager.give(a2);
  clock.advance(1_000);
  assertEquals(manager.cleanupIdleConnections(), 1);
  assertEquals(it.evicted(), [[a3.id, "idle"], [a2.id, "idle"]]);
});

test("setMinimum() counts the connections of one TLS profile: no other's, and no dials", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  manager.setMinimum("a.example", 2);
  manager.setMinimum("a.example", 1, "strict");
  it.add("a.example", "192.0.2.1");
  it.add("a.example", "192.0.2.2");
  const strict = it.add("a.example", "192.0.2.3", { tlsProfile: "strict" });
  it.add("a.example", "192.0.2.4", { tlsProfile: "strict" });
  const other = it.add("a.example", "192.0.2.1", { tlsProfile: "other" });
  manager.accountant.add("a.example", "192.0.2.1");
  clock.advance(5_000);
  assertEquals(manager.cleanupIdleConnections(), 2);
  assertEquals(it.evicted(), [[strict.id, "idle"], [other.id, "idle"]]);
  manager.accountant.remove("a.example", "192.0.2.1");
});

test("setMinimum() knows a host by every spelling of its name (trap 26)", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  it.manager.setMinimum("BÜCHER.example.", 1);
  it.add("bücher.example", "192.0.2.1");
  it.clock.advance(5_000);
  assertEquals(it.manager.cleanupIdleConnections(), 0);
  it.manager.setMinimum("xn--bcher-kva.example:443", 0);
  assertEquals(it.manager.cleanupIdleConnections(), 1);
});

test("cleanupIdleConnections() takes the warm minimum too where the machine has slept (trap 17)", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  manager.setMinimum("a.example", 5);
  const stale = it.add("a.example", "192.0.2.1");
  clock.advance(5_000);
  assertEquals(manager.cleanupIdleConnections(), 0);
  clock.shiftWall(1_000);
  assertEquals(manager.cleanupIdleConnections(), 1);
  assertEquals(it.evicted(), [[stale.id, "idle"]]);
  assertFalse(peerOf(stale).open);
});

test("cleanupIdleConnections() takes nothing because the wall clock was set back (trap 17)", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  it.add("a.example", "192.0.2.1");
  clock.shiftWall(-1e9);
  clock.advance(999);
  assertEquals(manager.cleanupIdleConnections(), 0);
  clock.advance(1);
  assertEquals(manager.cleanupIdleConnections(), 1);
});

test("cleanupIdleConnections() says of a minimum's old or unhealthy connection why it had to go", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000, maxLifetimeMs: 10_000 });
  const { clock, manager } = it;
  manager.setMinimum("a.example", 5);
  const sick = it.add("a.example", "192.0.2.1");
  const old = it.add("a.example", "192.0.2.2");
  sick.healthy = false;
  clock.advance(1_000);
  assertEquals(manager.cleanupIdleConnections(), 1);
  clock.advance(9_000);
  assertEquals(manager.cleanupIdleConnections(), 1);
  assertEquals(it.evicted(), [[sick.id, "unhealthy"], [old.id, "lifetime"]]);
});

test("Cleaning up goes on to the end if a listener to evictions removes more", async () => {
  await using it: MapWorld = new MapWorld({
    idleTimeoutMs: 1_000,
    onEvict: (connection, reason) => {
      if (reason === "removed") return;
      // The next one that is cold.
      const next = it.manager.getConnectionById(connection.id + 1);
      if (next) it.manager.removeConnection(next);
    },
  });
  const { clock, manager } = it;
  const add = () => Array.from({ length: 4 }, () => it.add("a.example", "192.0.2.1").id);
  const [a, b, c, d] = add() as [number, number, number, number];
  clock.advance(1_000);
  assertEquals(manager.cleanupIdleConnections(), 2);
  assertEquals(it.evicted(), [[a, "idle"], [b, "removed"], [c, "idle"], [d, "removed"]]);
  const [e, f, g, h] = add() as [number, number, number, number];
  assertEquals(manager.setLimits({ maxConnections: 1, maxConnectionsPerHost: 1 }), 2);
  assertEquals(it.evicted(), [[e, "surplus"], [f, "removed"], [g, "surplus"], [h, "removed"]]);
});

test("Cleaning up in steps leaves what was leased since it began, although it is too many", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const [a, b, c, d] = [1, 2, 3, 4].map(() => it.add("a.example", "192.0.2.1"));
  assert(a && b && c && d);
  const { accountant } = manager;
  accountant.setLimits({ ...accountant.limits, maxConnectionsPerHost: 1 });
  const steps = manager.cleanup();
  steps.next();
  assertEquals(it.evicted(), [[a.id, "surplus"]]);
  assertEquals([manager.take("a.example")?.id, manager.take("a.example")?.id], [d.id, c.id]);
  for (let step = steps.next(); !step.done; step = steps.next());
  assertEquals(it.evicted(), [[b.id, "surplus"]]);
  assertEquals([c.state, d.state], ["leased", "leased"]);
  // It ends when it comes back.
  manager.give(c);
  assertEquals(it.evicted(), [[c.id, "surplus"]]);
  manager.give(d);
  assertEquals(d.state, "idle");
});

test("cleanupExpiredConnections() closes what is idle and drains what is leased", async () => {
  await using it = new MapWorld({ maxLifetimeMs: 10_000 });
  const { clock, manager } = it;
  const idle = it.add("a.example", "192.0.2.1");
  const leased = it.add("b.example", "192.0.2.1");
  manager.take("b.example");
  clock.advance(7_499);
  assertEquals(manager.cleanupExpiredConnections(), 0);
  clock.advance(2_501);
  const young = it.add("c.example", "192.0.2.1");
  assertEquals(manager.cleanupExpiredConnections(), 1);
  manager.checkInvariants();
  assertEquals(it.evicted(), [[idle.id, "lifetime"]]);
  assertEquals(leased.state, "draining");
  assertEquals(manager.cleanupExpiredConnections(), 0);
  assertEquals(manager.getConnectionCount(), 2);
  assertFalse(manager.give(leased));
  assertEquals(it.evicted(), [[leased.id, "lifetime"]]);
  assertEquals([...manager.connections()], [young]);
});

test("cleanupExpiredConnections() takes its own lifetime, and the warm minimum too", async () => {
  await using it = new MapWorld({ maxLifetimeMs: 1e9 });
  const { clock, manager } = it;
  manager.setMinimum("a.example", 5);
  const connection = it.add("a.example", "192.0.2.1");
  clock.advance(1_000);
  assertEquals(manager.cleanupExpiredConnections(Infinity), 0);
  assertEquals(manager.cleanupExpiredConnections(2_000), 0);
  assertEquals(manager.cleanupExpiredConnections(1_000), 1);
  assertEquals(it.evicted(), [[connection.id, "lifetime"]]);
  it.add("a.example", "192.0.2.1");
  assertEquals(manager.cleanupExpiredConnections(0), 1);
});

test("connections that were made together do not all expire together", async () => {
  await using it = new MapWorld({
    maxConnections: 1_000,
    maxConnectionsPerHost: 1_000,
    maxConnectionsPerIp: 1_000,
    maxLifetimeMs: 1_000_000,
  });
  const { clock, manager } = it;
  const total = 1_000;
  for (let i = 0; i < total; i++) manager.addConnection(it.connect("a.example", "192.0.2.1"));
  clock.advance(750_000 - 1);
  assertEquals(manager.cleanupExpiredConnections(), 0);
  const shares: number[] = [];
  for (let step = 0; step < 10; step++) {
    clock.advance(25_000);
    shares.push(manager.cleanupExpiredConnections());
    manager.checkInvariants();
  }
  clock.advance(1);
  shares.push(manager.cleanupExpiredConnections());
  assertEquals(shares.reduce((sum, share) => sum + share), total);
  for (const share of shares.slice(0, 10)) {
    assertGreater(share, 60);
    assertLess(share, 140);
  }
});

test("A manager notes on each connection when it last looked whether it is fit", async () => {
  await using it = new MapWorld({ idleTimeoutMs: 1_000 });
  const { clock, manager } = it;
  const connection = it.add("a.example", "192.0.2.1");
  assertEquals(connection.lastCheckedAt, null);
  clock.advance(100);
  manager.cleanupIdleConnections();
  assertEquals(connection.lastCheckedAt, clock.now());
  clock.advance(100);
  manager.take("a.example");
  assertEquals(connection.stats().lastCheckedAt, clock.now());
  manager.give(connection);
});
