import {
  assert,
  assertEquals,
  assertFalse,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import test from "node:test";
import { type MemorySocket, memorySocket } from "../../adapters/memory.ts";
import { parseAddress } from "../../src/core/address.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { Connection, type ConnectionInit, type ConnectionOwner } from "../../src/map/connection.ts";
import { turns } from "../support/turns.ts";

interface Setting {
  readonly clock: ManualClock;
  readonly socket: MemorySocket;
  readonly connection: Connection;
  lease(): void;
  giveBack(): void;
}

function connect(options: Partial<ConnectionInit> = {}): Setting {
  const clock = new ManualClock();
  const socket = memorySocket();
  const connection = new Connection({
    host: "example.com",
    address: "192.0.2.1",
    socket,
    clock,
    ...options,
  });
  return {
    clock,
    socket,
    connection,
    lease: () => connection.beginLease(clock.now()),
    giveBack: () => connection.endLease(clock.now(), clock.wallNow()),
  };
}

/** What an owner, or a sink, was told. */
function listen(): { told: string[]; owner: ConnectionOwner; sink: typeof sink } {
  const told: string[] = [];
  const owner: ConnectionOwner = {
    onUnsolicited: () => void told.push("unsolicited"),
    onCapacity: ({ capacity }) => void told.push(`capacity ${capacity}`),
    onLoss: () => {},
    onClosed: (_connection, error, here) =>
      void told.push(`closed ${here ? "here" : "there"}: ${error?.message ?? "in order"}`),
  };
  const sink = {
    onData: (bytes: Uint8Array) => void told.push(`data ${bytes}`),
    onDrain: () => void told.push("drain"),
    onClose: (error?: Error) => void told.push(`sink closed: ${error?.message ?? "in order"}`),
  };
  return { told, owner, sink };
}

const BYTES = new Uint8Array([1, 2]);

test("Connection keeps its host and address in canonical text (trap 26)", () => {
  const { connection } = connect({ host: "EXAMPLE.com.:443", address: "[::FFFF:192.0.2.1]:443" });
  const { address, host, ip, port } = connection;
  assertEquals({ address, host, ip, port }, {
    address: "192.0.2.1",
    host: "example.com",
    ip: "192.0.2.1",
    port: 443,
  });
});

test("Connection takes the port of its host where the address has none, and an address as it is", () => {
  const host = "example.com:8443";
  const addressOf = (address: ConnectionInit["address"]) =>
    connect({ host, address }).connection.address;
  assertEquals(addressOf("192.0.2.1"), "192.0.2.1:8443");
  assertEquals(addressOf("2001:db8::1"), "[2001:db8::1]:8443");
  assertEquals(addressOf("192.0.2.1:9443"), "192.0.2.1:9443");
  assertEquals(addressOf("192.0.2.1:443"), "192.0.2.1");
  // The canonical text of this one has no port: it must not be given the host's.
  assertEquals(addressOf(parseAddress("192.0.2.1:443")), "192.0.2.1");
});

test("Connection refuses a host, an address or a capacity that is not valid", () => {
  assertThrows(() => connect({ host: "no host" }), TypeError, "no host");
  assertThrows(() => connect({ address: "example.com" }), TypeError, "not an IP address");
  assertThrows(() => connect({ address: "192.0.2.1:0" }), RangeError, "port");
  for (const capacity of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => connect({ capacity }), RangeError, "whole number of at least 1");
  }
});

test("Connection goes from idle to leased and back, and counts its requests", () => {
  const { clock, connection, giveBack, lease } = connect();
  assertEquals([connection.state, connection.leases, connection.requestCount], ["idle", 0, 0]);
  assert(connection.available);
  clock.advance(100);
  lease();
  assertEquals([connection.state, connection.leases, connection.requestCount], ["leased", 1, 1]);
  assertFalse(connection.available);
  assertEquals(connection.lastUsedAt, clock.now());
  assertEquals(connection.idleBeforeMs, 100);
  clock.advance(50);
  giveBack();
  assertEquals([connection.state, connection.leases, connection.requestCount], ["idle", 0, 1]);
  assertEquals(connection.lastUsedAt, clock.now());
  assertEquals(connection.idleBeforeMs, 100);
});

test("Connection carries as many leases at once as its capacity, and is idle after the last", () => {
  const { connection, giveBack, lease } = connect({ capacity: 3 });
  for (const available of [true, true, false]) {
    lease();
    assertEquals(connection.available, available);
    assertEquals(connection.state, "leased");
  }
  assertThrows(lease, Error, "no lease");
  assertEquals([connection.leases, connection.requestCount], [3, 3]);
  for (const state of ["leased", "leased", "idle"]) {
    giveBack();
    assertEquals(connection.state, state);
    assert(connection.available);
  }
  assertThrows(giveBack, Error, "no lease to end");
});

test("Connection lets no lease begin while it is leased, unhealthy, draining or closed", () => {
  const cases: readonly [(setting: Setting) => void, string][] = [
    [({ lease }) => lease(), "leased"],
    [({ connection }) => connection.healthy = false, "idle"],
    [({ connection }) => connection.drain(), "draining"],
    [({ connection }) => connection.close(), "closed"],
    [({ connection }) => connection.destroy(), "closed"],
  ];
  for (const [prepare, state] of cases) {
    const setting = connect();
    prepare(setting);
    const { leases, requestCount } = setting.connection;
    assertFalse(setting.connection.available);
    assertThrows(setting.lease, Error, state);
    assertEquals(setting.connection.state, state);
    assertEquals(setting.connection.leases, leases);
    assertEquals(setting.connection.requestCount, requestCount);
  }
});

test("a draining Connection stays so when its leases end, and a closed one too", () => {
  const { connection, giveBack, lease } = connect({ capacity: 2 });
  lease();
  lease();
  connection.drain();
  assertEquals(connection.state, "draining");
  assertFalse(connection.available);
  giveBack();
  assertEquals([connection.state, connection.leases], ["draining", 1]);
  connection.close();
  connection.drain();
  giveBack();
  assertEquals([connection.state, connection.leases], ["closed", 0]);
});

test("Connection lets a program end while it is idle, and keeps it alive while leased (trap 18)", () => {
  const { connection, giveBack, lease, socket } = connect({ capacity: 2 });
  assertFalse(socket.referenced);
  lease();
  lease();
  assert(socket.referenced);
  giveBack();
  assert(socket.referenced);
  connection.drain();
  giveBack();
  assertFalse(socket.referenced);
});

test("Connection keeps the program alive while one of its leases does", () => {
  const { connection, giveBack, lease, socket } = connect({ capacity: 3 });
  const seen: boolean[] = [];
  const steps: readonly (() => void)[] = [
    lease,
    () => connection.letGo(),
    lease,
    () => connection.letGo(),
    () => connection.hold(false),
    giveBack,
    () => connection.hold(false),
    () => connection.letGo(),
    () => connection.hold(true),
    giveBack,
    lease,
    giveBack,
  ];
  for (const step of steps) {
    step();
    seen.push(socket.referenced);
  }
  const [no, yes] = [false, true];
  assertEquals(seen, [yes, no, yes, no, yes, no, yes, no, no, no, yes, no]);
});

test("Connection hands what its peer sends to whoever has the lease, and to nobody afterwards", async () => {
  const { connection, giveBack, lease, socket } = connect();
  const { owner, sink, told } = listen();
  connection.setOwner(owner);
  lease();
  connection.setSink(sink);
  socket.receive(BYTES);
  socket.receive(new Uint8Array([3]));
  assertEquals(told.splice(0), ["data 1,2", "data 3"]);
  assert(connection.healthy);
  giveBack();
  socket.receive(BYTES);
  assertEquals(told.splice(0), ["unsolicited"]);
  assertFalse(connection.healthy);
  connection.destroy();
  await turns();
  assertEquals(told, ["closed here: in order"]);
});

test("a shared Connection keeps its sink until its last lease ends", () => {
  const { connection, giveBack, lease, socket } = connect({ capacity: 2 });
  const { owner, sink, told } = listen();
  connection.setOwner(owner);
  lease();
  lease();
  connection.setSink(sink);
  giveBack();
  socket.receive(BYTES);
  giveBack();
  socket.receive(BYTES);
  assertEquals(told, ["data 1,2", "unsolicited"]);
});

test("bytes that nobody asked for end a Connection that nobody holds, at once (trap 6)", async () => {
  const { connection, socket } = connect();
  assertFalse(connection.held);
  socket.receive(BYTES);
  assertEquals(connection.state, "closed");
  assertFalse(connection.healthy);
  assertFalse(socket.open);
  await connection.closed;
});

test("bytes that came before the Connection was made end it too (trap 6)", async () => {
  const socket = memorySocket();
  socket.receive(BYTES);
  const { connection } = connect({ socket });
  assertEquals(connection.state, "idle");
  await turns();
  assertEquals(connection.state, "closed");
});

test("a sink that is kept hears its peer between leases too, and the end", async () => {
  const { connection, giveBack, lease, socket } = connect();
  const { owner, sink, told } = listen();
  connection.setOwner(owner);
  connection.keepSink(sink);
  lease();
  giveBack();
  socket.receive(BYTES);
  await turns();
  assertEquals(told.splice(0), ["data 1,2"]);
  assert(connection.healthy);
  socket.end();
  await turns();
  assertEquals(told, ["closed there: in order", "sink closed: in order"]);
});

test("bytes before the lease's holder listens count as unsolicited: attach before writing (trap 6)", () => {
  const { connection, lease, socket } = connect();
  const { owner, told } = listen();
  connection.setOwner(owner);
  lease();
  socket.receive(BYTES);
  assertEquals(told, ["unsolicited"]);
  assertFalse(connection.healthy);
});

test("Connection tells its owner once that it is done, and whether it was ended on this side", async () => {
  const broken = new Error("broken");
  const cases: readonly [(setting: Setting) => void, string][] = [
    [({ socket }) => socket.end(), "closed there: in order"],
    [({ socket }) => socket.end(broken), "closed there: broken"],
    [({ connection }) => connection.close(), "closed here: in order"],
    [({ connection }) => connection.destroy(), "closed here: in order"],
    [({ connection }) => connection.destroy(broken), "closed here: broken"],
  ];
  for (const [end, expected] of cases) {
    for (const leased of [false, true]) {
      const setting = connect();
      const { connection } = setting;
      const { owner, told } = listen();
      connection.setOwner(owner);
      assert(connection.held);
      if (leased) setting.lease();
      end(setting);
      await turns();
      assertEquals(told, [expected]);
      assertEquals(connection.state, "closed");
      assertFalse(connection.held);
      connection.close();
      connection.destroy();
      setting.socket.end();
      await turns();
      assertEquals(told.length, 1);
      if (leased) setting.giveBack();
      assertEquals([connection.state, connection.leases], ["closed", 0]);
    }
  }
});

test("Connection tells the lease's holder that it is done, after its owner, and once", async () => {
  const { connection, giveBack, lease, socket } = connect();
  const { owner, sink, told } = listen();
  connection.setOwner(owner);
  lease();
  connection.setSink(sink);
  socket.receive(BYTES);
  socket.end(new Error("broken"));
  await turns();
  assertEquals(told, ["data 1,2", "closed there: broken", "sink closed: broken"]);
  giveBack();
});

test("Connection.closed resolves when the socket is done, not before, and never rejects", async () => {
  const { connection, socket } = connect();
  let done = false;
  connection.closed.then(() => done = true);
  connection.destroy(new Error("broken"));
  assertEquals(connection.state, "closed");
  assertFalse(done);
  assertFalse(socket.open);
  await turns();
  assert(done);
  const { connection: second, socket: broken } = connect();
  broken.end(new Error("broken"));
  assertEquals(await second.closed, undefined);
});

test("Connection numbers itself, and draws its jitter once from its clock", () => {
  const clock = new ManualClock(5);
  const expected = [clock.random(), clock.random()].map((share) =>
    Math.floor(share * 65_536) / 65_536
  );
  const second = new ManualClock(5);
  const [a, b] = [connect({ clock: second }).connection, connect({ clock: second }).connection];
  assertNotEquals(a.id, b.id);
  assertEquals([a.jitter, b.jitter], expected);
  assertEquals(a.jitter, expected[0]);
});

test("Connection.stats() is plain data, a copy of one moment", () => {
  const { clock, connection, giveBack, lease } = connect({ tlsProfile: "strict", capacity: 2 });
  clock.advance(10);
  lease();
  clock.advance(10);
  const stats = connection.stats();
  giveBack();
  connection.errorCount++;
  assertEquals(JSON.parse(JSON.stringify(stats)), {
    id: connection.id,
    host: "example.com",
    address: "192.0.2.1",
    tlsProfile: "strict",
    state: "leased",
    healthy: true,
    createdAt: 1_000_000,
    lastUsedAt: 1_000_010,
    lastCheckedAt: null,
    requestCount: 1,
    errorCount: 0,
    leases: 1,
    capacity: 2,
    multiplexed: false,
    upgraded: null,
    tls: { alpn: null, tcpMs: 0, tlsMs: 0 },
  });
  assertStrictEquals(connection.stats().errorCount, 1);
});
