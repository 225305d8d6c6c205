/**
 * The web's `fetch` over a pool.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { RequestError } from "../../src/core/errors.ts";
import { connectionOf } from "../../src/http/fetch.ts";
import { collect } from "../support/collect.ts";
import { answer, memoryHttp, type ServedRequest } from "../support/memory_http.ts";

const show = ({ method, path, headers, body }: ServedRequest) =>
  answer(
    "200 OK",
    { "content-type": "application/json" },
    JSON.stringify({ method, path, headers: Object.fromEntries(headers), body }),
  );

test("fetch() gives a web Response, and knows which machine gave it", async () => {
  await using pool = memoryHttp(show);
  const { fetch } = pool;
  const response = await fetch("https://a.test/x?y=1#z");
  assertInstanceOf(response, Response);
  assertEquals([response.status, response.ok, response.statusText], [200, true, "OK"]);
  assertEquals(response.url, "https://a.test/x?y=1");
  assertEquals([response.redirected, response.type], [false, "basic"]);
  assertEquals(response.headers.get("Content-Type"), "application/json");
  const seen = await response.json();
  assertEquals([seen.method, seen.path, seen.headers.host], ["GET", "/x?y=1", "a.test"]);
  assertEquals(connectionOf(response)?.ip, "192.0.2.1");
  assertEquals(connectionOf(new Response()), undefined);
});

test("fetch() sends every kind of body, with its type", async () => {
  await using pool = memoryHttp(show);
  const form = new FormData();
  form.set("name", "value");
  const bytes = new TextEncoder().encode("bytes");
  const stream = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(0, 2));
        controller.enqueue(bytes.slice(2));
        controller.close();
      },
    });
  // What a stream of Node's is: the types of the standard know it not, the runtimes take it.
  async function* pieces() {
    yield bytes.slice(0, 2);
    yield bytes.slice(2);
  }
  const cases: [BodyInit, string, string | null][] = [
    ["text", "text", "text/plain;charset=UTF-8"],
    [bytes, "bytes", null],
    [bytes.buffer as ArrayBuffer, "bytes", null],
    [new DataView(bytes.buffer, 1, 3), "yte", null],
    [new URLSearchParams({ a: "1 2" }), "a=1+2", "application/x-www-form-urlencoded;charset=UTF-8"],
    [new Blob(["blob"], { type: "x/y" }), "blob", "x/y"],
    [stream(), "bytes", null],
    [pieces() as never, "bytes", null],
  ];
  for (const [body, sent, type] of cases) {
    const init = { method: "post", body, duplex: "half" } as RequestInit;
    const seen = await (await pool.fetch("https://a.test/", init)).json();
    assertEquals([seen.method, seen.body], ["POST", sent]);
    assertEquals(seen.headers["content-type"]?.toLowerCase(), type?.toLowerCase());
  }
  const multipart = await pool.fetch("https://a.test/", { method: "PUT", body: form });
  const seen = await multipart.json();
  assert(seen.headers["content-type"].startsWith("multipart/form-data; boundary="));
  assert(seen.body.includes("name=\"name\"") && seen.body.includes("value"));
});

test("fetch() and request() refuse what only says that it is a form or a blob", async () => {
  await using pool = memoryHttp(show);
  for (const name of ["FormData", "Blob", "File"]) {
    const body = { [Symbol.toStringTag]: name } as unknown as FormData;
    for (const ask of [pool.fetch, pool.request.bind(pool)]) {
      await assertRejects(
        async () => void await ask("https://a.test/", { method: "POST", body }),
        TypeError,
        `body says that it is a ${name}, and is not: use the global ${name}`,
      );
    }
  }
  const body = { toString: () => "text" } as unknown as BodyInit;
  const seen = await (await pool.fetch("https://a.test/", { method: "POST", body })).json();
  assertEquals(seen.body, "text");
});

test("fetch() asks for the option duplex where the body is a stream or an iterable", async () => {
  await using pool = memoryHttp(show);
  async function* pieces() {
    yield new Uint8Array(1);
  }
  for (const body of [new ReadableStream(), pieces() as never]) {
    await assertRejects(
      () => pool.fetch("https://a.test/", { method: "POST", body }),
      TypeError,
      "needs the option duplex",
    );
  }
  assertEquals(pool.dialer.dials.length, 0);
});

test("fetch() refuses options of other fetches that would lead elsewhere, and says so", async () => {
  await using pool = memoryHttp(show);
  const cases: [option: string, text: string][] = [
    ["client", "client of fetch() is not supported: leave it out"],
    ["dispatcher", "dispatcher of fetch() is not supported: leave it out"],
    ["proxy", "proxy of fetch() is not supported: leave it out"],
    ["tls", "tls of fetch() is not supported: give it to the pool"],
    ["unix", "unix of fetch() is not supported: leave it out"],
  ];
  for (const [option, text] of cases) {
    for (const input of ["https://a.test/", new Request("https://a.test/")]) {
      for (const given of [{}, "text", false]) {
        const init = { [option]: given } as RequestInit;
        await assertRejects(() => pool.fetch(input, init), TypeError, text);
      }
      for (const none of [undefined, null]) {
        const init = { [option]: none } as unknown as RequestInit;
        assertEquals((await (await pool.fetch(input, init)).json()).path, "/");
      }
    }
  }
  assertEquals(pool.dialer.dials.length, 1);
});

test("fetch() ignores options that it does not know, and takes null as the standard does", async () => {
  await using pool = memoryHttp(show);
  const foreign = { agent: {}, timeout: 1, timeoutMs: 0, compress: false };
  const unknown = { ...foreign, cache: "no-store" } as RequestInit;
  const empty = { body: null, signal: null, window: null } as RequestInit;
  for (const init of [unknown, empty, null as unknown as RequestInit]) {
    for (const input of ["https://a.test/", new Request("https://a.test/")]) {
      assertEquals((await (await pool.fetch(input, init)).json()).method, "GET");
    }
  }
});

test("fetch() takes a Request, its body and its signal", async () => {
  await using pool = memoryHttp(show);
  const request = new Request("https://a.test/r", {
    method: "PATCH",
    headers: { "x-one": "1" },
    body: "patched",
  });
  const seen = await (await pool.fetch(request, { headers: { "x-two": "2" } })).json();
  assertEquals([seen.method, seen.body], ["PATCH", "patched"]);
  assertEquals([seen.headers["x-one"], seen.headers["x-two"]], [undefined, "2"]);
});

test("fetch() hears the signal of a Request that nobody else holds, however late", async () => {
  await using pool = memoryHttp(() => null);
  const reason = new Error("enough");
  const ways: readonly ((signal: AbortSignal) => Promise<Response>)[] = [
    (signal) => pool.fetch(new Request("https://a.test/", { signal })),
    (signal) => pool.fetch(new Request("https://a.test/"), { signal }),
  ];
  for (const ask of ways) {
    const stop = new AbortController();
    const ending = assertRejects(() => ask(stop.signal));
    for (let turns = 0; turns < 5; turns++) {
      await new Promise((resolve) => setTimeout(resolve));
      collect();
    }
    assertEquals(pool.stats().leased, 1);
    stop.abort(reason);
    assertEquals(pool.stats().leased, 0);
    assertStrictEquals(await ending, reason);
  }
});

test("fetch() takes a Request of another class, as servers put in the place of the runtime's", async () => {
  await using pool = memoryHttp(show);
  const { body, headers, method, redirect, signal, url } = new Request("https://a.test/r", {
    method: "PATCH",
    headers: { "x-one": "1" },
    body: "patched",
  });
  const foreign = { body, headers, method, redirect, signal, url, [Symbol.toStringTag]: "Request" };
  const seen = await (await pool.fetch(foreign as unknown as Request)).json();
  assertEquals([seen.method, seen.body, seen.headers["x-one"]], ["PATCH", "patched", "1"]);
});

test("fetch() hands on a stream with the length that a server got it with", async () => {
  await using pool = memoryHttp(show);
  const headers = { "content-length": "3", "x-one": "1" };
  const incoming = new Request("https://gateway.test/", { method: "POST", headers, body: "abc" });
  const body = new Blob(["abc"]).stream();
  const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
  const responses = [
    // Runtimes may have taken the length off the request already.
    await pool.fetch(new Request("https://a.test/", incoming)),
    await pool.fetch("https://a.test/", init),
  ];
  const seen = await Promise.all(responses.map((response) => response.json()));
  for (const { body, headers } of seen) assertEquals([body, headers["x-one"]], ["abc", "1"]);
  assertEquals(seen[1].headers["content-length"], "3");
  assertEquals(seen[1].headers["transfer-encoding"], undefined);
});

test("fetch() follows redirects, and changes the method as the standard says", async () => {
  const cases: [status: number, method: string, then: string][] = [
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
    [307, "POST", "POST"],
    [308, "DELETE", "DELETE"],
    [302, "PUT", "PUT"],
  ];
  for (const [status, method, then] of cases) {
    const seen: ServedRequest[] = [];
    await using pool = memoryHttp((request) => {
      seen.push(request);
      return request.path === "/from"
        ? answer(`${status} Elsewhere`, { location: "../to?x#there" })
        : answer("200 OK");
    });
    const body = method === "HEAD" || method === "DELETE" ? null : "body";
    const response = await pool.fetch("https://a.test/from", { method, body });
    assertEquals([response.url, response.redirected], ["https://a.test/to?x", true]);
    const [, second] = seen;
    assertEquals([second?.method, second?.path], [then, "/to?x"]);
    assertEquals(second?.body, then === method ? body ?? "" : "");
    assertEquals(second?.headers.has("content-type"), then === method && body !== null);
  }
});

test("fetch() keeps credentials from another origin when it is redirected there", async () => {
  const seen: ServedRequest[] = [];
  await using pool = memoryHttp((request) => {
    seen.push(request);
    if (request.path === "/1") return answer("302 Found", { location: "/2" });
    if (request.path === "/2") return answer("302 Found", { location: "https://b.test/3" });
    if (request.path === "/4") return answer("302 Found", { location: "https://a.test:8443/5" });
    return answer("200 OK");
  });
  await pool.fetch("https://a.test/1", {
    headers: { authorization: "secret", cookie: "secret", "x-kept": "yes" },
  });
  assertEquals(seen.map(({ headers }) => headers.get("authorization")), ["secret", "secret", null]);
  assertEquals(seen.map(({ headers }) => headers.get("cookie")), ["secret", "secret", null]);
  assertEquals(seen.map(({ headers }) => headers.get("x-kept")), ["yes", "yes", "yes"]);
  assertEquals(seen.map(({ headers }) => headers.get("host")), ["a.test", "a.test", "b.test"]);
  // Another port is another origin.
  await pool.fetch("https://a.test/4", { headers: { "proxy-authorization": "secret" } });
  assertEquals(
    seen.slice(3).map(({ headers }) => headers.get("proxy-authorization")),
    ["secret", null],
  );
});

test("fetch() heeds redirect: manual and error, the limit of 20, and bad locations", async () => {
  let location = "/again";
  let asked = 0;
  await using pool = memoryHttp(() => {
    asked++;
    return answer("302 Found", { location }, "moved");
  });
  const manual = await pool.fetch("https://a.test/", { redirect: "manual" });
  assertEquals([manual.status, manual.headers.get("location")], [302, "/again"]);
  assertEquals(await manual.text(), "moved");
  await assertRejects(() => pool.fetch("https://a.test/", { redirect: "error" }), TypeError);
  asked = 0;
  const error = await assertRejects(() => pool.fetch("https://a.test/"), TypeError, "fetch failed");
  assert(error.cause instanceof TypeError && error.cause.message.includes("more than 20"));
  assertEquals(asked, 21);
  for (location of ["http://a.test/", "https://me:secret@a.test/", "https://"]) {
    await assertRejects(() => pool.fetch("https://a.test/"), TypeError, "fetch failed");
  }
});

test("fetch() decodes what it asks for, and asks for what it decodes", async () => {
  const text = "hot ".repeat(10_000);
  const codings: { [name: string]: (bytes: Uint8Array) => Uint8Array } = {
    gzip: (bytes) => gzipSync(bytes),
    "x-gzip": (bytes) => gzipSync(bytes),
    deflate: (bytes) => deflateSync(bytes),
    "deflate ": (bytes) => deflateRawSync(bytes),
    "deflate, gzip": (bytes) => gzipSync(deflateSync(bytes)),
    identity: (bytes) => bytes,
  };
  let asked = "";
  await using pool = memoryHttp(({ headers, path }) => {
    asked = headers.get("accept-encoding") ?? "";
    const name = decodeURIComponent(path.slice(1));
    const bytes = codings[name]?.(Buffer.from(text)) ?? Buffer.from(text);
    return answer("200 OK", { "content-encoding": name }, bytes);
  });
  for (const name of Object.keys(codings)) {
    const response = await pool.fetch(`https://a.test/${encodeURIComponent(name)}`);
    assertEquals(await response.text() === text, true, name);
  }
  assert(asked.startsWith("gzip, deflate"), asked);
  const unknown = await pool.fetch("https://a.test/unheard-of");
  assertEquals(await unknown.text() === text, true);
  // There is nothing to decode.
  const head = await pool.fetch("https://a.test/gzip", { method: "HEAD" });
  assertEquals([head.status, head.body], [200, null]);
});

test("fetch() fails a body that is not what its coding says", async () => {
  await using pool = memoryHttp(() => answer("200 OK", { "content-encoding": "gzip" }, "no gzip"));
  const response = await pool.fetch("https://a.test/");
  await assertRejects(() => response.text(), TypeError);
});

test("fetch() rejects with the signal's reason, before, during and after the head", async () => {
  await using pool = memoryHttp(({ path }) =>
    path === "/head" ? "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf" : null
  );
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  assertStrictEquals(
    await assertRejects(() => pool.fetch("https://a.test/", { signal: aborted })),
    reason,
  );
  const stop = new AbortController();
  const waiting = pool.fetch("https://a.test/", { signal: stop.signal });
  setTimeout(() => stop.abort(reason), 5);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  const later = new AbortController();
  const response = await pool.fetch("https://a.test/head", { signal: later.signal });
  const text = response.text();
  setTimeout(() => later.abort(), 5);
  const error = await assertRejects(() => text);
  assertEquals((error as Error).name, "AbortError");
  assertEquals(pool.stats().connections, 0);
});

test("fetch() fails with a TypeError whose cause is ours", async () => {
  await using pool = memoryHttp((_, socket) => {
    socket.end();
    return null;
  });
  const error = await assertRejects(
    () => pool.fetch("https://a.test/", { method: "POST", body: "x" }),
    TypeError,
    "fetch failed",
  );
  assertInstanceOf(error.cause, RequestError);
  await assertRejects(() => pool.fetch("https://nobody.test/"), TypeError, "fetch failed");
});

test("fetch() refuses what the standard refuses, and what it cannot do", async () => {
  await using pool = memoryHttp(show);
  const stream = new ReadableStream();
  const refused: [string, RequestInit?][] = [
    ["/relative"],
    ["http://a.test/"],
    ["ftp://a.test/"],
    ["https://me:secret@a.test/"],
    ["https://a.test/", { method: "CONNECT" }],
    ["https://a.test/", { method: "a b" }],
    ["https://a.test/", { body: "x" }],
    ["https://a.test/", { headers: { "a b": "x" } }],
    ["https://a.test/", { headers: { a: "x\r\ny: z" } }],
    ["https://a.test/", { method: "POST", body: stream }],
    ["https://a.test/", { redirect: "sideways" as RequestRedirect }],
    ["https://a.test/", { signal: {} as AbortSignal }],
  ];
  for (const [url, init] of refused) {
    await assertRejects(
      () => pool.fetch(url, init),
      TypeError,
      undefined,
      `${url} ${init?.method}`,
    );
  }
  assertEquals(pool.dialer.dials, []);
});

test("fetch() gives null for bodies that there cannot be, and keeps the connection", async () => {
  await using pool = memoryHttp(({ path, method }) =>
    method === "HEAD"
      ? "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
      : `HTTP/1.1 ${path.slice(1)} X\r\n\r\n`
  );
  for (const [path, method] of [["204", "GET"], ["304", "GET"], ["", "HEAD"]] as const) {
    const response = await pool.fetch(`https://a.test/${path}`, { method });
    assertEquals(response.body, null);
    assertEquals(await response.text(), "");
  }
  assertEquals(pool.dialer.dials.length, 1);
});
