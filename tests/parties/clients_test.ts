/**
 * Clients that take a `fetch`, with that of a pool: to a Hono app.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { hc } from "hono/client";
import ky, { HTTPError } from "ky";
import test from "node:test";
import { createFetch, FetchError } from "ofetch";
import { connectionOf, type HttpPool } from "../../mod.ts";
import type { App } from "../support/hono_routes.ts";
import { startNodeProgram } from "../support/node_program.ts";
import { pause } from "../support/services.ts";
import { credentials, poolTo } from "./support.ts";

const address = await startNodeProgram("hono_main.ts", credentials) as { readonly port: number };
const url = "https://a.test";
const thing = { name: "lamp", sizes: [1, 2] };
const created = { got: thing, type: "application/json" };

function testClient(name: string, body: (pool: HttpPool) => Promise<void>): void {
  test(name, async () => {
    await using pool = poolTo(address.port);
    await body(pool);
    assertEquals(pool.stats().leased, 0);
  });
}

/** Starts what never gets its answer, aborts it when it is on its way, and gives what it throws. */
async function aborted(
  pool: HttpPool,
  ask: (signal: AbortSignal) => Promise<unknown>,
): Promise<Error> {
  const stop = new AbortController();
  const rejected = assertRejects(() => ask(stop.signal), Error);
  for (let tries = 0; tries < 400 && pool.stats().leased === 0; tries++) await pause(10);
  assertEquals(pool.stats().leased, 1);
  stop.abort();
  const error = await rejected;
  assertEquals(pool.stats().leased, 0);
  return error;
}

function kyOver(pool: HttpPool): typeof ky {
  return ky.create({ fetch: pool.fetch, prefixUrl: url, retry: 0 });
}

testClient("ky gets over a pool", async (pool) => {
  const client = kyOver(pool);
  for (const name of ["lamp", "table"]) {
    const response = await client.get(`things/${name}`);
    assertEquals(await response.json(), { name });
  }
  assertEquals(pool.stats().dials, 1);
});

testClient("ky posts JSON over a pool", async (pool) => {
  assertEquals(await kyOver(pool).post("things", { json: thing }).json(), created);
});

testClient("ky aborts what a pool has under way", async (pool) => {
  const error = await aborted(pool, (signal) => kyOver(pool).get("never", { signal }));
  assertEquals(error.name, "AbortError");
});

testClient("ky tells an error status over a pool", async (pool) => {
  const error = await assertRejects(() => kyOver(pool).get("missing").json(), HTTPError);
  assertEquals(error.response.status, 404);
  await error.response.body?.cancel();
});

testClient("ky asks again over a pool after 503", async (pool) => {
  const client = kyOver(pool).extend({ retry: { limit: 2, delay: () => 1 } });
  assertEquals(await client.get("busy").text(), "Done");
});

testClient("ky ends by its own timeout what a pool has under way", async (pool) => {
  const error = await assertRejects(() => kyOver(pool).get("never", { timeout: 100 }), Error);
  assertEquals(error.name, "TimeoutError");
});

function ofetchOver(pool: HttpPool): ReturnType<typeof createFetch> {
  return createFetch({ fetch: pool.fetch, Headers, AbortController })
    .create({ baseURL: url, retry: 0 });
}

testClient("ofetch gets over a pool", async (pool) => {
  const client = ofetchOver(pool);
  for (const name of ["lamp", "table"]) assertEquals(await client(`/things/${name}`), { name });
  const response = await client.raw("/things/lamp");
  assert(connectionOf(response)?.reused);
  assertEquals(pool.stats().dials, 1);
});

testClient("ofetch posts JSON over a pool", async (pool) => {
  assertEquals(await ofetchOver(pool)("/things", { method: "POST", body: thing }), created);
});

testClient("ofetch aborts what a pool has under way", async (pool) => {
  const error = await aborted(pool, (signal) => ofetchOver(pool)("/never", { signal }));
  assertInstanceOf(error, FetchError);
  assertEquals((error.cause as Error).name, "AbortError");
});

testClient("ofetch tells an error status over a pool", async (pool) => {
  const error = await assertRejects(() => ofetchOver(pool)("/missing"), FetchError);
  assertEquals(error.status, 404);
  assertEquals(error.data, { error: "There is no such thing" });
});

function honoOver(pool: HttpPool): ReturnType<typeof hc<App>> {
  return hc<App>(url, { fetch: pool.fetch });
}

testClient("Hono's client gets over a pool", async (pool) => {
  const client = honoOver(pool);
  for (const name of ["lamp", "table"]) {
    const response = await client.things[":name"].$get({ param: { name } });
    assertEquals(await response.json(), { name });
    assertEquals(connectionOf(response as unknown as Response)?.ip, "127.0.0.1");
  }
  assertEquals(pool.stats().dials, 1);
});

testClient("Hono's client posts JSON over a pool", async (pool) => {
  const response = await honoOver(pool).things.$post({ json: thing });
  assertEquals([response.status, await response.json()], [201, created]);
});

testClient("Hono's client aborts what a pool has under way", async (pool) => {
  const error = await aborted(
    pool,
    (signal) => honoOver(pool).never.$get({}, { init: { signal } }),
  );
  assertEquals(error.name, "AbortError");
});

testClient("Hono's client tells an error status over a pool", async (pool) => {
  const response = await honoOver(pool).missing.$get({});
  assertEquals([response.ok, response.status], [false, 404]);
  assertEquals(await response.json(), { error: "There is no such thing" });
});
