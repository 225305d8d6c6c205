import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import test from "node:test";
import { ClosedError, LimitError } from "../../src/core/errors.ts";
import { Accountant } from "../../src/map/accountant.ts";
import { MapWorld, peerOf } from "../support/map_world.ts";
import { turns } from "../support/turns.ts";

test("addConnection() refuses one more than a limit allows, and closes what it refuses", async () => {
  const cases = [
    ["total", { maxConnections: 2 }, "in all", "c.example", "192.0.2.3"],
    ["host", { maxConnectionsPerHost: 1 }, "for host a.example", "a.example", "192.0.2.3"],
    ["ip", { maxConnectionsPerIp: 1 }, "for ip 192.0.2.1", "c.example", "192.0.2.1"],
  ] as const;
  for (const [scope, limits, where, host, address] of cases) {
    await using it = new MapWorld(limits);
    it.add("a.example", "192.0.2.1");
    it.add("b.example", "192.0.2.2");
    const refused = it.connect(host, address);
    const error = assertThrows(() => it.manager.addConnection(refused), LimitError, where);
    const limit = Object.values(limits)[0];
    assertEquals([error.scope, error.limit, error.code], [scope, limit, "HOTCONN_LIMIT"]);
    assertEquals(error.message, `Connection refused by the limit of ${limit} ${where}`);
    assertEquals(refused.state, "closed");
    assertFalse(refused.held);
    assertFalse(peerOf(refused).open);
    it.manager.checkInvariants();
    assertEquals(it.manager.getConnectionCount(), 2);
    assertEquals(it.manager.accountant.total, 2);
    assertEquals(it.evicted(), []);
    assertEquals(it.manager.endingCount, 1);
    await turns();
    assertEquals(it.manager.endingCount, 0);
    // Room that has come can be used.
    it.manager.removeConnection(scope === "host" ? "192.0.2.1" : address);
    it.manager.removeConnection("192.0.2.1");
    it.add(host, address);
  }
});

test("a limit is told by its narrowest scope: address, then host, then all", async () => {
  await using it = new MapWorld({
    maxConnections: 1,
    maxConnectionsPerHost: 1,
    maxConnectionsPerIp: 1,
  });
  it.add("a.example", "192.0.2.1");
  const refusal = (host: string, address: string) =>
    assertThrows(() => it.manager.addConnection(it.connect(host, address)), LimitError).scope;
  assertEquals(refusal("a.example", "192.0.2.1"), "ip");
  assertEquals(refusal("a.example", "192.0.2.2"), "host");
  assertEquals(refusal("b.example", "192.0.2.2"), "total");
});

test("limits count every host at an address, every profile and port of a host, and what is leased", async () => {
  await using it = new MapWorld({ maxConnectionsPerHost: 3, maxConnectionsPerIp: 2 });
  const { accountant } = it.manager;
  const first = it.add("a.example", "192.0.2.1");
  it.add("b.example", "192.0.2.1");
  assertEquals(accountant.blockedBy("c.example", "192.0.2.1"), "ip");
  it.manager.take("a.example");
  assertEquals(accountant.blockedBy("c.example", "192.0.2.1"), "ip");
  it.manager.drain(first);
  assertEquals(accountant.blockedBy("c.example", "192.0.2.1"), "ip");
  it.manager.give(first);
  assertEquals(accountant.blockedBy("c.example", "192.0.2.1"), undefined);
  for (const tlsProfile of ["one", "two", "three"]) {
    it.add("a.example", `192.0.2.${10 + tlsProfile.length}`, { tlsProfile });
  }
  assertEquals(accountant.blockedBy("a.example", "192.0.2.99"), "host");
  // Another port is another host, at another address.
  assertEquals(accountant.blockedBy("a.example:8443", "192.0.2.1:8443"), undefined);
});

test("a dial that was counted becomes a connection without being counted again", async () => {
  await using it = new MapWorld({ maxConnectionsPerIp: 1 });
  const { manager } = it;
  manager.accountant.add("a.example", "192.0.2.1");
  manager.checkInvariants();
  // The dial holds its place against whoever comes meanwhile.
  const rival = it.connect("b.example", "192.0.2.1");
  assertThrows(() => manager.addConnection(rival), LimitError);
  manager.addConnection(it.connect("a.example", "192.0.2.1"), true);
  manager.checkInvariants();
  assertEquals(manager.accountant.total, 1);
  manager.removeConnection("192.0.2.1");
  assertEquals(manager.accountant.total, 0);
});

test("a dial that was counted and is refused gives its place back", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const closed = it.connect("a.example", "192.0.2.1");
  closed.close();
  const held = it.add("a.example", "192.0.2.1");
  manager.accountant.add("a.example", "192.0.2.1");
  manager.accountant.add("a.example", "192.0.2.1");
  assertThrows(() => manager.addConnection(closed, true), TypeError, "is closed");
  assertThrows(() => manager.addConnection(held, true), TypeError, "held already");
  assertEquals(manager.accountant.total, 1);
  manager.checkInvariants();
});

test("addConnection() refuses a connection that it holds already, and leaves it as it is", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const connection = it.add("a.example", "192.0.2.1");
  assertThrows(() => manager.addConnection(connection), TypeError, "held already");
  manager.take("a.example");
  assertThrows(() => manager.addConnection(connection), TypeError, "held already");
  manager.checkInvariants();
  assert(peerOf(connection).open);
  assertEquals(connection.state, "leased");
  assertEquals([manager.getConnectionCount(), manager.accountant.total], [1, 1]);
  assert(manager.give(connection));
});

test("addConnection() refuses a connection that another manager holds, and leaves it alone", async () => {
  await using it = new MapWorld();
  await using other = new MapWorld();
  const connection = other.add("a.example", "192.0.2.1");
  assertThrows(() => it.manager.addConnection(connection), TypeError, "held already");
  assertStrictEquals(other.manager.take("a.example"), connection);
  assertThrows(() => it.manager.addConnection(connection), TypeError, "held already");
  for (const { manager } of [it, other]) manager.checkInvariants();
  assert(peerOf(connection).open);
  assertEquals([it.manager.getConnectionCount(), it.manager.accountant.total], [0, 0]);
  assert(other.manager.give(connection));
});

test("addConnection() refuses what is closed, removed, unhealthy, draining or in use, and closes it", async () => {
  await using it = new MapWorld();
  const { clock, manager } = it;
  const make = () => it.connect("a.example", "192.0.2.1");
  const [closed, removed, unhealthy, draining, leased] = [make(), make(), make(), make(), make()];
  closed.close();
  manager.addConnection(removed);
  manager.removeConnection(removed);
  it.evicted();
  unhealthy.healthy = false;
  draining.drain();
  leased.beginLease(clock.now());
  const cases = { closed, unhealthy, draining, leased };
  for (const [state, connection] of [...Object.entries(cases), ["closed", removed] as const]) {
    const error = assertThrows(() => manager.addConnection(connection), TypeError);
    assertEquals(error.message, `Connection ${connection.id} to 192.0.2.1 is ${state}, not idle`);
    assertEquals(connection.state, "closed");
    assertFalse(peerOf(connection).open);
  }
  manager.checkInvariants();
  assertEquals([manager.getConnectionCount(), manager.accountant.total], [0, 0]);
  assertEquals(it.evicted(), []);
});

test("addConnection() refuses everything from close() on, and closes it", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const early = it.connect("a.example", "192.0.2.1");
  const closing = manager.close();
  const error = assertThrows(() => manager.addConnection(early), ClosedError, "connection manager");
  assertInstanceOf(error, Error);
  assertEquals(error.code, "HOTCONN_CLOSED");
  await closing;
  manager.accountant.add("a.example", "192.0.2.1");
  const late = it.connect("a.example", "192.0.2.1");
  assertThrows(() => manager.addConnection(late, true), ClosedError);
  assertEquals([early.state, late.state], ["closed", "closed"]);
  assertEquals(it.sockets.size, 0);
  await turns();
});

test("Accountant counts by host, by address and in all, and forgets what comes to nothing", () => {
  const limits = { maxConnections: 3, maxConnectionsPerHost: 2, maxConnectionsPerIp: 2 };
  const accountant = new Accountant(limits);
  accountant.add("a.example", "192.0.2.1");
  accountant.add("a.example", "192.0.2.2");
  accountant.add("b.example", "192.0.2.1");
  const counts = () => [
    accountant.total,
    accountant.ofHost("a.example"),
    accountant.ofHost("b.example"),
    accountant.ofAddress("192.0.2.1"),
    accountant.ofAddress("192.0.2.2"),
  ];
  assertEquals(counts(), [3, 2, 1, 2, 1]);
  assertEquals(accountant.blockedBy("a.example", "192.0.2.1"), "ip");
  assertEquals(accountant.blockedBy("a.example", "192.0.2.3"), "host");
  assertEquals(accountant.blockedBy("c.example", "192.0.2.3"), "total");
  for (const host of ["a.example", "b.example", "c.example"]) {
    assertThrows(() => accountant.add(host, "192.0.2.1"), LimitError);
  }
  assertEquals(counts(), [3, 2, 1, 2, 1]);
  accountant.remove("a.example", "192.0.2.1");
  assertEquals(accountant.blockedBy("a.example", "192.0.2.1"), undefined);
  accountant.remove("b.example", "192.0.2.1");
  accountant.remove("a.example", "192.0.2.2");
  assertEquals(counts(), [0, 0, 0, 0, 0]);
});
