import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { adminRouter, type AuditEntry } from "../../adapters/hono.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { type Json, TOKENS } from "../support/admin_scene.ts";
import { FleetScene } from "../support/fleet_scene.ts";

/** Two pools of a fleet, the first of which has a router. */
async function open(scene: FleetScene) {
  const pools = [scene.add(), scene.add()];
  const audits: AuditEntry[] = [];
  const router = adminRouter(pools[0]!, {
    auth: TOKENS,
    clock: scene.clock,
    audit: (entry) => audits.push(entry),
  });
  await scene.pass(100);
  const ask = async (path: string, init: RequestInit = {}, as: "read" | "act" = "act") => {
    const headers = { authorization: `Bearer ${TOKENS[as]}`, "content-type": "application/json" };
    const asking = router.request(`/api/pools/default/${path}`, {
      ...init,
      headers: { ...headers, ...init.headers as object },
    });
    let response: Response | undefined;
    void Promise.resolve(asking).then((answer) => response = answer);
    // A request is read in more than microtasks, and the store answers as time passes.
    while (!response) {
      await new Promise((resolve) => setTimeout(resolve));
      await scene.pass(20);
    }
    return { status: response.status, told: await response.json() as Json };
  };
  const act = (action: string, body: object, as: "read" | "act" = "act") =>
    ask(`actions/${action}`, { method: "POST", body: JSON.stringify(body) }, as);
  return { pools, audits, ask, act };
}

const blocksOf = (pools: readonly ConnectionPool[]) =>
  pools.map((pool) => pool.stats().blocks.map(({ ip, reason }) => `${ip} ${reason}`));

test("block, unblock and drain act in this pool, or in all of its fleet", async () => {
  await using scene = new FleetScene();
  const { act, audits, pools } = await open(scene);
  await act("block", { ip: "192.0.2.3", reason: "hot" });
  assertEquals(blocksOf(pools), [["192.0.2.3 hot"], []]);
  const { told } = await act("block", { ip: "192.0.2.4", reason: "on fire", scope: "fleet" });
  assertEquals([told.ok, told.done, told.block.ip], [true, true, "192.0.2.4"]);
  await scene.pass(40);
  assertEquals(blocksOf(pools), [["192.0.2.3 hot", "192.0.2.4 on fire"], ["192.0.2.4 on fire"]]);
  await act("unblock", { ip: "192.0.2.4", scope: "fleet" });
  await scene.pass(40);
  assertEquals(blocksOf(pools), [["192.0.2.3 hot"], []]);

  const warm = async () => {
    for (const pool of pools) void pool.warm("a.test", { connections: 2 });
    await scene.pass(500);
    assertEquals(pools.map((pool) => pool.manager.getConnectionCount()), [2, 2]);
  };
  await warm();
  await act("drain", { target: "a.test" });
  assertEquals(pools.map((pool) => pool.manager.getConnectionCount()), [0, 2]);
  await scene.pass(500);
  await warm();
  const drained = await act("drain", { target: "192.0.2.1", scope: "fleet" });
  assertEquals(drained.told, { ok: true, done: true, connections: null });
  await act("drain", { target: "a.test", scope: "fleet" });
  await scene.pass(100);
  assertEquals(pools.map((pool) => pool.manager.getConnectionCount()), [0, 0]);
  assertEquals(audits.map(({ action, outcome, target }) => `${action} ${target}: ${outcome}`), [
    "block 192.0.2.3: done",
    "block 192.0.2.4 for the fleet: done",
    "unblock 192.0.2.4 for the fleet: done",
    "drain a.test: done",
    "drain 192.0.2.1 for the fleet: done",
    "drain a.test for the fleet: done",
  ]);
});

test("weight acts in this pool, or in all of its fleet, and in those that come later", async () => {
  await using scene = new FleetScene();
  const { act, audits, pools } = await open(scene);
  const weights = () =>
    scene.pools.map((pool) => pool.stats().weights.map(({ ip, weight }) => `${ip} ${weight}`));
  await act("weight", { ip: "192.0.2.3", weight: 2 });
  const { told } = await act("weight", { ip: "192.0.2.4", weight: 0, scope: "fleet" });
  assertEquals(told, { ok: true, done: true, weight: 0 });
  await act("weight", { ip: "192.0.2.5", weight: 0.5, scope: "fleet" });
  await scene.pass(40);
  const ofAll = ["192.0.2.4 0", "192.0.2.5 0.5"];
  assertEquals(weights(), [["192.0.2.3 2", ...ofAll], ofAll]);
  scene.store.stop();
  scene.store.start(true);
  await scene.pass(10_000, 100);
  scene.add();
  await scene.pass(200);
  assertEquals(weights().slice(1), [ofAll, ofAll]);
  await act("weight", { ip: "192.0.2.4", scope: "fleet" });
  await scene.pass(40);
  const left = ["192.0.2.5 0.5"];
  assertEquals(weights(), [["192.0.2.3 2", ...left], left, left]);
  // Who was away when it was taken off learns of it.
  scene.cut(1);
  await scene.pass(100);
  pools[0]!.fleet!.setWeight("192.0.2.5", null).catch(() => {});
  await scene.pass(1_000);
  scene.heal(1);
  await scene.pass(5_000, 100);
  assertEquals(weights(), [["192.0.2.3 2"], [], []]);
  assertEquals(audits.map(({ action, target }) => `${action} ${target}`), [
    "weight 192.0.2.3 2",
    "weight 192.0.2.4 0 for the fleet",
    "weight 192.0.2.5 0.5 for the fleet",
    "weight 192.0.2.4 taken off for the fleet",
  ]);
});

test("What is for the fleet takes the right to act, JSON, a scope that there is, and a fleet", async () => {
  await using scene = new FleetScene();
  const { act, ask, audits, pools } = await open(scene);
  const body = { ip: "192.0.2.4", scope: "fleet" };
  assertEquals((await act("block", body, "read")).status, 403);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const init = { method: "POST", body: "ip=192.0.2.4&scope=fleet", headers: form };
  assertEquals((await ask("actions/block", init)).status, 415);
  const wrong = await act("block", { ...body, scope: "world" });
  assertEquals(wrong.status, 400);
  assertStringIncludes(wrong.told.error.message, "\"scope\" must be one of pool, fleet");
  assertEquals((await act("block", { ...body, ip: "nowhere" })).status, 400);
  assertEquals(blocksOf(pools), [[], []]);
  assertEquals(audits.map(({ outcome }) => outcome), ["denied", "refused", "refused", "refused"]);

  await using other = new FleetScene();
  const lonely = other.add({ fleet: undefined });
  const router = adminRouter(lonely, { auth: TOKENS, clock: other.clock });
  const response = await router.request("/api/pools/default/actions/drain", {
    method: "POST",
    headers: { authorization: `Bearer ${TOKENS.act}`, "content-type": "application/json" },
    body: JSON.stringify({ target: "a.test", scope: "fleet" }),
  });
  assertEquals(response.status, 409);
  assertStringIncludes(await response.text(), "The pool is in no fleet");
});

test("What the store cannot be told holds here at once, and for the others once it answers", async () => {
  await using scene = new FleetScene();
  const { act, audits, pools } = await open(scene);
  scene.store.stop();
  await scene.pass(100);
  const { told } = await act("block", { ip: "192.0.2.4", scope: "fleet" });
  assertEquals([told.ok, told.done], [true, false]);
  assertEquals(blocksOf(pools), [["192.0.2.4 undefined"], []]);
  assertEquals(audits.map(({ outcome }) => outcome), ["begun"]);
  scene.store.start(true);
  await scene.pass(10_000, 100);
  assertEquals(blocksOf(pools), [["192.0.2.4 undefined"], ["192.0.2.4 undefined"]]);
});

test("/fleet tells the members, since when, and what all of them have where", async () => {
  await using scene = new FleetScene();
  const { ask, pools } = await open(scene);
  for (const pool of pools) {
    await Promise.all([pool.acquire("a.test"), scene.pass(2_000, 100)]);
    void pool.warm("b.test", { connections: 3 });
  }
  await scene.pass(20_000, 100);
  const { told: { fleet } } = await ask("fleet", {}, "read");
  assertEquals(fleet.members, 2);
  const mine = fleet.peers.find(({ member }: Json) => member === fleet.member);
  const { leased } = pools[0]!.stats();
  assertEquals([mine.connections, mine.leased], [pools[0]!.manager.getConnectionCount(), leased]);
  assert(fleet.peers.every(({ since }: Json) => since <= scene.clock.wallNow()));
  for (const { connections, members, place } of fleet.addresses) {
    assertEquals(connections, scene.count(place), place);
    const having = pools.filter(({ manager }) => manager.getConnections(place).length > 0);
    assertEquals(members, having.length, place);
  }
  const hosts = new Map(fleet.hosts.map(({ connections, place }: Json) => [place, connections]));
  for (const host of ["a.test", "b.test"]) {
    const count = pools.reduce(
      (sum, { manager }) => sum + manager.getConnectionsForHost(host).length,
      0,
    );
    assertEquals(hosts.get(host), count, host);
  }
});
