/**
 * The traps that other pools fell into, over real sockets: bodies, framing and the end of
 * connections. Each test has its trap's number.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import net from "node:net";
import { test } from "node:test";
import { createPool, detectRuntime } from "../../adapters/detect.ts";
import { plainDialer } from "../../adapters/plain.ts";
import { RequestError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { HttpParseError, type HttpParseReason } from "../../src/http/parse_error.ts";
import { ok, withScene } from "../support/http_scene.ts";

const OK = "HTTP/1.1 200 OK\r\n";

test("Trap 1: an abort in the middle of a body never lets its rest be read as the next answer", () =>
  withScene({
    scripts: {
      "*": [
        [{ send: ok("x".repeat(10)).slice(0, -5) }],
        [{ waitMs: 50 }, { send: ok("second") }],
      ],
    },
    pool: { maxConnectionsPerIp: 1 },
  }, async ({ origin, pool, url }) => {
    const stop = new AbortController();
    const first = await pool.request(url("/"), { signal: stop.signal });
    const second = pool.request(url("/"));
    stop.abort();
    const rest = "xxxxxHTTP/1.1 500 Evil\r\ncontent-length: 0\r\n\r\n";
    await origin.act({ kind: "send", text: rest }, 1);
    const response = await second;
    assertEquals([response.status, await response.text()], [200, "second"]);
    assertEquals((await origin.report()).accepted, 2);
    await assertRejects(() => first.text());
  }));

test("Trap 2: an answer that comes before the request is out ends the connection", () =>
  withScene({
    scripts: {
      "/early": [{ do: "pause" }, { send: ok("no", [], "413 Content Too Large") }],
      "/ok": [{ send: ok("fine") }],
    },
    pool: { maxConnectionsPerIp: 1 },
  }, async ({ origin, pool, url }) => {
    let cancelled = 0;
    const stream = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => void cancelled++,
      });
    const silent = () => new ReadableStream<Uint8Array>({ cancel: () => void cancelled++ });
    const bodies = [new Uint8Array(33_554_432), stream(), silent()];
    for (const [index, body] of bodies.entries()) {
      const response = await pool.request(url("/early"), { method: "POST", body });
      assertEquals([response.status, await response.text()], [413, "no"]);
      assertEquals(await (await pool.request(url("/ok"))).text(), "fine");
      const { log } = await origin.report();
      assertEquals(log.at(-1)?.path, "/ok");
      assertEquals(log.at(-1)?.connection, index + 2);
      await origin.act({ kind: "resume" }, index + 1);
    }
    assertEquals(cancelled, 2);
  }));

test("Trap 2: an answer that comes before the request is out is read, though its server is gone", () =>
  withScene({
    scripts: {
      "/early": [
        { do: "pause" },
        { send: ok("no", ["connection: close"], "413 Content Too Large") },
        { waitMs: 0 },
        { do: "reset" },
      ],
    },
  }, async ({ pool, url }) => {
    for (let tries = 0; tries < 5; tries++) {
      const body = new Uint8Array(33_554_432);
      const response = await pool.request(url("/early"), { method: "POST", body });
      assertEquals([response.status, await response.text()], [413, "no"]);
    }
  }));

test("Trap 3: HEAD, 204 and 304 have no body whatever their headers say", () =>
  withScene({
    scripts: {
      "/head": [{ send: `${OK}content-length: 10\r\n\r\n` }],
      "/head-chunked": [{ send: `${OK}transfer-encoding: chunked\r\n\r\n` }],
      "/204": [{ send: "HTTP/1.1 204 No Content\r\ncontent-length: 10\r\n\r\n" }],
      "/304": [{ send: "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n" }],
      "/304-chunked": [
        { send: "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n" },
      ],
      "/bare": [{ send: `${OK}\r\n` }],
    },
  }, async ({ pool, url }) => {
    const asked = [
      ["HEAD", "/head"],
      ["HEAD", "/head-chunked"],
      ["HEAD", "/bare"],
      ["GET", "/204"],
      ["GET", "/304"],
      ["POST", "/304-chunked"],
    ];
    for (const [method = "", path = ""] of asked) {
      const response = await pool.request(url(path), { method });
      assertEquals(await response.text(), "", path);
    }
    // That of 204 announces a body, which may come all the same.
    assertEquals(pool.stats().dials, 2);
  }));

test("Trap 3: a body that a 204 has announced, and that comes late, is nobody's answer", () =>
  withScene({
    scripts: {
      "/204": [
        { send: "HTTP/1.1 204 No Content\r\ncontent-length: 38\r\n\r\n" },
        { waitMs: 30 },
        { send: "HTTP/1.1 500 Evil\r\ncontent-length: 0\r\n\r\n" },
      ],
      "/204-chunked": [
        { send: "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n" },
        { waitMs: 30 },
        { send: "HTTP/1.1 500 Evil\r\ncontent-length: 0\r\n\r\n" },
      ],
      "/204-of-nothing": [{ send: "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n" }],
      "*": [{ waitMs: 60 }, { send: ok("fine") }],
    },
    pool: { maxConnectionsPerIp: 1 },
  }, async ({ pool, url }) => {
    for (const path of ["/204", "/204-chunked", "/204-of-nothing"]) {
      assertEquals((await pool.request(url(path))).status, 204);
      assertEquals(await (await pool.request(url("/"))).text(), "fine", path);
    }
    assertEquals(pool.stats().dials, 3);
  }));

test("A request that says close is the last one on its connection (RFC 9112 section 9.6)", () =>
  withScene({ scripts: { "*": [{ send: ok("fine") }] } }, async ({ pool, url }) => {
    const says = ["close", "Close", "keep-alive, close ", "keep-alive", "x-close"];
    const dials: number[] = [];
    for (const connection of says) {
      const response = await pool.request(url("/"), { headers: { Connection: connection } });
      assertEquals(await response.text(), "fine");
      assertEquals(await (await pool.request(url("/"))).text(), "fine");
      dials.push(pool.stats().dials);
    }
    assertEquals(dials, [2, 3, 4, 4, 4]);
  }));

test("No POST fails because the server's FIN stands right behind the last answer", async () => {
  // In this process: answer and FIN leave in one turn, before anybody reads.
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end(ok("ok")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await using pool = createPool({
    plainDialer: plainDialer(),
    resolver: staticResolver({ "a.test": ["127.0.0.1"] }),
  });
  const ask = async () => {
    const response = await pool.request(`http://a.test:${port}/`, { method: "POST", body: "x" });
    return await response.text();
  };
  for (let index = 0; index < 30; index++) assertEquals(await ask(), "ok");
  // Many at once, as well: who waits gets what comes back.
  const answers = await Promise.all(Array.from({ length: 40 }, ask));
  assertEquals(new Set(answers), new Set(["ok"]));
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

test("Trap 3: a body behind an answer to HEAD is not read as the next answer", () =>
  withScene({
    scripts: { "*": [[{ send: ok("HTTP/1.1 500 Evil\r\n\r\n") }], [{ send: ok("fine") }]] },
  }, async ({ pool, url }) => {
    await (await pool.request(url("/"), { method: "HEAD" })).dump();
    const response = await pool.request(url("/"));
    assertEquals([response.status, await response.text()], [200, "fine"]);
    assertEquals(pool.stats().dials, 2);
  }));

test("Trap 3: interim answers are passed over, in pieces and in a row", () =>
  withScene({
    scripts: {
      "/one": [
        { send: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" },
        { send: ok("final", ["x: y"]) },
      ],
      "/pieces": [
        { send: "HTTP/1.1 102 Pro" },
        { waitMs: 10 },
        { send: "cessing\r\n\r\nHTTP/1.1 200 " },
        { waitMs: 10 },
        { send: ok("final", ["x: y"]).slice("HTTP/1.1 200 ".length) },
      ],
    },
  }, async ({ pool, url }) => {
    for (const path of ["/one", "/pieces"]) {
      const response = await pool.request(url(path));
      assertEquals([response.status, response.headers.get("link")], [200, null]);
      assertEquals([response.headers.get("x"), await response.text()], ["y", "final"]);
    }
    assertEquals(pool.stats().dials, 1);
  }));

test("Trap 4: Connection: close on any status ends the connection, with FIN", () =>
  withScene({
    scripts: Object.fromEntries(
      ["200 OK", "204 No Content", "304 Not Modified", "404 Not Found", "500 Oops"].map((
        status,
      ) => [
        `/${status.slice(0, 3)}`,
        [{ send: `HTTP/1.1 ${status}\r\ncontent-length: 0\r\nConnection: x, Close\r\n\r\n` }],
      ]),
    ),
  }, async ({ origin, pool, url }) => {
    for (const path of ["/200", "/204", "/304", "/404", "/500"]) {
      await (await pool.request(url(path))).dump();
      assertEquals(pool.stats().idle, 0);
    }
    const { connections } = await origin.until({ openSockets: 0, accepted: 5 });
    for (const { ended, requests } of connections) {
      assertEquals([requests, ended], [1, ["close_notify", "fin"]]);
    }
  }));

test("Trap 4: HTTP/1.0 closes unless it is told to keep the connection", () =>
  withScene({
    scripts: {
      "/close": [{ send: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx" }],
      "/keep": [
        { send: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nConnection: keep-alive\r\n\r\nx" },
      ],
    },
  }, async ({ pool, url }) => {
    const dials = [];
    for (const path of ["/keep", "/keep", "/close", "/close", "/keep"]) {
      assertEquals(await (await pool.request(url(path))).text(), "x");
      dials.push(pool.stats().dials);
    }
    assertEquals(dials, [1, 1, 1, 2, 3]);
  }));

test("Trap 6: what a server says behind its answer, or unasked, is not read as the next answer", () => {
  const evil = "HTTP/1.1 500 Evil\r\ncontent-length: 0\r\n\r\n";
  return withScene({
    scripts: {
      "/behind": [{ send: ok("fine") + evil }],
      "/later": [{ send: ok("fine") }, { waitMs: 10 }, { send: evil }],
      "*": [{ send: ok("fine") }],
    },
  }, async ({ origin, pool, url }) => {
    for (const path of ["/behind", "/later"]) {
      assertEquals(await (await pool.request(url(path))).text(), "fine");
      while (pool.stats().connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      const response = await pool.request(url("/"));
      assertEquals([response.status, response.connection.reused], [200, false]);
      await pool.drain(`a.test:${origin.port}`);
    }
    await origin.until({ openSockets: 0, accepted: 4 });
  });
});

test("Trap 9: a body until the end of the stream is whole with close_notify, be there FIN or not", () =>
  withScene({
    scripts: {
      "/end": [{ send: `${OK}\r\nall of it` }, { do: "end" }],
      "/notify": [{ send: `${OK}\r\nall of it` }, { do: "close_notify" }],
    },
  }, async ({ origin, pool, url }) => {
    for (const path of ["/end", "/notify"]) {
      assertEquals(await (await pool.request(url(path))).text(), "all of it");
      assertEquals(pool.stats().connections, 0);
    }
    await origin.until({ openSockets: 0, accepted: 2 });
  }));

// Node's and Bun's TLS sockets report a FIN without close_notify as they do an orderly end, so a
// body that only the end delimits cannot be known to be cut off there. Deno's own socket tells.
test("Trap 9: a body until the end of the stream fails without close_notify, where that is told", () =>
  withScene({
    scripts: { "*": [{ send: `${OK}\r\nhalf of` }, { waitMs: 20 }, { do: "fin" }] },
  }, async ({ origin, pool, url }) => {
    const response = await pool.request(url("/"));
    if (detectRuntime() === "deno") {
      const error = await assertRejects(() => response.text(), RequestError);
      assertEquals([error.failure, error.maybeActedOn], ["connection", true]);
    } else assertEquals(await response.text(), "half of");
    await origin.until({ openSockets: 0 });
  }));

test("Trap 9: a body of known length, or in chunks, that is cut off fails on every runtime", () =>
  withScene({
    scripts: Object.fromEntries(
      (["end", "fin", "close_notify", "reset"] as const).flatMap((ending) => [
        [`/length-${ending}`, [{ send: ok("x".repeat(99)).slice(0, -9) }, { waitMs: 20 }, {
          do: ending,
        }]],
        [`/chunked-${ending}`, [
          { send: `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n` },
          { waitMs: 20 },
          { do: ending },
        ]],
      ]),
    ),
  }, async ({ origin, pool, url }) => {
    for (const ending of ["end", "fin", "close_notify", "reset"]) {
      for (const framing of ["length", "chunked"]) {
        const response = await pool.request(url(`/${framing}-${ending}`));
        const error = await assertRejects(() => response.text(), RequestError, "in the middle");
        assertEquals(error.failure, "connection");
      }
    }
    // What has begun to be answered is not asked again.
    assertEquals((await origin.until({ openSockets: 0 })).requests, 8);
  }));

test("Trap 10: surplus and idle connections end with FIN, not RST", () =>
  withScene({
    scripts: { "*": [] },
    pool: { maxIdleConnections: 1 },
  }, async ({ origin, pool, url }) => {
    const all = [...Array(4)].map(() => pool.request(url("/")));
    await origin.until({ requests: 4 });
    await origin.act({ kind: "send", text: ok("fine") });
    for (const response of await Promise.all(all)) await response.dump();
    await origin.until({ openSockets: 1, accepted: 4 });
    await pool.close();
    const { connections } = await origin.until({ openSockets: 0 });
    for (const { ended } of connections) assertEquals(ended, ["close_notify", "fin"]);
  }));

test("Trap 28: framing that two readers could read in two ways is refused, and the connection ended", () => {
  const bad: { readonly [path: string]: [fields: string, reason: HttpParseReason] } = {
    "/both": ["content-length: 1\r\ntransfer-encoding: chunked", "length-and-encoding"],
    "/two": ["content-length: 1\r\ncontent-length: 2", "content-length-conflict"],
    "/sign": ["content-length: +1", "content-length"],
    "/minus": ["content-length: -1", "content-length"],
    "/space": ["content-length: 1 1", "content-length"],
    "/hex": ["content-length: 0x1", "content-length"],
    "/giant": ["content-length: 99999999999999999999", "content-length"],
    "/fold": ["content-length: 1\r\nx: y\r\n z", "folded-line"],
    "/name": ["content-length : 1", "field-name"],
    "/coding": ["transfer-encoding: chunked, identity", "transfer-encoding"],
    "/twice": ["transfer-encoding: chunked\r\ntransfer-encoding: chunked", "transfer-encoding"],
  };
  const scripts = Object.fromEntries(
    Object.entries(bad).map(([path, [fields]]) => [path, [{ send: `${OK}${fields}\r\n\r\nx` }]]),
  );
  return withScene({ scripts }, async ({ origin, pool, url }) => {
    for (const [path, [, reason]] of Object.entries(bad)) {
      const error = await assertRejects(() => pool.request(url(path)), RequestError);
      assertEquals([error.failure, error.maybeActedOn], ["protocol", true], path);
      assertInstanceOf(error.cause, HttpParseError);
      assertEquals(error.cause.reason, reason, path);
    }
    const { requests } = await origin.until({ openSockets: 0 });
    assertEquals(requests, Object.keys(bad).length);
  });
});

test("Trap 28: a chunk that is no chunk fails the body that has begun", () =>
  withScene({
    scripts: {
      "*": [
        { send: `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n` },
        { waitMs: 20 },
        { send: "-1\r\n" },
      ],
    },
  }, async ({ origin, pool, url }) => {
    const response = await pool.request(url("/"));
    const error = await assertRejects(() => response.text(), RequestError);
    assertEquals(error.failure, "protocol");
    assert(error.cause instanceof HttpParseError && error.cause.reason === "chunk-size");
    await origin.until({ openSockets: 0 });
  }));
