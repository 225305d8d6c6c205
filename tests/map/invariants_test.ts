import { assert, assertEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { memorySocket } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { Accountant } from "../../src/map/accountant.ts";
import { Connection, type ConnectionOwner } from "../../src/map/connection.ts";
import { DualMap } from "../../src/map/dual_map.ts";
import { Entry } from "../../src/map/endpoint.ts";
import type { Lane } from "../../src/map/lane.ts";
import { MapWorld } from "../support/map_world.ts";

const owner: ConnectionOwner = { onUnsolicited() {}, onClosed() {}, onCapacity() {}, onLoss() {} };

/** Sound maps of four connections, with everything in them laid open. */
class Inside {
  readonly clock = new ManualClock();
  readonly map = new DualMap();
  readonly accountant = new Accountant({
    maxConnections: 9,
    maxConnectionsPerHost: 5,
    maxConnectionsPerIp: 4,
  });
  readonly idle = this.add("a.example", "192.0.2.1");
  readonly other = this.add("a.example", "192.0.2.2");
  readonly leased = this.add("b.example", "192.0.2.1");
  readonly shared = this.add("c.example", "192.0.2.3", 3);

  constructor() {
    this.lease(this.leased);
    this.lease(this.shared);
  }

  connect(host: string, address: string, capacity = 1): Connection {
    const socket = memorySocket();
    const connection = new Connection({ host, address, capacity, socket, clock: this.clock });
    connection.setOwner(owner);
    return connection;
  }

  add(host: string, address: string, capacity = 1): Connection {
    const connection = this.connect(host, address, capacity);
    this.map.add(connection);
    this.accountant.add(host, address);
    return connection;
  }

  lease(connection: Connection): void {
    connection.beginLease(this.clock.now());
    this.map.restack(this.entry(connection));
  }

  entry(connection: Connection): Entry {
    const entry = this.map.entry(connection);
    assert(entry);
    return entry;
  }

  lane(host: string): Lane {
    const lane = this.map.lane(host, "default");
    assert(lane);
    return lane;
  }

  /** The connections at an address, to be tampered with. */
  bucket(address: string): Set<Connection> {
    return this.map.at(address) as Set<Connection>;
  }

  check(): void {
    this.map.checkInvariants(this.accountant);
  }
}

test("checkInvariants() finds nothing wrong with sound maps, whatever state they are in", () => {
  const it = new Inside();
  it.check();
  it.lease(it.shared);
  it.check();
  it.lease(it.shared);
  it.check();
  it.idle.healthy = it.leased.healthy = it.shared.healthy = false;
  it.check();
  it.map.unstack(it.entry(it.leased));
  it.leased.drain();
  it.check();
  // Dials that are under way are counted and not held.
  it.accountant.add("a.example", "192.0.2.9");
  it.check();
  for (const connection of [...it.map.connections()]) {
    assert(it.map.remove(connection));
    it.accountant.remove(connection.host, connection.address);
    it.check();
    assertEquals(it.map.remove(connection), false);
  }
  assertEquals([it.map.size, it.map.idle.size, it.map.hostMapping().size], [0, 0, 0]);
});

test("checkInvariants() finds whatever is wrong, and says of which connection, host or address", () => {
  const cases: readonly [damage: (it: Inside) => void, message: string][] = [
    // Connections and their stacks.
    [({ clock, idle }) => idle.beginLease(clock.now()), "leased) is wrongly idle"],
    [({ idle }) => idle.drain(), "draining) has wrong leases"],
    [({ clock, leased }) => leased.endLease(clock.now(), 0), "idle) is wrongly idle"],
    [({ clock, shared }) => {
      shared.beginLease(clock.now());
      shared.beginLease(clock.now());
    }, "is on a wrong stack"],
    [({ shared }) => shared.drain(), "draining) is on a wrong stack"],
    [({ leased }) => {
      leased.destroy();
      leased.setOwner(owner);
    }, "closed) is held but closed"],
    [({ leased }) => leased.setOwner(undefined), "would tell nobody its end"],
    [(it) => it.map.idle.remove(it.entry(it.idle).idleNode), "is wrongly idle"],
    [(it) => {
      const { endpoint, stackNode } = it.entry(it.idle);
      endpoint.idle.remove(stackNode);
      it.lane("a.example").noteReady(endpoint);
    }, "is on a wrong stack"],
    [(it) => it.map.unstack(it.entry(it.shared)), "is on a wrong stack"],
    [(it) => {
      const { endpoint, stackNode } = it.entry(it.shared);
      endpoint.partial.remove(stackNode);
      endpoint.idle.pushFront(stackNode);
    }, "is on a wrong stack"],
    [(it) => {
      const stranger = new Entry(
        it.connect("a.example", "192.0.2.1"),
        it.lane("a.example").endpoint("192.0.2.1"),
      );
      it.map.idle.pushFront(stranger.idleNode);
    }, "is idle but not held"],
    [(it) => {
      const { endpoint } = it.entry(it.idle);
      endpoint.idle.pushFront(
        new Entry(it.connect("a.example", "192.0.2.1"), endpoint).stackNode,
      );
    }, "a.example at 192.0.2.1 has a stranger on a stack"],
    [(it) => {
      it.entry(it.idle).endpoint.places[0] = -1;
    }, "a.example at 192.0.2.1 is not rightly ready"],
    [(it) => {
      it.entry(it.leased).endpoint.places[0] = 0;
    }, "b.example at 192.0.2.1 is not rightly ready"],
    // Addresses.
    [(it) => it.bucket("192.0.2.1").delete(it.idle), "4 are held, 3 have an address"],
    [(it) => it.bucket("192.0.2.2").clear(), "address 192.0.2.2 is empty"],
    [(it) => {
      it.accountant.add("a.example", "192.0.2.1");
      it.bucket("192.0.2.1").add(it.other);
    }, "a.example at 192.0.2.2, idle) stands at 192.0.2.1"],
    [(it) => {
      it.accountant.add("a.example", "192.0.2.1");
      it.bucket("192.0.2.1").add(it.connect("a.example", "192.0.2.1"));
    }, "has an address only"],
    // Hosts.
    [(it) => it.lane("a.example").endpoint("192.0.2.7"), "a.example has nothing at 192.0.2.7"],
    [(it) => it.lane("c.example").endpoints.clear(), "a lane of host c.example is empty"],
    [
      (it) => it.lane("a.example").endpoints.delete("192.0.2.1"),
      "host a.example miscounts its connections",
    ],
    [
      (it) => it.lane("a.example").connectionCount--,
      "host a.example miscounts its connections",
    ],
    [(it) => it.entry(it.idle).endpoint.places[1] = 0, "at 192.0.2.1 is not rightly good"],
    [(it) => it.entry(it.shared).endpoint.leased--, "c.example at 192.0.2.3 has wrong leases"],
    [(it) => it.entry(it.shared).endpoint.slots--, "192.0.2.3 miscounts what it can carry"],
    [(it) => it.lane("c.example").addSlots(1), "host c.example miscounts what it can carry"],
    [(it) => it.entry(it.idle).endpoint.connections.add(it.other), "is misplaced"],
    [(it) => it.entry(it.idle).endpoint.connections.delete(it.idle), "has nothing at 192.0.2.1"],
    // Counts.
    [(it) => it.accountant.remove("d.example", "192.0.2.1"), "address 192.0.2.1 is uncounted"],
    [(it) => it.accountant.remove("a.example", "192.0.2.9"), "4 are held, 3 accounted for"],
    [(it) => {
      it.accountant.remove("a.example", "192.0.2.9");
      it.accountant.add("d.example", "192.0.2.9");
    }, "host a.example is uncounted"],
  ];
  for (const [damage, message] of cases) {
    const it = new Inside();
    it.check();
    damage(it);
    assertThrows(() => it.check(), Error, message, damage.toString());
  }
});

test("checkInvariants() finds a limit that is broken", () => {
  const limits = { maxConnections: 2, maxConnectionsPerHost: 2, maxConnectionsPerIp: 2 };
  const cases = [
    [{ maxConnections: 1 }, "2 are held, 2 accounted for"],
    [{ maxConnectionsPerHost: 1 }, "host a.example is over its limit"],
    [{ maxConnectionsPerIp: 1 }, "address 192.0.2.1 is over its limit"],
  ] as const;
  for (const [change, message] of cases) {
    const mutable = { ...limits };
    const it = new Inside();
    const accountant = new Accountant(mutable);
    const map = new DualMap();
    for (let i = 0; i < 2; i++) {
      map.add(it.connect("a.example", "192.0.2.1"));
      accountant.add("a.example", "192.0.2.1");
    }
    map.checkInvariants(accountant);
    Object.assign(mutable, change);
    assertThrows(() => map.checkInvariants(accountant), Error, message);
  }
});

test("ConnectionManager.checkInvariants() looks into its own maps", async () => {
  await using it = new MapWorld();
  const { clock, manager } = it;
  const connection = it.add("a.example", "192.0.2.1");
  connection.beginLease(clock.now());
  assertThrows(() => manager.checkInvariants(), Error, "is wrongly idle");
  connection.endLease(clock.now(), clock.wallNow());
  manager.checkInvariants();
  manager.accountant.remove("a.example", "192.0.2.1");
  assertThrows(() => manager.checkInvariants(), Error, "192.0.2.1 is uncounted");
  manager.accountant.add("a.example", "192.0.2.1");
});
