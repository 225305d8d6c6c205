import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../../adapters/memory.ts";
import {
  DialError,
  HostUnavailableError,
  RequestError,
  UnsupportedOptionError,
} from "../../../src/core/errors.ts";
import { staticResolver } from "../../../src/hosts/resolver.ts";
import { Http2Error } from "../../../src/http/h2/error_codes.ts";
import { MAX_CONCURRENT_STREAMS } from "../../../src/http/h2/frames.ts";
import { requestFields } from "../../../src/http/h2/request_fields.ts";
import { HttpPool } from "../../../src/http/http_pool.ts";
import { endScene as end, frameScene, settle } from "./frame_server.ts";

const ONE = { "a.test": ["192.0.2.1"] };

test("A response over HTTP/2 tells protocol, stream and how many shared the connection", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id, 200, "fine", [["x-a", "1"]]),
  });
  const first = await scene.pool.request("https://a.test/x");
  assertEquals([first.status, await first.text(), first.headers.get("x-a")], [200, "fine", "1"]);
  const { alpn, protocol, reused, streamId, streams } = first.connection;
  assertEquals([alpn, protocol, reused, streamId, streams], ["h2", "h2", false, 1, 1]);
  const [second, third] = await Promise.all([1, 2].map(async () => {
    const response = await scene.pool.request("https://a.test/x");
    await response.dump();
    return response.connection;
  }));
  assertEquals([second!.streamId, third!.streamId, third!.streams], [3, 5, 2]);
  assertEquals(scene.connections[0]!.streams[0], {
    id: 1,
    method: "GET",
    path: "/x",
    authority: "a.test",
    contentLength: undefined,
  });
  await end(scene);
});

test("H1: more callers than the peer allows streams wait, and all are served", async () => {
  const scene = frameScene({
    hosts: ONE,
    maxStreams: 3,
    pool: { maxConnectionsPerIp: 1 },
    onRequest: (connection, { id }) => queueMicrotask(() => connection.respond(id)),
  });
  await (await scene.pool.request("https://a.test/")).dump();
  const all = await Promise.all(Array.from({ length: 50 }, async () => {
    return await (await scene.pool.request("https://a.test/")).text();
  }));
  assertEquals(all, all.map(() => "ok"));
  assertEquals([scene.connections.length, scene.connections[0]!.mostOpen], [1, 3]);
  await end(scene);
});

test("H2: requests that may not be repeated share a connection like any others", async () => {
  const scene = frameScene({ hosts: ONE, maxStreams: 100 });
  const asked = Array.from(
    { length: 20 },
    () => scene.pool.request("https://a.test/", { method: "POST", body: "x" }),
  );
  await settle();
  const [connection] = scene.connections;
  assertEquals([scene.connections.length, connection!.mostOpen], [1, 20]);
  for (const { id } of [...connection!.streams]) connection!.respond(id);
  for (const response of await Promise.all(asked)) assertEquals(await response.text(), "ok");
  await end(scene);
});

test("What many callers ask while one turn is read leaves in one write, at its end", async () => {
  const scene = frameScene({ hosts: ONE });
  const ends: (() => void)[] = [];
  const endTurn = async () => {
    for (const end of ends.splice(0)) end();
    await settle();
  };
  Object.assign(scene.clock, { atTurnEnd: (callback: () => void) => ends.push(callback) });
  const callers = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 2; i++) await (await scene.pool.request("https://a.test/")).dump();
  });
  await settle();
  const connection = scene.connections[0]!;
  const { writes } = connection;
  assertEquals(connection.streams.length, 8);
  // Each comes by itself, as records do on Node.
  for (const { id } of connection.streams.slice(0, 4)) {
    connection.respond(id);
    await settle();
  }
  assertEquals([connection.writes, connection.streams.length], [writes, 8]);
  await endTurn();
  assertEquals([connection.writes, connection.streams.length], [writes + 1, 12]);
  for (let at = 4; at < 16; at++) {
    connection.respond(connection.streams[at]!.id);
    await settle();
    await endTurn();
  }
  await Promise.all(callers);
  await end(scene);
});

test("H3: a hundred callers on a cold host cause one dial", async () => {
  const scene = frameScene({
    hosts: ONE,
    dialMs: 20,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  const asked = Promise.all(Array.from({ length: 100 }, async () => {
    await (await scene.pool.request("https://a.test/")).dump();
  }));
  for (let ms = 0; ms < 30; ms++) {
    await settle();
    scene.clock.advance(1);
  }
  await asked;
  assertEquals(scene.dialer.dials.length, 1);
  await end(scene);
});

test("H4, H11: after a GOAWAY streams up to the last one finish, and the others go elsewhere unseen", async () => {
  let isFirst = true;
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id }) {
      if (connection.id > 1) connection.respond(id);
      else if (id === 5 && isFirst) {
        isFirst = false;
        connection.goaway(3);
      }
    },
  });
  const methods = ["GET", "POST", "POST", "GET", "POST"];
  const asked = methods.map((method) => scene.pool.request("https://a.test/", { method }));
  await settle();
  const [first, second] = scene.connections;
  assertEquals(scene.connections.length, 2);
  // What was refused was sent again, POST or not.
  assertEquals(second!.streams.map(({ method }) => method), ["POST", "GET", "POST"]);
  first!.respond(1);
  first!.respond(3);
  const responses = await Promise.all(asked);
  for (const response of responses) assertEquals(await response.text(), "ok");
  assertEquals(responses.map(({ connection }) => connection.streamId), [1, 3, 1, 3, 5]);
  await settle();
  // It was let go with its last stream.
  assertEquals([first!.isOpen, second!.isOpen], [false, true]);
  await end(scene);
});

test("H4: a connection that stands idle is let go at once when its peer goes away", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  await (await scene.pool.request("https://a.test/")).dump();
  scene.connections[0]!.goaway(1);
  await settle();
  assertEquals([scene.connections[0]!.isOpen, scene.pool.stats().connections], [false, 0]);
  await (await scene.pool.request("https://a.test/")).dump();
  assertEquals(scene.connections.length, 2);
  await end(scene);
});

test("H5: an idle connection of HTTP/2 is let go after idleTimeoutMs", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
    pool: { idleTimeoutMs: 1_000, cleanupIntervalMs: 500 },
  });
  await (await scene.pool.request("https://a.test/")).dump();
  scene.clock.advance(5_000);
  await settle();
  assertEquals([scene.connections[0]!.isOpen, scene.pool.stats().connections], [false, 0]);
  assertEquals(scene.connections[0]!.goaways, [0]);
  await end(scene);
});

test("H12: a pool that closes, or drains a host, says good-bye and names no stream", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => queueMicrotask(() => connection.respond(id)),
  });
  await (await scene.pool.request("https://a.test/")).dump();
  await scene.pool.drain("a.test");
  const busy = await scene.pool.request("https://a.test/");
  const closing = scene.pool.close({ graceMs: 1_000 });
  await settle();
  assertEquals(await busy.text(), "ok");
  await closing;
  assertEquals(scene.connections.map(({ goaways }) => goaways), [[0], [0]]);
  assertEquals(scene.connections.map(({ isOpen }) => isOpen), [false, false]);
  await end(scene);
});

test("H7: the bodies of many requests in a row over one connection all arrive", async () => {
  const body = new Uint8Array(100_000).fill(0x61);
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id }) {
      connection.head(id);
      for (let at = 0; at < body.length; at += 10_000) {
        connection.data(id, body.subarray(at, at + 10_000), at + 10_000 === body.length);
      }
    },
  });
  for (let i = 0; i < 300; i++) {
    const response = await scene.pool.request("https://a.test/");
    assertEquals((await response.bytes()).length, body.length);
  }
  assertEquals(scene.connections.length, 1);
  await end(scene);
});

test("H13: a peer that falls silent in the middle of requests is found, and they go elsewhere", async () => {
  let isSilent = false;
  const scene = frameScene({
    hosts: ONE,
    answersPings: false,
    onRequest(connection, { id }) {
      if (!isSilent || connection.id > 1) connection.respond(id);
    },
    pool: { hedge: false },
  });
  await (await scene.pool.request("https://a.test/")).dump();
  isSilent = true;
  const asked = scene.pool.request("https://a.test/");
  const posted = assertRejects(
    () => scene.pool.request("https://a.test/", { method: "POST" }),
    RequestError,
  );
  for (let i = 0; i < 60; i++) {
    await settle();
    scene.clock.advance(500);
  }
  assertEquals(await (await asked).text(), "ok");
  const error = await posted;
  assertEquals([error.failure, error.maybeActedOn], ["connection", true]);
  assert(error.cause instanceof Http2Error);
  assertEquals([scene.connections.length, scene.connections[0]!.pings], [2, 1]);
  await end(scene);
});

test("H13: what may be sent once waits for a PING's answer on a connection that stood idle", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  await (await scene.pool.request("https://a.test/")).dump();
  scene.clock.advance(10_000);
  const response = await scene.pool.request("https://a.test/", { method: "POST" });
  assertEquals(await response.text(), "ok");
  assertEquals([scene.connections.length, scene.connections[0]!.pings], [1, 1]);
  await end(scene);
});

test("H13: where that PING is not answered, what may be sent once goes over another connection", async () => {
  let isDead = false;
  const scene = frameScene({
    hosts: ONE,
    answersPings: false,
    onRequest(connection, { id }) {
      if (!isDead || connection.id > 1) connection.respond(id);
    },
  });
  await (await scene.pool.request("https://a.test/")).dump();
  isDead = true;
  scene.clock.advance(10_000);
  const asked = scene.pool.request("https://a.test/", { method: "POST" });
  for (let i = 0; i < 30; i++) {
    await settle();
    scene.clock.advance(100);
  }
  assertEquals(await (await asked).text(), "ok");
  assertEquals(scene.connections.map(({ streams }) => streams.length), [1, 1]);
  await end(scene);
});

test("H14: callers wait while no stream is allowed, and go on when some are", async () => {
  const scene = frameScene({
    hosts: ONE,
    maxStreams: 0,
    pool: { maxConnectionsPerIp: 1 },
    onRequest: (connection, { id }) => connection.respond(id),
  });
  await scene.pool.warm("a.test", { connections: 1 });
  await settle();
  const asked = [1, 2, 3].map(() => scene.pool.request("https://a.test/"));
  await settle();
  assertEquals(scene.connections[0]!.streams.length, 0);
  scene.pool.manager.checkInvariants();
  scene.connections[0]!.settings([[MAX_CONCURRENT_STREAMS, 1]]);
  for (const response of await Promise.all(asked)) assertEquals(await response.text(), "ok");
  assertEquals(scene.connections.length, 1);
  await end(scene);
});

test("H17: where a server tires of aborts, callers do not feel it", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id, path }) {
      if (path === "/slow") {
        if (connection.streams.length === 400) connection.goaway(id - 2, "ENHANCE_YOUR_CALM");
      } else connection.respond(id);
    },
  });
  for (let i = 0; i < 1_000; i++) {
    const stop = new AbortController();
    const aborted = scene.pool.request("https://a.test/slow", { signal: stop.signal });
    await settle();
    stop.abort("enough");
    await aborted.catch(() => {});
    if (i % 100 === 0) {
      assertEquals(await (await scene.pool.request("https://a.test/")).text(), "ok");
    }
    scene.clock.advance(1);
  }
  assertEquals(scene.pool.stats().requests.failures, 0);
  for (const { resets } of scene.connections) assert(resets.length <= 560, `${resets.length}`);
  await end(scene);
});

test("A refused stream is sent again at once, whatever its method, and not for ever", async () => {
  let refusals = 2;
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id }) {
      if (refusals-- > 0) connection.reset(id, "REFUSED_STREAM");
      else connection.respond(id);
    },
  });
  const response = await scene.pool.request("https://a.test/", { method: "POST" });
  assertEquals(await response.text(), "ok");
  const { count, retries, successes } = scene.pool.stats().requests;
  assertEquals([count, retries, successes], [1, 2, 1]);
  assertEquals([response.connection.streamId, response.connection.streams], [5, 1]);
  refusals = Infinity;
  await assertRejects(
    () => scene.pool.request("https://a.test/", { method: "POST" }),
    RequestError,
  );
  const sent = scene.connections.reduce((sum, { streams }) => sum + streams.length, 0);
  assert(sent < 40, `sent ${sent} times`);
  await end(scene);
});

test("A machine that refuses every stream costs a request time, and no failure, while another is there", async () => {
  const scene = frameScene({
    pool: { retryShare: 0, balancer: "sticky" },
    onRequest(connection, { id }) {
      // The first machine that was dialled.
      if (connection.id === 1) connection.reset(id, "REFUSED_STREAM");
      else connection.respond(id);
    },
  });
  // More than there are retries to spare.
  for (let i = 0; i < 50; i++) {
    const response = await scene.pool.request("https://a.test/", { method: "POST" });
    assertEquals(await response.text(), "ok");
  }
  await end(scene);
});

test("A machine that resets every stream is asked once for each request, while another is there", async () => {
  const asked = new Map<number, number>();
  const scene = frameScene({
    pool: { retryShare: 0, balancer: "sticky", ejectAfterFailures: 1_000 },
    onRequest(connection, { id }) {
      asked.set(connection.id, (asked.get(connection.id) ?? 0) + 1);
      if (connection.id === 1) connection.reset(id, "INTERNAL_ERROR");
      else connection.respond(id);
    },
  });
  for (let i = 0; i < 5; i++) {
    assertEquals(await (await scene.pool.request("https://a.test/")).text(), "ok");
  }
  assert(asked.get(1)! <= 5, `${asked.get(1)} times`);
  await end(scene);
});

test("A stream that every machine resets is asked for a few times, and not for ever", async () => {
  let asked = 0;
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id, path }) {
      if (path === "/") return connection.respond(id);
      asked++;
      connection.reset(id, "INTERNAL_ERROR");
    },
  });
  await (await scene.pool.request("https://a.test/")).dump();
  await assertRejects(() => scene.pool.request("https://a.test/bad"), RequestError);
  assertEquals(asked, 2);
  await end(scene);
});

test("A stream that is reset fails its request, and the connection goes on", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id, path }) {
      if (path === "/bad") connection.reset(id, "INTERNAL_ERROR");
      else connection.respond(id);
    },
  });
  const error = await assertRejects(
    () => scene.pool.request("https://a.test/bad", { method: "POST" }),
    RequestError,
  );
  assertEquals([error.failure, (error.cause as Http2Error).http2Code], [
    "protocol",
    "INTERNAL_ERROR",
  ]);
  assertEquals(await (await scene.pool.request("https://a.test/")).text(), "ok");
  assertEquals(scene.connections.length, 1);
  await end(scene);
});

test("421 is answered over another connection, once, whatever the method", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest(connection, { id }) {
      connection.respond(id, connection.id === 1 ? 421 : 200);
    },
  });
  const response = await scene.pool.request("https://a.test/", { method: "POST" });
  assertEquals([response.status, response.connection.reused], [200, false]);
  await response.dump();
  assertEquals(scene.connections.length, 2);
  await end(scene);
  const always = frameScene({
    hosts: ONE,
    pool: { retryShare: 0 },
    onRequest: (connection, { id }) => connection.respond(id, 421),
  });
  const last = await always.pool.request("https://a.test/");
  await last.dump();
  assertEquals([last.status, always.connections.length], [421, 2]);
  // Only ten retries are saved up: not every request takes another handshake.
  for (let asked = 1; asked < 40; asked++) {
    await (await always.pool.request("https://a.test/")).dump();
  }
  assertEquals(always.connections.length, 1 + 10);
  await end(always);
});

test("acquire() never gives a connection that speaks HTTP/2", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  await (await scene.pool.request("https://a.test/")).dump();
  const lease = await scene.pool.acquire("a.test");
  assertEquals(scene.dialer.dials.map(({ tls }) => tls.alpn), [["h2", "http/1.1"], undefined]);
  lease.release({ reuse: false });
  await end(scene);
});

test("Where only HTTP/2 will do, a server that agrees on another protocol, or on none, is refused", async () => {
  for (const alpn of [null, "http/1.1"]) {
    const dialer = memoryDialer({ script: () => ({ socket: { alpn } }) });
    await using pool = new HttpPool({
      dialer,
      protocols: ["h2"],
      resolver: staticResolver(ONE),
    });
    const { cause } = await assertRejects(
      () => pool.request("https://a.test/"),
      HostUnavailableError,
    );
    assertInstanceOf(cause, DialError);
    assertEquals([cause.phase, cause.failure], ["tls", "handshake"]);
    assertMatch(cause.message, /the server does not speak h2/);
    assertEquals(dialer.sockets.size, 0);
  }
});

test("Over HTTP/2 header fields of HTTP/1.1 connections are refused, and te may say trailers", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  for (const headers of [{ connection: "close, x-own" }, { upgrade: "x" }, { te: "gzip" }]) {
    const error = await assertRejects(() => scene.pool.request("https://a.test/", { headers }));
    assert(error instanceof TypeError && /HTTP\/2/.test(error.message), String(error));
  }
  const response = await scene.pool.request("https://a.test/", { headers: { te: "trailers" } });
  assertEquals(await response.text(), "ok");
  await end(scene);
});

test("Over HTTP/2 headers that only keep or close a connection are left out, and it serves on", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  const given: readonly (readonly [string, string])[] = [
    ["connection", "close"],
    ["Connection", "Keep-Alive, close "],
    ["Keep-Alive", "timeout=5"],
    ["proxy-connection", "keep-alive"],
  ];
  for (const [name, value] of given) {
    const headers = { [name]: value };
    assertEquals(await (await scene.pool.request("https://a.test/", { headers })).text(), "ok");
    assertEquals(await (await scene.pool.fetch("https://a.test/", { headers })).text(), "ok");
  }
  assertEquals(scene.connections.length, 1);
  await end(scene);
  const request = { method: "GET", scheme: "https", authority: "a.test", path: "/" } as const;
  const fields = requestFields({ ...request, headers: given, contentLength: null });
  assertEquals(fields.map(({ name }) => name), [":method", ":scheme", ":authority", ":path"]);
});

const SHARED = { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"], "c.test": ["192.0.2.1"] };

test("With coalesce two hosts at one address share a connection whose certificate is for both", async () => {
  const scene = frameScene({
    hosts: SHARED,
    names: ["b.test"],
    pool: { coalesce: true },
    onRequest: (connection, { authority, id }) => connection.respond(id, 200, authority),
  });
  const ask = async (host: string) => {
    const response = await scene.pool.request(`https://${host}/`);
    return [await response.text(), response.connection.id] as const;
  };
  const [, first] = await ask("a.test");
  assertEquals(await ask("b.test"), ["b.test", first]);
  assertEquals(await ask("b.test"), ["b.test", first]);
  // Its certificate is not for this one.
  assert((await ask("c.test"))[1] !== first);
  assertEquals(scene.dialer.dials.map(({ host }) => host), ["a.test", "c.test"]);
  await end(scene);
});

test("Without coalesce each host has its own connections", async () => {
  const scene = frameScene({
    hosts: SHARED,
    names: ["b.test"],
    onRequest: (connection, { id }) => connection.respond(id),
  });
  for (const host of ["a.test", "b.test"]) {
    await (await scene.pool.request(`https://${host}/`)).dump();
  }
  assertEquals(scene.dialer.dials.length, 2);
  await end(scene);
});

test("421 takes a host off a connection that it shares, and leaves that to the others", async () => {
  const scene = frameScene({
    hosts: SHARED,
    names: ["b.test"],
    pool: { coalesce: true },
    onRequest(connection, { authority, id }) {
      connection.respond(id, connection.id === 1 && authority === "b.test" ? 421 : 200);
    },
  });
  const ask = async (host: string) => {
    const response = await scene.pool.request(`https://${host}/`, { method: "POST" });
    await response.dump();
    return response.status;
  };
  const statuses: number[] = [];
  for (const host of ["a.test", "b.test", "b.test", "a.test"]) statuses.push(await ask(host));
  assertEquals(statuses, [200, 200, 200, 200]);
  assertEquals(scene.connections.map(({ streams }) => streams.map(({ authority }) => authority)), [
    ["a.test", "b.test", "a.test"],
    ["b.test", "b.test"],
  ]);
  await end(scene);
});

test("coalesce is refused by name where the dialer does not tell the certificate", () => {
  const { dialer } = frameScene();
  const { capabilities, name } = dialer;
  const silent = { name, capabilities, dial: dialer.dial };
  assertThrows(
    () => new HttpPool({ dialer: silent, resolver: staticResolver({}), coalesce: true }),
    UnsupportedOptionError,
    "coalesce",
  );
});

test("A stream whose body is not read on ends at bodyIdleTimeoutMs, and no other on its connection", async () => {
  const scene = frameScene({
    hosts: ONE,
    pool: { bodyIdleTimeoutMs: 1_000 },
    onRequest: (connection, { id }) => connection.head(id),
  });
  const [left, slow] = await Promise.all([1, 2].map(async () => {
    const { body } = await scene.pool.request("https://a.test/");
    return body.getReader();
  }));
  const reads = [left!.read(), slow!.read()];
  await settle();
  const [connection] = scene.connections;
  connection!.data(1, new Uint8Array(10));
  await reads[0];
  connection!.data(1, new Uint8Array(10));
  await settle();
  scene.clock.advance(999);
  await settle();
  assertEquals(connection!.resets, []);
  scene.clock.advance(1);
  await settle();
  assertEquals(connection!.resets, [1]);
  await assertRejects(() => left!.read(), RequestError, "bodyIdleTimeoutMs");
  connection!.data(3, new Uint8Array(5), true);
  assertEquals((await reads[1])!.value?.length, 5);
  await end(scene);
});

test("A check over HTTP/2 resets the stream of a long answer, and keeps the connection", async () => {
  const scene = frameScene({
    hosts: ONE,
    pool: { healthCheck: { path: "/healthz" }, healthCheckIntervalMs: 1_000, testTimeoutMs: 500 },
    onRequest(connection, { id, path }) {
      if (path !== "/healthz") return connection.respond(id);
      connection.head(id);
      for (let i = 0; i < 5; i++) connection.data(id, new Uint8Array(16_384));
    },
  });
  const { clock, connections, pool } = scene;
  await (await pool.request("https://a.test/")).dump();
  const checks: boolean[] = [];
  pool.on("check", ({ ok }) => checks.push(ok));
  for (let ms = 0; ms < 3_000; ms += 100) {
    clock.advance(100);
    await settle();
  }
  assert(checks.length > 0 && checks.every((ok) => ok), `${checks}`);
  assert(connections.every(({ isOpen }) => isOpen), "a check has ended its connection");
  const resets = connections.reduce((sum, { resets }) => sum + resets.length, 0);
  assertEquals(resets, checks.length);
  await end(scene);
});

test("Bytes that fetch() is given are sent as they were then, however long they wait", async () => {
  const bodies: string[] = [];
  const scene = frameScene({
    hosts: ONE,
    dialMs: 10,
    onBody(connection, id, body, isEnd) {
      if (!isEnd) return;
      bodies.push(body);
      connection.respond(id);
    },
  });
  const body = new TextEncoder().encode("as it was");
  const sent = [body, body.buffer, new DataView(body.buffer)].map((body) =>
    scene.pool.fetch("https://a.test/", { method: "POST", body })
  );
  body.fill(0);
  await settle();
  scene.clock.advance(10);
  for (const response of await Promise.all(sent)) await response.text();
  assertEquals(bodies, ["as it was", "as it was", "as it was"]);
  await end(scene);
});

test("A request over HTTP/2 says how long its body is, if that is known", async () => {
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.respond(id),
  });
  const stream = new Blob(["12345"]).stream();
  const bodies = ["12345", new Uint8Array(40_000), new Blob(["123"]), "", undefined, stream];
  for (const body of bodies) {
    await (await scene.pool.request("https://a.test/", { method: "POST", body })).dump();
  }
  await (await scene.pool.request("https://a.test/")).dump();
  const lengths = scene.connections.flatMap(({ streams }) =>
    streams.map(({ contentLength }) => contentLength)
  );
  assertEquals(lengths, ["5", "40000", "3", "0", "0", undefined, undefined]);
  await end(scene);
});
