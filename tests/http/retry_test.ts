/**
 * What is sent again, and what is not, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { RequestError } from "../../src/core/errors.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import { authority, ok, withScene } from "../support/http_scene.ts";
import { shiftedClock } from "../support/shifted_clock.ts";

const ANSWER = [{ wait: "body" as const }, { send: ok("fine") }];
const one = { maxConnectionsPerIp: 1 };

const stream = () =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(3));
      controller.close();
    },
  });

const repeated: readonly RequestOptions[] = [
  { method: "GET" },
  { method: "HEAD" },
  { method: "OPTIONS" },
  { method: "PUT", body: "text" },
  { method: "PUT", body: new Uint8Array(100_000) },
  { method: "PUT", body: new Blob([new Uint8Array(400_000)]) },
  { method: "DELETE" },
  { method: "POST", body: "text", idempotent: true },
  { method: "POST", body: "text", headers: { "Idempotency-Key": "1" } },
];

const notRepeated: readonly RequestOptions[] = [
  { method: "POST", body: "text" },
  { method: "POST" },
  { method: "PATCH", body: "text" },
  { method: "GET", idempotent: false },
  { method: "PUT", body: "text", idempotent: false, headers: { "Idempotency-Key": "1" } },
];

for (const ending of ["end", "fin", "reset"] as const) {
  test(`Trap 7: a used connection that ends by ${ending} instead of an answer costs a retry where that may be`, () =>
    withScene({
      scripts: { "*": [ANSWER, [{ wait: "body" }, { do: ending }], ANSWER] },
      pool: one,
    }, async ({ origin, pool, url }) => {
      for (const [index, options] of repeated.entries()) {
        const path = `/${index}`;
        await (await pool.request(url(path))).dump();
        await (await pool.request(url(path), options)).dump();
        const asked = (await origin.report()).log.filter((request) => request.path === path);
        assertEquals(asked.map(({ complete }) => complete), [true, true, true]);
        assertEquals(asked[1]?.head, asked[2]?.head);
        assertEquals(asked[1]?.bodyBytes, asked[2]?.bodyBytes);
      }
      const bodies = [...notRepeated, { method: "PUT", body: stream() }];
      for (const [index, options] of bodies.entries()) {
        const path = `/not/${index}`;
        await (await pool.request(url(path))).dump();
        const error = await assertRejects(
          () => pool.request(url(path), options),
          RequestError,
          "may not be repeated",
        );
        assertEquals([error.failure, error.maybeActedOn], ["connection", true]);
        const asked = (await origin.report()).log.filter((request) => request.path === path);
        assertEquals(asked.length, 2);
      }
    }));
}

test("Trap 7: a connection fresh from its dial that answers nothing costs one retry, no more", () =>
  withScene({ scripts: { "*": [{ do: "end" }] } }, async ({ origin, pool, url }) => {
    const get = await assertRejects(() => pool.request(url("/get")), RequestError);
    assertEquals([get.failure, get.maybeActedOn], ["connection", true]);
    await assertRejects(() => pool.request(url("/post"), { method: "POST" }), RequestError);
    const { log } = await origin.until({ openSockets: 0 });
    assertEquals(log.map(({ path }) => path), ["/get", "/get", "/post"]);
  }));

test("Trap 7: as many dead connections as there are attempts cost nobody his answer", () =>
  withScene({
    scripts: {
      "/warm": [],
      "*": [[{ do: "end" }], [{ do: "end" }], [{ do: "end" }], [{ do: "end" }], ANSWER],
    },
  }, async ({ origin, pool, url }) => {
    const all = [...Array(4)].map(() => pool.request(url("/warm")));
    await origin.until({ requests: 4 });
    await origin.act({ kind: "send", text: ok() });
    for (const response of await Promise.all(all)) await response.dump();
    assertEquals(await (await pool.request(url("/x"))).text(), "fine");
    const { accepted, requests } = await origin.report();
    assertEquals([accepted, requests], [5, 9]);
  }));

test("Connections that are hung up on while another one is being served cost nobody his answer", () =>
  withScene({
    scripts: {
      "/slow": [{ wait: "body" }, { send: ok("late") }],
      "*": [[{ do: "end" }], [{ do: "end" }], ANSWER],
    },
  }, async ({ origin, pool, url }) => {
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const slow = pool.request(url("/slow"), { method: "POST", body: body.readable });
    await origin.until({ requests: 1 });
    assertEquals(await (await pool.request(url("/x"))).text(), "fine");
    const { log } = await origin.report();
    assertEquals(log.map(({ path }) => path), ["/slow", "/x", "/x", "/x"]);
    await body.writable.close();
    assertEquals(await (await slow).text(), "late");
  }));

test("A retry goes to another machine where the first one is gone", () =>
  withScene({
    scripts: { "/who": ANSWER, "*": [[{ do: "end" }], ANSWER] },
    origin: { addresses: ["127.0.0.1", "127.0.0.2"] },
  }, async ({ pool, url }) => {
    const pinned = await pool.request(url("/who"), { ip: "127.0.0.2" });
    assertEquals([await pinned.text(), pinned.connection.ip], ["fine", "127.0.0.2"]);
    const other = await pool.request(url("/who"), { exclude: ["127.0.0.2"] });
    assertEquals([await other.text(), other.connection.ip], ["fine", "127.0.0.1"]);
    assertEquals(await (await pool.request(url("/x"))).text(), "fine");
  }));

test("tls gives a request a connection of its own kind", () =>
  withScene({ scripts: { "*": ANSWER } }, async ({ origin, pool, url }) => {
    const tls = { ca: [authority], alpn: ["http/1.1"] };
    await (await pool.request(url("/"))).dump();
    const response = await pool.request(url("/"), { tls });
    await response.dump();
    assertEquals(response.connection.reused, false);
    await (await pool.request(url("/"), { tls })).dump();
    const { connections } = await origin.report();
    assertEquals(connections.map(({ requests }) => requests), [1, 2]);
    assertEquals(connections.map(({ hello }) => hello?.alpn ?? []), [["h2", "http/1.1"], [
      "http/1.1",
    ]]);
  }));

test("Trap 8: a half-open connection costs firstByteTimeoutMs, and its like are let go", () => {
  const clock = shiftedClock();
  return withScene({ scripts: { "*": ANSWER }, pool: { clock } }, async ({ origin, pool, url }) => {
    await pool.warm(`a.test:${origin.port}`, { connections: 3 });
    await pool.warm(`a.test:${origin.port}`, { connections: 0 });
    clock.advance(10_000);
    await origin.act({ kind: "pause" });
    const startedAt = performance.now();
    const response = await pool.request(url("/"), { firstByteTimeoutMs: 100 });
    assertEquals(await response.text(), "fine");
    const tookMs = performance.now() - startedAt;
    assertEquals(tookMs >= 90 && tookMs < 4_000, true, `${tookMs} ms`);
    assertEquals(pool.stats().connections, 1);
    await origin.act({ kind: "resume" });
    const { log } = await origin.until({ accepted: 4, openSockets: 1 });
    assertEquals(log.filter(({ connection }) => connection === 4).length, 1);
  });
});

test("Trap 8: what may not be repeated waits on over a half-open connection", () => {
  const clock = shiftedClock();
  return withScene({ scripts: { "*": ANSWER }, pool: { clock } }, async ({ origin, pool, url }) => {
    await (await pool.request(url("/"))).dump();
    clock.advance(10_000);
    await origin.act({ kind: "pause" });
    const options = { method: "POST", body: "x", firstByteTimeoutMs: 50, timeoutMs: 300 };
    const error = await assertRejects(() => pool.request(url("/post"), options), RequestError);
    assertEquals([error.failure, error.maybeActedOn], ["timeout", true]);
    await origin.act({ kind: "resume" });
    const { log } = await origin.until({ openSockets: 0 });
    assertEquals(log.filter(({ path }) => path === "/post").length <= 1, true);
    const slow = pool.request(url("/post"), { method: "POST", body: "x", firstByteTimeoutMs: 50 });
    assertEquals(await (await slow).text(), "fine");
  });
});

test("sticky keeps a text's requests on one machine, and moves them when it stops", () =>
  withScene({
    scripts: { "*": ANSWER },
    origin: { addresses: ["127.0.0.1", "127.0.0.2", "127.0.0.3"] },
  }, async ({ pool, url }) => {
    const where = async (sticky: string, exclude: string[] = []) => {
      const response = await pool.request(url("/who"), { sticky, exclude });
      await response.dump();
      return response.connection.ip;
    };
    const first = await where("user-1");
    for (let i = 0; i < 10; i++) assertEquals(await where("user-1"), first);
    const machines = new Set<string>();
    for (let i = 0; i < 30; i++) machines.add(await where(`user-${i}`));
    assertEquals(machines.size, 3);
    assert(await where("user-1", [first]) !== first);
  }));
