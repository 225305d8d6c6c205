/**
 * Access rules and blocks: what they deny is not dialled, however it is asked for, and what
 * is in use when they come to hold ends in good order.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { Dialer, DialTarget } from "../../src/core/dialer.ts";
import { AccessDeniedError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { EvictReason } from "../../src/map/exits.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { ok, withScene } from "../support/http_scene.ts";
import { startBad } from "../support/machines.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { findPort } from "../support/services.ts";
import { turns } from "../support/turns.ts";

const THREE = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
const FINE = { "*": [{ send: ok("fine") }] };

/** Chooses the first of several. */
const alwaysFirst: Clock = { ...systemClock, random: () => 0 };

/** The rules by address that an error tells. */
function rulesOf({ addresses }: AccessDeniedError): { [address: string]: string } {
  return Object.fromEntries(addresses.map(({ address, rule }) => [address, rule]));
}

test("What is denied is not dialled, whether a literal, a pin or what the resolver says", () =>
  withScene({
    scripts: FINE,
    pool: {
      resolver: staticResolver({ "a.test": ["127.0.0.1"], "b.test": ["[::1]", "10.0.0.1"] }),
      access: { deny: ["127.0.0.0/8", "10.0.0.1"], denyPrivate: true },
    },
  }, async ({ origin, pool, url }) => {
    const { port } = origin;
    const literals = ["127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "[::7f00:1]"];
    for (const literal of literals) {
      const error = await assertRejects(
        () => pool.request(`https://${literal}:${port}/`),
        AccessDeniedError,
      );
      assertEquals(Object.values(rulesOf(error)), ["deny 127.0.0.0/8"], literal);
    }
    const own = await assertRejects(() => pool.request(url("/")), AccessDeniedError);
    assertEquals([own.host, rulesOf(own)], [
      `a.test:${port}`,
      { [`127.0.0.1:${port}`]: "deny 127.0.0.0/8" },
    ]);
    const both = await assertRejects(() => pool.request(url("/", "b.test")), AccessDeniedError);
    assertEquals(rulesOf(both), {
      [`[::1]:${port}`]: "denyPrivate (loopback)",
      [`10.0.0.1:${port}`]: "deny 10.0.0.1",
    });
    for (const ip of ["127.0.0.1", `127.0.0.1:${port}`, "127.9.9.9", "192.168.1.1"]) {
      await assertRejects(() => pool.acquire(`a.test:${port}`, { ip }), AccessDeniedError);
      await assertRejects(() => pool.request(url("/"), { ip }), AccessDeniedError);
    }
    const sticky = () => pool.acquire(`a.test:${port}`, { sticky: "x" });
    await assertRejects(sticky, AccessDeniedError);
    const excluding = () => pool.acquire(`b.test:${port}`, { exclude: ["::1"] });
    assertEquals(rulesOf(await assertRejects(excluding, AccessDeniedError)), {
      [`10.0.0.1:${port}`]: "deny 10.0.0.1",
    });
    await assertRejects(() => pool.warm(`a.test:${port}`, { connections: 1 }));
    assertEquals([pool.stats().dials, (await origin.report()).accepted], [0, 0]);
  }));

test("A warm-up of a host whose addresses are all denied fails with their rules", async () => {
  await using it = memoryPool({ access: { denyPrivate: true } });
  const error = await assertRejects(
    () => it.pool.warm("127.0.0.1", { connections: 1 }),
    AccessDeniedError,
  );
  assertEquals(rulesOf(error), { "127.0.0.1": "denyPrivate (loopback)" });
  assertEquals(it.dialer.dials, []);
});

test("A redirect to what is denied is not followed: fetch fails with the reason as its cause", () =>
  withScene({
    origin: { addresses: ["127.0.0.1", "127.0.0.2"] },
    scripts: {
      "/away": [{ send: ok("", ["location: https://127.0.0.1:4/secret"], "302 Found") }],
      "/name": [{ send: ok("", ["location: https://b.test:4/secret"], "307 Moved") }],
      "*": [{ send: ok("fine") }],
    },
    pool: {
      resolver: staticResolver({ "a.test": ["127.0.0.2"], "b.test": ["127.0.0.1"] }),
      access: { deny: ["127.0.0.1"] },
    },
  }, async ({ origin, pool, url }) => {
    for (const [path, host] of [["/away", "127.0.0.1:4"], ["/name", "b.test:4"]] as const) {
      const error = await assertRejects(() => pool.fetch(url(path)), TypeError);
      assertInstanceOf(error.cause, AccessDeniedError);
      assertEquals(error.cause.host, host);
    }
    assertEquals(await (await pool.fetch(url("/"))).text(), "fine");
    assertEquals((await origin.report()).accepted, 1);
  }));

test("A denied address of a host counts as absent: the others bear all", () =>
  withScene({
    origin: { addresses: THREE },
    scripts: FINE,
    pool: { access: { allow: ["127.0.0.0/29"], deny: ["127.0.0.3"] } },
  }, async ({ origin, pool, url }) => {
    await pool.warm(`a.test:${origin.port}`, { connections: 4 });
    for (let i = 0; i < 40; i++) {
      const lease = await pool.acquire(`b.test:${origin.port}`);
      lease.release({ reuse: false });
      await (await pool.request(url("/"))).dump();
    }
    const { connections } = await origin.report();
    const seen = new Set(connections.map(({ address }) => address));
    assertEquals([...seen].sort(), ["127.0.0.2", "127.0.0.4"]);
    assertEquals(pool.access, {
      allow: ["127.0.0.0/29"],
      deny: ["127.0.0.3"],
      denyPrivate: false,
    });
    await pool.drain(`a.test:${origin.port}`);
  }));

test("Rules that change end what is idle at once, and what is in use with its lease", () =>
  withScene({
    origin: { addresses: THREE },
    scripts: { "/slow": [], ...FINE },
    pool: { protocols: ["http/1.1"] },
  }, async ({ origin, pool, url }) => {
    const host = `a.test:${origin.port}`;
    const evicted: [address: string, reason: EvictReason][] = [];
    pool.on("evict", ({ address, reason }) => evicted.push([address, reason]));
    const at = (ip: string) => `${ip}:${origin.port}`;
    for (const ip of THREE) (await pool.acquire(host, { ip })).release();
    const slow = pool.request(url("/slow"), { ip: "127.0.0.3" });
    const { connections } = await origin.until({ openSockets: 3, requests: 1 });
    const asked = connections.find(({ requests }) => requests === 1)!;
    assertThrows(() => pool.setAccess({ deny: ["nonsense"] }), TypeError);
    assertEquals(pool.stats().idle, 2);
    pool.setAccess({ deny: ["127.0.0.2", "127.0.0.3"] });
    assertEquals(pool.stats().connections, 2);
    await origin.until({ openSockets: 2 });
    assertEquals(evicted, [[at("127.0.0.2"), "gone"]]);
    await origin.act({ kind: "send", text: ok("late") }, asked.id);
    assertEquals(await (await slow).text(), "late");
    await origin.until({ openSockets: 1 });
    assertEquals(evicted.slice(1), [[at("127.0.0.3"), "gone"]]);
    await assertRejects(() => pool.request(url("/"), { ip: "127.0.0.3" }), AccessDeniedError);
    for (let i = 0; i < 20; i++) {
      const { connection, ...response } = await pool.request(url("/"));
      assertEquals(connection.address, at("127.0.0.4"), JSON.stringify(response));
    }
    pool.setAccess({ allow: [] });
    await origin.until({ openSockets: 0 });
    const error = await assertRejects(() => pool.request(url("/")), AccessDeniedError);
    const rule = "not in allow";
    assertEquals(
      rulesOf(error),
      Object.fromEntries(THREE.map((ip) => [at(ip), rule])),
    );
    pool.setAccess({});
    const response = await pool.request(url("/"), { ip: "127.0.0.2" });
    assertEquals(await response.text(), "fine");
    assertEquals((await origin.report()).accepted, 4);
  }));

test("A dial under way to what comes to be denied is given up, and its caller goes elsewhere or hears", async () => {
  await using mute = await startBad("never answers TLS", "127.0.0.9");
  const port = await findPort();
  const good = `127.0.0.1:${port}`;
  await withScene({
    origin: { port },
    scripts: FINE,
    pool: {
      resolver: staticResolver({
        "a.test": ["127.0.0.1"],
        "b.test": [mute.address, good],
        "c.test": [mute.address],
      }),
      dialStaggerMs: 60_000,
      clock: alwaysFirst,
    },
  }, async ({ origin, pool }) => {
    const pinned = pool.acquire(`a.test:${origin.port}`, { ip: mute.address });
    const only = pool.acquire("c.test");
    const both = pool.acquire("b.test");
    const denied = [pinned, only].map((waiting) => assertRejects(() => waiting, AccessDeniedError));
    await mute.origin!.until({ accepted: 3, openSockets: 3 });
    pool.setAccess({ deny: ["127.0.0.9"] });
    for (const error of await Promise.all(denied)) {
      assertEquals(rulesOf(error), { [mute.address]: "deny 127.0.0.9" });
    }
    using lease = await both;
    assertEquals(lease.connection.address, good);
    assertEquals(pool.stats().dialing, 0);
  });
});

test("What is blocked while the dialer is still being loaded is not dialled", async () => {
  const memory = memoryDialer();
  // It does not look whether it was stopped before.
  const dialer = {
    name: "heedless",
    capabilities: memory.capabilities,
    dial: (target: DialTarget) => memory.dial(target, new AbortController().signal),
  };
  let load = (_: Dialer) => {};
  await using pool = new ConnectionPool({
    dialer: new Promise<Dialer>((resolve) => load = resolve),
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
  });
  const asked = assertRejects(() => pool.acquire("a.test"), AccessDeniedError);
  await turns();
  assertEquals(pool.stats().dialing, 1);
  pool.block("192.0.2.1");
  load(dialer);
  await asked;
  assertEquals([pool.stats().dialing, memory.dials.length], [0, 0]);
});

test("A block holds for all ports of an IP, or for one, until it is ended, and tells of both", () =>
  withScene({ origin: { addresses: THREE }, scripts: FINE }, async ({ origin, pool, url }) => {
    const events: unknown[] = [];
    pool.on("block", ({ ip, reason }) => events.push(["block", ip, reason]));
    pool.on("unblock", ({ ip }) => events.push(["unblock", ip]));
    const at = (ip: string) => `${ip}:${origin.port}`;
    for (const ip of THREE) await (await pool.request(url("/"), { ip })).dump();
    await origin.until({ openSockets: 3 });
    pool.block("127.0.0.2", { reason: "maintenance" });
    pool.block(at("127.0.0.3"));
    pool.block("127.0.0.4:1");
    await origin.until({ openSockets: 1 });
    for (let i = 0; i < 20; i++) {
      assertEquals((await pool.request(url("/"))).connection.address, at("127.0.0.4"));
    }
    const named = await assertRejects(
      () => pool.request(url("/"), { ip: "127.0.0.2" }),
      AccessDeniedError,
    );
    assertEquals(rulesOf(named), { [at("127.0.0.2")]: "blocked: maintenance" });
    await assertRejects(() => pool.request(url("/"), { ip: "127.0.0.3" }), AccessDeniedError);
    pool.block("127.0.0.4");
    const all = await assertRejects(() => pool.request(url("/")), AccessDeniedError);
    assertEquals(rulesOf(all), {
      [at("127.0.0.2")]: "blocked: maintenance",
      [at("127.0.0.3")]: "blocked",
      [at("127.0.0.4")]: "blocked",
    });
    const { accepted } = await origin.until({ openSockets: 0 });
    assertEquals([accepted, pool.stats().dials], [3, 3]);
    assertEquals([pool.unblock("127.0.0.3"), pool.unblock(at("127.0.0.3"))], [false, true]);
    assertEquals((await pool.request(url("/"))).connection.address, at("127.0.0.3"));
    assertEquals(events, [
      ["block", "127.0.0.2", "maintenance"],
      ["block", at("127.0.0.3"), undefined],
      ["block", "127.0.0.4:1", undefined],
      ["block", "127.0.0.4", undefined],
      ["unblock", at("127.0.0.3")],
    ]);
  }));

test("A blocked address is drained, not dialled, and comes back after its time with little load", async () => {
  await using it = memoryPool({ slowStartMs: 10_000 });
  const told: string[] = [];
  it.pool.on("unblock", ({ ip }) => told.push(ip));
  const dialled = () => it.dialer.dials.filter(({ ip }: DialTarget) => ip === "192.0.2.1").length;
  await it.pool.warm("a.test", { connections: 2 });
  const held = await it.pool.acquire("a.test", { ip: "192.0.2.1" });
  assertEquals(dialled(), 1);
  const { until } = it.pool.block("192.0.2.1", { forMs: 60_000 });
  assertEquals(until, it.clock.now() + 60_000);
  assertEquals(held.connection.state, "draining");
  held.release();
  assertEquals(held.connection.state, "closed");
  // It is kept warm elsewhere meanwhile, and whoever comes goes there.
  for (let second = 0; second < 59; second++) {
    using lease = await it.pool.acquire("a.test", { timeoutMs: 0 });
    assertEquals(lease.connection.address, "192.0.2.2");
    it.clock.advance(1_000);
    await turns();
  }
  assertEquals([dialled(), told.length], [1, 0]);
  it.clock.advance(1_000);
  await turns();
  assertEquals(told, ["192.0.2.1"]);
  const share = async () => {
    let count = 0;
    for (let i = 0; i < 400; i++) {
      using lease = await it.pool.acquire("a.test");
      if (lease.connection.address === "192.0.2.1") count++;
    }
    return count;
  };
  const early = await share();
  it.clock.advance(10_000);
  await turns();
  const late = await share();
  assert(early > 0 && early < 100, `${early} of 400 at first`);
  assert(late > 140 && late < 260, `${late} of 400 in the end`);
  assertEquals(it.pool.unblock("192.0.2.1"), false);
});

test("Who waits for a blocked address is served when the block ends, if another one was to be had", async () => {
  await using it = memoryPool({ maxConnectionsPerIp: 1 });
  it.pool.block("192.0.2.1", { forMs: 1_000 });
  const first = await it.pool.acquire("a.test");
  const second = it.pool.acquire("a.test");
  await turns();
  assertEquals(it.dialer.dials.length, 1);
  it.clock.advance(1_000);
  const lease = await second;
  assertEquals(lease.connection.address, "192.0.2.1");
  first.release();
  lease.release();
});

test("The event of a block that ends tells what the block was told by, however it is spelled", async () => {
  await using it = memoryPool();
  const told: string[] = [];
  for (const type of ["block", "unblock"] as const) {
    it.pool.on(type, ({ ip }) => told.push(`${type} ${ip}`));
  }
  it.pool.block("2001:DB8:0::1");
  assert(it.pool.unblock("[2001:db8::0:1]"));
  await turns();
  assertEquals(told, ["block 2001:db8::1", "unblock 2001:db8::1"]);
});

test("A pool that is closed sets no timer for a block", async () => {
  const it = memoryPool();
  await it.pool.close();
  it.pool.block("192.0.2.1", { forMs: 1_000 });
  assertEquals(it.clock.timers, 0);
});
