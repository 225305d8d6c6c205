/**
 * What a request can be told; and that whatever is wrong with it is told before anything is sent.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { createPool, type CreatePoolOptions } from "../../adapters/detect.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import type { CloseOptions } from "../../src/pool/call_options.ts";
import type { OptionsInfo } from "../../src/pool/option_info.ts";
import { answer, memoryHttp, type ServedRequest } from "../support/memory_http.ts";

const show = ({ method, path, headers, body }: ServedRequest) =>
  answer("200 OK", {}, JSON.stringify({ method, path, headers: [...headers], body }));

const URL_A = "https://a.test/";

test("A request with bad input rejects clearly, and nothing is dialled or sent", async () => {
  await using pool = memoryHttp(show);
  const locked = new ReadableStream();
  locked.getReader();
  const cases: [url: unknown, options: unknown, error: typeof Error, text: string][] = [
    ["nonsense", {}, TypeError, "cannot be read"],
    [new Request(URL_A), {}, TypeError, "fetch() takes a Request"],
    ["/path", {}, TypeError, "The URL \"/path\" cannot be read: it must be absolute"],
    [{ path: "/" }, {}, TypeError, "The URL object cannot be read"],
    ["http://a.test/", {}, TypeError, "plainDialer"],
    ["ftp://a.test/", {}, TypeError, "must be https: (or http:), got ftp:"],
    ["https://%zz:b@a.test/", {}, TypeError, "credentials"],
    [URL_A, null, TypeError, "must be an object, got null"],
    [URL_A, 5, TypeError, "must be an object, got 5"],
    [URL_A, { methd: "GET" }, TypeError, "Unknown option \"methd\""],
    [URL_A, { method: 5 }, TypeError, "method must be a text, got 5"],
    [URL_A, { method: "" }, TypeError, "Method is empty"],
    [URL_A, { method: "GE T" }, TypeError, "Method has a forbidden character, 0x20"],
    [URL_A, { method: "CONNECT" }, TypeError, "tunnel"],
    [URL_A, { method: "TRACE", body: "x" }, TypeError, "TRACE must have no body"],
    [URL_A, { body: "x" }, TypeError, "GET request must have no body"],
    [URL_A, { method: "HEAD", body: "x" }, TypeError, "HEAD request must have no body"],
    [URL_A, { method: "POST", body: 5 }, TypeError, "body must be text"],
    [URL_A, { method: "POST", body: {} }, TypeError, "body must be text"],
    [URL_A, { method: "POST", body: locked }, TypeError, "locked"],
    [URL_A, { headers: 5 }, TypeError, "headers must be"],
    [URL_A, { headers: { a: 5 } }, TypeError, "Header a must be a text, got 5"],
    [URL_A, { headers: [["a"]] }, TypeError, "index 0 must be a pair of texts"],
    [URL_A, { headers: [["b", "c"], ["a", 5]] }, TypeError, "index 1 must be a pair of texts"],
    [URL_A, { headers: [["b", "c"], "xy"] }, TypeError, "index 1 must be a pair of texts"],
    [URL_A, { headers: { "": "x" } }, TypeError, "empty"],
    [URL_A, { headers: { a: "\u{1f600}" } }, TypeError, "forbidden character"],
    [URL_A, { headers: { host: "a b" } }, TypeError, "Host"],
    [URL_A, { headers: { "content-length": "5" } }, TypeError, "contradicts"],
    [URL_A, { headers: { "transfer-encoding": "gzip" } }, TypeError, "contradicts"],
    [URL_A, { signal: {} }, TypeError, "signal must be an AbortSignal"],
    [URL_A, { timeoutMs: -1 }, RangeError, "timeoutMs must be"],
    [URL_A, { timeoutMs: "5" }, TypeError, "timeoutMs must be"],
    [URL_A, { firstByteTimeoutMs: NaN }, TypeError, "firstByteTimeoutMs must be"],
    [URL_A, { ip: "a.test" }, TypeError, "ip: Address \"a.test\" is not"],
    [URL_A, { tls: null }, TypeError, "tls must be an object of TLS options, got null"],
    [URL_A, { exclude: "192.0.2.1" }, TypeError, "exclude must be a list"],
    [URL_A, { exclude: ["nonsense"] }, TypeError, "exclude: Address \"nonsense\" is not"],
    [URL_A, { idempotent: "yes" }, TypeError, "idempotent must be true or false"],
    [URL_A, { tls: { alpnn: [] } }, TypeError, "alpnn"],
    [
      URL_A,
      { tls: { minVersion: "TLSv1.3", maxVersion: "TLSv1.2" } },
      RangeError,
      "tls.minVersion must not be above tls.maxVersion",
    ],
    [URL_A, { protocols: "h2" }, TypeError, "protocols must be a list of \"h2\" and \"http/1.1\""],
    [URL_A, { protocols: [] }, TypeError, "protocols must be a list"],
    [URL_A, { protocols: ["h2", "h2"] }, TypeError, "protocols must be a list"],
    [URL_A, { protocols: ["h2", "h3"] }, TypeError, "protocols must be a list"],
    [URL_A, { timeoutms: 5 }, TypeError, "did you mean timeoutMs?"],
  ];
  for (const [url, options, error, text] of cases) {
    const what = `${url} ${text}`;
    await assertRejects(
      () => pool.request(url as string, options as RequestOptions),
      error,
      text,
      what,
    );
    assertEquals(pool.dialer.dials.length, 0, what);
  }
});

test("createPool() refuses what is no object, and names every option that a pool takes", () => {
  const make = (options: unknown) => () => createPool(options as never);
  for (const [options, got] of [["https://a.test", "string"], [null, "null"]] as const) {
    assertThrows(make(options), TypeError, `createPool() must be an object, got ${got}`);
  }
  const error = assertThrows(make({ connections: 5 }), TypeError, "Unknown option \"connections\"");
  for (const name of ["maxConnectionsPerHost", "failoverStatuses", "retryShare"]) {
    assertStringIncludes(error.message, name);
  }
  assertThrows(make({ connectTimeout: 5 }), TypeError, "did you mean connectTimeoutMs?");
  assertThrows(make({ plainDialer: {} }), TypeError, "plainDialer must be a Dialer, got object");
});

test("An option that is undefined counts as left out, for strict compilers too", async () => {
  const unset: CreatePoolOptions = {
    access: undefined,
    clock: undefined,
    dialer: undefined,
    failoverStatuses: undefined,
    fleet: undefined,
    hosts: { "a.test": { minIdle: undefined, tls: undefined, weights: undefined } },
    maxConnections: undefined,
    protocols: undefined,
    proxy: undefined,
    resolver: undefined,
    responseLimits: { maxFields: undefined },
    tls: { ca: undefined, pins: undefined },
  };
  await using pool = createPool(unset);
  await using plain = createPool();
  const valuesOf = ({ options }: OptionsInfo) =>
    Object.entries(options).map(([name, { value }]) => [name, value]);
  assertEquals(valuesOf(pool.options()), valuesOf(plain.options()));
  await pool.close({ graceMs: undefined });
});

test("A signal and a body may be null, as for fetch()", async () => {
  await using pool = memoryHttp(show);
  const none: RequestOptions = { method: "DELETE", body: null, signal: null };
  // The first one waits for a connection, the second one finds it ready.
  for (let i = 0; i < 2; i++) {
    const seen = await (await pool.request(URL_A, none)).json() as ServedRequest;
    assertEquals([seen.method, seen.body], ["DELETE", ""]);
  }
  const stop = pool.observe({ begin: () => undefined });
  assertEquals((await pool.request(URL_A, none)).status, 200);
  stop();
});

test("Trap 27: CR, LF and NUL are refused in a method, path, header name and value", async () => {
  await using pool = memoryHttp(show);
  await (await pool.request(URL_A)).dump();
  const [socket] = pool.dialer.sockets;
  const before = socket?.written.length;
  for (const evil of ["\r", "\n", "\r\n", "\0", "\r\nx: y", " HTTP/1.1\r\nx: y\r\n\r\n"]) {
    const cases: RequestOptions[] = [
      { method: `GET${evil}` },
      { headers: { [`a${evil}`]: "b" } },
      { headers: { a: `b${evil}c` } },
      { headers: [["a", `${evil}b`]] },
      { headers: { host: `a.test${evil}` } },
      { headers: { "idempotency-key": `b${evil}` } },
    ];
    for (const options of cases) {
      await assertRejects(() => pool.request(URL_A, options), TypeError);
    }
    // The URL parser drops or encodes them: they never reach the wire as they are.
    const { path } = await (await pool.request(`https://a.test/p${evil}q`)).json() as ServedRequest;
    assert(/^\/p[^\r\n\0]*q$/.test(path), path);
  }
  // The connection that they were refused on, so to speak, is as good as before.
  assertEquals(pool.dialer.dials.length, 1);
  assertEquals(socket?.written.length, (before ?? 0) + 6);
});

test("Headers are taken as an object, pairs, a Map and Headers, in order", async () => {
  await using pool = memoryHttp(show);
  const pairs: [string, string][] = [["b", "1"], ["a", "2"]];
  const all = [Object.fromEntries(pairs), pairs, new Map(pairs), new Headers(pairs)];
  for (const headers of all) {
    const options = { headers } as RequestOptions;
    const seen = await (await pool.request(URL_A, options)).json() as { headers: string[][] };
    assertEquals(seen.headers, [["a", "2"], ["b", "1"], ["host", "a.test"]]);
  }
  const skipped = await pool.request(URL_A, { headers: { a: undefined } });
  assert(!JSON.stringify(await skipped.json()).includes("undefined"));
});

test("Credentials of a URL are sent as Basic, unless the headers have their own", async () => {
  await using pool = memoryHttp(show);
  const url = "https://us%40er:p%C3%A4ss@a.test/x";
  const first = await pool.request(url);
  assertEquals(first.url, "https://a.test/x");
  const { headers } = await first.json() as { headers: string[][] };
  assertEquals(headers[0], ["authorization", `Basic ${btoa("us@er:p\xc3\xa4ss")}`]);
  const own = await pool.request(url, { headers: { Authorization: "Bearer x" } });
  assertEquals((await own.json() as { headers: string[][] }).headers[0], [
    "authorization",
    "Bearer x",
  ]);
});

test("A fragment is not sent, and a query is", async () => {
  await using pool = memoryHttp(show);
  const response = await pool.request(new URL("https://A.test:443?x=1#frag"));
  assertEquals(response.url, "https://a.test/?x=1");
  assertEquals((await response.json() as ServedRequest).path, "/?x=1");
});

test("exclude may be anything that can be gone over, even only once", async () => {
  await using pool = memoryHttp(({ path }, socket) => {
    if (path === "/die") socket.end();
    return path === "/die" ? null : answer("200 OK");
  }, { resolver: staticResolver({ "a.test": ["192.0.2.1", "192.0.2.2"] }) });
  const exclude = new Set(["192.0.2.1"]);
  await pool.warm("a.test", { connections: 2 });
  for (let i = 0; i < 10; i++) {
    const response = await pool.request(URL_A, { exclude: exclude.values() });
    assertEquals(response.connection.ip, "192.0.2.2");
  }
  await assertRejects(() => pool.request("https://a.test/die", { exclude: exclude.values() }));
  const excluded = pool.manager.getConnections("192.0.2.1");
  assert(excluded.length > 0);
  for (const { requestCount } of excluded) assertEquals(requestCount, 0);
});

test("An aborted signal is heard before anything else happens", async () => {
  await using pool = memoryHttp(show);
  const reason = { not: "an error" };
  for (const body of ["text", new Blob(["blob"]), new FormData()]) {
    const signal = AbortSignal.abort(reason);
    const error = await pool.request(URL_A, { method: "POST", body, signal }).then(
      () => undefined,
      (error) => error,
    );
    assertStrictEquals(error, reason);
  }
  assertEquals(pool.dialer.dials.length, 0);
});

test("What is no object of options makes no pool, and no unknown option closes one", async () => {
  for (const options of [null, 5] as unknown[]) {
    assertThrows(() => createPool(options as object), TypeError, "must be an object, got");
  }
  await using pool = memoryHttp(show);
  const grace = { grace: 1 } as CloseOptions;
  assertThrows(
    () => pool.close(grace),
    TypeError,
    "\"grace\" of close(): did you mean graceMs? It takes graceMs",
  );
  assertEquals((await pool.request(URL_A)).status, 200);
});
