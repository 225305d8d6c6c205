import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import { secureHeaders } from "hono/secure-headers";
import { appendTrailingSlash, trimTrailingSlash } from "hono/trailing-slash";
import test from "node:test";
import { type AdminOptions, adminRouter, type NamedPools } from "../../adapters/hono.ts";
import { fleetOver, readFleetOptions } from "../../src/pool/fleet/fleet_over.ts";
import { adminScene, type Json, TOKENS } from "../support/admin_scene.ts";
import { MemoryFleetStore } from "../support/memory_fleet_store.ts";
import { memoryPool } from "../support/memory_pool.ts";

const HTML = "text/html; charset=utf-8";
const AUTH = { authorization: `Bearer ${TOKENS.act}` };

test("every answer has strict headers, refusals and pages included", async () => {
  await using scene = adminScene();
  const asked = [
    ["/"],
    ["/healthz"],
    ["/metrics"],
    ["/api/pools"],
    ["/api/pools", { as: null }],
    ["/api/pools/nowhere/stats"],
    ["/nowhere"],
    ["/api/pools", { method: "DELETE" }],
    ["/api/pools", { method: "OPTIONS" }],
    ["/api/pools/default/actions/warm", { method: "POST" }],
    ["/api/pools/default/events?events=nothing"],
  ] as const;
  for (const [path, options = {}] of asked) {
    const { headers } = await scene.ask(path, options);
    assertEquals(
      ["cache-control", "x-content-type-options", "referrer-policy"].map((name) =>
        headers.get(name)
      ),
      ["no-store", "nosniff", "no-referrer"],
      path,
    );
    assertStringIncludes(headers.get("content-security-policy") ?? "", "default-src 'none'");
    assertEquals(headers.get("access-control-allow-origin"), null);
  }
});

test("the page and its files have a policy that lets nothing else run", async () => {
  await using scene = adminScene();
  const response = await scene.ask("/", { as: null });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    + "img-src 'self'; base-uri 'none'; form-action 'none'";
  assertEquals(
    response.headers.get("content-security-policy"),
    `${policy}; frame-ancestors 'none'`,
  );
  const page = await response.text();
  // It holds also where an app in front puts another one into the head.
  assertStringIncludes(page, `<meta http-equiv="Content-Security-Policy" content="${policy}">`);
  const types: Record<string, string> = {};
  for (const [, file = ""] of page.matchAll(/(?:src|href)="(assets\/[^"]*)"/g)) {
    const asset = await scene.ask(`/${file}`, { as: null });
    assertEquals(asset.status, 200, file);
    assertEquals(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assertEquals(asset.headers.get("x-content-type-options"), "nosniff");
    types[file.replace(/.*\./, "")] = asset.headers.get("content-type") ?? "";
    assert((await asset.text()).length > 100);
  }
  assertEquals(types, {
    svg: "image/svg+xml",
    css: "text/css; charset=utf-8",
    js: "text/javascript; charset=utf-8",
  });
  const other = await scene.ask("/assets/000000000000000000000000/client.js", { as: null });
  assertEquals([other.status, other.headers.get("cache-control")], [404, "no-store"]);
});

test("what is not there is 404, and what takes another method 405", async () => {
  await using scene = adminScene();
  for (
    const path of [
      "/nowhere",
      "/api",
      "/api/pools/",
      "/api/pools/default",
      "/api/pools/default/actions/explode",
      "/api/pools/default/actions/__proto__",
      "/api/pools/default/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
      "/%2e%2e%2fetc%2fpasswd",
      "//",
    ]
  ) assertEquals((await scene.json(path, 404)).error.code, "not_found", path);
  for (
    const name of [
      "nowhere",
      "__proto__",
      "constructor",
      "..%2fdefault",
      "%E0%A4",
      "%00",
      "DEFAULT",
    ]
  ) {
    const { error } = await scene.json(`/api/pools/${name}/stats`, 404);
    const message = "There is no such pool: there is default";
    assertEquals(error, { code: "not_found", message }, name);
  }
  for (
    const [method, path, allow] of [
      ["POST", "/", "GET, HEAD"],
      ["DELETE", "/api/pools", "GET, HEAD"],
      ["OPTIONS", "/api/pools/default/stats", "GET, HEAD"],
      ["GET", "/api/pools/default/actions/close", "POST"],
      ["PUT", "/api/pools/default/actions/close", "POST"],
    ] as const
  ) {
    const response = await scene.ask(path, { method, as: "act" });
    assertEquals([response.status, response.headers.get("allow")], [405, allow], path);
    assertEquals((await response.json()).error.code, "method_not_allowed");
  }
});

test("a path with a line end in it is the router's own 404, not its server's", async () => {
  await using scene = adminScene();
  for (
    const path of ["/%0A", "/nowhere%0Dnowhere", "/\u2028", "/healthz%0a", "/api%E2%80%A9/pools"]
  ) {
    const response = await scene.ask(path, { as: null });
    assertEquals([response.status, response.headers.get("cache-control")], [404, "no-store"], path);
    assertEquals((await response.json()).error.code, "not_found", path);
  }
});

test("HEAD answers as GET does, without a body", async () => {
  await using scene = adminScene();
  for (const path of ["/", "/healthz", "/api/pools", "/api/pools/default/events"]) {
    const [get, head] = [await scene.ask(path), await scene.ask(path, { method: "HEAD" })];
    assertEquals(head.status, 200);
    assertEquals(head.headers.get("content-type"), get.headers.get("content-type"));
    assertEquals(await head.text(), "");
    await get.body?.cancel();
  }
  assertEquals((await scene.ask("/api/pools", { method: "HEAD", as: null })).status, 401);
});

/** What a page asks for: its files, and the API beside them. */
async function askedBy(page: Response, at: string): Promise<string[]> {
  const text = (await page.text()).replaceAll("&amp;", "&");
  const files = [...text.matchAll(/(?:src|href)="([^"#]*)"/g)].map(([, file]) => file);
  const [, root = "?"] = /<meta name="hotconn-root" content="([^"]*)">/.exec(text) ?? [];
  const asked = [...files, `${root}api/pools`].map((path = "") => new URL(path, at));
  for (const { host } of asked) assertEquals(host, "localhost");
  return asked.map(({ pathname }) => pathname);
}

test("a router may be mounted anywhere, and its page finds its files with a slash and without", async () => {
  await using memory = memoryPool();
  const router = adminRouter(memory.pool, { auth: TOKENS });
  const app = new Hono();
  app.get("/", (c) => c.text("the app"));
  app.route("/tools/admin", router);
  app.get("/later", (c) => c.text("later"));
  const under = new Hono().basePath("/base");
  under.route("/admin", router);
  const handed = new Hono();
  handed.mount("/handed", router.fetch);
  for (
    const [front, path] of [
      [router, "/"],
      [app, "/tools/admin"],
      [app, "/tools/admin?token=x"],
      [app, "/tools/admin/"],
      [under, "/base/admin"],
      [under, "/base/admin/"],
      // Here the router does not know where it is: without the slash the page says that it wants one.
      [handed, "/handed/"],
    ] as const
  ) {
    const page = await front.request(path);
    assertEquals([page.status, page.headers.get("content-type")], [200, HTML], path);
    for (const asked of await askedBy(page, `http://localhost${path}`)) {
      const { status } = await front.request(asked, { headers: AUTH });
      assertEquals(status, 200, `${path} asks for ${asked}`);
    }
  }
  assertEquals((await app.request("/tools/admin/", { method: "POST" })).status, 405);
  const missing = await app.request("/tools/admin/nowhere");
  assertEquals(missing.headers.get("content-type"), "application/json");
  assertEquals(await (await app.request("/")).text(), "the app");
  assertEquals(await (await app.request("/later")).text(), "later");
  assertEquals(await (await app.request("/nowhere")).text(), "404 Not Found");
});

test("what the page asks for never leads to another host, whatever its path", async () => {
  await using memory = memoryPool();
  const app = new Hono();
  app.route("/:any", adminRouter(memory.pool, { auth: TOKENS }));
  const paths = [
    "/evil.test",
    "/%2f%2fevil.test",
    "/%5cevil.test",
    "/a:b",
    "/javascript:x",
    "/a&quot;b",
    "/a%22b",
  ];
  for (const path of paths) {
    const asked = await askedBy(await app.request(path), `http://localhost${path}`);
    for (const it of asked) assert(it.startsWith(`${path}/`), `${path} asks for ${it}`);
  }
});

test("what stands before the router in an app does not hold its event stream up", async () => {
  for (const middleware of [etag(), compress({ threshold: 0 }), secureHeaders()]) {
    await using scene = adminScene();
    const app = new Hono();
    app.use(middleware).route("/admin", scene.router);
    const ending = new AbortController();
    const headers = { ...AUTH, "accept-encoding": "gzip" };
    const response = await app.request("/admin/api/pools/default/events", {
      headers,
      signal: ending.signal,
    });
    assertEquals([response.status, response.headers.get("content-encoding")], [200, null]);
    const reader = response.body!.getReader();
    assertEquals((await reader.read()).done, false);
    await reader.cancel();
    ending.abort();
    const stats = await app.request("/admin/api/pools/default/stats", { headers });
    const text = stats.headers.get("content-encoding") === "gzip"
      ? await new Response(stats.body!.pipeThrough(new DecompressionStream("gzip"))).text()
      : await stats.text();
    assertEquals(typeof JSON.parse(text).at, "number");
  }
});

test("a middleware that takes slashes away, or puts them, leads to the page and not round and round", async () => {
  await using memory = memoryPool();
  const router = adminRouter(memory.pool, { auth: TOKENS });
  const follow = async (app: Hono, path: string) => {
    for (let hops = 0; hops < 3; hops++) {
      const response = await app.request(path);
      const location = response.headers.get("location");
      if (location === null) return [response.status, path];
      path = new URL(location, `http://localhost${path}`).pathname;
    }
    return ["a loop", path];
  };
  for (
    const [middleware, path, end] of [
      [trimTrailingSlash(), "/admin/", "/admin/"],
      [trimTrailingSlash({ alwaysRedirect: true }), "/admin/", "/admin"],
      [appendTrailingSlash(), "/admin", "/admin"],
      [appendTrailingSlash({ alwaysRedirect: true }), "/admin", "/admin/"],
    ] as const
  ) {
    const app = new Hono();
    app.use(middleware).route("/admin", router);
    assertEquals(await follow(app, path), [200, end]);
  }
});

test("several pools are served by their names", async () => {
  await using first = memoryPool();
  await using second = memoryPool({ hosts: { "c.test": ["192.0.2.9"] } });
  await second.pool.warm("c.test", { connections: 3 });
  const router = adminRouter({ first: first.pool, "second-1.x": second.pool }, { auth: TOKENS });
  const get = async (path: string): Promise<Json> =>
    (await router.request(path, { headers: AUTH })).json();
  assertEquals((await get("/api/pools")).pools, [{ name: "first" }, { name: "second-1.x" }]);
  assertEquals((await get("/api/pools/first/stats")).connections, 0);
  assertEquals((await get("/api/pools/second-1.x/stats")).connections, 3);
  assertEquals((await router.request("/api/pools/default/stats", { headers: AUTH })).status, 404);
});

test("adminRouter() refuses pools that are none, names that fit no path, and unknown options", async () => {
  await using memory = memoryPool();
  const { pool } = memory;
  const make = (pools: unknown, options: object = {}) => () =>
    adminRouter(pools as NamedPools, { insecure: true, ...options } as AdminOptions);
  assertThrows(make(null), TypeError, "pools must be a pool");
  assertThrows(make({}), TypeError, "a pool or more");
  assertThrows(make({ a: {} }), TypeError, "pools[\"a\"] must be a pool");
  for (const name of ["", "a/b", "..", ".", "a b", "<script>", "é", "x".repeat(65)]) {
    assertThrows(make({ [name]: pool }), TypeError, "The pool's name");
  }
  assertThrows(make(pool, { histroy: 1 }), TypeError, "Unknown option \"histroy\"");
  assertThrows(make(pool, { eventHistory: 0 }), RangeError, "eventHistory");
  assertThrows(make(pool, { audit: true }), TypeError, "audit must be a function");
  assertThrows(make(pool, { metrics: true }), TypeError, "openMetrics() must be an object");
  assertThrows(
    make(pool, { metrics: { adresses: true } }),
    TypeError,
    "\"adresses\" of openMetrics()",
  );
  assertThrows(make(pool, { metrics: { maxHosts: -1 } }), RangeError, "maxHosts");
  assertThrows(make(pool, { requiredHosts: { other: [] } }), TypeError, "\"other\"");
  assertThrows(
    make({ a: pool, b: pool }, { requiredHosts: ["a.test"] }),
    TypeError,
    "name the pool",
  );
  assertThrows(make(pool, { requiredHosts: ["<script>"] }), TypeError, "<script>");
});

test("/healthz tells whether every required host has a good address, and nothing else", async () => {
  let refuses = false;
  await using scene = adminScene(
    { requiredHosts: ["A.test"] },
    { script: () => refuses ? { failure: "refused" } : {}, ejectAfterFailures: 1, maxRetries: 0 },
  );
  const health = async () => {
    scene.clock.advance(1_000);
    const response = await scene.ask("/healthz", { as: null });
    return [response.status, await response.text()];
  };
  assertEquals(await health(), [503, "{\"status\":\"unavailable\"}"]);
  await scene.pool.warm("a.test", { connections: 2 });
  assertEquals(await health(), [200, "{\"status\":\"ok\"}"]);
  refuses = true;
  scene.pool.block("192.0.2.1");
  assertEquals(await health(), [200, "{\"status\":\"ok\"}"]);
  scene.pool.block("192.0.2.2");
  assertEquals(await health(), [503, "{\"status\":\"unavailable\"}"]);
});

test("/healthz looks at the pool once a second, however often it is asked", async () => {
  await using scene = adminScene({ requiredHosts: ["a.test"] });
  let looks = 0;
  const stats = scene.pool.stats.bind(scene.pool);
  scene.pool.stats = () => {
    looks++;
    return stats();
  };
  for (let time = 0; time < 20; time++) await scene.ask("/healthz", { as: null });
  assertEquals(looks, 1);
  scene.clock.advance(1_000);
  await scene.ask("/healthz", { as: null });
  assertEquals(looks, 2);
});

test("without required hosts /healthz is well as long as the router answers", async () => {
  await using scene = adminScene();
  assertEquals(await scene.json("/healthz", 200, { as: null }), { status: "ok" });
});

test("figures are told by host and by address, and what is blocked beside them", async () => {
  await using scene = adminScene();
  for (const host of ["a.test", "b.test"]) {
    (await scene.pool.acquire(host, { ip: "192.0.2.1" })).release();
  }
  scene.pool.block("192.0.2.2", { reason: "for a test" });
  const stats = await scene.json("/api/pools/default/stats");
  assertEquals([stats.at, stats.blocks[0].until], [scene.clock.now(), null]);
  const { hosts } = await scene.json("/api/pools/default/hosts");
  assertEquals(hosts.map(({ host }: Json) => host), ["a.test", "b.test"]);
  const one = await scene.json("/api/pools/default/hosts/A.TEST.");
  assertEquals(one, hosts[0]);
  const { addresses } = await scene.json("/api/pools/default/addresses");
  assertEquals(
    addresses.map(({ address, block, connections, hosts, ip, port }: Json) => [
      address,
      ip,
      port,
      connections,
      hosts.map(({ host }: Json) => host),
      block?.reason ?? null,
    ]),
    [
      ["192.0.2.1", "192.0.2.1", 443, 2, ["a.test", "b.test"], null],
      ["192.0.2.2", "192.0.2.2", 443, 0, ["a.test"], "for a test"],
    ],
  );
});

test("a host that is not known is 404, and one that is none 400", async () => {
  await using scene = adminScene();
  for (const host of ["c.test", "constructor", "__proto__", "tostring"]) {
    await scene.json(`/api/pools/default/hosts/${host}`, 404);
  }
  for (const host of ["%3Cscript%3E", "a%2Fb", "%00", "a.test:0", "[::1", "a".repeat(300)]) {
    const { error } = await scene.json(`/api/pools/default/hosts/${host}`, 400);
    assertEquals(error.code, "bad_request", host);
  }
});

test("/metrics is OpenMetrics text with each pool's name", async () => {
  await using scene = adminScene();
  await scene.pool.warm("a.test", { connections: 2 });
  const response = await scene.ask("/metrics");
  assertStringIncludes(
    response.headers.get("content-type") ?? "",
    "application/openmetrics-text; version=1.0.0",
  );
  const text = await response.text();
  assertMatch(text, /pool="default"/);
  assert(text.endsWith("\n# EOF\n"));
  assert(!text.includes("192.0.2.1"));
});

test("/metrics tells what the option metrics asks for", async () => {
  await using scene = adminScene({ metrics: { addresses: true, maxHosts: 1 } });
  await scene.pool.warm("a.test", { connections: 1 });
  await scene.pool.warm("b.test", { connections: 1 });
  const text = await (await scene.ask("/metrics")).text();
  assertStringIncludes(
    text,
    "hotconn_address_good{pool=\"default\",host=\"a.test\",address=\"192.0.2.1\"} 1\n",
  );
  assertStringIncludes(text, "hotconn_waiting_callers{pool=\"default\",host=\"other\"} 0\n");
});

test("/diagnose lists what is amiss", async () => {
  await using scene = adminScene({}, { leaseWarningMs: 1_000 });
  const diagnose = async () => (await scene.json("/api/pools/default/diagnose")).findings;
  assertEquals(await diagnose(), []);
  using _lease = await scene.pool.acquire("a.test");
  scene.clock.advance(1_000);
  const findings = await diagnose();
  assertEquals(findings.map(({ what }: Json) => what), ["leaseHeld"]);
  assertEquals(findings, JSON.parse(JSON.stringify(scene.pool.diagnose())));
});

test("/fleet and /metrics tell of the pool's fleet, where it has one", async () => {
  await using alone = adminScene({});
  assertEquals(await alone.json("/api/pools/default/fleet"), { fleet: null });
  const fleet = fleetOver(new MemoryFleetStore(), readFleetOptions("a fleet", { name: "shop" }));
  await using scene = adminScene({}, { fleet });
  for (let turn = 0; turn < 100; turn++) await null;
  const { fleet: told } = await scene.json("/api/pools/default/fleet");
  assertEquals([told.name, told.store, told.state, told.members], ["shop", "memory", "joined", 1]);
  const text = await (await scene.ask("/metrics")).text();
  assertStringIncludes(text, "hotconn_fleet_joined{pool=\"default\"} 1\n");
  assertStringIncludes(text, "hotconn_fleet_members{pool=\"default\"} 1\n");
});

test("Accept decides between OpenMetrics and the older text, as Prometheus asks for them", async () => {
  await using scene = adminScene();
  const open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
  const older = "text/plain; version=0.0.4; charset=utf-8";
  for (
    const [accept, type] of [
      // Prometheus 3, Prometheus 2, and one that knows the older format alone.
      [
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        + "text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        open,
      ],
      ["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", open],
      ["text/plain;version=0.0.4;q=1,*/*;q=0.1", older],
      ["text/plain;q=0.9, application/openmetrics-text;q=0.1", older],
      ["text/plain;q=0, */*", open],
      ["*/*", open],
      ["", open],
    ]
  ) {
    const response = await scene.ask("/metrics", { headers: { accept: accept! } });
    assertEquals(response.headers.get("content-type"), type, accept);
    assertEquals(response.headers.get("vary"), "accept");
    assertEquals((await response.text()).endsWith("# EOF\n"), type === open);
  }
});
