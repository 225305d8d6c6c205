import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "node:net";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import { adminRouter } from "../../adapters/hono.ts";
import { TOKENS } from "../support/admin_scene.ts";
import { startOwnServer } from "../support/admin_server.ts";
import { startChild } from "../support/child_program.ts";
import { memoryPool } from "../support/memory_pool.ts";

const runtime = detectRuntime();
const reads = { authorization: `Bearer ${TOKENS.read}` };
const acts = { authorization: `Bearer ${TOKENS.act}`, "content-type": "application/json" };
const ENVIRONMENT = {
  PORT: "0",
  HOTCONN_READ_TOKEN: TOKENS.read,
  HOTCONN_ACT_TOKEN: TOKENS.act,
};

test("the example of this runtime serves the router, and ends with its streams open", async () => {
  await using child = startChild(`examples/admin/${runtime}.ts`, [], ENVIRONMENT);
  const url = await child.line();
  const page = await fetch(url);
  assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
  await page.text();
  const bare = await fetch(url.slice(0, -1));
  assertEquals([bare.status, bare.redirected], [200, false]);
  await bare.text();
  const refused = await fetch(`${url}api/pools`);
  assertEquals([refused.status, refused.headers.get("cache-control")], [401, "no-store"]);
  await refused.text();
  const pools = await fetch(`${url}api/pools`, { headers: reads });
  assertEquals(await pools.json(), { pools: [{ name: "default" }], rights: ["read"] });
  const head = await fetch(`${url}api/pools/default/events`, { method: "HEAD", headers: reads });
  assertEquals([head.status, await head.text()], [200, ""]);
  const post = await fetch(`${url}api/pools/default/actions/block`, {
    method: "POST",
    headers: acts,
    body: "{\"ip\":\"192.0.2.1\"}",
  });
  assertEquals((await post.json()).block.ip, "192.0.2.1");
  const large = await fetch(`${url}api/pools/default/actions/block`, {
    method: "POST",
    headers: acts,
    body: "x".repeat(100_000),
  });
  assertEquals([large.status, (await large.json()).error.code], [413, "too_large"]);
  const events = await fetch(`${url}api/pools/default/events?lastEventId=0`, { headers: reads });
  assertEquals(events.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/^event: audit$[\s\S]*^event: stats$/m.test(text)) {
    const { done, value } = await reader.read();
    assert(!done, text);
    text += value;
  }
  assertStringIncludes(text, "event: block\ndata: {\"at\":");
  assertStringIncludes(text, "\"who\":\"act 1\"");
  const ended = child.end();
  while (!(await reader.read()).done);
  assertEquals(await child.line(), "Stopped, with nothing left open");
  await ended;
});

test("on this runtime's own server a client that goes takes its listeners with it", async () => {
  await using memory = memoryPool();
  const { pool } = memory;
  let listeners = 0;
  let changed = () => {};
  const on = pool.on.bind(pool);
  pool.on = (...args) => {
    const off = on(...args);
    if (args[0] !== "lease") return off;
    listeners++;
    changed();
    return () => {
      listeners--;
      changed();
      off();
    };
  };
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      changed = () => listeners === count && resolve();
      changed();
    });
  const router = adminRouter(pool, { auth: TOKENS });
  await using server = await startOwnServer((request) => router.fetch(request));
  const { port } = new URL(server.url);
  for (const ends of ["destroy", "end"] as const) {
    const sockets = Array.from({ length: 3 }, () => connect(Number(port), "127.0.0.1"));
    for (const socket of sockets) {
      socket.on("error", () => {}).on("data", () => {});
      socket.write(
        "GET /api/pools/default/events?events=lease,stats HTTP/1.1\r\nhost: a\r\n"
          + `authorization: ${reads.authorization}\r\n\r\n`,
      );
    }
    await until(3);
    for (const socket of sockets) socket[ends]();
    // Who only stops to send may still read: the server may wait with it until it has to say more.
    if (ends === "end") { for (const socket of sockets) setTimeout(() => socket.destroy(), 50); }
    await until(0);
  }
  const controller = new AbortController();
  const response = await fetch(`${server.url}/api/pools/default/events?events=lease`, {
    headers: reads,
    signal: controller.signal,
  });
  await until(1);
  controller.abort();
  await response.text().catch(() => {});
  await until(0);
});

test("a body that is sent by halves is answered 408 on this runtime's own server", async () => {
  await using memory = memoryPool();
  const { clock, pool } = memory;
  let serves = false;
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => asked = resolve);
  const router = adminRouter(pool, {
    auth: TOKENS,
    clock: {
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      random: () => clock.random(),
      setTimer: (call, ms) => {
        // That is how long a body may take.
        if (serves && ms === 10_000) asked();
        return clock.setTimer(call, ms);
      },
    },
  });
  await using server = await startOwnServer((request) => {
    serves = true;
    return router.fetch(request);
  });
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1").setEncoding("latin1");
  socket.on("error", () => {});
  const answered = new Promise<string>((resolve) => {
    socket.once("data", (text: Buffer | string) => resolve(`${text}`));
  });
  socket.write(
    "POST /api/pools/default/actions/block HTTP/1.1\r\nhost: a\r\ncontent-length: 19\r\n"
      + `authorization: ${acts.authorization}\r\ncontent-type: application/json\r\n\r\n{"ip":`,
  );
  await isAsked;
  clock.advance(10_000);
  assertStringIncludes(await answered, "HTTP/1.1 408 ");
  socket.destroy();
});

test("a path with dots in any spelling leads nowhere on this runtime's own server", async () => {
  await using memory = memoryPool();
  const router = adminRouter(memory.pool, { auth: TOKENS });
  await using server = await startOwnServer((request) => router.fetch(request));
  const { port } = new URL(server.url);
  for (
    const path of [
      "/../../etc/passwd",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/api/pools/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
      "/api/pools/..%2f..%2fdefault/stats",
      "/api/pools/%00/stats",
      "/api/pools/%ff%fe/stats",
      "//evil.test/",
    ]
  ) {
    const status = await new Promise<number>((resolve, reject) => {
      const socket = connect(Number(port), "127.0.0.1").setEncoding("latin1");
      socket.on("error", reject);
      socket.once("data", (text: Buffer | string) => {
        resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(`${text}`)?.[1]));
        socket.destroy();
      });
      socket.write(
        `GET ${path} HTTP/1.1\r\nhost: a\r\nauthorization: ${reads.authorization}\r\n`
          + "connection: close\r\n\r\n",
      );
    });
    assertEquals(status, 404, path);
  }
});
