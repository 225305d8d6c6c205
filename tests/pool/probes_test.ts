/**
 * Checks of addresses, on a clock that the test moves.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import {
  type MemoryDial,
  type MemoryDialer,
  memoryDialer,
  type MemorySocket,
} from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { AccessDeniedError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import type { PoolEvents } from "../../src/pool/events.ts";
import type { PoolOptions } from "../../src/pool/options.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const [ONE, TWO] = ["192.0.2.1", "192.0.2.2"];
const EVERY = 10_000;

/** A pool with checks, and what was heard of it. */
interface World extends AsyncDisposable {
  readonly pool: HttpPool;
  readonly clock: ManualClock;
  readonly dialer: MemoryDialer;
  readonly checks: (PoolEvents["check"] & { readonly at: number })[];
  /** What the sockets were asked: who, and when. */
  readonly asked: { readonly address: string; readonly at: number; readonly head: string }[];
  pass(ms: number, stepMs?: number): Promise<void>;
  endpoint(address: string): Endpoint;
}

interface WorldOptions extends Partial<Omit<PoolOptions, "dialer" | "clock" | "resolver">> {
  readonly addresses?: readonly string[];
  readonly script?: (target: DialTarget) => MemoryDial;
  /** What each machine answers; null: nothing. */
  readonly answer?: (address: string, socket: MemorySocket) => string | null;
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BAD = "HTTP/1.1 500 Sorry\r\ncontent-length: 0\r\n\r\n";

function world(options: WorldOptions = {}): World {
  const {
    addresses = [ONE, TWO],
    answer = () => OK,
    script = (): MemoryDial => ({}),
    ...rest
  } = options;
  const clock = new ManualClock();
  const asked: { address: string; at: number; head: string }[] = [];
  const dialer = memoryDialer({
    clock,
    script: (target) => ({
      ...script(target),
      socket: {
        onWrite: (socket, bytes) => {
          const { address } = target;
          asked.push({ address, at: clock.now(), head: new TextDecoder().decode(bytes) });
          const text = answer(address, socket);
          if (text === null) return;
          const isHead = asked.at(-1)!.head.startsWith("HEAD ");
          const end = isHead ? text.indexOf("\r\n\r\n") + 4 : text.length;
          socket.receive(new TextEncoder().encode(text.slice(0, end)));
        },
      },
    }),
  });
  const pool = new HttpPool({
    resolver: staticResolver({ "a.test": addresses }),
    healthCheckIntervalMs: EVERY,
    protocols: ["http/1.1"],
    ...rest,
    dialer,
    clock,
  });
  const checks: World["checks"] = [];
  pool.on("check", (check) => checks.push({ ...check, at: clock.now() }));
  return {
    pool,
    clock,
    dialer,
    checks,
    asked,
    pass: (ms, stepMs = 50) => pass({ clock, pool }, ms, stepMs),
    endpoint(address) {
      const lane = [...pool.manager.hosts.lanes()].find(({ host }) => host === "a.test")!;
      return lane.endpoints.get(address)!;
    },
    async [Symbol.asyncDispose]() {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      const { total } = pool.manager.accountant;
      const left = { sockets: dialer.sockets.size, dials: dialer.dialing, timers: clock.timers };
      assertEquals({ ...left, total }, { sockets: 0, dials: 0, timers: 0, total: 0 });
    },
  };
}

const of = (it: World, address: string) => it.checks.filter((check) => check.address === address);

/** Uses the host once, so that it is in use. */
async function use(it: World): Promise<void> {
  (await it.pool.acquire("a.test")).release();
}

test("Each address of a host in use is checked, at intervals that are never the same", async () => {
  await using it = world({ healthCheck: "tls" });
  await it.pool.warm("a.test", { connections: 2 });
  const begun = it.clock.now();
  await it.pass(200_000);
  for (const address of [ONE, TWO]) {
    const times = of(it, address).map(({ at }) => at);
    assert(times[0]! - begun <= EVERY + 50, `first after ${times[0]! - begun}`);
    const gaps = times.slice(1).map((at, index) => at - times[index]!);
    assert(gaps.length >= 19 && gaps.length <= 27, `${gaps}`);
    for (const gap of gaps) assert(gap >= EVERY * 0.75 - 50 && gap <= EVERY + 50, `${gap}`);
    assert(new Set(gaps).size > 5, `${gaps}`);
    assertEquals(it.endpoint(address).connections.size, 1);
  }
  assert(it.checks.every(({ kind, ok, reason }) => kind === "tls" && ok && reason === "handshake"));
  assertEquals(it.pool.stats().acquired, 0);
  assertEquals(it.pool.stats().dials, 2);
});

test("Without healthCheck and blocks there is no timer, and nothing is checked", async () => {
  await using it = world();
  const { clock } = it;
  const idle = clock.timers;
  await it.pool.warm("a.test", { connections: 2 });
  await it.pass(100_000, 1_000);
  assertEquals([it.checks.length, it.dialer.dials.length], [0, 2]);
  await using checking = world({ healthCheck: "tls" });
  assertEquals(checking.clock.timers, idle + 1);
});

test("A host that nobody uses any more is not checked for ever", async () => {
  await using it = world({ healthCheck: { path: "/" }, idleTimeoutMs: 20_000 });
  await use(it);
  await it.pass(60_000);
  const { length } = it.checks;
  assert(length > 0);
  await it.pass(60_000);
  assertEquals(it.checks.length, length);
  assertEquals(it.pool.stats().hosts, {});
  assertEquals(it.dialer.sockets.size, 0);
});

test("An address that has answered within the interval is not checked: traffic is the best check", async () => {
  await using it = world({ healthCheck: "tls" });
  await it.pool.warm("a.test", { connections: 2 });
  let answeredAt = 0;
  for (let i = 0; i < 20; i++) {
    (await it.pool.acquire("a.test", { ip: ONE })).release();
    answeredAt = it.clock.now();
    await it.pass(4_000);
  }
  assertEquals(of(it, ONE), []);
  assert(of(it, TWO).length >= 7);
  await it.pass(EVERY);
  assertEquals(of(it, ONE).length, 1);
  assert(of(it, ONE)[0]!.at >= answeredAt + EVERY);
});

test("No more checks are under way than may be, and all come to their turn", async () => {
  let slow = false;
  const addresses = Array.from({ length: 9 }, (_, index) => `192.0.2.${index + 1}`);
  await using it = world({
    addresses,
    healthCheck: "tls",
    maxConcurrentChecks: 2,
    script: () => ({ delayMs: slow ? 1_000 : 0 }),
  });
  await it.pool.warm("a.test", { connections: 9 });
  slow = true;
  let most = 0;
  for (let passed = 0; passed < 30_000; passed += 50) {
    await it.pass(50);
    most = Math.max(most, it.dialer.dialing);
  }
  assertEquals(most, 2);
  assertEquals(new Set(it.checks.map(({ address }) => address)).size, 9);
});

test("A check that takes too long is a failure, and leaves nothing behind", async () => {
  let hangs = false;
  await using it = world({
    healthCheck: "tls",
    testTimeoutMs: 2_000,
    script: ({ address }) => ({ delayMs: hangs && address === ONE ? Infinity : 0 }),
  });
  await it.pool.warm("a.test", { connections: 2 });
  hangs = true;
  await it.pass(EVERY + 2_000);
  const [check] = of(it, ONE);
  assertEquals([check?.ok, Math.floor(check!.ms / 100)], [false, 20]);
  assert(check?.reason.includes("testTimeoutMs"), check?.reason);
  assertEquals(it.endpoint(ONE).standing, "doubtful");
  assertEquals(it.endpoint(TWO).standing, "good");
  hangs = false;
  await it.pass(3_000);
  assertEquals(it.dialer.dialing, 0);
});

test("What fails its checks is met by no caller; what does well again is back at once", async () => {
  let down = false;
  await using it = world({
    healthCheck: "tls",
    ejectAfterFailures: 2,
    script: ({ address }) => down && address === ONE ? { failure: "refused" } : {},
  });
  await it.pool.warm("a.test", { connections: 4 });
  const heard: string[] = [];
  it.pool.on("eject", ({ address }) => heard.push(`eject ${address}`));
  it.pool.on("readmit", ({ address }) => heard.push(`readmit ${address}`));
  // What answered a moment ago on another connection would only be full.
  await it.pass(11_000);
  down = true;
  while (it.endpoint(ONE).standing === "good") await it.pass(50);
  assertEquals(of(it, ONE).at(-1)?.ok, false);
  // Its old connections are there still, and due for a trial by the old rule.
  for (let i = 0; i < 200; i++) {
    const lease = await it.pool.acquire("a.test");
    assertEquals([lease.connection.address, lease.waitedMs], [TWO, 0]);
    lease.release();
    await it.pass(100);
  }
  assertEquals(it.endpoint(ONE).standing, "ejected");
  down = false;
  const begun = it.clock.now();
  while (it.endpoint(ONE).standing !== "good") await it.pass(50);
  assert(it.clock.now() - begun <= EVERY + 50);
  assertEquals(heard, [`eject ${ONE}`, `readmit ${ONE}`]);
  assert(it.endpoint(ONE).share(it.clock.now()) < 0.2, "it starts slowly");
});

test("Where checks stop, a caller's lease is the trial again after a while", async () => {
  await using it = world({ healthCheck: { path: "/" }, answer: () => BAD });
  await it.pool.warm("a.test", { connections: 2 });
  while (of(it, ONE).length === 0) await it.pass(50);
  const endpoint = it.endpoint(ONE);
  const held = endpoint.heldUntil - it.clock.now();
  assert(held > EVERY && held <= 1.5 * EVERY + 5_000, `${held}`);
  endpoint.lane.setStanding(it.endpoint(TWO), "good");
  const [lane] = it.pool.manager.hosts.lanes();
  const pick = (now: number) => lane?.pick(now, () => 0)?.address.text;
  assertEquals(pick(endpoint.heldUntil - 1), TWO);
  assertEquals(pick(endpoint.heldUntil), ONE);
});

test("connect tells of TCP alone: it forgives the machine, and no failure of TLS there", async () => {
  let failure: MemoryDial = { failure: "refused", phase: "tls" };
  let connects: MemoryDial = {};
  const dials: DialTarget[] = [];
  const connectDialer = memoryDialer({
    capabilities: [],
    script: (target) => {
      dials.push(target);
      return target.address === ONE ? connects : {};
    },
  });
  await using it = world({
    healthCheck: "connect",
    idleTimeoutMs: 600_000,
    connectDialer: Promise.resolve(connectDialer),
    tls: { alpn: ["http/1.1"] },
    script: ({ address }) => address === ONE ? failure : {},
  });
  const used: number[] = [];
  await it.pool.warm("a.test", { connections: 2 });
  for (const { lastUsedAt } of it.pool.manager.connections()) used.push(lastUsedAt);
  assert(it.endpoint(ONE).failing);
  await it.pass(2 * EVERY);
  assert(of(it, ONE).every(({ kind, ok, reason }) => kind === "connect" && ok && reason === kind));
  assert(it.endpoint(ONE).failing);
  failure = {};
  await it.pool.acquire("a.test", { ip: ONE }).then((lease) => lease.release());
  assertEquals(it.endpoint(ONE).standing, "good");
  failure = connects = { failure: "refused" };
  await it.pass(2 * EVERY);
  assert(it.endpoint(ONE).failing);
  failure = { failure: "refused", phase: "tls" };
  connects = {};
  await it.pass(EVERY + 50);
  assert(it.endpoint(ONE).failing);
  failure = {};
  await it.pass(EVERY + 50);
  assertEquals(it.endpoint(ONE).standing, "good");
  assertEquals(connectDialer.sockets.size, 0);
  assert(dials.length > 4 && dials.every(({ tls }) => Object.keys(tls).length === 0));
  // The checks have used none of the pool's own connections.
  const now = Array.from(it.pool.manager.connections(), ({ lastUsedAt }) => lastUsedAt);
  assert(used.every((at) => now.includes(at)), `${used} ${now}`);
});

test("A tls check leaves its connection to an address that has none, and closes it elsewhere", async () => {
  await using it = world({ healthCheck: "tls", idleTimeoutMs: 100_000 });
  await use(it);
  const [first] = it.pool.manager.connections();
  await it.pass(EVERY + 50);
  assertEquals([it.endpoint(ONE).connections.size, it.endpoint(TWO).connections.size], [1, 1]);
  const other = it.endpoint(first!.address === ONE ? TWO : ONE);
  const [kept] = other.connections;
  const lastUsedAt = kept!.lastUsedAt;
  await it.pass(3 * EVERY);
  assertEquals([it.endpoint(ONE).connections.size, it.endpoint(TWO).connections.size], [1, 1]);
  assertEquals([...other.connections][0], kept);
  assertEquals([kept!.lastUsedAt, kept!.requestCount], [lastUsedAt, 0]);
  assert(it.dialer.dials.length >= 7);
  assertEquals(it.dialer.sockets.size, 2);
  // What came to stay counts as what callers had dialled does; what was closed at once does not.
  const { connections, evicted, opened, times } = it.pool.stats();
  const closed = Object.values(evicted).reduce((sum, count) => sum + count, 0);
  assertEquals([opened, times.tls.count], [connections + closed, connections + closed]);
});

test("An HTTP check takes the coldest of two idle connections, and never the only one", async () => {
  await using it = world({ addresses: [ONE], healthCheck: { path: "/up?", method: "HEAD" } });
  await it.pool.warm("a.test", { connections: 1 });
  const [only] = it.pool.manager.connections();
  const { lastUsedAt } = only!;
  while (it.checks.length === 0) await it.pass(50);
  assertEquals([only!.lastUsedAt, only!.requestCount], [lastUsedAt, 0]);
  assertEquals(it.asked.map(({ head }) => head.split("\r\n")[0]), ["HEAD /up? HTTP/1.1"]);
  assertEquals(it.checks[0]!.reason, "answered 200");
  // Its own connection has stayed: now there are two, and the one used longest ago is asked.
  assertEquals(it.pool.stats().idle, 2);
  while (it.checks.length === 1) await it.pass(50);
  assertEquals(only!.requestCount, 1);
  const { acquired, dials, idle, reused } = it.pool.stats();
  assertEquals({ acquired, dials, idle, reused }, { acquired: 0, dials: 1, idle: 2, reused: 0 });
  assertEquals(it.dialer.dials.length, 2);
});

test("An idle connection that had died unnoticed is no failure of its address", async () => {
  for (const kind of ["ends", "silent"] as const) {
    const dead = new Set<MemorySocket>();
    await using it = world({
      addresses: [ONE],
      healthCheck: { path: "/" },
      answer: (_, socket) => {
        if (!dead.has(socket)) return OK;
        if (kind === "ends") socket.end();
        return null;
      },
    });
    await it.pool.warm("a.test", { connections: 2 });
    for (const socket of it.dialer.sockets) dead.add(socket);
    while (it.checks.length === 0) await it.pass(50);
    assertEquals(it.checks.map(({ ok }) => ok), [true]);
    // Half of what it may take goes by before it is given up for another one.
    assertEquals(Math.floor(it.checks[0]!.ms / 100), kind === "ends" ? 0 : 25);
    assertEquals(it.endpoint(ONE).standing, "good");
  }
});

test("An HTTP check with a bad answer takes an address out, and a good one brings it back", async () => {
  let bad = false;
  await using it = world({
    healthCheck: { path: "/healthz", statuses: [200, 204] },
    answer: (address) => bad && address === ONE ? BAD : OK,
  });
  await it.pool.warm("a.test", { connections: 2 });
  bad = true;
  while (it.endpoint(ONE).standing === "good") await it.pass(50);
  assertEquals(of(it, ONE).at(-1)!.reason, "answered 500");
  for (let i = 0; i < 50; i++) {
    const response = await it.pool.request("https://a.test/");
    assertEquals([response.connection.address, await response.text()], [TWO, "ok"]);
    await it.pass(100);
  }
  bad = false;
  while (it.endpoint(ONE).standing !== "good") await it.pass(50);
  assertEquals(of(it, ONE).at(-1)!.ok, true);
});

test("A huge answer is judged by its head, and its connection let go", async () => {
  const huge = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + "x".repeat(70_000);
  await using it = world({ addresses: [ONE], healthCheck: { path: "/" }, answer: () => huge });
  await it.pool.warm("a.test", { connections: 1 });
  while (it.checks.length === 0) await it.pass(50);
  assertEquals(it.checks[0]!.ok, true);
  assertEquals(it.dialer.sockets.size, 1);
});

test("A check is skipped while callers wait, and where limits leave no room", async () => {
  await using it = world({ addresses: [ONE], healthCheck: "tls", maxConnectionsPerIp: 1 });
  const lease = await it.pool.acquire("a.test");
  await it.pass(3 * EVERY);
  assertEquals([it.checks.length, it.dialer.dials.length], [0, 1]);
  lease.release();
  // There is room here, but somebody waits for a machine that does not answer.
  await using waiting = world({
    healthCheck: "tls",
    connectTimeoutMs: 1_000_000,
    acquireTimeoutMs: 3 * EVERY,
    script: ({ address }) => ({ delayMs: address === TWO ? Infinity : 0 }),
  });
  (await waiting.pool.acquire("a.test", { ip: ONE })).release();
  const next = waiting.pool.acquire("a.test", { ip: TWO }).catch(() => "too late");
  await waiting.pass(3 * EVERY - 50);
  assertEquals([waiting.checks.length, waiting.dialer.dials.length], [0, 2]);
  await waiting.pass(EVERY + 50);
  assertEquals(await next, "too late");
  assert(waiting.checks.some(({ address, ok }) => address === ONE && ok));
});

test("A check gives up the last room to a caller, without a verdict", async () => {
  let slow = false;
  await using it = world({
    healthCheck: "tls",
    maxConnectionsPerHost: 2,
    testTimeoutMs: 5_000,
    script: () => ({ delayMs: slow ? 1_000 : 0 }),
  });
  const lease = await it.pool.acquire("a.test");
  slow = true;
  while (it.dialer.dialing === 0) await it.pass(50);
  const begun = it.clock.now();
  const next = it.pool.acquire("a.test");
  let waited = NaN;
  next.then(() => waited = it.clock.now() - begun);
  await it.pass(1_200);
  assertEquals(waited, 1_000);
  assertEquals(it.checks, []);
  (await next).release();
  lease.release();
});

test("A check gives up the last room of all to a caller of another host, and only where it is in the way", async () => {
  // With many in all, the third caller waits for room at its own address.
  for (const [maxConnections, callers, checks] of [[2, 1, 0], [10, 3, 1]] as const) {
    let slow = false;
    await using it = world({
      addresses: [ONE],
      healthCheck: "tls",
      maxConnections,
      maxConnectionsPerIp: 2,
      testTimeoutMs: 5_000,
      script: () => ({ delayMs: slow ? 1_000 : 0 }),
    });
    const lease = await it.pool.acquire("a.test");
    slow = true;
    while (it.dialer.dialing === 0) await it.pass(50);
    const others = Array.from({ length: callers }, () => it.pool.acquire("192.0.2.9"));
    await it.pass(1_200);
    for (const other of others) (await other).release();
    assertEquals(it.checks.length, checks);
    lease.release();
  }
});

test("A check of an address that is blocked meanwhile keeps no connection, and tells nothing", async () => {
  let slow = false;
  await using it = world({ healthCheck: "tls", script: () => ({ delayMs: slow ? 1_000 : 0 }) });
  await use(it);
  slow = true;
  while (it.dialer.dialing === 0) await it.pass(50);
  for (const ip of [ONE, TWO]) it.pool.block(ip);
  assertEquals(it.dialer.dialing, 1);
  await it.pass(1_050);
  assertEquals([it.dialer.sockets.size, it.checks.length], [0, 0]);
});

test("A host in use is checked even while it has no connection", async () => {
  await using it = world({
    healthCheck: "connect",
    connectDialer: memoryDialer({ capabilities: [] }),
    idleTimeoutMs: 60_000,
  });
  const lease = await it.pool.acquire("a.test");
  lease.release({ reuse: false });
  const endedAt = it.clock.now();
  await it.pass(100_000);
  const last = it.checks.at(-1)!.at - endedAt;
  assert(last > 60_000 - EVERY && last <= 60_000, `the last check is after ${last} ms`);
  assertEquals(it.pool.stats().hosts, {});
});

test("A test that frees a blocked address forgives what failed there before", async () => {
  let down = true;
  await using it = world({
    blocklistCheckIntervalMs: 20_000,
    idleTimeoutMs: 1_000_000,
    ejectAfterFailures: 3,
    script: ({ address }) => down && address === ONE ? { failure: "refused" } : {},
  });
  await use(it);
  while (it.endpoint(ONE)?.standing !== "ejected") {
    const failed = it.pool.acquire("a.test", { ip: ONE, timeoutMs: 1_000 }).catch(() => {});
    await it.pass(2_000);
    await failed;
  }
  it.pool.block(ONE, { untilWell: true });
  down = false;
  while (it.pool.stats().blocks.length > 0) await it.pass(50);
  assertEquals(it.endpoint(ONE).standing, "good");
});

test("A block until the address is well ends with a test that goes well, and slowly it comes back", async () => {
  let down = true;
  const options = { blocklistCheckIntervalMs: 20_000, idleTimeoutMs: 1_000_000 };
  await using it = world({
    ...options,
    script: ({ address }) => down && address === ONE ? { failure: "refused", phase: "tls" } : {},
  });
  await use(it);
  await it.pass(1_000);
  const { timers } = it.clock;
  const heard: string[] = [];
  it.pool.on("unblock", ({ ip }) => heard.push(ip));
  const block = it.pool.block(`${ONE}:443`, { reason: "rebuilt", untilWell: true });
  assertEquals([block.untilWell, block.until], [true, Infinity]);
  assertEquals(it.clock.timers, timers + 1);
  const blockedAt = it.clock.now();
  await it.pass(60_000);
  assert(it.checks.length >= 3, `${it.checks.length}`);
  assert(it.checks.every(({ address, kind, ok }) => address === ONE && kind === "tls" && !ok));
  assert(it.checks[0]!.at - blockedAt >= 15_000);
  down = false;
  const wellAt = it.clock.now();
  while (heard.length === 0) await it.pass(50);
  assert(it.clock.now() - wellAt <= 20_050);
  assertEquals(heard, [`${ONE}:443`]);
  assertEquals(it.clock.timers, timers);
  assertEquals(it.endpoint(ONE).standing, "good");
  assert(it.endpoint(ONE).share(it.clock.now()) < 0.2);
});

test("A host whose every address is blocked until well is remembered, and served again", async () => {
  let down = true;
  await using it = world({ script: () => down ? { failure: "refused" } : {} });
  it.pool.block(ONE, { untilWell: true });
  it.pool.block(TWO, { untilWell: true, forMs: 90_000 });
  await assertRejects(() => it.pool.acquire("a.test"), AccessDeniedError);
  await it.pass(85_000, 500);
  assert(it.checks.length >= 2);
  down = false;
  // The one block ends by its test, the other by its time.
  await it.pass(60_000, 500);
  (await it.pool.acquire("a.test")).release();
  await it.pool.acquire("a.test", { ip: TWO }).then((lease) => lease.release());
});

test("Rules, and a block without a test, keep an address from being tested", async () => {
  await using it = world({ idleTimeoutMs: 1_000_000 });
  (await it.pool.acquire("a.test", { ip: TWO })).release();
  const before = it.dialer.dials.length;
  it.pool.block(ONE, { untilWell: true });
  it.pool.block(`${ONE}:443`);
  await it.pass(130_000, 500);
  it.pool.unblock(`${ONE}:443`);
  it.pool.setAccess({ deny: [`${ONE}/32`] });
  await it.pass(130_000, 500);
  assertEquals(it.dialer.dials.slice(before).filter(({ address }) => address === ONE), []);
  it.pool.setAccess({});
  await it.pass(61_000, 500);
  assertEquals(it.checks.map(({ address, ok }) => [address, ok]), [[ONE, true]]);
});

test("A blocked address is asked over HTTP too, and only a good answer frees it", async () => {
  let bad = true;
  await using it = world({
    healthCheck: { path: "/up" },
    blocklistCheckIntervalMs: 20_000,
    idleTimeoutMs: 1_000_000,
    answer: (address) => bad && address === ONE ? BAD : OK,
  });
  (await it.pool.acquire("a.test", { ip: TWO })).release();
  it.pool.block(ONE, { untilWell: true });
  await it.pass(45_000);
  assert(of(it, ONE).length >= 2);
  assert(of(it, ONE).every(({ kind, ok }) => kind === "http" && !ok));
  const sockets = Array.from(it.pool.manager.connections(), ({ address }) => address);
  assertEquals([sockets.includes(ONE!), it.dialer.sockets.size], [false, sockets.length]);
  bad = false;
  await it.pass(20_050);
  (await it.pool.acquire("a.test", { ip: ONE })).release();
});

test("A host without TLS is checked without TLS, by its own name", async () => {
  const clock = new ManualClock();
  const heads: string[] = [];
  const plainDialer = memoryDialer({
    clock,
    capabilities: [],
    script: () => ({
      socket: {
        onWrite: (socket, bytes) => {
          heads.push(new TextDecoder().decode(bytes));
          socket.receive(new TextEncoder().encode(OK));
        },
      },
    }),
  });
  const dialer = memoryDialer({ clock });
  const pool = new HttpPool({
    resolver: staticResolver({ "a.test": [ONE!] }),
    tls: { alpn: ["http/1.1"] },
    healthCheck: { path: "/up" },
    healthCheckIntervalMs: EVERY,
    plainDialer,
    dialer,
    clock,
  });
  await (await pool.request("http://a.test/")).dump();
  for (let i = 0; i < 500; i++) {
    clock.advance(50);
    await turns(30);
  }
  assert(heads.length > 1);
  for (const head of heads) assert(/\r\nhost: a\.test\r\n/i.test(head), head);
  assertEquals(heads.at(-1)!.split("\r\n")[0], "GET /up HTTP/1.1");
  assertEquals(dialer.dials, []);
  await pool.close();
  assertEquals(plainDialer.sockets.size, 0);
});

test("Pool.close() ends checks at once, whatever they wait for", async () => {
  for (const healthCheck of ["tls", { path: "/" }] as const) {
    for (const spare of [0, 2]) {
      let hangs = false;
      const it = world({
        healthCheck,
        addresses: [ONE],
        idleTimeoutMs: 1_000_000,
        script: () => ({ delayMs: hangs && healthCheck === "tls" ? Infinity : 0 }),
        answer: () => hangs ? null : OK,
      });
      await it.pool.warm("a.test", { connections: 1 + spare });
      hangs = true;
      const { length } = it.asked;
      while (it.dialer.dialing === 0 && it.asked.length === length) await it.pass(50);
      const begun = it.clock.now();
      await it.pool.close();
      assertEquals(it.clock.now(), begun);
      assertEquals(it.checks, []);
      await it[Symbol.asyncDispose]();
    }
  }
});

test("Bad options of checks are refused, and the message says what would do", () => {
  const resolver = staticResolver({});
  const dialer = memoryDialer();
  const bad: [options: object, error: new() => Error, part: string][] = [
    [{ healthCheck: "ping" }, TypeError, "got \"ping\""],
    [{ healthCheck: "connect" }, TypeError, "connectDialer"],
    [{ healthCheck: "connect", connectDialer: {} }, TypeError, "connectDialer must be a Dialer"],
    [{ healthCheck: {} }, TypeError, "healthCheck.path"],
    [{ healthCheck: { path: "healthz" } }, TypeError, "healthCheck.path"],
    [{ healthCheck: { path: "/a b" } }, TypeError, "healthCheck.path"],
    [{ healthCheck: { path: "/a\r\nb" } }, TypeError, "healthCheck.path"],
    [{ healthCheck: { path: "/", method: "POST" } }, TypeError, "\"HEAD\", got \"POST\""],
    [{ healthCheck: { path: "/", statuses: [] } }, TypeError, "healthCheck.statuses"],
    [{ healthCheck: { path: "/", statuses: [99] } }, RangeError, "from 200 to 599"],
    [{ healthCheck: { path: "/", port: 1 } }, TypeError, "Unknown option \"port\""],
    [{ healthCheckIntervalMs: 0 }, RangeError, "healthCheckIntervalMs"],
    [{ blocklistCheckIntervalMs: "1" }, TypeError, "blocklistCheckIntervalMs"],
    [{ testTimeoutMs: 0 }, RangeError, "testTimeoutMs"],
    [{ maxConcurrentChecks: 1.5 }, RangeError, "maxConcurrentChecks"],
  ];
  for (const [options, error, part] of bad) {
    assertThrows(() => new HttpPool({ resolver, dialer, ...options }), error, part);
  }
});

test("A pool that does not speak HTTP refuses an HTTP check", async () => {
  assertThrows(() => memoryPool({ healthCheck: { path: "/" } }), TypeError, "HttpPool");
  const pool = new ConnectionPool({
    resolver: staticResolver({}),
    dialer: memoryDialer(),
    healthCheck: "tls",
  });
  assertThrows(() => pool.block(ONE, { untilWell: "yes" as never }), TypeError, "untilWell");
  await pool.close();
});
