/**
 * Hosts of which some machines fail, each in its own way, over real sockets: no request that may be
 * repeated fails while one machine is well, and what fails is soon left alone.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { test } from "node:test";
import { createPool, type CreatePoolOptions } from "../../adapters/detect.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { type DialError, HostUnavailableError, RequestError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { HttpPool } from "../../src/http/http_pool.ts";
import { authority } from "../support/http_scene.ts";
import { load, percentile } from "../support/load.ts";
import {
  BAD_KINDS,
  type BadKind,
  type Machine,
  startMachines,
  whyNot,
} from "../support/machines.ts";
import { turns } from "../support/turns.ts";

const CONNECT_TIMEOUT_MS = 10_000;

interface Scene {
  readonly pool: HttpPool;
  readonly good: readonly Machine[];
  readonly bad: readonly Machine[];
  /** How many dials and leases bad machines have had, each by itself. */
  readonly visits: { readonly [address: string]: number };
}

/** Sets up a.test on machines, and at the end finds every socket closed. */
async function withMachines(
  kinds: {
    readonly good: number;
    readonly bad: readonly BadKind[];
    readonly alpn?: readonly string[];
  },
  options: CreatePoolOptions,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using machines = await startMachines(kinds);
  const { bad, good } = machines;
  // The bad ones come first, so that the order of the addresses is no help.
  const addresses = [...bad, ...good].map(({ address }) => address);
  await using pool = createPool({
    resolver: staticResolver({ "a.test": addresses }),
    tls: { ca: [authority] },
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    failoverStatuses: [503],
    ...options,
  });
  const visits = Object.fromEntries(bad.map(({ address }) => [address, 0]));
  const visit = ({ address }: { readonly address: string }) => {
    if (address in visits) visits[address]!++;
  };
  pool.on("dial", visit);
  pool.on("lease", visit);
  await body({ pool, good, bad, visits });
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
}

/** Holds that no request failed or was slow, and that bad machines were seldom gone to. */
async function bear(
  { bad, pool, visits }: Scene,
  { concurrency, mostVisits, requests }: {
    readonly concurrency: number;
    readonly mostVisits: number;
    readonly requests: number;
  },
): Promise<void> {
  const result = await load(pool, {
    url: "https://a.test/",
    goesOn: (made) => made < requests,
    concurrency,
  });
  assertEquals(result.errors.map(String), []);
  assertEquals(result.statuses, { 200: requests });
  const slow = percentile(result, 99);
  assert(slow < CONNECT_TIMEOUT_MS / 4, `1 in 100 took ${slow} ms or more`);
  for (const { address, origin } of bad) {
    const visited = visits[address] ?? 0;
    assert(visited <= mostVisits, `${address} was gone to ${visited} times`);
    if (!origin) continue;
    const { accepted, requests } = await origin.report();
    assert(
      accepted + requests <= mostVisits,
      `${address}: ${accepted} dials, ${requests} requests`,
    );
  }
}

// Ten dials and ten leases at once before anything can be known; then a trial now and then.
const COLD = { concurrency: 20, mostVisits: 30, requests: 1_000 };

// Twenty callers share a connection before anything can be known of it.
const MULTIPLEXED = { concurrency: 20, mostVisits: 60, requests: 1_000 };

// One dial and one lease each time, and of these four or five in so little time.
const ONE_BY_ONE = { concurrency: 1, mostVisits: 10, requests: 200 };

for (const kind of BAD_KINDS) {
  const skip = await whyNot(kind) ?? false;

  test(
    `Of a host's two machines one ${kind}: of 1,000 requests none fails`,
    { skip },
    () => withMachines({ good: 1, bad: [kind] }, {}, (scene) => bear(scene, COLD)),
  );

  test(
    `Each of a host's five machines but two ${kind}: of 1,000 requests none fails`,
    { skip },
    () => withMachines({ good: 2, bad: [kind, kind, kind] }, {}, (scene) => bear(scene, COLD)),
  );
}

for (const kind of BAD_KINDS) {
  const skip = await whyNot(kind) ?? false;

  test(
    `Over HTTP/2, of a host's two machines one ${kind}: of 1,000 requests none fails`,
    { skip },
    () =>
      withMachines({ good: 1, bad: [kind], alpn: ["h2"] }, { protocols: ["h2"] }, async (scene) => {
        await bear(scene, MULTIPLEXED);
        assertEquals(scene.pool.stats().requests.successes, 1_000);
      }),
  );
}

test("Over HTTP/2, of a host's eleven machines ten fail: of 1,000 requests none fails", () =>
  withMachines(
    { good: 1, bad: BAD_KINDS, alpn: ["h2"] },
    { protocols: ["h2"] },
    (scene) => bear(scene, MULTIPLEXED),
  ));

test("Of a host's eleven machines ten fail, each in its own way: of 1,000 requests none fails", () =>
  withMachines({ good: 1, bad: BAD_KINDS }, {}, (scene) => bear(scene, COLD)));

test("The first failure of each machine pays: what comes one by one later goes where it is well", () =>
  withMachines({ good: 1, bad: BAD_KINDS }, {}, (scene) => bear(scene, ONE_BY_ONE)));

test("A warmed machine that ends its connections at the first request is found out without retries", () =>
  withMachines(
    {
      good: 1,
      bad: ["resets after the request", "closes after the request"],
    },
    { retryShare: 0 },
    async (scene) => {
      await scene.pool.warm("a.test", { connections: 12 });
      await bear(scene, { concurrency: 4, mostVisits: 30, requests: 500 });
      await scene.pool.warm("a.test", { connections: 0 });
    },
  ));

test("No POST is sent twice, whatever its machine does, and few go where others have failed", () =>
  withMachines(
    {
      good: 1,
      bad: ["resets after the request", "closes after the request", "answers 503"],
    },
    {},
    async ({ bad, good, pool }) => {
      const count = 500;
      const { errors, statuses } = await load(pool, {
        url: "https://a.test/",
        goesOn: (made) => made < count,
        request: (index) => ({ method: "POST", body: "x", headers: { "x-id": `${index}` } }),
      });
      for (const error of errors) {
        assertInstanceOf(error, RequestError);
        assertEquals([error.failure, error.maybeActedOn], ["connection", true]);
      }
      const logs = await Promise.all(
        [...good, ...bad].map(async ({ origin }) => (await origin!.report()).log),
      );
      const ids = logs.flat().map(({ head }) => /^x-id: *(\d+)/im.exec(head)?.[1]);
      assertEquals([ids.length, new Set(ids).size], [count, count]);
      const unlucky = errors.length + (statuses[503] ?? 0);
      assertEquals((statuses[200] ?? 0) + unlucky, count);
      assert(unlucky > 0, "none went where it failed");
      assert(unlucky <= 40, `${unlucky} went where it failed`);
    },
  ));

test("When every machine fails, callers hear within their time of each why and when it is tried again", () =>
  withMachines(
    {
      good: 0,
      bad: ["refuses", "is a black hole", "never answers TLS", "has a wrong certificate"],
    },
    {},
    async ({ bad, pool }) => {
      const attempts = [
        () => pool.request("https://a.test/", { timeoutMs: 1_500 }),
        () => pool.acquire("a.test", { timeoutMs: 1_500 }),
        () => pool.request("https://a.test/", { timeoutMs: 400 }),
        () => pool.acquire("a.test", { timeoutMs: 100 }),
      ];
      const reasons = ["refused", "timeout", "timeout", "certificate"];
      const wanted = bad.map(({ address }, index) => [address, reasons[index]]).sort();
      for (const attempt of attempts) {
        const since = performance.now();
        const error = await assertRejects(attempt, HostUnavailableError);
        const tookMs = performance.now() - since;
        assert(tookMs < CONNECT_TIMEOUT_MS / 2, `${tookMs} ms`);
        assertEquals(
          error.failures.map(({ address, error }) => [address, (error as DialError).failure])
            .sort(),
          wanted,
        );
        for (const { address, retryAt } of error.failures) {
          const isSilent = wanted.some(([at, why]) => at === address && why === "timeout");
          assertEquals(retryAt === null, isSilent, address);
        }
      }
      // The fetch of the web knows only one kind of failure: the cause says more.
      const error = await assertRejects(
        () => pool.fetch("https://a.test/", { signal: AbortSignal.timeout(300) }),
      );
      assert(error instanceof DOMException && error.name === "TimeoutError", String(error));
    },
  ));

test("A request whose time runs out while it waits for a connection hears from the pool why", async () => {
  const clock = new ManualClock();
  const dialer = memoryDialer({ clock, script: () => ({ failure: "refused" }) });
  await using pool = createPool({
    clock,
    dialer,
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
  });
  // The deadline falls on the very moment when the wait is over.
  const failed = assertRejects(
    () => pool.request("https://a.test/", { timeoutMs: 50 }),
    HostUnavailableError,
    "refused",
  );
  await turns();
  clock.advance(50);
  const { failures } = await failed;
  assertEquals(failures[0]?.retryAt, clock.now() + 200);
});

test("When every machine answers 503 the last answer is the caller's, and none is asked twice", () =>
  withMachines(
    {
      good: 0,
      bad: ["answers 503", "answers 503", "answers 503"],
    },
    {},
    async ({ bad, pool }) => {
      const response = await pool.request("https://a.test/");
      assertEquals([response.status, await response.text()], [503, "down"]);
      for (const { origin } of bad) assertEquals((await origin!.report()).requests, 1);
    },
  ));

test("When every machine ends the connection, the request fails, and none is asked a third time", () =>
  withMachines(
    {
      good: 0,
      bad: ["resets after the request", "closes after the request"],
    },
    {},
    async ({ bad, pool }) => {
      const error = await assertRejects(() => pool.request("https://a.test/"), RequestError);
      assertEquals([error.failure, error.maybeActedOn], ["connection", true]);
      for (const { origin } of bad) {
        const { requests } = await origin!.report();
        assert(requests >= 1 && requests <= 2, `${requests} requests`);
      }
    },
  ));

test("A request that failed at port 443 of a machine goes to another port of it", async () => {
  const answers: { readonly [port: number]: string } = { 443: "503 No", 8443: "200 OK" };
  const asked: number[] = [];
  const dialer = memoryDialer({
    script: ({ port }) => ({
      socket: {
        onWrite(socket) {
          asked.push(port);
          const text = `HTTP/1.1 ${answers[port]}\r\ncontent-length: 0\r\n\r\n`;
          socket.receive(new TextEncoder().encode(text));
        },
      },
    }),
  });
  await using pool = createPool({
    dialer,
    resolver: staticResolver({ "a.test": ["192.0.2.1", "192.0.2.1:8443"] }),
    balancer: (candidates) =>
      candidates.find(({ address }) => address === "192.0.2.1") ?? candidates[0]!,
    failoverStatuses: [503],
  });
  const response = await pool.request("https://a.test/");
  assertEquals([response.status, asked], [200, [443, 8443]]);
});
