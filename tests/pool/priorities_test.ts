/**
 * What a resolver says of addresses: priorities, weights, names to verify.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { HostUnavailableError } from "../../src/core/errors.ts";
import type { Resolution, ResolvedAddress, Resolver } from "../../src/hosts/resolver.ts";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";

const TTL_MS = 30_000;
const [ONE, TWO, THREE] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"] as const;

class Source implements Resolver {
  readonly name = "source";
  addresses: Resolution["addresses"];
  constructor(addresses: Resolution["addresses"]) {
    this.addresses = addresses;
  }
  resolve(): Promise<Resolution> {
    return Promise.resolve({ addresses: this.addresses, ttlMs: TTL_MS });
  }
}

function scene(
  addresses: readonly ResolvedAddress[],
  options: MemoryPoolOptions = {},
): MemoryPool & { readonly source: Source } {
  const source = new Source(addresses);
  const it = memoryPool({ idleTimeoutMs: 3_600_000, ...options, resolver: source });
  return Object.assign(it, { source });
}

async function whoServes(it: MemoryPool, times: number): Promise<string[]> {
  const seen = new Set<string>();
  for (let i = 0; i < times; i++) {
    const lease = await it.pool.acquire("a.test");
    seen.add(lease.connection.address);
    lease.release();
  }
  return [...seen].sort();
}

test("Addresses of a higher number are not used while one of a lower number is well", async () => {
  await using it = scene([
    { address: ONE, priority: 1 },
    { address: TWO, priority: 1 },
    { address: THREE, priority: 2 },
  ]);
  await it.pool.warm("a.test", { connections: 6 });
  assertEquals(it.pool.manager.getConnections(THREE).length, 0);
  assertEquals(await whoServes(it, 40), [ONE, TWO]);
});

test("A caller goes on to the next priority when all of the first have failed, and back when one is well", async () => {
  let down = true;
  await using it = scene([{ address: ONE, priority: 1 }, { address: TWO, priority: 2 }], {
    maxRetries: 0,
    script: ({ address }) => address === ONE && down ? { failure: "refused" } : {},
  });
  assertEquals(await whoServes(it, 3), [TWO]);
  down = false;
  await pass(it, 60_000, 1_000);
  await whoServes(it, 30);
  await pass(it, 60_000, 1_000);
  assertEquals(await whoServes(it, 20), [ONE]);
  assertEquals(it.pool.manager.getConnections(TWO).length, 0);
});

test("A machine that does not answer is not waited for: the next priority is tried beside it", async () => {
  await using it = scene([{ address: ONE, priority: 1 }, { address: TWO, priority: 2 }], {
    script: ({ address }) => ({ delayMs: address === ONE ? 9_000 : 5 }),
  });
  const lease = it.pool.acquire("a.test");
  await pass(it, 400, 10);
  assertEquals((await lease).connection.address, TWO);
  (await lease).release();
});

test("Where every priority fails, the error names all of their addresses", async () => {
  await using it = scene([{ address: ONE, priority: 1 }, { address: TWO, priority: 2 }], {
    maxRetries: 0,
    script: () => ({ failure: "refused" }),
  });
  const error = await assertRejects(() => it.pool.acquire("a.test"), HostUnavailableError);
  assertEquals(error.failures.map(({ address }) => address).sort(), [ONE, TWO]);
});

test("What a resolver says of weights holds, unless the host's options say otherwise", async () => {
  await using it = scene([{ address: ONE, weight: 9 }, { address: TWO, weight: 1 }, {
    address: THREE,
  }], { hostOptions: { "a.test": { weights: { [TWO]: 4 } } } });
  await it.pool.warm("a.test", { connections: 3 });
  const weights = () =>
    Object.entries(it.pool.stats().hosts["a.test"]?.addresses ?? {})
      .map(([address, { weight }]) => [address, weight]).sort();
  assertEquals(weights(), [[ONE, 9], [TWO, 4], [THREE, 1]]);
  const told: unknown[] = [];
  it.pool.on("addresses", (event) => told.push(event));
  it.source.addresses = [{ address: THREE, weight: 7 }, { address: ONE, weight: 2 }, TWO];
  await pass(it, TTL_MS, 1_000);
  assertEquals(weights(), [[ONE, 2], [TWO, 4], [THREE, 7]]);
  assertEquals(told, [], "No address has come or gone");
});

test("The weighted balancer gives each address its part", async () => {
  await using it = scene([{ address: ONE, weight: 30 }, { address: TWO, weight: 10 }], {
    balancer: "weighted",
    slowStartMs: 0,
  });
  await it.pool.warm("a.test", { connections: 4 });
  let first = 0;
  for (let i = 0; i < 1_000; i++) {
    const lease = await it.pool.acquire("a.test");
    if (lease.connection.address === ONE) first++;
    lease.release();
  }
  // Five standard deviations of 1,000 draws at 3/4.
  assert(Math.abs(first - 750) < 69, `${first} of 1,000`);
});

test("A certificate is asked for the name that the resolver says, and connections for another name end", async () => {
  const names: string[] = [];
  await using it = scene([{ address: ONE, serverName: "x.test" }], {
    script: ({ serverName }) => {
      names.push(serverName);
      return {};
    },
  });
  (await it.pool.acquire("a.test")).release();
  it.source.addresses = [{ address: ONE, serverName: "Y.test" }];
  await pass(it, TTL_MS, 1_000);
  assertEquals(it.pool.stats().evicted, { gone: 1 });
  (await it.pool.acquire("a.test")).release();
  it.source.addresses = [ONE];
  await pass(it, TTL_MS, 1_000);
  (await it.pool.acquire("a.test")).release();
  assertEquals(names, ["x.test", "y.test", "a.test"]);
});

test("A resolver that gives nonsense is an error that says what is wrong", async () => {
  for (
    const [item, detail] of [
      [{ address: ONE, weight: -1 }, "192.0.2.1: weight"],
      [{ address: ONE, priority: 0.5 }, "192.0.2.1: priority"],
      [{ address: "nowhere" }, "is not an IP address"],
      [{ address: ONE, serverName: "a b" }, "neither a host name nor an IP address"],
    ] as const
  ) {
    await using it = scene([item]);
    await assertRejects(() => it.pool.acquire("a.test"), Error, detail);
  }
});
