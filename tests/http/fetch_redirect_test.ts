/**
 * How `fetch` over a pool follows redirects.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import type { MemorySocket } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { makeResponse } from "../../src/http/fetched_response.ts";
import { makeLazyResponse } from "../../src/http/lazy_response.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { turns } from "../support/turns.ts";

const found = (location: string) =>
  answer("302 Found", Object.fromEntries([["location", location]]));

test("fetch() follows a redirect whose own body never ends, on another connection", async () => {
  for (const framing of ["", "content-length: 10\r\n", "transfer-encoding: chunked\r\n"]) {
    await using pool = memoryHttp(({ path }) =>
      path === "/to"
        ? answer("200 OK", {}, "there")
        : `HTTP/1.1 301 Moved\r\nlocation: /to\r\n${framing}\r\n`
    );
    const response = await pool.fetch("https://a.test/from");
    assertEquals([await response.text(), response.redirected], ["there", true]);
    assertEquals(pool.stats().leased, 0);
    assertEquals(pool.dialer.dials.length, 2);
  }
});

test("fetch() drops the body of a redirect that has become too long, before its time is over", async () => {
  const clock = new ManualClock();
  const body = "x".repeat(40_000);
  const head = "HTTP/1.1 301 Moved\r\nlocation: /to\r\ncontent-length: 1000000\r\n\r\n";
  const sockets: MemorySocket[] = [];
  await using pool = memoryHttp(({ path }, socket) => {
    if (path === "/to") return answer("200 OK");
    sockets.push(socket);
    return head + body;
  }, { clock });
  const response = pool.fetch("https://a.test/from");
  await turns();
  assertEquals(pool.dialer.dials.length, 1);
  sockets[0]!.receive(new TextEncoder().encode(body));
  await turns();
  // The clock stands still.
  assertEquals(pool.dialer.dials.length, 2);
  assertEquals((await response).status, 200);
});

test("fetch() keeps the connection of a redirect whose body has arrived", async () => {
  await using pool = memoryHttp(({ path }) =>
    path === "/to" ? answer("200 OK") : answer("302 Found", { location: "/to" }, "moved")
  );
  await (await pool.fetch("https://a.test/from")).text();
  assertEquals(pool.dialer.dials.length, 1);
});

test("fetch() takes the bytes of a Location as they are, be they UTF-8 or not", async () => {
  const cases: [location: string, path: string][] = [
    ["/caf\xc3\xa9?\xe2\x98\x83", "/caf%C3%A9?%E2%98%83"],
    ["/\xe2\x98\x83%e2%98%83", "/%E2%98%83%e2%98%83"],
    ["/caf\xe9?\xe9", "/caf%E9?%E9"],
    ["/%?%", "/%?%"],
  ];
  for (const [location, path] of cases) {
    const paths: string[] = [];
    await using pool = memoryHttp((request) => {
      paths.push(request.path);
      const head = `HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`;
      if (request.path === "/from") return Uint8Array.from(head, (char) => char.charCodeAt(0));
      return answer("200 OK");
    });
    await pool.fetch("https://a.test/from");
    assertEquals(paths, ["/from", path]);
  }
});

test("fetch() refuses two Locations that differ, and follows one that is said twice", async () => {
  let second = "/c";
  await using pool = memoryHttp(({ path }) =>
    path === "/b"
      ? answer("200 OK", {}, "b")
      : `HTTP/1.1 302 Found\r\nlocation: /b\r\nlocation: ${second}\r\ncontent-length: 0\r\n\r\n`
  );
  const error = await assertRejects(() => pool.fetch("https://a.test/"), TypeError);
  assertEquals((error.cause as Error).message, "Redirected to several URLs at once");
  assertEquals(pool.stats().leased, 0);
  const manual = await pool.fetch("https://a.test/", { redirect: "manual" });
  assertEquals(manual.headers.get("location"), "/b, /c");
  second = "/b";
  assertEquals(await (await pool.fetch("https://a.test/")).text(), "b");
});

test("fetch() with redirect: error fails a redirect that leads nowhere, too", async () => {
  await using pool = memoryHttp(() => answer("302 Found", {}, "no location"));
  assertEquals(await (await pool.fetch("https://a.test/")).text(), "no location");
  await assertRejects(() => pool.fetch("https://a.test/", { redirect: "error" }), TypeError);
  assertEquals(pool.stats().leased, 0);
});

test("fetch() and request() send the question mark of an empty query", async () => {
  const paths: string[] = [];
  await using pool = memoryHttp(({ path }) => {
    paths.push(path);
    return path === "/from" ? found("/to?") : answer("200 OK");
  });
  await pool.fetch("https://a.test/?#there");
  await pool.fetch("https://a.test/from");
  await pool.request("https://me:secret@a.test/a?");
  await pool.request("https://a.test:8443?#there");
  assertEquals(paths, ["/?", "/from", "/to?", "/a?", "/?"]);
});

test("fetch() keeps the connection of a redirect whose body comes soon", async () => {
  await using pool = memoryHttp(({ path }, socket) => {
    if (path === "/to") return answer("200 OK");
    setTimeout(() => socket.receive(new Uint8Array(3)), 1);
    return "HTTP/1.1 302 Found\r\nlocation: /to\r\ncontent-length: 3\r\n\r\n";
  });
  await (await pool.fetch("https://a.test/from")).text();
  assertEquals(pool.dialer.dials.length, 1);
});

test("the url of a response has no fragment, after a redirect neither", async () => {
  await using pool = memoryHttp(({ path }) =>
    path === "/from" ? found("/to?x#there") : answer("200 OK")
  );
  for (
    const [from, url] of [
      ["https://a.test/to#here", "https://a.test/to"],
      ["https://a.test/from#here", "https://a.test/to?x"],
      ["https://a.test/?#", "https://a.test/?"],
    ]
  ) assertEquals((await pool.fetch(from!)).url, url);
});

for (const [kind, respond] of [["whole", makeResponse], ["lazy", makeLazyResponse]] as const) {
  test(`fetch() gives a status beyond 599 as it was received, ${kind}`, async () => {
    await using pool = memoryHttp(() => answer("999 Odd", { a: "b" }, "body"), {}, respond);
    const response = await pool.fetch("https://a.test/");
    const clone = response.clone();
    for (const { headers, ok, status, statusText } of [response, clone]) {
      assertEquals([status, statusText, ok, headers.get("a")], [999, "Odd", false, "b"]);
    }
    assertEquals([await response.text(), await clone.text()], ["body", "body"]);
  });
}
