import { assert, assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
import { RedisStore } from "../../adapters/redis/redis_store.ts";
import { redisMissing as skip, type RedisServer, startRedis } from "../support/redis_server.ts";
import { pause } from "../support/services.ts";
import { requestOf, storeContract } from "./store_contract.ts";

const quiet = { onHint: () => {}, onLost: () => {} };
const never = new AbortController().signal;

function storeAt(redis: RedisServer, timeoutMs = 2_000): RedisStore {
  return new RedisStore({ urls: [redis.url], name: "test", timeoutMs, client: {} });
}

storeContract("Redis", async () => {
  const redis = await startRedis();
  const restart = async () => {
    await redis.kill();
    await redis.start();
  };
  return {
    store: storeAt(redis),
    restart,
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}, skip);

test("Redis that stands still fails a call in time, and the next connection is told of its end", {
  skip,
}, async () => {
  await using redis = await startRedis();
  // Nothing of a fleet keeps a program alive, so the test does.
  const alive = setInterval(() => {}, 1_000);
  let lost: unknown;
  const link = await storeAt(redis, 200).connect(
    { ...quiet, onLost: (error) => lost = error },
    never,
  );
  redis.stop();
  const begun = performance.now();
  await assertRejects(() => link.read("s"), Error, "Redis did not answer within 200 ms");
  await assertRejects(() => storeAt(redis, 200).connect(quiet, never));
  assert(performance.now() - begun < 3_000);
  redis.go();
  await redis.kill();
  while (lost === undefined) await pause(5);
  await assertRejects(() => storeAt(redis, 200).connect(quiet, never));
  clearInterval(alive);
});

test("A store's name holds no secret, and a replica is no store", { skip }, async () => {
  await using redis = await startRedis();
  const { port } = redis;
  const secret = new RedisStore({
    urls: [`redis://user:secret@127.0.0.1:${port}/2`],
    name: "test",
    timeoutMs: 1_000,
    client: {},
  });
  assertEquals(secret.name, `Redis at 127.0.0.1:${port}`);
  await redis.command("REPLICAOF", "127.0.0.1", "1");
  await assertRejects(() => storeAt(redis).connect(quiet, never), Error, "replica");
});

test("What others put under a fleet's keys is left out, or fails the call", { skip }, async () => {
  await using redis = await startRedis();
  const link = await storeAt(redis).connect(quiet, never);
  await link.put("s", "good", "1", 60_000);
  await redis.command("HSET", "{hotconn:test}:s:s", "foreign", "2");
  await redis.command("HSET", "{hotconn:test}:members", "m1", "\u0000 garbage");
  await redis.command("HSET", "{hotconn:test}:c:a", "mm1", "garbage");
  assertEquals(await link.read("s"), { entries: [{ key: "good", value: "1" }], skipped: 1 });
  const claims = [{ key: "a", cap: 100, hold: 5, want: 5 }];
  assertEquals((await link.sync(requestOf(link, 1, { claims }))).grants[0]?.count, 5);
  // The sums are mended by what the members have; nobody is given what another one has.
  const seqs = { m1: 1, m2: 0 };
  const sync = async (member: keyof typeof seqs, hold: number, want: number) => {
    const claims = [{ key: "a", cap: 100, hold, want }];
    const request = requestOf(link, ++seqs[member], { claims, member, goneAfterMs: 60_000 });
    return await link.sync(request);
  };
  while ((await sync("m1", 60, 60)).grace) await pause(25);
  for (const sum of ["garbage", "-1e9e", "{}"]) {
    await redis.command("HSET", "{hotconn:test}:c:a", "granted", sum, "wanted", sum);
    const { grants: [grant] } = await sync("m2", 0, 90);
    assert(grant!.count <= 35, `${grant!.count} were given`);
  }
  await redis.command("HSET", "{hotconn:test}:epoch", "grace", "garbage", "graces", "?");
  assertEquals((await sync("m1", 60, 60)).grace, true);
  // What is of another type altogether fails the call: the member goes on alone.
  await redis.command("SET", "{hotconn:test}:c:b", "text");
  const claim = { key: "b", cap: 100, hold: 0, want: 5 };
  await assertRejects(
    () => link.sync(requestOf(link, ++seqs.m1, { claims: [claim] })),
    Error,
    "WRONGTYPE",
  );
  await redis.command("SET", "{hotconn:test}:s:t", "text");
  await assertRejects(() => link.put("t", "key", "value", 1_000), Error, "WRONGTYPE");
  await redis.command("SCRIPT", "FLUSH");
  assertEquals((await link.read("s")).entries.length, 1);
  link.close();
});
