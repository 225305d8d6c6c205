import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { basicAuth } from "hono/basic-auth";
import { bearerAuth } from "hono/bearer-auth";
import test from "node:test";
import { FILES } from "../../adapters/dashboard/page.ts";
import {
  type AdminOptions,
  adminRouter,
  type AuditEntry,
  grantAccess,
} from "../../adapters/hono.ts";
import { adminScene, TOKENS } from "../support/admin_scene.ts";
import { memoryPool } from "../support/memory_pool.ts";

const PROTECTED = [
  "/openapi.json",
  "/metrics",
  "/api/overview",
  "/api/pools",
  ...["stats", "hosts", "hosts/a.test", "addresses", "connections", "connections/1", "events"]
    .map((path) => `/api/pools/default/${path}`),
  "/api/pools/default/diagnose",
  "/api/pools/default/fleet",
  "/api/pools/default/history",
  "/api/pools/default/options",
];

const ACTIONS = ["warm", "drain", "evict", "block", "unblock", "weight", "limits", "close"]
  .map((action) => `/api/pools/default/actions/${action}`);

const OPEN = [
  "/",
  "/healthz",
  ...FILES.map(({ name }) => `/assets/{folder}/${name}`),
];

test("adminRouter() serves nobody unless it is told whom, or insecure says everybody", async () => {
  await using memory = memoryPool();
  const make = (options: unknown) => () => adminRouter(memory.pool, options as AdminOptions);
  const message = "insecure: true lets in everybody who asks for localhost or an IP address";
  assertThrows(make(undefined), TypeError, message);
  assertThrows(make({}), TypeError, message);
  assertThrows(make({ insecure: false }), TypeError, message);
  assertThrows(make({ insecure: "yes" }), TypeError, "insecure must be true or false");
  assertThrows(make({ insecure: true, auth: TOKENS }), TypeError, "Only one of");
  assertThrows(make({ auth: null }), TypeError, "auth must be tokens or a middleware");
  const open = adminRouter(memory.pool, { insecure: true });
  assertEquals((await open.request("/api/pools")).status, 200);
});

test("An open router lets nobody in who comes by a name that may be a stranger's", async () => {
  await using memory = memoryPool();
  const open = adminRouter(memory.pool, { insecure: true });
  const drain = (host: string) =>
    open.request(`http://${host}/api/pools/default/actions/drain`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ target: "a.test" }),
    });
  for (
    const host of ["localhost:8080", "app.localhost", "127.0.0.1:8080", "10.1.2.3", "[::1]:80"]
  ) {
    assertEquals((await drain(host)).status, 200, host);
  }
  for (
    const host of ["rebound.example", "localhost.rebound.example:8080", "1.2.3.4.rebound.example"]
  ) {
    const response = await drain(host);
    assertEquals(response.status, 403, host);
    assert((await response.json()).error.message.startsWith("Open it by localhost or an IP"));
  }
  const guarded = adminRouter(memory.pool, { auth: TOKENS });
  const headers = { authorization: `Bearer ${TOKENS.read}` };
  const response = await guarded.request("http://admin.example/api/pools", { headers });
  assertEquals(response.status, 200);
});

test("adminRouter() refuses tokens that are short, or that no header can carry", async () => {
  await using memory = memoryPool();
  const make = (auth: unknown) => () => adminRouter(memory.pool, { auth } as AdminOptions);
  assertThrows(make({ read: "fifteen-letters" }), RangeError, "16 characters or more, got 15");
  assertThrows(make({ read: [TOKENS.read, "short"] }), RangeError, "auth.read");
  assertThrows(make({ act: { name: "Ops", token: "short" } }), RangeError, "auth.act");
  assertThrows(make({ act: "a token with spaces in it" }), TypeError, "letters, digits");
  assertThrows(make({ act: 123 }), TypeError, "must be a text, got 123");
  assertThrows(make({ act: [null] }), TypeError, "must be a text");
  assertThrows(make({ act: { name: "", token: TOKENS.act } }), TypeError, "name of a token");
  assertThrows(make({}), TypeError, "a token in read or in act");
  assertThrows(make({ write: TOKENS.act }), TypeError, "Unknown option \"write\" of auth");
});

test("a token may come in its own header, past a proxy that uses the other one", async () => {
  await using scene = adminScene();
  const ask = async (token: string, authorization?: string) => {
    const headers = { "x-hotconn-token": token, ...authorization && { authorization } };
    return (await scene.ask("/api/pools", { as: null, headers })).status;
  };
  assertEquals(await ask(TOKENS.read), 200);
  assertEquals(await ask(TOKENS.read, `Basic ${btoa("a:b")}`), 200);
  for (const wrong of [`${TOKENS.read}x`, `Bearer ${TOKENS.read}`, "", "a b", "\u00e4"]) {
    assertEquals(await ask(wrong), 401, wrong);
    // One that is wrong is not made good by the other.
    assertEquals(await ask(wrong, `Bearer ${TOKENS.read}`), 401, wrong);
  }
});

test("audit learns of an attempt by somebody unknown as well, and pushes out nothing that is kept", async () => {
  const audits: AuditEntry[] = [];
  await using scene = adminScene({ audit: (entry) => audits.push(entry), eventHistory: 2 });
  await scene.act("block", { ip: "192.0.2.9" });
  audits.length = 0;
  for (let time = 0; time < 5; time++) {
    const body = { ip: "192.0.2.1" };
    const response = await scene.ask(ACTIONS[0]!, { as: null, body });
    assertEquals(response.status, 401);
  }
  await scene.ask("/api/pools", { as: null });
  await Promise.resolve();
  const told = audits.map(({ action, outcome, who }) => [action, outcome, who]);
  const name = ACTIONS[0]!.slice(ACTIONS[0]!.lastIndexOf("/") + 1);
  assertEquals(told, Array.from({ length: 5 }, () => [name, "denied", ""]));
  const events = await scene.ask("/api/pools/default/events?lastEventId=0&events=audit,block");
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("event: audit")) text += (await reader.read()).value;
  await reader.cancel();
  assertStringIncludes(text, "\"outcome\":\"done\"");
  assert(!text.includes("denied"), text);
});

test("audit learns of those whom a middleware does not let in", async () => {
  const audits: AuditEntry[] = [];
  await using memory = memoryPool();
  const router = adminRouter(memory.pool, {
    auth: bearerAuth({ token: TOKENS.act }),
    audit: (entry) => audits.push(entry),
  });
  const { status } = await router.request(ACTIONS[0]!, { method: "POST" });
  await Promise.resolve();
  assertEquals([status, audits.map(({ outcome }) => outcome)], [401, ["denied"]]);
});

test("what needs a right answers 401 without a token, and with one that is not known", async () => {
  await using scene = adminScene();
  const { paths } = await scene.json("/openapi.json");
  const documented = Object.keys(paths).map((path) =>
    path.replace("{pool}", "default").replace("{host}", "a.test").replace("{id}", "1")
  );
  assertEquals(
    [...PROTECTED, ...ACTIONS, ...OPEN].sort(),
    documented.sort(),
  );
  for (const path of [...PROTECTED, ...ACTIONS]) {
    const method = ACTIONS.includes(path) ? "POST" : "GET";
    const wrong = [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      `Basic ${btoa(`user:${TOKENS.act}`)}`,
      TOKENS.act,
      "Bearer a-token-of-nobody-at-all",
      `Bearer ${TOKENS.act}x`,
      `Bearer ${TOKENS.act.slice(0, -1)}`,
      `Bearer ${TOKENS.act},${TOKENS.act}`,
    ];
    for (const authorization of wrong) {
      const response = await scene.ask(path, {
        as: null,
        method,
        headers: authorization === undefined ? {} : { authorization },
      });
      assertEquals(response.status, 401, `${path} ${authorization}`);
      assertStringIncludes(response.headers.get("www-authenticate") ?? "", "Bearer realm=");
      assertEquals((await response.json()).error.code, "unauthorized");
    }
  }
  assert(scene.audits.every(({ outcome, who }) => outcome === "denied" && who === ""));
});

test("a token counts in the header only", async () => {
  await using scene = adminScene();
  const token = TOKENS.act;
  for (
    const query of [`token=${token}`, `access_token=${token}`, `authorization=Bearer ${token}`]
  ) {
    const response = await scene.ask(`/api/pools?${query}`, { as: null });
    assertEquals(response.status, 401);
  }
  const inBody = await scene.ask("/api/pools/default/actions/close", {
    as: null,
    body: { token, access_token: token },
    headers: { cookie: `token=${token}` },
  });
  assertEquals(inBody.status, 401);
});

test("a token that reads may look, not act; one that acts may do both", async () => {
  await using scene = adminScene();
  assertEquals((await scene.json("/api/pools")).rights, ["read"]);
  assertEquals((await scene.json("/api/pools", 200, { as: "act" })).rights, ["read", "act"]);
  for (const path of ACTIONS) {
    const response = await scene.ask(path, { as: "read", body: {} });
    assertEquals(response.status, 403, path);
    assertStringIncludes(response.headers.get("www-authenticate") ?? "", "insufficient_scope");
    assertEquals((await response.json()).error.code, "forbidden");
  }
  assertEquals(scene.audits.map(({ outcome, who }) => `${who} ${outcome}`), [
    ...ACTIONS.map(() => "read 1 denied"),
  ]);
});

test("several tokens are known by their names, and one in both lists may act", async () => {
  const shared = "a-token-in-both-lists";
  await using scene = adminScene({
    auth: { read: [TOKENS.read, shared], act: [{ name: "Shared", token: shared }, TOKENS.act] },
  });
  const headers = { authorization: `bearer ${shared}` };
  const { rights } = await scene.json("/api/pools", 200, { as: null, headers });
  assertEquals(rights, ["read", "act"]);
  await scene.ask(ACTIONS[0]!, { as: null, body: {}, headers });
  await scene.ask(ACTIONS[0]!, { as: "act", body: {} });
  assertEquals(scene.audits.map(({ who }) => who), ["Shared", "act 2"]);
});

test("a middleware grants rights, and what it answers itself is answered", async () => {
  await using scene = adminScene({
    auth: async (c, next) => {
      const who = c.req.header("x-who");
      if (who === "nobody") return c.text("Go away", 418);
      if (who === "reader") grantAccess(c, { read: true, act: false, who });
      if (who === "actor") grantAccess(c, { read: false, act: true, who });
      if (who === "neither") grantAccess(c, { read: false, act: false, who });
      if (who === "silent") return;
      if (who === "broken") throw new Error("a secret of the middleware");
      c.header("x-before", "1");
      await next();
      c.header("x-after", "1");
      return;
    },
  });
  const statusOf = async (who: string, path: string, body?: unknown) =>
    (await scene.ask(path, { as: null, headers: { "x-who": who }, ...body ? { body } : {} }))
      .status;
  const warm = { host: "a.test", connections: 1 };
  for (
    const [who, read, act] of [
      ["reader", 200, 403],
      ["actor", 200, 200],
      ["neither", 403, 403],
      ["stranger", 401, 401],
      ["silent", 401, 401],
      ["nobody", 418, 418],
      ["broken", 500, 500],
    ] as const
  ) {
    assertEquals(await statusOf(who, "/api/pools"), read, who);
    assertEquals(await statusOf(who, ACTIONS[0]!, warm), act, who);
  }
  const response = await scene.ask("/api/pools", { as: null, headers: { "x-who": "reader" } });
  assertEquals(response.headers.get("x-after"), "1");
  const own = await scene.ask("/api/pools", { as: null, headers: { "x-who": "nobody" } });
  assertEquals(own.headers.get("cache-control"), "no-store");
  const broken = await scene.ask("/api/pools", { as: null, headers: { "x-who": "broken" } });
  assert(!(await broken.text()).includes("secret"));
});

test("a middleware of Hono's that throws its answer is heard", async () => {
  const known = basicAuth({ username: "operator", password: "of-the-day" });
  await using scene = adminScene({
    auth: (c, next) =>
      known(c, async () => {
        grantAccess(c, { read: true, act: false, who: "operator" });
        await next();
      }),
  });
  const ask = (password: string) =>
    scene.ask("/api/pools", {
      as: null,
      headers: { authorization: `Basic ${btoa(`operator:${password}`)}` },
    });
  assertEquals((await ask("of-the-day")).status, 200);
  const refused = await ask("of-yesterday");
  assertEquals(refused.status, 401);
  assertStringIncludes(refused.headers.get("www-authenticate") ?? "", "Basic");
  assertEquals(refused.headers.get("x-content-type-options"), "nosniff");
});

test("grantAccess() refuses who has no name", async () => {
  await using scene = adminScene({
    auth: async (c, next) => {
      assertThrows(() => grantAccess(c, { read: true, act: true, who: "" }), TypeError, "who");
      await next();
    },
  });
  assertEquals((await scene.ask("/api/pools")).status, 401);
});
