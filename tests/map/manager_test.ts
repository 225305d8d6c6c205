import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import test from "node:test";
import { SocketError } from "../../src/core/errors.ts";
import { ConnectionManager } from "../../src/map/manager.ts";
import { MapWorld, peerOf } from "../support/map_world.ts";
import { turns } from "../support/turns.ts";

test("the map's example: three addresses and two hosts, in both maps", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const first = it.add("example.com", "1.2.3.4");
  const second = it.add("example.com", "1.2.3.5");
  const third = it.add("test.com", "2.3.4.5");
  assertStrictEquals(manager.getConnection("1.2.3.4"), first);
  assertStrictEquals(manager.getConnection("1.2.3.5"), second);
  assertStrictEquals(manager.getConnection("2.3.4.5"), third);
  assertEquals([...manager.getHostMapping()], [
    ["example.com", ["1.2.3.4", "1.2.3.5"]],
    ["test.com", ["2.3.4.5"]],
  ]);
  assertEquals(manager.getConnectionsForHost("example.com"), [first, second]);
  assertEquals(manager.getConnectionsForHost("test.com"), [third]);
  assertEquals(manager.getConnectionCount(), 3);

  assertEquals(manager.removeConnection("1.2.3.4"), 1);
  manager.checkInvariants();
  assertEquals(manager.getConnection("1.2.3.4"), undefined);
  assertEquals(manager.getConnectionsForHost("example.com"), [second]);
  assertEquals([...manager.getHostMapping()], [
    ["example.com", ["1.2.3.5"]],
    ["test.com", ["2.3.4.5"]],
  ]);
  assertFalse(peerOf(first).open);
  assertEquals(manager.removeConnection("1.2.3.5"), 1);
  manager.checkInvariants();
  // A host without addresses is gone, where an empty list would have stayed.
  assertEquals([...manager.getHostMapping()], [["test.com", ["2.3.4.5"]]]);
  assertEquals(manager.getConnectionsForHost("example.com"), []);
  assertEquals(manager.getConnectionCount(), 1);
});

test("ten times ten connections that are added concurrently are all in both maps", async () => {
  await using it = new MapWorld({ maxConnectionsPerHost: 100 });
  const { manager } = it;
  await Promise.all(Array.from({ length: 10 }, async (_, actor) => {
    for (let i = 0; i < 10; i++) {
      await turns(1 + (actor * 7 + i * 3) % 5);
      it.add("example.com", `1.2.3.${actor * 10 + i}`);
    }
  }));
  assertEquals(manager.getConnectionCount(), 100);
  assertEquals(manager.getConnectionsForHost("example.com").length, 100);
  const mapping = manager.getHostMapping().get("example.com");
  assertEquals(new Set(mapping).size, 100);
  for (let i = 0; i < 100; i++) {
    assertEquals(manager.getConnection(`1.2.3.${i}`)?.address, `1.2.3.${i}`);
  }
});

test("a manager of nothing has nothing, and finds nothing", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  assertEquals(manager.getConnectionCount(), 0);
  assertEquals(manager.idleCount, 0);
  assertEquals(manager.endingCount, 0);
  assertEquals(manager.getConnection("192.0.2.1"), undefined);
  assertEquals(manager.getConnections("192.0.2.1"), []);
  assertEquals(manager.getConnectionsForHost("example.com"), []);
  assertEquals(manager.getHostMapping(), new Map());
  assertEquals(manager.removeConnection("192.0.2.1"), 0);
  assertEquals(manager.take("example.com"), undefined);
  assertEquals(manager.coldestIdle(), undefined);
  assertEquals(manager.cleanupIdleConnections(), 0);
  assertEquals(manager.cleanupExpiredConnections(), 0);
  assertEquals([...manager.connections()], []);
});

test("several connections stand at one address, and leave one by one", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const all = [1, 2, 3].map(() => it.add("example.com", "192.0.2.1"));
  const [first, second, third] = all;
  assert(first && second && third);
  assertEquals(manager.getConnections("192.0.2.1"), all);
  assertEquals(manager.getConnectionsForHost("example.com"), all);
  // The address stands once, however many lead there.
  assertEquals(manager.getHostMapping().get("example.com"), ["192.0.2.1"]);
  assertEquals(manager.removeConnection(second), 1);
  manager.checkInvariants();
  assertEquals(manager.getConnections("192.0.2.1"), [first, third]);
  assertEquals(manager.getHostMapping().get("example.com"), ["192.0.2.1"]);
  assertEquals([peerOf(first).open, peerOf(second).open, peerOf(third).open], [true, false, true]);
  assertEquals(manager.removeConnection("192.0.2.1"), 2);
  assertEquals(manager.getConnectionCount(), 0);
});

test("an address stands in the order of its arrival, and at the end where it comes again", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  for (const last of [3, 1, 2, 1]) it.add("example.com", `192.0.2.${last}`);
  const addresses = () => manager.getHostMapping().get("example.com");
  assertEquals(addresses(), ["192.0.2.3", "192.0.2.1", "192.0.2.2"]);
  manager.removeConnection("192.0.2.3");
  assertEquals(addresses(), ["192.0.2.1", "192.0.2.2"]);
  it.add("example.com", "192.0.2.3");
  assertEquals(addresses(), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
});

test("getHostMapping() gives a copy: what is done to it or to the maps changes only one of them", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  it.add("example.com", "192.0.2.1");
  const before = manager.getHostMapping();
  it.add("example.com", "192.0.2.2");
  it.add("test.com", "192.0.2.3");
  assertEquals([...before], [["example.com", ["192.0.2.1"]]]);
  before.get("example.com")?.push("198.51.100.1");
  before.clear();
  const after = manager.getHostMapping();
  assertEquals([...after], [
    ["example.com", ["192.0.2.1", "192.0.2.2"]],
    ["test.com", ["192.0.2.3"]],
  ]);
  after.get("example.com")?.splice(0);
  manager.checkInvariants();
  assertEquals(manager.getConnectionsForHost("example.com").length, 2);
});

test("what getConnections() and getConnectionsForHost() give are copies too", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  it.add("example.com", "192.0.2.1");
  manager.getConnections("192.0.2.1").pop();
  manager.getConnectionsForHost("example.com").pop();
  manager.checkInvariants();
  assertEquals(manager.getConnections("192.0.2.1").length, 1);
  assertEquals(manager.getConnectionsForHost("example.com").length, 1);
});

test("connections are found by every spelling of their address and host (trap 26)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const v4 = it.add("Bücher.Example.", "::ffff:192.0.2.1");
  const v6 = it.add("bücher.example:8443", "2001:DB8::0:1");
  for (const ip of ["192.0.2.1", "192.0.2.1:443", "[::ffff:c000:201]", "::FFFF:192.0.2.1"]) {
    assertStrictEquals(manager.getConnection(ip), v4, ip);
    assertEquals(manager.getConnections(ip), [v4], ip);
  }
  assertStrictEquals(manager.getConnection("[2001:db8:0:0::1]:8443"), v6);
  // Another port is another address, and another host.
  assertEquals(manager.getConnection("2001:db8::1"), undefined);
  assertEquals(manager.getConnection("192.0.2.1:8443"), undefined);
  for (const host of ["bücher.example", "XN--BCHER-KVA.example.", "bücher.example:443"]) {
    assertEquals(manager.getConnectionsForHost(host), [v4], host);
  }
  assertEquals(manager.getConnectionsForHost("BÜCHER.example:8443"), [v6]);
  assertEquals(manager.removeConnection("[::FFFF:192.0.2.1]:443"), 1);
  assertFalse(peerOf(v4).open);
});

test("getConnection() and getConnectionsForHost() refuse what is no address or host", async () => {
  await using it = new MapWorld();
  assertThrows(() => it.manager.getConnection("example.com"), TypeError, "not an IP address");
  assertThrows(() => it.manager.removeConnection("0x7f.1"), TypeError, "not an IP address");
  assertThrows(() => it.manager.getConnectionsForHost("a b"), TypeError, "neither a host name");
});

test("getConnection() prefers a healthy connection, then an idle one, then one in use", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const names = ["sick", "draining", "leased", "idle"] as const;
  const [sick, draining, leased, idle] = names.map((name) =>
    it.add(`${name}.example`, "192.0.2.1")
  );
  assert(sick && draining && leased && idle);
  manager.take("draining.example");
  manager.take("leased.example");
  manager.drain(draining);
  sick.healthy = false;
  assertStrictEquals(manager.getConnection("192.0.2.1"), idle);
  manager.removeConnection(idle);
  assertStrictEquals(manager.getConnection("192.0.2.1"), leased);
  manager.removeConnection(leased);
  assertStrictEquals(manager.getConnection("192.0.2.1"), draining);
  manager.removeConnection(draining);
  assertStrictEquals(manager.getConnection("192.0.2.1"), sick);
  // Of two that are as good as each other, the one that came first.
  sick.healthy = true;
  it.add("sick.example", "192.0.2.1");
  assertStrictEquals(manager.getConnection("192.0.2.1"), sick);
});

test("a host never gets a connection to the same address that is another host's (trap 16)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const a = it.add("a.example", "192.0.2.1");
  const b = it.add("b.example", "192.0.2.1");
  const aElsewhere = it.add("a.example:8443", "192.0.2.1");
  assertEquals(manager.getConnections("192.0.2.1"), [a, b]);
  assertEquals(manager.getConnectionsForHost("a.example"), [a]);
  assertEquals(manager.getConnectionsForHost("b.example"), [b]);
  assertEquals(manager.getConnectionsForHost("a.example:8443"), [aElsewhere]);
  assertStrictEquals(manager.take("a.example"), a);
  assertEquals(manager.take("a.example"), undefined);
  assertStrictEquals(manager.take("b.example"), b);
  assertEquals(manager.take("b.example"), undefined);
  manager.give(a);
  assertEquals(manager.take("b.example"), undefined);
  assertStrictEquals(manager.take("a.example"), a);
});

test("a connection made with one TLS profile is never taken for another (trap 16)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const plain = it.add("a.example", "192.0.2.1");
  const strict = it.add("a.example", "192.0.2.1", { tlsProfile: "strict" });
  assertEquals(manager.getConnectionsForHost("a.example"), [plain, strict]);
  assertEquals(manager.getHostMapping().get("a.example"), ["192.0.2.1"]);
  assertEquals(manager.take("a.example", { tlsProfile: "other" }), undefined);
  assertStrictEquals(manager.take("a.example", { tlsProfile: "strict" }), strict);
  assertEquals(manager.take("a.example", { tlsProfile: "strict" }), undefined);
  assertStrictEquals(manager.take("a.example"), plain);
  assertEquals(manager.take("a.example", { tlsProfile: "default" }), undefined);
  // The address stays the host's for as long as either profile has a connection there.
  manager.removeConnection(plain);
  assertEquals(manager.getHostMapping().get("a.example"), ["192.0.2.1"]);
  manager.removeConnection(strict);
  assertEquals(manager.getHostMapping().size, 0);
});

test("removeConnection() of an address takes every host's connections there", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  it.add("a.example", "192.0.2.1");
  it.add("b.example", "192.0.2.1");
  it.add("b.example", "192.0.2.1", { tlsProfile: "strict" });
  const other = it.add("b.example", "192.0.2.2");
  assertEquals(manager.removeConnection("192.0.2.1"), 3);
  manager.checkInvariants();
  assertEquals([...manager.connections()], [other]);
  assertEquals([...manager.getHostMapping()], [["b.example", ["192.0.2.2"]]]);
  assertEquals(manager.endingCount, 3);
  await turns();
  assertEquals(manager.endingCount, 0);
});

test("removeConnection() is harmless to repeat, and for a connection of another manager", async () => {
  await using it = new MapWorld();
  await using other = new MapWorld();
  const connection = it.add("a.example", "192.0.2.1");
  const theirs = other.add("a.example", "192.0.2.1");
  assertEquals(it.manager.removeConnection(theirs), 0);
  assert(peerOf(theirs).open);
  assertEquals(it.manager.removeConnection(connection), 1);
  assertEquals(it.manager.removeConnection(connection), 0);
  assertEquals(it.manager.removeConnection("192.0.2.1"), 0);
  it.manager.drain(theirs);
  it.manager.drain(connection);
  assertEquals(it.evicted(), [[connection.id, "removed"]]);
  assertEquals(other.evicted(), []);
  assertEquals(theirs.state, "idle");
});

test("removeConnection() ends an idle connection in good order, and one in use at once", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const ends: (Error | undefined)[] = [];
  const idle = it.add("a.example", "192.0.2.1");
  const leased = it.add("b.example", "192.0.2.2");
  manager.take("b.example");
  const sink = { onData() {}, onDrain() {}, onClose: (error?: Error) => void ends.push(error) };
  leased.setSink(sink);
  manager.removeConnection(idle);
  manager.removeConnection(leased);
  assertEquals([idle.state, leased.state], ["closed", "closed"]);
  await turns();
  assertEquals(ends.length, 1);
  assertInstanceOf(ends[0], SocketError);
  assertEquals(ends[0]?.message.includes("removed while in use"), true);
  // Its holder gives it back later, to no effect.
  assertFalse(manager.give(leased));
  manager.checkInvariants();
  assertEquals(it.evicted(), [[idle.id, "removed"], [leased.id, "removed"]]);
});

test("a connection leaves both maps before anybody hears that it did", async () => {
  const seen: string[] = [];
  await using it: MapWorld = new MapWorld({
    onEvict: (connection) => {
      it.manager.checkInvariants();
      const held = [...it.manager.connections()].includes(connection);
      seen.push(`${held} ${it.manager.getConnectionCount()} ${it.manager.accountant.total}`);
    },
  });
  const [a, b, c] = [1, 2, 3].map((last) => it.add("a.example", `192.0.2.${last}`));
  assert(a && b && c);
  it.manager.removeConnection(a);
  peerOf(b).end();
  await turns();
  peerOf(c).receive(new Uint8Array(1));
  assertEquals(seen, ["false 2 2", "false 1 1", "false 0 0"]);
});

test("a listener to evictions may change the maps at once", async () => {
  await using it: MapWorld = new MapWorld({
    maxConnectionsPerIp: 2,
    idleTimeoutMs: 1_000,
    onEvict: (connection, reason) => {
      if (reason === "idle") it.add(connection.host, connection.address);
      if (reason === "peer") it.manager.removeConnection(connection.address);
    },
  });
  const { clock, manager } = it;
  const first = it.add("a.example", "192.0.2.1");
  const second = it.add("a.example", "192.0.2.1");
  clock.advance(1_000);
  assertEquals(manager.cleanupIdleConnections(), 2);
  manager.checkInvariants();
  assertEquals(it.evicted(), [[first.id, "idle"], [second.id, "idle"]]);
  assertEquals(manager.getConnectionCount(), 2);
  const [third] = manager.getConnections("192.0.2.1");
  assert(third);
  peerOf(third).end();
  await turns();
  manager.checkInvariants();
  assertEquals(manager.getConnectionCount(), 0);
});

test("connections() goes over all of them in order of arrival", async () => {
  await using it = new MapWorld();
  const added = [
    it.add("b.example", "192.0.2.2"),
    it.add("a.example", "192.0.2.1"),
    it.add("b.example", "192.0.2.1"),
    it.add("a.example", "192.0.2.2"),
  ];
  assertEquals([...it.manager.connections()], added);
  for (const connection of it.manager.connections()) it.manager.removeConnection(connection);
  assertEquals(it.manager.getConnectionCount(), 0);
});

test("debugInfo() is plain data, a copy of one moment", async () => {
  await using it = new MapWorld({ maxConnections: 9, maxConnectionsPerHost: 8 });
  const { manager } = it;
  const a = it.add("a.example", "192.0.2.1");
  const b = it.add("b.example:8443", "192.0.2.1");
  it.add("a.example", "192.0.2.2");
  manager.removeConnection("192.0.2.2");
  manager.take("a.example");
  const info = manager.debugInfo();
  const expected = {
    connectionCount: 2,
    idleCount: 1,
    endingCount: 1,
    hostMapping: { "a.example": ["192.0.2.1"], "b.example:8443": ["192.0.2.1:8443"] },
    limits: { maxConnections: 9, maxConnectionsPerHost: 8, maxConnectionsPerIp: 10 },
    connections: [a.stats(), b.stats()],
  };
  assertEquals(info, expected);
  assertEquals(JSON.parse(JSON.stringify(info)), expected);
  manager.give(a);
  it.add("a.example", "192.0.2.1");
  assertEquals(info.connections[0]?.state, "leased");
  assertEquals(info.hostMapping["a.example"], ["192.0.2.1"]);
  Object.assign(info.limits, { maxConnections: 1 });
  assertEquals(manager.accountant.limits.maxConnections, 9);
});

test("ConnectionManager refuses options that make no sense", () => {
  for (const name of ["maxConnections", "maxConnectionsPerHost", "maxConnectionsPerIp"]) {
    for (const value of [0, -1, 1.5]) {
      assertThrows(() => new ConnectionManager({ [name]: value }), RangeError, name);
    }
    assertThrows(() => new ConnectionManager({ [name]: NaN }), TypeError, name);
    assertThrows(() => new ConnectionManager({ [name]: "10" as unknown as number }), TypeError);
  }
  for (const name of ["idleTimeoutMs", "maxLifetimeMs"]) {
    assertThrows(() => new ConnectionManager({ [name]: -1 }), RangeError, name);
    assertThrows(() => new ConnectionManager({ [name]: NaN }), TypeError, name);
  }
  const manager = new ConnectionManager();
  for (const [value, type] of [[NaN, TypeError], [-1, RangeError], ["5", TypeError]] as const) {
    const given = value as number;
    assertThrows(() => manager.cleanupExpiredConnections(given), type, "maxLifetimeMs");
    assertThrows(() => manager.setMinimum("a.example", given), type, "connections");
    assertThrows(() => manager.close({ graceMs: given }), type, "graceMs");
  }
  assertThrows(() => manager.setMinimum("a.example", 1.5), RangeError, "whole");
  const { limits } = new ConnectionManager({ maxConnections: Infinity }).accountant;
  assertEquals(limits, {
    maxConnections: Infinity,
    maxConnectionsPerHost: 64,
    maxConnectionsPerIp: 10,
  });
});
