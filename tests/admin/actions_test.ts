import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { adminRouter } from "../../adapters/hono.ts";
import { adminScene, TOKENS } from "../support/admin_scene.ts";
import { turns } from "../support/turns.ts";

/** Lets a request come in, which takes more than microtasks. */
const later = () => new Promise((resolve) => setTimeout(resolve));
const path = (action: string) => `/api/pools/default/actions/${action}`;

test("warm opens connections, and drain ends them", async () => {
  await using scene = adminScene();
  const warmed = await scene.act("warm", { host: "A.test", connections: 3 });
  assertEquals(warmed, { ok: true, done: true, connections: 3, failures: [] });
  assertEquals(scene.pool.stats().hosts["a.test"]?.warmTarget, 3);
  const drained = await scene.act("drain", { target: "a.test" });
  assertEquals(drained, { ok: true, done: true, connections: 3 });
  assertEquals(scene.pool.stats().connections, 0);
  assertEquals(scene.audits.map(({ action, outcome, target }) => [action, target, outcome]), [
    ["warm", "a.test", "done"],
    ["drain", "a.test", "done"],
  ]);
});

test("what takes long is answered before it is done, and goes on", async () => {
  await using scene = adminScene({}, { script: () => ({ delayMs: 8_000 }) });
  const warming = scene.act("warm", { host: "a.test", connections: 1 });
  while (scene.pool.stats().dialing === 0) await later();
  scene.clock.advance(5_000);
  assertEquals(await warming, { ok: true, done: false, connections: null, failures: [] });
  scene.clock.advance(3_000);
  const lease = await scene.pool.acquire("a.test");
  const { address } = lease.connection;
  const draining = scene.act("drain", { target: address });
  while (lease.connection.state !== "draining") await later();
  scene.clock.advance(5_000);
  assertEquals(await draining, { ok: true, done: false, connections: null });
  assertEquals(scene.audits.map(({ outcome, target }) => [target, outcome]), [
    ["a.test", "begun"],
    [address, "begun"],
  ]);
  lease.release();
});

test("evict ends one connection, and tells which", async () => {
  await using scene = adminScene();
  await scene.pool.warm("a.test", { connections: 1 });
  const [connection] = scene.pool.manager.connections();
  const evicted: number[] = [];
  scene.pool.on("evict", ({ connectionId }) => evicted.push(connectionId));
  const answer = await scene.act("evict", { id: connection!.id });
  assertEquals([answer.ok, answer.connection.id], [true, connection!.id]);
  assertEquals(evicted, [connection!.id]);
  await scene.act("evict", { id: connection!.id }, 404);
  await scene.act("evict", { id: Number.MAX_SAFE_INTEGER }, 404);
  assertEquals(scene.audits.map(({ outcome, target }) => [target, outcome]), [
    [`${connection!.id}`, "done"],
    [`${connection!.id}`, "refused"],
    [`${Number.MAX_SAFE_INTEGER}`, "refused"],
  ]);
});

test("block and unblock hold an address back and let it go", async () => {
  await using scene = adminScene();
  const { block } = await scene.act("block", { ip: "192.0.2.1", forMs: 60_000, reason: "hot" });
  const now = scene.clock.now();
  const well = { untilWell: false };
  assertEquals(block, { ip: "192.0.2.1", reason: "hot", since: now, until: now + 60_000, ...well });
  const forever = await scene.act("block", { ip: "2001:DB8::1" });
  assertEquals(forever.block, { ip: "2001:db8::1", since: now, until: null, ...well });
  assertEquals(scene.pool.stats().blocks.length, 2);
  assertEquals(await scene.act("unblock", { ip: "192.0.2.1" }), { ok: true, done: true });
  const again = await scene.act("unblock", { ip: "192.0.2.1" }, 404);
  assertStringIncludes(again.error.message, "Nothing blocks 192.0.2.1");
  await scene.act("unblock", { ip: "2001:db8:0::1" });
});

test("weight sets what an address is to bear, and takes it off where it is left out", async () => {
  await using scene = adminScene();
  await scene.pool.warm("a.test", { connections: 2 });
  const weights = () => {
    const { addresses } = scene.pool.stats().hosts["a.test"]!;
    return [addresses["192.0.2.1"]?.weight, addresses["192.0.2.2"]?.weight];
  };
  const set = await scene.act("weight", { ip: "192.0.2.1", weight: 0.5 });
  assertEquals(set, { ok: true, done: true, weight: 0.5 });
  await scene.act("weight", { ip: "192.0.2.2", weight: 0 });
  assertEquals(weights(), [0.5, 0]);
  const { weights: told } = await scene.json("/api/pools/default/stats");
  const since = scene.clock.now();
  assertEquals(told, [
    { ip: "192.0.2.1", weight: 0.5, since },
    { ip: "192.0.2.2", weight: 0, since },
  ]);
  const off = await scene.act("weight", { ip: "192.0.2.1" });
  assertEquals(off, { ok: true, done: true, weight: null });
  assertEquals(weights(), [1, 0]);
  // A weight of 1 that is set would win over that of the host's options.
  assertEquals(scene.pool.stats().weights.map(({ ip }) => ip), ["192.0.2.2"]);
  const wrong = await scene.act("weight", { ip: "192.0.2.1", weight: -1 }, 400);
  assertStringIncludes(wrong.error.message, "\"weight\" must be a number from 0 to 1000000");
  await scene.act("weight", { ip: "192.0.2.1", weight: "3" }, 400);
  await scene.act("weight", { ip: "a.test", weight: 3 }, 400);
  assertEquals(scene.audits.slice(0, 3).map(({ action, target }) => `${action} ${target}`), [
    "weight 192.0.2.1 0.5",
    "weight 192.0.2.2 0",
    "weight 192.0.2.1 taken off",
  ]);
});

test("limits sets those that are named, and tells all of them", async () => {
  await using scene = adminScene();
  const body = { maxConnections: 7, maxConnectionsPerHost: 5, maxConnectionsPerIp: 3 };
  assertEquals(await scene.act("limits", body), { ok: true, limits: body });
  const one = await scene.act("limits", { maxConnections: 8 });
  assertEquals(one.limits, { ...body, maxConnections: 8 });
  assertEquals(scene.pool.manager.accountant.limits, one.limits);
  assertEquals(
    scene.audits[0]?.target,
    "maxConnections=7 maxConnectionsPerHost=5 maxConnectionsPerIp=3",
  );
});

test("close closes the pool, and what is asked of it later is a conflict", async () => {
  await using scene = adminScene();
  await scene.pool.warm("a.test", { connections: 1 });
  assertEquals(await scene.act("close", {}), { ok: true, done: false });
  await scene.pool.close();
  assertEquals((await scene.act("close", {})).ok, true);
  const { error } = await scene.act("warm", { host: "a.test", connections: 1 }, 409);
  assertEquals(error, { code: "conflict", message: "The pool is closed" });
  assertEquals(scene.pool.stats().connections, 0);
});

test("each action is told to audit: who, what, when and what came of it", async () => {
  await using scene = adminScene({ auth: { act: { name: "Operators", token: TOKENS.act } } }, {
    script: () => ({ failure: "refused" }),
    maxRetries: 0,
  });
  const at = scene.clock.wallNow();
  await scene.act("block", { ip: "192.0.2.9" });
  await scene.act("warm", { host: "a.test", connections: 1 }, 409);
  await scene.act("warm", { host: "<script>", connections: 1 }, 400);
  await scene.json("/api/pools/other/actions/close", 404, { body: {} });
  const own = { at, who: "Operators", pool: "default" };
  const [block, warm, script, other, ...rest] = scene.audits;
  assertEquals(block, {
    ...own,
    action: "block",
    target: "192.0.2.9",
    outcome: "done",
    message: null,
  });
  assertEquals([warm?.target, warm?.outcome], ["a.test", "refused"]);
  assertStringIncludes(warm?.message ?? "", "Host a.test failed at every address tried");
  assertEquals([script?.target, script?.outcome], ["", "refused"]);
  assertEquals([other?.pool, other?.outcome, rest.length], ["other", "refused", 0]);
});

test("an error that nobody expects is 500, says nothing, and is in the audit trail", async () => {
  await using scene = adminScene();
  scene.pool.unblock = () => {
    throw new Error("a secret of the pool");
  };
  const { error } = await scene.act("unblock", { ip: "192.0.2.1" }, 500);
  assertEquals(error, { code: "internal", message: "The request could not be served" });
  assertEquals(scene.audits.map(({ outcome }) => outcome), ["failed"]);
});

test("an audit that throws changes no answer, and its error reaches the top", async () => {
  await using scene = adminScene({
    audit: ({ outcome }) => {
      throw new Error(`no room for ${outcome}`);
    },
  });
  const heard: string[] = [];
  const original = globalThis.queueMicrotask;
  // What a microtask throws is the program's to hear: here, the test's.
  globalThis.queueMicrotask = (call) =>
    original(() => {
      try {
        call();
      } catch (error) {
        heard.push((error as Error).message);
      }
    });
  try {
    assertEquals((await scene.act("block", { ip: "192.0.2.9" })).ok, true);
    await scene.act("unblock", { ip: "192.0.2.8" }, 404);
    const denied = await scene.ask(path("close"), { as: "read", body: {} });
    assertEquals(denied.status, 403);
  } finally {
    globalThis.queueMicrotask = original;
  }
  assertEquals(heard, ["done", "refused", "denied"].map((outcome) => `no room for ${outcome}`));
  assertEquals(scene.pool.stats().blocks.map(({ ip }) => ip), ["192.0.2.9"]);
});

test("an action takes JSON and nothing else", async () => {
  await using scene = adminScene();
  for (
    const type of [
      "",
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/json-patch+json",
      "application/json; charset=utf-16",
      "text/plain; application/json",
    ]
  ) {
    const { error } = await scene.json(path("close"), 415, {
      body: {},
      headers: { "content-type": type },
    });
    assertEquals(error.code, "unsupported_media_type", type);
  }
  const headers = { "content-encoding": "gzip" };
  await scene.json(path("close"), 415, { body: {}, headers });
  const utf8 = { "content-type": "Application/JSON; Charset=\"UTF-8\"" };
  await scene.json(path("block"), 200, { body: { ip: "192.0.2.1" }, headers: utf8 });
});

test("a body that makes no sense is 400, and says why", async () => {
  await using scene = adminScene();
  for (
    const [action, body, part] of [
      ["warm", null, "must be an object: it takes host, connections"],
      ["warm", [], "must be an object"],
      ["warm", "host", "must be an object"],
      ["warm", {}, "\"host\" is missing"],
      ["warm", { host: "a.test" }, "\"connections\" is missing"],
      ["warm", { host: "a.test", connections: "3" }, "whole number from 0 to 1000000"],
      ["warm", { host: "a.test", connections: 1.5 }, "whole number"],
      ["warm", { host: "a.test", connections: -1 }, "whole number"],
      ["warm", { host: "a.test", connections: null }, "whole number"],
      ["warm", { host: "a.test", connections: 1e300 }, "whole number"],
      ["warm", { host: "a.test", connections: 65 }, "from 0 to 64"],
      ["warm", { host: "", connections: 1 }, "text of 1 to 300"],
      ["warm", { host: ["a.test"], connections: 1 }, "text of 1 to 300"],
      ["warm", { host: "x".repeat(301), connections: 1 }, "text of 1 to 300"],
      ["warm", { host: "<script>alert(1)</script>", connections: 1 }, "neither a host name"],
      ["warm", { host: "a.test\r\nx: y", connections: 1 }, "no valid port"],
      ["warm", { host: "a.test", connections: 1, force: true }, "Unknown field \"force\""],
      ["drain", { target: "a.test/..%2f" }, "neither a host name"],
      ["evict", { id: 0 }, "whole number from 1"],
      ["evict", { id: 2 ** 60 }, "whole number from 1"],
      ["evict", { id: "1" }, "whole number from 1"],
      ["block", { ip: "a.test" }, "is not an IP address"],
      ["block", { ip: "192.0.2.1", forMs: 0 }, "whole number from 1"],
      ["block", { ip: "192.0.2.1", reason: "x".repeat(501) }, "text of 1 to 500"],
      ["unblock", { ip: "0x7f.1" }, "is not an IP address"],
      ["limits", {}, "one field or more"],
      ["limits", { maxConnections: 0 }, "whole number from 1"],
      ["limits", { maxWaiters: 1 }, "Unknown field \"maxWaiters\""],
      ["close", { graceMs: 1 }, "it takes no field"],
    ] as const
  ) {
    const { error } = await scene.act(action, body, 400);
    assertEquals(error.code, "bad_request");
    assertStringIncludes(error.message, part);
  }
  assertEquals(scene.pool.stats().connections, 0);
});

/** Sends a body as it is. */
async function send(
  scene: ReturnType<typeof adminScene>,
  action: string,
  body: string | Uint8Array | ReadableStream<Uint8Array>,
): Promise<number> {
  const router = adminRouter(scene.pool, { auth: TOKENS, clock: scene.clock });
  const response = await router.request(path(action), {
    method: "POST",
    headers: { authorization: `Bearer ${TOKENS.act}`, "content-type": "application/json" },
    body: body as BodyInit,
    duplex: "half",
  } as RequestInit);
  await response.text();
  return response.status;
}

test("a body that is a bomb, or poison, does no harm", async () => {
  await using scene = adminScene();
  const keys = Object.keys(Object.prototype).length;
  for (
    const [body, status] of [
      ["", 400],
      ["{", 400],
      ["{}{}", 400],
      ["NaN", 400],
      ["[".repeat(16_000), 400],
      ["{\"a\":".repeat(3_000), 400],
      ["[".repeat(8_000) + "]".repeat(8_000), 400],
      [`{"ip":"${"1".repeat(16_385)}"}`, 413],
      ["{\"__proto__\":{\"polluted\":true}}", 400],
      ["{\"ip\":\"192.0.2.1\",\"__proto__\":{\"polluted\":true}}", 400],
      ["{\"constructor\":{\"prototype\":{\"polluted\":true}}}", 400],
      ["{\"ip\":{\"__proto__\":{\"polluted\":true}}}", 400],
      ["{\"toString\":1}", 400],
      [new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 400],
      ["{\"ip\":\"192.0.2.1\"}", 200],
    ] as const
  ) assertEquals(await send(scene, "block", body), status, `${body}`.slice(0, 60));
  assertEquals(Object.keys(Object.prototype).length, keys);
  assert(!("polluted" in {}));
});

test("a body without end is not read to its end", async () => {
  await using scene = adminScene();
  let pulls = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(new Uint8Array(1_024).fill(0x20));
    },
  });
  assertEquals(await send(scene, "close", endless), 413);
  assert(pulls < 64, `${pulls} chunks were read`);
});

test("a body that does not come to its end in time is answered 408", async () => {
  await using scene = adminScene();
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => asked = resolve);
  const half = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{\"ip\":")),
    pull: () => asked(),
  });
  const sending = send(scene, "block", half);
  await isAsked;
  scene.clock.advance(9_999);
  await turns();
  assertEquals(scene.clock.timers > 0, true);
  scene.clock.advance(1);
  assertEquals(await sending, 408);
  assertEquals(scene.pool.stats().blocks, []);
});

test("hosts whose names are those of properties are hosts like others", async () => {
  const names = ["constructor", "__proto__", "tostring"];
  await using scene = adminScene({}, {
    hosts: Object.fromEntries([
      ["constructor", ["192.0.2.1"]],
      ["tostring", ["192.0.2.1"]],
      ["__proto__", ["192.0.2.1"]],
    ]),
  });
  for (const host of names) {
    assertEquals((await scene.act("warm", { host, connections: 1 })).connections, 1, host);
    const stats = await scene.json(`/api/pools/default/hosts/${host}`);
    assertEquals([stats.host, stats.connections], [host, 1]);
  }
  const { hosts } = await scene.json("/api/pools/default/hosts");
  assertEquals(hosts.map(({ host }: { host: string }) => host), names);
  assert(!("connections" in {}) && !("waiting" in Object));
});
