/**
 * Requests and their responses over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { ok, withScene } from "../support/http_scene.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { mismatch } from "../support/pattern.ts";

const encoder = new TextEncoder();

test("A response tells its status, headers, body, trailers and machine", () => {
  const begin = [
    { send: "HTTP/1.1 206 Partly\r\nTransfer-Encoding: chunked\r\nX-One: 1\r\nx-one: 2\r\n" },
    { send: "\r\n5;ext=1\r\nhello\r\n" },
  ];
  const rest = "7\r\n, world\r\n0\r\nDigest: abc\r\n\r\n";
  return withScene({
    scripts: { "/x": [begin, [...begin, { send: rest }]] },
  }, async ({ origin, pool, url }) => {
    const response = await pool.request(url("/x"));
    assertEquals([response.status, response.statusText, response.ok], [206, "Partly", true]);
    assertEquals(response.url, url("/x"));
    assertEquals(response.headers.get("X-ONE"), "1, 2");
    assertEquals(response.trailers, null);
    assertEquals(response.bodyUsed, false);
    await origin.act({ kind: "send", text: rest });
    assertEquals(await response.text(), "hello, world");
    assertEquals(response.bodyUsed, true);
    assertEquals(response.trailers?.get("digest"), "abc");
    const { address, alpn, ip, reused, timings } = response.connection;
    assertEquals([address, alpn, ip, reused], [
      `127.0.0.1:${origin.port}`,
      null,
      "127.0.0.1",
      false,
    ]);
    for (const [name, ms] of Object.entries(timings)) assert(ms >= 0 && ms < 5_000, name);
    assert(timings.queueMs >= timings.tlsMs && timings.tlsMs > 0, JSON.stringify(timings));
    const again = await pool.request(url("/x"));
    await again.dump();
    assertEquals(again.connection.id, response.connection.id);
    assertEquals(again.connection.reused, true);
    assertEquals([again.connection.timings.dialMs, again.connection.timings.tlsMs], [0, 0]);
    const { log } = await origin.report();
    assertEquals(log[0]?.head, `GET /x HTTP/1.1\r\nhost: a.test:${origin.port}`);
  });
});

test("A response's body is read once, in whatever way", () =>
  withScene({ scripts: { "*": [{ send: ok("[1]") }] } }, async ({ pool, url }) => {
    const get = () => pool.request(url("/"));
    assertEquals(await (await get()).json(), [1]);
    assertEquals(await (await get()).bytes(), encoder.encode("[1]"));
    const parts: number[] = [];
    for await (const part of (await get()).body) parts.push(...part);
    assertEquals(parts, [...encoder.encode("[1]")]);
    const response = await get();
    const { body } = response;
    assert(body === response.body);
    assertEquals(await new Response(body).text(), "[1]");
    await assertRejects(() => response.text(), TypeError, "already been read");
    const twice = await get();
    await twice.text();
    for (const again of ["text", "json", "bytes"] as const) {
      await assertRejects(() => twice[again](), TypeError, "already been read");
    }
    await twice.dump();
    const { leased } = pool.stats();
    assertEquals(leased, 0);
  }));

test("A body that is no JSON is a SyntaxError, and costs no connection", () =>
  withScene({ scripts: { "*": [{ send: ok("{") }] } }, async ({ pool, url }) => {
    await assertRejects(async () => await (await pool.request(url("/"))).json(), SyntaxError);
    assertEquals(pool.stats().idle, 1);
  }));

test("8 MiB come down intact, by length, in chunks and until the end", () =>
  withScene({
    scripts: {
      "/length": [{ send: "HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n" }, {
        pattern: 8_388_608,
      }],
      "/chunked": [
        { send: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" },
        { pattern: 8_388_608, chunked: true },
      ],
      "/end": [{ send: "HTTP/1.1 200 OK\r\n\r\n" }, { pattern: 8_388_608 }, { do: "end" }],
    },
  }, async ({ pool, url }) => {
    for (const path of ["/length", "/chunked", "/end"]) {
      const whole = await (await pool.request(url(path))).bytes();
      assertEquals([whole.length, mismatch(0, whole)], [8_388_608, -1], path);
      let at = 0;
      for await (const part of (await pool.request(url(path))).body) {
        assertEquals(mismatch(at, part), -1, path);
        at += part.length;
      }
      assertEquals(at, 8_388_608, path);
    }
    assertEquals(pool.stats().dials, 2);
  }));

test("A slow reader makes the server's writes stop, and then gets everything", () =>
  withScene({
    scripts: {
      "*": [
        { send: "HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n" },
        { pattern: 67_108_864 },
      ],
    },
  }, async ({ origin, pool, url }) => {
    const response = await pool.request(url("/"));
    const reader = response.body.getReader();
    const stalled = async () => {
      for (let before = -1;;) {
        const sent = (await origin.report()).connections[0]?.bytesSent ?? 0;
        if (sent === before) return sent;
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    const sent = await stalled();
    assert(sent > 0 && sent < 33_554_432, `${sent} bytes were sent to nobody`);
    let at = 0;
    /** Reads a part; false at the end. */
    const read = async () => {
      const { done, value } = await reader.read();
      if (done) return false;
      assertEquals(mismatch(at, value), -1);
      at += value.length;
      return true;
    };
    while (at < sent + 1_048_576) assert(await read());
    const more = await stalled();
    assert(more > sent && more < at + 33_554_432, `${more} bytes were sent for ${at}`);
    while (await read());
    assertEquals(at, 67_108_864);
    await (await pool.request(url("/"))).body.cancel();
    assertEquals(pool.stats().dials, 1);
  }));

test("dump() keeps a connection up to its limit, and ends it beyond", () =>
  withScene({
    scripts: {
      "*": [{ send: "HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n" }, { pattern: 8_388_608 }],
    },
  }, async ({ origin, pool, url }) => {
    const get = () => pool.request(url("/"));
    await (await get()).dump({ maxBytes: 8_388_608 });
    assertEquals(pool.stats().idle, 1);
    await (await get()).dump({ maxBytes: 1_000 });
    await (await get()).dump();
    const response = await get();
    await assertRejects(() => response.dump({ maxBytes: NaN }), TypeError);
    await response.dump({ maxBytes: 0 });
    const { connections } = await origin.until({ accepted: 3, openSockets: 0 });
    assertEquals(connections.map(({ requests }) => requests), [2, 1, 1]);
  }));

test("A response is ok from 200 to 299", async () => {
  await using pool = memoryHttp(({ path }) => answer(`${path.slice(1)} Said`));
  for (const [status, isOk] of [[200, true], [299, true], [300, false], [599, false]] as const) {
    const response = await pool.request(`https://a.test/${status}`);
    assertEquals([response.status, response.ok], [status, isOk]);
    await response.dump();
  }
});
