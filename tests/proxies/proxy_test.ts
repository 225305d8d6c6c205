/**
 * What becomes of requests through proxies that do well, and through those that do not.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { createServer, type Socket } from "node:net";
import test from "node:test";
import tls from "node:tls";
import { detectRuntime } from "../../adapters/detect.ts";
import { nodeDialer } from "../../adapters/node.ts";
import { plainDialer } from "../../adapters/plain.ts";
import {
  AccessDeniedError,
  createPool,
  type CreatePoolOptions,
  type HttpPool,
  openMetrics,
  staticResolver,
  type Upgraded,
} from "../../mod.ts";
import { ProxyError, type ProxyFailure, UnsupportedOptionError } from "../../src/core/errors.ts";
import {
  type ConnectProxy,
  type ConnectProxyOptions,
  startConnectProxy,
} from "../support/connect_proxy.ts";
import { authority, leaf } from "../support/http_scene.ts";
import { type Origin, startRemoteOrigin } from "../support/origin_process.ts";
import { createAuthority } from "../support/pki.ts";
import { shiftedClock } from "../support/shifted_clock.ts";

const AUTHORIZATION = `Basic ${btoa("user:secret")}`;

interface Scene {
  readonly origin: Origin;
  readonly proxies: readonly ConnectProxy[];
  /** The URLs of the proxies, with a name and password. */
  readonly urls: readonly string[];
  pool(options: CreatePoolOptions): HttpPool;
  url(path?: string): string;
}

async function withProxies(
  options: readonly ConnectProxyOptions[],
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    behaviour: { kind: "http" },
  });
  const proxies = await Promise.all(options.map(startConnectProxy));
  const pools: HttpPool[] = [];
  const scene: Scene = {
    origin,
    proxies,
    urls: proxies.map(({ port }) => `http://user:secret@proxy.test:${port}`),
    url: (path = "/") => `https://a.test:${origin.port}${path}`,
    pool(more) {
      const pool = createPool({
        resolver: staticResolver({ "a.test": ["127.0.0.1"], "proxy.test": ["127.0.0.1"] }),
        tls: { ca: [authority] },
        maxRetries: 0,
        ...more,
      });
      pools.push(pool);
      return pool;
    },
  };
  try {
    await body(scene);
  } finally {
    for (const pool of pools) pool.manager.checkInvariants();
    await Promise.all(pools.map((pool) => pool.close({ graceMs: 0 })));
    await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  }
}

/** Asks for a URL, and says with which error of a proxy's that fails. */
async function failure(pool: HttpPool, url: string, expected: ProxyFailure): Promise<ProxyError> {
  const error = await assertRejects(() => pool.request(url, { timeoutMs: 10_000 }), ProxyError);
  assertEquals(error.failure, expected, error.message);
  assert(!error.message.includes("secret"), error.message);
  return error;
}

test("A proxy is asked for the IP address that the pool has chosen, with its credentials", () =>
  withProxies([{ authorization: AUTHORIZATION, pieces: 5 }], async (scene) => {
    const { origin, proxies: [proxy], urls: [url], ...it } = scene;
    const pool = it.pool({ proxy: url });
    const response = await pool.request(it.url());
    assertEquals(response.connection.proxy, `http://proxy.test:${proxy!.port}`);
    assertEquals(response.connection.address, `127.0.0.1:${origin.port}`);
    await response.dump();
    assertEquals(proxy!.asked, [`CONNECT 127.0.0.1:${origin.port} HTTP/1.1`]);
    assertEquals(pool.manager.getConnections(`127.0.0.1:${origin.port}`).length, 1);
    const [connection] = pool.manager.connections();
    const told = JSON.stringify([pool.debugInfo(), pool.stats(), pool.diagnose()]);
    assert(!/secret|dXNlcjpzZWNyZXQ/.test(told));
    assert(connection!.stats().tls.proxy);
  }));

test("A proxy that resolves names is asked for the name, and stands in the maps itself", () =>
  withProxies([{}], async ({ origin, proxies: [proxy], ...it }) => {
    const url = `http://proxy.test:${proxy!.port}`;
    const pool = it.pool({
      proxy: { url, resolve: "there" },
      tls: { ca: [authority], serverName: "a.test" },
    });
    const response = await pool.request(`https://localhost:${origin.port}/`);
    await response.dump();
    assertEquals(proxy!.asked, [`CONNECT localhost:${origin.port} HTTP/1.1`]);
    assertEquals(response.connection.address, `127.0.0.1:${proxy!.port}`);
    await assertRejects(
      () => pool.request(`https://localhost:${origin.port}/`, { ip: "192.0.2.1" }),
      TypeError,
      "its proxies resolve names",
    );
  }));

test("Of proxies that resolve names, one whose own name was not found is found later, and used where another fails", () =>
  withProxies([{}, {}], async ({ proxies: [first, second], ...it }) => {
    const clock = shiftedClock();
    let asked = 0;
    let again = () => {};
    const askedAgain = new Promise<void>((resolve) => again = resolve);
    const pool = it.pool({
      clock,
      cleanupIntervalMs: 20,
      resolver: {
        name: "failing at first",
        resolve: (name) => {
          if (name === "second.test" && ++asked === 1) {
            return Promise.reject(new Error("no answer"));
          }
          if (asked === 2) again();
          return Promise.resolve({ addresses: ["127.0.0.1"] });
        },
      },
      proxy: [
        { url: `http://first.test:${first!.port}`, resolve: "there" },
        { url: `http://second.test:${second!.port}`, resolve: "there" },
      ],
      tls: { ca: [authority], serverName: "a.test" },
      maxRetries: 2,
    });
    const url = it.url().replace("a.test", "localhost");
    await (await pool.request(url)).dump();
    clock.advance(1_000);
    await askedAgain;
    await first![Symbol.asyncDispose]();
    const response = await pool.request(url);
    await response.dump();
    assertEquals(response.connection.address, `127.0.0.1:${second!.port}`);
  }));

test("What a proxy answers is an error of its own, which blames no machine", async () => {
  const cases: readonly [ConnectProxyOptions, ProxyFailure, number | null][] = [
    [{ answer: "HTTP/1.1 407 No\r\nproxy-authenticate: Digest x\r\n\r\n" }, "authentication", 407],
    [{ answer: "HTTP/1.1 403 Forbidden\r\n\r\n" }, "denied", 403],
    [{ answer: "HTTP/1.0 502 Bad Gateway\r\n\r\nnothing" }, "target", 502],
    [{ answer: "HTTP/1.1 504 Gateway Time-out\r\n\r\n" }, "target", 504],
    [{ answer: "SSH-2.0-OpenSSH\r\n" }, "protocol", null],
    [{ answer: "H" }, "closed", null],
    [{ answer: `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}` }, "protocol", null],
    [{ answer: "HTTP/1.1 200 OK\r\n\r\nmore" }, "protocol", null],
    [{ hangsUp: true }, "closed", null],
  ];
  for (const [options, expected, status] of cases) {
    await withProxies([options], async ({ origin, urls: [proxy], ...it }) => {
      const pool = it.pool({ proxy });
      const error = await failure(pool, it.url(), expected);
      assertEquals(error.status, status);
      assertEquals((await origin.report()).accepted, 0);
      const { addresses } = pool.stats().hosts[`a.test:${origin.port}`]!;
      const { health, standing } = addresses[`127.0.0.1:${origin.port}`]!;
      assertEquals([health.ejections, standing === "ejected"], [0, false]);
      assertEquals(health.failures, { proxy: 1 });
    });
  }
});

test("However often a proxy fails, no machine is ejected for it", () =>
  withProxies([{ hangsUp: true }], async ({ origin, urls: [proxy], ...it }) => {
    const pool = it.pool({ proxy, ejectAfterFailures: 2 });
    let ejected = 0;
    pool.on("eject", () => ejected++);
    for (let i = 0; i < 8; i++) {
      await failure(pool, it.url(), "closed");
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    assertEquals(ejected, 0);
    const { addresses } = pool.stats().hosts[`a.test:${origin.port}`]!;
    assertEquals(Object.values(addresses)[0]!.standing, "doubtful");
  }));

test("A proxy that nobody is behind, and one whose name has no address, are told apart from the machine", () =>
  withProxies([{}], async ({ proxies: [proxy], ...it }) => {
    await proxy![Symbol.asyncDispose]();
    const gone = it.pool({ proxy: `http://127.0.0.1:${proxy!.port}` });
    await failure(gone, it.url(), "unreachable");
    const unknown = it.pool({ proxy: "http://nowhere.test:3128" });
    const error = await failure(unknown, it.url(), "unreachable");
    assertEquals(error.proxy, "http://nowhere.test:3128");
    const asking = it.pool({ proxy: "socks5h://nowhere.test" });
    assertEquals(
      (await failure(asking, it.url(), "unreachable")).proxy,
      "socks5h://nowhere.test:1080",
    );
  }));

test("A proxy that never answers is given up in time, and the machine is not blamed", () =>
  withProxies([{ silent: true }], async ({ origin, urls: [proxy], ...it }) => {
    const pool = it.pool({ proxy, connectTimeoutMs: 300 });
    const error = await failure(pool, it.url(), "timeout");
    assert(error.message.includes("it may wait for the machine"), error.message);
    const [address] = Object.values(pool.stats().hosts[`a.test:${origin.port}`]!.addresses);
    assertEquals(address!.health.failures, { proxy: 1 });
  }));

test("A proxy that hangs in its answer, or before it, costs time alone where there is another one", async () => {
  const hanging: readonly [string, ConnectProxyOptions, ProxyFailure?][] = [
    ["http", { silent: true, answer: "HTTP/1.1 200 OK\r\nproxy-ag" }],
    ["http", { silent: true, answer: "HTTP/1.1 407 No\r\ncontent-length: 5\r\n" }],
    // It waits for the end of a head that SOCKS does not have.
    ["socks5", {}, "unreachable"],
    ["https", { silent: true }, "unreachable"],
  ];
  for (const [scheme, options, kind = "timeout"] of hanging) {
    await withProxies([options, {}], async ({ origin, urls: [hung, well], ...it }) => {
      const proxy = hung!.replace("http:", `${scheme}:`);
      // Deno's own dialer has no TLS to a proxy.
      const dialer = nodeDialer();
      const alone = it.pool({ dialer, proxy, connectTimeoutMs: 200 });
      await failure(alone, it.url(), kind);
      const [address] = Object.values(alone.stats().hosts[`a.test:${origin.port}`]!.addresses);
      assertEquals(address!.health.failures, { proxy: 1 });
      const pool = it.pool({ dialer, proxy: [proxy, well!], connectTimeoutMs: 1_000 });
      const response = await pool.request(it.url());
      await response.dump();
      assertEquals([response.status, pool.stats().dialErrors], [200, 0]);
      assertEquals(pool.stats().proxies.map(({ failed, opened }) => [failed, opened]), [
        [1, 0],
        [0, 1],
      ]);
    });
  }
});

test("Of several proxies one that fails is avoided, and the next one is used within the same dial", async () => {
  for (const bad of [{ hangsUp: true }, { answer: "nonsense" }, { silent: true }]) {
    await withProxies([bad, {}], async ({ proxies: [first, second], urls, ...it }) => {
      const pool = it.pool({ proxy: urls, connectTimeoutMs: 1_000, maxConnectionsPerHost: 4 });
      const leases = [];
      for (let i = 0; i < 3; i++) leases.push(await pool.acquire(new URL(it.url()).host));
      assertEquals(pool.stats().dialErrors, 0);
      assertEquals([first!.asked.length, second!.asked.length], [1, 3]);
      for (const lease of leases) lease.release();
    });
  }
});

test("Where all proxies fail one error says what each of them did", () =>
  withProxies([{ hangsUp: true }, { answer: "HTTP/1.1 407 No\r\n\r\n" }], async (scene) => {
    const { urls: proxy, ...it } = scene;
    const error = await failure(it.pool({ proxy }), it.url(), "authentication");
    assert(/none of its 2 proxies did: .*closed.*; .*407/.test(error.message), error.message);
  }));

test("A refusal of one address sends the caller to the next one", () =>
  withProxies([{}], async ({ origin, urls: [proxy], ...it }) => {
    const pool = it.pool({
      proxy,
      resolver: staticResolver({
        "a.test": ["127.0.0.1:1", `127.0.0.1:${origin.port}`],
        "proxy.test": ["127.0.0.1"],
      }),
      balancer: "roundRobin",
    });
    for (let i = 0; i < 2; i++) {
      const lease = await pool.acquire("a.test");
      assertEquals(lease.connection.port, origin.port);
      lease.release({ reuse: false });
    }
  }));

test("An abort ends the wait for a proxy with the signal's reason, and leaves no connection", () =>
  withProxies([{ silent: true }], async ({ proxies: [proxy], urls: [url], ...it }) => {
    const pool = it.pool({ proxy: url });
    const stop = new AbortController();
    const reason = { not: "an error" };
    const pending = pool.request(it.url(), { signal: stop.signal });
    while (proxy!.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort(reason);
    assertStrictEquals(await pending.catch((error: unknown) => error), reason);
    await pool.close({ graceMs: 0 });
    for (let i = 0; i < 100 && proxy!.open > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assertEquals(proxy!.open, 0);
  }));

test("A machine that fails behind an open way is blamed itself, and the proxy is not", () =>
  withProxies([{}], async ({ origin, urls: [proxy], ...it }) => {
    const pool = it.pool({ proxy, tls: {} });
    const error = await assertRejects(() => pool.request(it.url()));
    assert(!(error instanceof ProxyError));
    const [address] = Object.values(pool.stats().hosts[`a.test:${origin.port}`]!.addresses);
    assertEquals(address!.health.failures, { certificate: 1 });
  }));

test("An https: proxy is spoken to over TLS of its own, by dialers that can", async () => {
  const ca = await createAuthority();
  const credentials = await ca.issue({ names: ["proxy.test"] });
  await withProxies([{ credentials, authorization: AUTHORIZATION }], async (scene) => {
    const { proxies: [proxy], ...it } = scene;
    const url = `https://user:secret@proxy.test:${proxy!.port}`;
    if (detectRuntime() !== "node") {
      await assertRejects(
        () => it.pool({ proxy: url }).request(it.url()),
        UnsupportedOptionError,
        "nodeDialer() can",
      );
    }
    const dialer = nodeDialer();
    const pool = it.pool({ dialer, proxy: { url, tls: { ca: [ca.cert] } } });
    const response = await pool.request(it.url(), { method: "POST", body: "x".repeat(300_000) });
    assertEquals(response.status, 200);
    await response.dump();
    await failure(it.pool({ dialer, proxy: url }), it.url(), "tls");
  });
});

test("stats() and metrics tell how each proxy does, and nothing of its credentials", () =>
  withProxies([{ hangsUp: true }, { authorization: AUTHORIZATION }], async (scene) => {
    const { proxies, urls, ...it } = scene;
    const pool = it.pool({ proxy: urls });
    assertEquals(pool.stats().proxies, []);
    await (await pool.request(it.url())).dump();
    const [bad, good] = pool.stats().proxies;
    const label = (index: number) => `http://proxy.test:${proxies[index]!.port}`;
    assertEquals([bad!.proxy, bad!.opened, bad!.failed], [label(0), 0, 1]);
    assert(bad!.failure?.includes("hung up") && bad!.retryAt !== null);
    assertEquals(good, { proxy: label(1), opened: 1, failed: 0, failure: null, retryAt: null });
    const metrics = openMetrics(pool);
    assert(metrics.includes(`hotconn_proxy_tunnels_total{pool="default",proxy="${label(1)}"} 1`));
    assert(metrics.includes(`hotconn_proxy_good{pool="default",proxy="${label(0)}"} 0`));
    assert(!/secret|user:/.test(metrics + JSON.stringify(pool.stats())));
  }));

test("A dialer that knows no proxies is refused, and goes nowhere", () =>
  withProxies([{}], async ({ origin, urls: [proxy], ...it }) => {
    const { dial, name, capabilities } = nodeDialer();
    const old = { name, capabilities, dial: dial.bind(nodeDialer()) };
    const pool = it.pool({ dialer: old, proxy });
    await assertRejects(() => pool.request(it.url()), UnsupportedOptionError, "no proxy");
    assertEquals((await origin.report()).accepted, 0);
  }));

test("http: URLs are asked of an HTTP proxy whole; its 407 is its own, a server's is not", async () => {
  const { createServer: createHttpServer } = await import("node:http");
  const server = createHttpServer(({ headers, url }, response) => {
    if (url === "/407") response.statusCode = 407;
    response.end(`${url} ${headers.host} ${headers["proxy-authorization"] ?? "none"}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  try {
    await withProxies([{ authorization: AUTHORIZATION }], async (scene) => {
      const { proxies: [proxy], urls: [url], ...it } = scene;
      const plain = { plainDialer: plainDialer() };
      const pool = it.pool({ ...plain, proxy: url });
      const response = await pool.request(`http://localhost:${port}/x?y`);
      assertEquals(await response.text(), `/x?y localhost:${port} none`);
      assertEquals(proxy!.asked, [`GET http://localhost:${port}/x?y HTTP/1.1`]);
      assertEquals(response.connection.address, `127.0.0.1:${proxy!.port}`);
      const wrong = it.pool({ ...plain, proxy: `http://proxy.test:${proxy!.port}` });
      await failure(wrong, `http://localhost:${port}/`, "authentication");
      const asked = proxy!.asked.length;
      const tunnelled = it.pool({ ...plain, proxy: { url: url!, resolve: "here" } });
      const answer = await tunnelled.request(`http://127.0.0.1:${port}/407`);
      assertEquals(answer.status, 407);
      await answer.dump();
      assertEquals(proxy!.asked.slice(asked), [`CONNECT 127.0.0.1:${port} HTTP/1.1`]);
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("What is no request goes through a tunnel where http: URLs are asked whole", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {}).on("data", (bytes) => {
      const isUpgrade = `${bytes}`.includes("upgrade");
      if (isUpgrade) {
        socket.write("HTTP/1.1 101 OK\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      } else if (`${bytes}`.includes("HTTP")) socket.write("HTTP/1.1 204 OK\r\n\r\n");
      else socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `a.test:${(server.address() as { port: number }).port}`;
  const url = `http://${host}/`;
  const upgrade = async (pool: HttpPool) => {
    const answer = await pool.upgrade(url, { protocol: "echo" });
    assert("lease" in answer);
    return answer;
  };
  /** Whether a lease leads to the server itself. */
  const speaks = async ({ attach, lease }: Pick<Upgraded, "attach" | "lease">) => {
    const heard = new Promise<string>((resolve) =>
      attach({
        onData: (bytes) => resolve(new TextDecoder().decode(bytes)),
        onDrain() {},
        onClose: () => resolve("closed"),
      })
    );
    // A proxy would answer it otherwise.
    const text = "CONNECT 127.0.0.1:1 it\r\n\r\n";
    lease.write(new TextEncoder().encode(text));
    assertEquals(await heard, text);
    lease.release({ reuse: false });
  };
  try {
    await withProxies([{}], async ({ proxies: [proxy], urls: [proxyUrl], ...it }) => {
      const pool = it.pool({ plainDialer: plainDialer(), proxy: proxyUrl });
      const lease = await pool.acquire(host, { plain: true });
      await speaks({ attach: (sink) => lease.attach(sink), lease });
      await speaks(await upgrade(pool));
      const tunnel = `CONNECT ${host.replace("a.test", "127.0.0.1")} HTTP/1.1`;
      assertEquals(proxy!.asked, [tunnel, tunnel]);
      // Without a proxy, an upgrade takes a connection that a request has left.
      const direct = it.pool({ plainDialer: plainDialer() });
      const { connection } = await direct.request(url);
      assertEquals((await upgrade(direct)).lease.connection.id, connection.id);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("A body of several chunks that come at once is streamed through a proxy, with TLS and without", async () => {
  const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  const answer = `${head}${`1388\r\n${"x".repeat(5_000)}\r\n`.repeat(3)}0\r\n\r\n`;
  const serve = (socket: Socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(answer));
  };
  const servers = { http: createServer(serve), https: tls.createServer(leaf, serve) };
  try {
    await withProxies([{}], async ({ proxies, ...it }) => {
      const pool = it.pool({
        dialer: nodeDialer(),
        plainDialer: plainDialer(),
        proxy: { url: `http://127.0.0.1:${proxies[0]!.port}`, resolve: "here" },
      });
      for (const [scheme, server] of Object.entries(servers)) {
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const { port } = server.address() as { port: number };
        const response = await pool.request(`${scheme}://a.test:${port}/`);
        let bytes = 0;
        for await (const part of response.body) bytes += part.length;
        assertEquals(bytes, 15_000, scheme);
      }
      assertEquals(proxies[0]!.asked.length, 2);
    });
  } finally {
    for (const server of Object.values(servers)) {
      await new Promise((resolve) => server.close(resolve));
    }
  }
});

test("Access rules hold for what a proxy is asked for", () =>
  withProxies([{}], async ({ proxies: [proxy], urls: [url], ...it }) => {
    const pool = it.pool({
      proxy: url,
      plainDialer: plainDialer(),
      access: { denyPrivate: true },
    });
    await assertRejects(() => pool.request(it.url()), AccessDeniedError, "loopback");
    await assertRejects(() => pool.request("http://127.0.0.1:1/"), AccessDeniedError, "loopback");
    for (const url of [it.url(), "http://127.0.0.1:1/", "http://a.test:1/"]) {
      const upgrade = () => pool.upgrade(url, { protocol: "echo" });
      await assertRejects(upgrade, AccessDeniedError, "loopback");
      await assertRejects(() => pool.webSocket(url).opened, AccessDeniedError, "loopback");
    }
    const warm = () => pool.warm(new URL(it.url()).host, { connections: 1 });
    await assertRejects(warm, AccessDeniedError, "loopback");
    const open = it.pool({
      proxy: { url: url!, resolve: "there" },
      tls: { ca: [authority], serverName: "a.test" },
    });
    open.setAccess({ deny: ["192.0.2.0/24"] });
    await assertRejects(
      () => open.request(it.url()),
      AccessDeniedError,
      "its proxy resolves the name",
    );
    assertEquals(proxy!.asked, []);
  }));

test("A host's own proxy counts for it alone, and null is none", () =>
  withProxies([{}], async ({ origin, proxies: [proxy], urls: [url], ...it }) => {
    const host = `a.test:${origin.port}`;
    const own = it.pool({ hosts: { [host]: { proxy: url! } } });
    await (await own.request(it.url())).dump();
    assertEquals(proxy!.asked.length, 1);
    const none = it.pool({ proxy: url, hosts: { [host]: { proxy: null } } });
    const response = await none.request(it.url());
    await response.dump();
    assertEquals([proxy!.asked.length, response.connection.proxy], [1, null]);
    const except = it.pool({ proxy: { https: url, except: ["test"] } });
    await (await except.request(it.url())).dump();
    assertEquals(proxy!.asked.length, 1);
  }));

test("Checks go through the proxy as well", () =>
  withProxies([{}], async ({ proxies: [proxy], urls: [url], ...it }) => {
    for (const healthCheck of ["connect", "tls", { path: "/healthz" }] as const) {
      const asked = proxy!.asked.length;
      const pool = it.pool({ proxy: url, healthCheck, healthCheckIntervalMs: 60 });
      const checked = new Promise<{ readonly ok: boolean }>((resolve) => pool.on("check", resolve));
      await pool.warm(new URL(it.url()).host, { connections: 1 });
      const timer = setTimeout(() => {}, 5_000);
      assert((await checked).ok);
      clearTimeout(timer);
      assert(proxy!.asked.length > asked);
      await pool.close({ graceMs: 0 });
    }
  }));
