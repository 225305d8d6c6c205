/**
 * How requests end early: aborts at every point, deadlines, bodies that nobody reads, and a pool
 * that closes.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import type { CreatePoolOptions } from "../../adapters/detect.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { AcquireTimeoutError, ClosedError, RequestError } from "../../src/core/errors.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import { collect } from "../support/collect.ts";
import { ok, type Scene, withScene } from "../support/http_scene.ts";
import { CountedController } from "../support/signals.ts";

const BIG = "HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n";

const scripts = {
  "/ok": [{ send: ok("fine") }],
  "/hang": [],
  "/slow": [{ send: ok("late").slice(0, -2) }],
  "/big": [{ send: BIG }, { pattern: 8_388_608 }],
  "/asked": [{ send: BIG }, { pattern: 8_388_608 }],
  "/fetched": [{ send: BIG }, { pattern: 8_388_608 }],
  "/bits": [{ send: BIG }, { pattern: 1_000 }],
};

// Requests and leases share connections.
const one: CreatePoolOptions = {
  maxConnectionsPerIp: 1,
  maxConnectionsPerHost: 1,
  protocols: ["http/1.1"],
};

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => assert(false, "It did not reject"), (error: unknown) => error);
}

/** Makes a request that is aborted after `until`, and says that this is what it ends with. */
async function aborted(
  { pool }: Scene,
  request: (options: RequestOptions) => Promise<unknown>,
  until: () => Promise<unknown>,
): Promise<void> {
  const reasons = [new Error("enough"), "a text", null, 0];
  for (const reason of reasons) {
    const controller = new CountedController();
    const ending = rejection(request({ signal: controller.signal }));
    await until();
    controller.abort(reason);
    assertStrictEquals(await ending, reason);
    assertEquals(controller.listeners, 0);
    assertEquals(pool.stats().waiting, 0);
  }
}

test("An abort before a connection is there ends the wait, and the connection serves the next", () =>
  withScene({ scripts, pool: one }, async (scene) => {
    const { origin, pool, url } = scene;
    await aborted(scene, (options) => pool.request(url("/ok"), options), () => Promise.resolve());
    const holder = await pool.acquire(`a.test:${origin.port}`);
    await aborted(
      scene,
      (options) => pool.request(url("/ok"), options),
      () => new Promise((resolve) => setTimeout(resolve, 5)),
    );
    holder.release();
    await (await pool.request(url("/ok"))).dump();
    const { accepted, requests } = await origin.report();
    assertEquals([accepted, requests], [1, 1]);
  }));

test("An abort after the connection came, in the same turn, gives the connection back", () =>
  withScene({ scripts, pool: one }, async ({ origin, pool, url }) => {
    const holder = await pool.acquire(`a.test:${origin.port}`);
    const controller = new CountedController();
    const ending = rejection(pool.request(url("/hang"), { signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 5));
    holder.release();
    controller.abort("now");
    assertEquals(await ending, "now");
    assertEquals(pool.stats().idle, 1);
    assertEquals((await origin.report()).requests, 0);
  }));

test("An abort before the head ends the connection", () =>
  withScene({ scripts }, async (scene) => {
    const { origin, pool, url } = scene;
    let asked = 0;
    await aborted(
      scene,
      (options) => pool.request(url("/hang"), options),
      () => origin.until({ requests: ++asked }),
    );
    await origin.until({ openSockets: 0, accepted: 4 });
  }));

test("An abort in the middle of an upload stops the stream and ends the connection", () =>
  withScene({ scripts }, async (scene) => {
    const { origin, pool, url } = scene;
    const reasons: unknown[] = [];
    let asked = 0;
    const body = () =>
      new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new Uint8Array(10)),
        cancel: (reason) => void reasons.push(reason),
      });
    await aborted(
      scene,
      (options) => pool.request(url("/hang"), { ...options, method: "PUT", body: body() }),
      () => origin.until({ requests: ++asked }),
    );
    await origin.until({ openSockets: 0, accepted: 4 });
    assertEquals(reasons.map(String), ["Error: enough", "a text", "null", "0"]);
    let stopped = 0;
    const iterable = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<Uint8Array>>(() => {}),
        return: () => Promise.resolve({ done: true as const, value: stopped++ }),
      }),
    };
    await aborted(
      scene,
      (options) => pool.request(url("/hang"), { ...options, method: "PUT", body: iterable }),
      () => origin.until({ requests: ++asked }),
    );
    assertEquals(stopped, 4);
  }));

test("An abort of a wait lets a body's stream go unread", () =>
  withScene({ scripts, pool: one }, async (scene) => {
    const holder = await scene.pool.acquire(`a.test:${scene.origin.port}`);
    let cancelled = 0;
    const body = () => new ReadableStream<Uint8Array>({ cancel: () => void cancelled++ });
    await aborted(
      scene,
      (options) =>
        scene.pool.request(scene.url("/ok"), { ...options, method: "PUT", body: body() }),
      () => Promise.resolve(),
    );
    assertEquals(cancelled, 4);
    holder.release();
  }));

test("An abort in the middle of the body fails the body, read in whatever way", () =>
  withScene({ scripts }, async (scene) => {
    const { origin, pool, url } = scene;
    for (const path of ["/slow", "/big", "/bits"]) {
      let asked = (await origin.report()).requests;
      await aborted(
        scene,
        async (options) => await (await pool.request(url(path), options)).text(),
        async () => {
          await origin.until({ requests: ++asked });
          await new Promise((resolve) => setTimeout(resolve, 2));
        },
      );
      const controller = new CountedController();
      const { signal } = controller;
      const response = await pool.request(url("/bits"), { signal });
      const reader = response.body.getReader();
      await reader.read();
      const next = rejection(reader.read());
      controller.abort(signal);
      assertStrictEquals(await next, signal);
      assertEquals(controller.listeners, 0);
    }
    const unread = new AbortController();
    const response = await pool.request(url("/big"), { signal: unread.signal });
    unread.abort("unread");
    assertEquals(await rejection(response.text()), "unread");
    await origin.until({ openSockets: 0 });
  }));

test("An abort after the end changes nothing", () =>
  withScene({ scripts }, async ({ pool, url }) => {
    const controller = new CountedController();
    const response = await pool.request(url("/ok"), { signal: controller.signal });
    assertEquals(controller.listeners, 0);
    controller.abort("late");
    assertEquals(await response.text(), "fine");
    assertEquals(pool.stats().idle, 1);
  }));

test("A body that is cancelled, or left in the middle of a loop, ends its connection", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    await (await pool.request(url("/big"))).body.cancel("enough");
    for await (const part of (await pool.request(url("/big"))).body) {
      assert(part.length > 0);
      break;
    }
    await origin.until({ openSockets: 0, accepted: 2 });
    // All of it has arrived: there is nothing to cancel.
    await (await pool.request(url("/ok"))).body.cancel();
    assertEquals(pool.stats().idle, 1);
  }));

test("timeoutMs ends the wait, the request and the body, each with its error", () => {
  const clock = new ManualClock();
  return withScene({ scripts, pool: { ...one, clock } }, async ({ origin, pool, url }) => {
    const timeoutMs = 100;
    const asking = assertRejects(
      () => pool.request(url("/hang"), { timeoutMs, method: "POST" }),
      RequestError,
      "longer than 100 ms",
    );
    await origin.until({ requests: 1 });
    clock.advance(timeoutMs);
    const head = await asking;
    assertEquals([head.failure, head.maybeActedOn], ["timeout", true]);
    const response = await pool.request(url("/bits"), { timeoutMs });
    const reading = assertRejects(() => response.text(), RequestError);
    clock.advance(timeoutMs);
    assertEquals((await reading).failure, "timeout");
    const holder = await pool.acquire(`a.test:${origin.port}`);
    const waiting = assertRejects(
      () => pool.request(url("/ok"), { timeoutMs }),
      AcquireTimeoutError,
    );
    clock.advance(timeoutMs);
    await waiting;
    holder.release();
    assertEquals(await (await pool.request(url("/ok"), { timeoutMs })).text(), "fine");
  });
});

test("Trap 1: a body that nobody reads holds its connection until leakTimeoutMs, and no other", () => {
  const clock = new ManualClock();
  return withScene({
    scripts,
    pool: { clock, maxConnectionsPerIp: 2, leakTimeoutMs: 300 },
  }, async ({ origin, pool, url }) => {
    const unread = await pool.request(url("/big"));
    // There is another connection, which serves everybody meanwhile.
    for (let i = 0; i < 5; i++) {
      assertEquals(await (await pool.request(url("/ok"))).text(), "fine");
    }
    const second = await pool.request(url("/big"));
    assertEquals(pool.stats().leased, 2);
    // Both hold theirs: whoever waits gets one when they are reclaimed.
    const waiting = pool.request(url("/ok"));
    clock.advance(299);
    assertEquals(pool.stats().leased, 2);
    clock.advance(1);
    assertEquals(await (await waiting).text(), "fine");
    while (pool.stats().leased > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const response of [unread, second]) {
      const error = await assertRejects(() => response.text(), RequestError, "nobody read");
      assertEquals(error.failure, "cancelled");
    }
    assertEquals((await origin.report()).accepted, 3);
  });
});

test("A small body that nobody reads holds nothing up", () =>
  withScene({ scripts, pool: one }, async ({ pool, url }) => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await pool.request(url("/ok")));
    assertEquals(pool.stats().dials, 1);
    assertEquals(await all[0]?.text(), "fine");
  }));

test("A body that is being read slowly is not reclaimed", () =>
  withScene({ scripts, pool: { leakTimeoutMs: 100 } }, async ({ pool, url }) => {
    const response = await pool.request(url("/big"));
    const reader = response.body.getReader();
    let length = (await reader.read()).value?.length ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
    }
    assertEquals(length, 8_388_608);
  }));

test("Trap 1: a body that was read in part and then dropped is found, and loses its connection", () =>
  withScene({ scripts }, async ({ pool, url }) => {
    const leaks: string[] = [];
    pool.on("leak", ({ url }) => leaks.push(url));
    const begin = async (body: ReadableStream<Uint8Array>) => {
      const reader = body.getReader();
      await reader.read();
      return reader;
    };
    const held = await begin((await pool.request(url("/big"))).body);
    await begin((await pool.request(url("/asked"))).body);
    await begin((await pool.fetch(url("/fetched"))).body!);
    assertEquals(pool.stats().leased, 3);
    for (let tries = 0; pool.stats().leased > 1 && tries < 500; tries++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assertEquals(leaks.sort(), [url("/asked"), url("/fetched")]);
    assertEquals(pool.stats().leased, 1);
    assertEquals((await held.read()).done, false);
    await held.cancel();
  }));

test("Pool.close() lets requests end within the grace, and fails those that wait", () =>
  withScene({
    scripts: { "/soon": [{ waitMs: 100 }, { send: ok("fine") }] },
    pool: one,
  }, async ({ pool, url }) => {
    const running = pool.request(url("/soon"));
    const waiting = rejection(pool.request(url("/soon")));
    while (pool.stats().leased === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const closing = pool.close();
    assertStrictEquals(pool.close(), closing);
    assert(await waiting instanceof ClosedError);
    assertEquals(await (await running).text(), "fine");
    await closing;
    await assertRejects(() => pool.request(url("/soon")), ClosedError);
  }));

test("Pool.close() ends requests and bodies when the grace is over", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const get = rejection(pool.request(url("/hang")));
    const post = rejection(pool.request(url("/hang"), { method: "POST", body: "x" }));
    const response = await pool.request(url("/bits"));
    const body = rejection(response.text());
    await origin.until({ requests: 3 });
    await pool.close({ graceMs: 50 });
    assert(await get instanceof ClosedError, String(await get));
    const error = await post;
    assert(error instanceof RequestError && error.maybeActedOn, String(error));
    assert(await body instanceof RequestError, String(await body));
    assertEquals((await origin.report()).requests, 3);
  }));

test("However many requests and waits share a signal, it has one listener, and none after them", () =>
  withScene({ scripts, pool: one }, async ({ origin, pool, url }) => {
    const controller = new CountedController();
    const { signal } = controller;
    const reason = new Error("enough");
    const endings = Array.from({ length: 20 }, (_, index) =>
      rejection(
        index % 2 === 0
          ? pool.request(url("/hang"), { signal })
          : pool.fetch(url("/hang"), { signal }),
      ));
    await origin.until({ requests: 1 });
    assertEquals(controller.listeners, 1);
    controller.abort(reason);
    for (const ending of endings) assertStrictEquals(await ending, reason);
    assertEquals(controller.listeners, 0);
  }));

test("A program that stood still past a deadline reads what came in time before it judges", () =>
  withScene({
    scripts: { "/soon": [{ waitMs: 100 }, { send: ok("fine") }] },
  }, async ({ origin, pool, url }) => {
    await pool.warm(`a.test:${origin.port}`, { connections: 4 });
    const requests = Array.from(
      { length: 4 },
      () => pool.request(url("/soon"), { timeoutMs: 500 }).then((response) => response.text()),
    );
    await origin.until({ requests: 4 });
    const until = Date.now() + 1_000;
    while (Date.now() < until);
    assertEquals(await Promise.all(requests), ["fine", "fine", "fine", "fine"]);
  }));
