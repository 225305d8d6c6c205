/**
 * What a pool is told of single hosts: that it holds, and that bad input is refused by name.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { Resolver } from "../../src/hosts/resolver.ts";
import type { HostOptions } from "../../src/pool/host_options.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];

/** A resolver that fails the test when it is asked. */
const silentResolver: Resolver & { asked: number } = {
  name: "silent",
  asked: 0,
  resolve() {
    this.asked++;
    return Promise.reject(new Error("The resolver was asked"));
  },
};

function told(hostOptions: MemoryPoolOptions["hostOptions"], more: MemoryPoolOptions = {}) {
  return memoryPool({ hosts: { "a.test": FOUR }, ...more, hostOptions: hostOptions ?? {} });
}

test("minIdle opens connections from the start, spread over the addresses, and keeps them", async () => {
  await using it = told({ "a.test": { minIdle: 8 } }, {
    idleTimeoutMs: 5_000,
    cleanupIntervalMs: 1_000,
  });
  await turns();
  assertEquals(FOUR.map((address) => countAt(it, address)), [2, 2, 2, 2]);
  await pass(it, 20_000, 500);
  assertEquals(it.pool.stats().idle, 8);
  assertEquals(it.pool.stats().evicted, {});
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 8);
});

test("minIdle comes back after what was lost, and is what warm() without more aims at", async () => {
  await using it = told({ "a.test": { minIdle: 4 } });
  assertEquals((await it.pool.warm()).map(({ connections }) => connections), [4]);
  // What ended sooner would count as a failed dial.
  it.clock.advance(1_000);
  for (const socket of it.dialer.sockets) socket.end();
  await turns();
  assertEquals(it.pool.stats().idle, 4);
  assertEquals(it.pool.stats().evicted, { peer: 4 });
  await it.pool.warm("a.test", { connections: 0 });
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 0);
  await it.pool.warm("a.test");
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 4);
});

test("maxConnections holds for its host instead of maxConnectionsPerHost, be it less or more", async () => {
  for (const maxConnections of [2, 12]) {
    await using it = memoryPool({
      hosts: { "a.test": FOUR, "b.test": FOUR },
      hostOptions: { "a.test": { maxConnections } },
      maxConnectionsPerHost: 5,
    });
    const all = ["a.test", "b.test"].map((host) =>
      Array.from({ length: 20 }, () => it.pool.acquire(host))
    );
    await pass(it, 200);
    const { hosts } = it.pool.stats();
    assertEquals([hosts["a.test"]?.leased, hosts["b.test"]?.leased], [maxConnections, 5]);
    for (const leases of all) for (const lease of leases) void lease.then((it) => it.release());
    await pass(it, 100);
    await Promise.all(all.flat());
  }
});

test("minIdle and warm() may go up to the host's own maxConnections", async () => {
  await using it = told({ "a.test": { maxConnections: 12, minIdle: 12 } }, {
    maxConnectionsPerHost: 5,
  });
  assertEquals((await it.pool.warm()).map(({ connections }) => connections), [12]);
  const invalid = { "a.test": { maxConnections: 2, minIdle: 3 } };
  assertThrows(
    () => new ConnectionPool({ dialer: memoryDialer(), resolver: silentResolver, hosts: invalid }),
    RangeError,
    "hosts[\"a.test\"].minIdle must be a whole number from 0 to 2, got 3",
  );
});

test("addresses are used as they stand, with the host's port, and no resolver is asked", async () => {
  silentResolver.asked = 0;
  await using it = memoryPool({
    resolver: silentResolver,
    hostOptions: { "c.test:8443": { addresses: ["192.0.2.7", "192.0.2.8:9443", "192.0.2.7"] } },
  });
  assertEquals((await it.pool.warm("c.test:8443", { connections: 2 })).connections, 2);
  await pass(it, 4_000_000, 500_000);
  assertEquals(
    it.dialer.dials.slice(0, 2).map(({ address }) => address).sort(),
    ["192.0.2.7:8443", "192.0.2.8:9443"],
  );
  const { resolution } = it.pool.stats().hosts["c.test:8443"]!;
  assertEquals(resolution, {
    source: "fixed",
    addresses: ["192.0.2.7:8443", "192.0.2.8:9443"],
    resolvedAt: null,
    expiresAt: null,
    ttlMs: null,
    stale: false,
    error: null,
    leftOut: [],
  });
  assertEquals(silentResolver.asked, 0);
});

test("balancer holds for its host, the pool's for the others", async () => {
  const asked: string[] = [];
  await using it = memoryPool({
    hosts: { "a.test": FOUR, "b.test": FOUR },
    balancer: "roundRobin",
    hostOptions: {
      "b.test": {
        balancer: (candidates) => {
          asked.push(...candidates.map(({ address }) => address));
          return candidates.find(({ ip }) => ip === "192.0.2.3") ?? candidates[0]!;
        },
      },
    },
  });
  const used: { [host: string]: string[] } = { "a.test": [], "b.test": [] };
  for (const host of ["a.test", "b.test"]) {
    await it.pool.warm(host, { connections: 4 });
    for (let i = 0; i < 8; i++) {
      const lease = await it.pool.acquire(host);
      used[host]?.push(lease.connection.address);
      lease.release();
    }
  }
  for (const address of FOUR) {
    assertEquals(used["a.test"]?.filter((text) => text === address).length, 2, address);
  }
  assertEquals(used["b.test"], Array(8).fill("192.0.2.3"));
  assert(FOUR.every((address) => asked.includes(address)));
});

test("weights are by IP address, and by address with port where one machine has several", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.2:8443", "[2001:db8::1]"] },
    hostOptions: {
      "a.test": {
        balancer: "weighted",
        weights: { "192.0.2.1": 0, "192.0.2.2": 3, "192.0.2.2:8443": 1, "2001:DB8:0::1": 0.5 },
      },
    },
  });
  await it.pool.warm("a.test", { connections: 4 });
  const { addresses } = it.pool.stats().hosts["a.test"]!;
  const weights = Object.entries(addresses).map(([address, { weight }]) => [address, weight]);
  assertEquals(Object.fromEntries(weights), {
    "192.0.2.1": 0,
    "192.0.2.2": 3,
    "192.0.2.2:8443": 1,
    "2001:db8::1": 0.5,
  });
  for (let i = 0; i < 450; i++) (await it.pool.acquire("a.test")).release();
  const picks = (address: string) => it.pool.stats().hosts["a.test"]!.addresses[address]!.picks;
  assertEquals(picks("192.0.2.1"), 0);
  // 300 of 450 expected, a standard deviation of 10: five of them.
  assert(Math.abs(picks("192.0.2.2") - 300) <= 50, `${picks("192.0.2.2")} of 300`);
});

test("tls holds for its host, until a caller asks for other parameters", async () => {
  await using it = memoryPool({
    tls: { alpn: ["http/1.1"] },
    hostOptions: { "a.test": { tls: { minVersion: "TLSv1.3" } } },
  });
  const own = await it.pool.acquire("a.test");
  const other = await it.pool.acquire("b.test");
  const asked = await it.pool.acquire("a.test", { tls: { alpn: ["http/1.1"] } });
  assertEquals(it.dialer.dials.map(({ tls }) => tls), [
    { minVersion: "TLSv1.3" },
    { alpn: ["http/1.1"] },
    { alpn: ["http/1.1"] },
  ]);
  assert(own.connection.tlsProfile !== other.connection.tlsProfile);
  assertEquals(asked.connection.tlsProfile, other.connection.tlsProfile);
  for (const lease of [own, other, asked]) lease.release();
});

test("A host is known by whatever spelling, its port 443 included", async () => {
  for (const spelling of ["A.TEST", "a.test.", "a.test:443", "A.test.:443"]) {
    await using it = told({ [spelling]: { minIdle: 2 } });
    await turns();
    assertEquals(it.pool.stats().hosts["a.test"]?.idle, 2, spelling);
  }
});

test("Bad options of a host are refused with their name, their value, and what would be valid", () => {
  const name = (option: string) => `hosts["a.test"].${option}`;
  const bad: [options: unknown, error: typeof TypeError | typeof RangeError, message: string][] = [
    [5, TypeError, "hosts[\"a.test\"] must be an object of options, got 5"],
    [null, TypeError, "hosts[\"a.test\"] must be an object of options, got null"],
    [{ minidle: 1 }, TypeError, "Unknown option \"minidle\" of hosts[\"a.test\"]"],
    [{ minIdle: -1 }, RangeError, `${name("minIdle")} must be a whole number from 0 to 64, got -1`],
    [{ minIdle: "2" }, TypeError, `${name("minIdle")} must be`],
    [{ maxConnections: 0 }, RangeError, `${name("maxConnections")} must be a whole number of`],
    [{ maxConnections: 1.5 }, RangeError, `${name("maxConnections")} must be`],
    [{ addresses: [] }, TypeError, `${name("addresses")} must be a list of at least one address`],
    [{ addresses: "192.0.2.1" }, TypeError, `${name("addresses")} must be a list`],
    [{ addresses: null }, TypeError, `${name("addresses")} must be a list`],
    [{ addresses: ["b.test"] }, TypeError, `${name("addresses")}`],
    [{ addresses: ["192.0.2.1:99999"] }, RangeError, `${name("addresses")}`],
    [{ balancer: "fastest" }, TypeError, `${name("balancer")} must be one of random, roundRobin`],
    [{ weights: 3 }, TypeError, `${name("weights")} must be weights by address, got 3`],
    [{ weights: [1, 2] }, TypeError, `${name("weights")} must be weights by address, got an array`],
    [{ weights: { "192.0.2.1": -1 } }, RangeError, `${name("weights")}["192.0.2.1"] must be`],
    [{ weights: { "b.test": 1 } }, TypeError, `${name("weights")}`],
    [{ tls: { alpn: "h2" } }, TypeError, `${name("tls")}.alpn must be a list of protocols`],
    [{ tls: { alpn: ["h2", "x".repeat(256)] } }, TypeError, "each of 1 to 255 bytes, got an array"],
    [{ tls: { ca: "ca.pem" } }, TypeError, `${name("tls")}.ca has no certificate in PEM: it looks`],
    [{ tls: { ca: [{}] } }, TypeError, `${name("tls")}.ca[0] must be certificates in PEM`],
    [{ tls: 1 }, TypeError, `${name("tls")} must be an object of TLS options, got 1`],
  ];
  for (const [options, error, message] of bad) {
    assertRefused({ "a.test": options as HostOptions }, error, message);
  }
  assertRefused([], TypeError, "hosts must be an object of hosts and their options, got an array");
  assertRefused(7, TypeError, "hosts must be an object of hosts and their options, got 7");
  assertRefused({ "a b": {} }, TypeError, "hosts[\"a b\"]");
  assertRefused({ "a.test": {}, "A.test.": {} }, TypeError, "hosts has a.test twice: once as A.");
  assertRefused(
    { "192.0.2.1": { addresses: ["192.0.2.2"] } },
    TypeError,
    "hosts[\"192.0.2.1\"] is an address itself: it takes no addresses",
  );
});

function assertRefused(
  hosts: unknown,
  error: typeof TypeError | typeof RangeError,
  message: string,
): void {
  const clock = new ManualClock();
  const make = () =>
    new ConnectionPool({
      clock,
      dialer: memoryDialer({ clock }),
      resolver: silentResolver,
      hosts: hosts as { [host: string]: HostOptions },
    });
  assertThrows(make, error, message);
  assertEquals(clock.timers, 0, "what was begun before is left behind");
}
