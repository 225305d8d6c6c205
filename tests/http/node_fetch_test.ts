/**
 * The cases of node-fetch's own tests (`test/main.js`), in words and code of our own: what a program
 * that comes from there finds the same, and what it finds otherwise.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { memoryDialer } from "../../adapters/memory.ts";
import { HostUnavailableError, ResolveError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import { casesTold } from "../support/documents.ts";
import { BASE, nodeFetchSite } from "../support/node_fetch_site.ts";
import { CountedController } from "../support/signals.ts";

type Fetch = (path: string, init?: RequestInit & { readonly duplex?: "half" }) => Promise<Response>;

interface Seen {
  readonly method: string;
  readonly body: string;
  readonly headers: { readonly [name: string]: string };
}

/** A case: what it is about, and how it is tried. */
type Case = readonly [about: string, run: (get: Fetch, pool: HttpPool) => Promise<unknown>];

const inspect = async (get: Fetch, init?: RequestInit, path = "inspect"): Promise<Seen> =>
  await (await get(path, init)).json();

const name = (error: unknown) => (error as Error).name;

/** A page is read as text, with its status and type. */
const page = (about: string, path: string, status: number, type: string | null, text: string) =>
  [about, async (get) => {
    const response = await get(path);
    assertEquals([response.status, response.ok], [status, status < 300]);
    assertEquals(response.headers.get("content-type"), type);
    assertEquals(response.bodyUsed, false);
    assertEquals(await response.text(), text);
    if (text !== "") assertEquals(response.bodyUsed, true);
  }] as const satisfies Case;

/** A method goes on, or turns into another one, behind a redirect. */
const moved = (status: number, method: string, then: string) =>
  [`a ${method} that is redirected with ${status} goes on as ${then}`, async (get) => {
    const body = method === "GET" ? null : "a=1";
    const response = await get(`redirect/${status}`, { method, body });
    assertEquals([response.url, response.status], [`${BASE}inspect`, 200]);
    const seen = await response.json() as Seen;
    assertEquals([seen.method, seen.body], [then, method === then ? body ?? "" : ""]);
  }] as const satisfies Case;

/** A body is sent with its length and type. */
const sent = (
  kind: string,
  make: () => unknown,
  text: string,
  type?: string,
  method = "POST",
) =>
  [`a ${method} with ${kind} as its body`, async (get) => {
    const seen = await inspect(get, { method, body: make() as BodyInit });
    assertEquals([seen.method, seen.body], [method, text]);
    assertEquals(seen.headers["transfer-encoding"], undefined);
    assertEquals(seen.headers["content-type"]?.toLowerCase(), type?.toLowerCase());
    assertEquals(seen.headers["content-length"], `${text.length}`);
  }] as const satisfies Case;

const header = (about: string, headers: HeadersInit, field: string, value: string) =>
  [about, async (get) => {
    assertEquals((await inspect(get, { headers })).headers[field], value);
  }] as const satisfies Case;

/** What is aborted fails with an AbortError. */
const aborted = (about: string, run: (get: Fetch, stop: AbortController) => Promise<unknown>) =>
  [about, async (get) => {
    const stop = new AbortController();
    assertEquals(name(await assertRejects(() => run(get, stop))), "AbortError");
  }] as const satisfies Case;

const readAll = async (body: ReadableStream<Uint8Array> | null) => {
  let text = "";
  for await (const part of body!) text += new TextDecoder().decode(part);
  return text;
};

const bytes = new TextEncoder().encode("Some bytes\n");
const foreign = () => runInNewContext(`new Uint8Array([${bytes.join()}])`) as Uint8Array;
const URL_ENCODED = "application/x-www-form-urlencoded;charset=UTF-8";

/** A form that is none of the runtime's. */
class OtherForm {
  readonly [Symbol.toStringTag] = "FormData";

  append(): void {}

  *[Symbol.iterator](): Generator<[string, string | Blob]> {
    yield ["field", "a value"];
    yield ["file", new Blob(["of a file"])];
  }
}

class Extended extends URLSearchParams {}
class Twice extends Extended {}

const same: readonly Case[] = [
  ["fetch gives a promise", async (get) => {
    const response = get("short");
    assertInstanceOf(response, Promise);
    await (await response).text();
  }],
  ...["//example.com/", "/some/path", "ftp://example.com/"].map((url): Case => [
    `${url} is refused with a TypeError`,
    (_, pool) => assertRejects(() => pool.fetch(url), TypeError),
  ]),
  ["a machine that refuses is an error that says so", async () => {
    await using pool = new HttpPool({
      dialer: memoryDialer({ script: () => ({ failure: "refused" }) }),
      resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
      maxRetries: 0,
    });
    const error = await assertRejects(() => pool.fetch(BASE), TypeError);
    assertInstanceOf((error as Error).cause, HostUnavailableError);
  }],
  ["the answer is a Response with its URL and status", async (get) => {
    const response = await get("short");
    assertInstanceOf(response, Response);
    assertInstanceOf(response.headers, Headers);
    assertEquals([response.url, response.ok], [`${BASE}short`, true]);
    assertEquals([response.status, response.statusText, response.bodyUsed], [200, "OK", false]);
    await response.text();
  }],
  page("plain text is read", "plain", 200, "text/plain", "text"),
  page("HTML is read", "html", 200, "text/html", "<html></html>"),
  ["JSON is read", async (get) => {
    assertEquals(await (await get("json")).json(), { made: "here" });
  }],
  header("headers of an object are sent", { "x-made-up": "some value" }, "x-made-up", "some value"),
  header(
    "headers of a Headers are sent",
    new Headers({ "x-made-up": "some value" }),
    "x-made-up",
    "some value",
  ),
  ...[301, 302, 303, 307, 308].map((status) => moved(status, "GET", "GET")),
  ["a chain of redirects is followed", async (get) => {
    const response = await get("redirect/chain");
    assertEquals([response.url, response.status], [`${BASE}inspect`, 200]);
    await response.text();
  }],
  moved(301, "POST", "GET"),
  moved(301, "PATCH", "PATCH"),
  moved(302, "POST", "GET"),
  moved(302, "PATCH", "PATCH"),
  moved(303, "PUT", "GET"),
  moved(307, "PATCH", "PATCH"),
  ["a stream is not sent again where it is redirected", async (get) => {
    const body = Readable.from([bytes]) as unknown as BodyInit;
    const error = await assertRejects(
      () => get("redirect/307", { method: "PATCH", body, duplex: "half" }),
      TypeError,
    );
    assertInstanceOf((error as Error).cause, TypeError);
  }],
  ["redirect: error fails a redirect", async (get) => {
    await assertRejects(() => get("redirect/301", { redirect: "error" }), TypeError);
  }],
  ["redirect: manual changes nothing where there is no redirect", async (get) => {
    const response = await get("short", { redirect: "manual" });
    assertEquals([response.url, response.status], [`${BASE}short`, 200]);
    assertEquals(response.headers.get("location"), null);
    await response.text();
  }],
  ["headers are sent along where a redirect leads", async (get) => {
    const seen = await inspect(get, { headers: { "x-made-up": "some value" } }, "redirect/301");
    assertEquals(seen.headers["x-made-up"], "some value");
  }],
  ...(["follow", "manual"] as const).map((redirect): Case => [
    `a redirect without a location is an answer like others (${redirect})`,
    async (get) => {
      const response = await get("redirect/no-location", { redirect });
      assertEquals([response.url, response.status], [`${BASE}redirect/no-location`, 301]);
      assertEquals(response.headers.get("location"), null);
    },
  ]),
  ...[["redirect/301", true], ["short", false]].map(([path, redirected]): Case => [
    `redirected is ${redirected} of ${path}`,
    async (get) => {
      const response = await get(`${path}`);
      assertEquals(response.redirected, redirected);
      await response.text();
    },
  ]),
  page("a fault of the client's is an answer", "error/400", 400, "text/plain", "your fault"),
  page("a fault of the server's is an answer", "error/500", 500, "text/plain", "our fault"),
  ["a connection that ends before the answer is an error", async (get) => {
    const error = await assertRejects(() => get("error/reset"), TypeError);
    assertInstanceOf((error as Error).cause, Error);
  }],
  ["a body that breaks off is an error", async (get) => {
    const response = await get("error/cut-off");
    assertEquals([response.status, response.ok], [200, true]);
    await assertRejects(() => response.text(), Error);
  }],
  ["a name that cannot be resolved is an error", async (_, pool) => {
    const error = await assertRejects(() => pool.fetch("https://unknown.test/"), TypeError);
    assertInstanceOf((error as Error).cause, ResolveError);
  }],
  ["what is no JSON cannot be read as such", async (get) => {
    const response = await get("error/json");
    await assertRejects(() => response.json(), Error);
  }],
  page("a 204 has an empty body", "no-content", 204, null, ""),
  ["a 204 cannot be read as JSON", async (get) => {
    const response = await get("no-content");
    await assertRejects(() => response.json(), Error);
  }],
  page("a 204 with a coding has an empty body", "no-content/gzip", 204, null, ""),
  page("a 304 has an empty body", "not-modified", 304, null, ""),
  page("a 304 with a coding has an empty body", "not-modified/gzip", 304, null, ""),
  page("gzip is decoded", "gzip", 200, "text/plain", "a few words"),
  page("deflate is decoded", "deflate", 200, "text/plain", "a few words"),
  page("deflate without its frame is decoded", "deflate-raw", 200, "text/plain", "a few words"),
  page("br is decoded", "brotli", 200, "text/plain", "a few words"),
  page("a 204 with br has an empty body", "no-content/brotli", 204, null, ""),
  page("an unknown coding is left as it is", "sdch", 200, "text/plain", "as it came"),
  ["a body that is not what its coding says fails", async (get) => {
    const response = await get("not-gzip");
    await assertRejects(() => response.text());
  }],
  ["a body that nobody reads fails nothing else", async (get) => {
    assertEquals((await get("not-gzip")).status, 200);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }],
  ["a body that fails is told of when it is read later", async (get) => {
    const response = await get("not-gzip");
    await new Promise((resolve) => setTimeout(resolve, 1));
    await assertRejects(() => response.text());
  }],
  header("accept-encoding is as given", { "accept-encoding": "gzip" }, "accept-encoding", "gzip"),
  aborted("a request is aborted", (get, stop) => {
    setTimeout(() => stop.abort(), 1);
    return get("silent", { signal: stop.signal });
  }),
  aborted("a signal that has aborted ends a request at once", (get, stop) => {
    stop.abort();
    return get("silent", { signal: stop.signal });
  }),
  ["nobody listens to the signal of a request that was aborted", async (get) => {
    const stop = new CountedController();
    const asked = assertRejects(() => get("silent", { signal: stop.signal }));
    assertEquals(stop.listeners, 1);
    stop.abort();
    await asked;
    assertEquals(stop.listeners, 0);
  }],
  aborted("a redirect is aborted", (get, stop) => {
    setTimeout(() => stop.abort(), 1);
    return get("redirect/slow", { signal: stop.signal });
  }),
  aborted("the body behind a redirect is aborted", async (get, stop) => {
    const response = await get("redirect/slow-stream", { signal: stop.signal });
    const text = response.text();
    stop.abort();
    return await text;
  }),
  ["nobody listens to the signal of requests that are over", async (get) => {
    const stop = new CountedController();
    const { signal } = stop;
    assertEquals(await (await get("html", { signal })).text(), "<html></html>");
    await assertRejects(() => get("error/reset", { signal }));
    await (await get("redirect/301", { signal })).json();
    assertEquals(stop.listeners, 0);
  }],
  aborted("a body is aborted while it is read", async (get, stop) => {
    const response = await get("slow", { signal: stop.signal });
    const text = response.text();
    stop.abort();
    return await text;
  }),
  aborted("a body is aborted before it is read", async (get, stop) => {
    const response = await get("slow", { signal: stop.signal });
    stop.abort();
    return await response.text();
  }),
  aborted("the stream of a body fails when it is aborted", async (get, stop) => {
    const { body } = await get("slow", { signal: stop.signal });
    stop.abort();
    return await readAll(body);
  }),
  aborted("the stream of a request's body is destroyed when it is aborted", async (get, stop) => {
    const stream = new Readable({ read() {} });
    stream.on("error", () => {});
    const over = new Promise<void>((resolve) => stream.on("close", resolve));
    const body = stream as unknown as BodyInit;
    const asked = get("slow", { method: "POST", signal: stop.signal, body, duplex: "half" });
    setTimeout(() => stop.abort(), 1);
    return await asked.finally(() => over);
  }),
  ["what is no signal is refused with a TypeError", async (get) => {
    for (const signal of [{}, "", Object.create(null)]) {
      await assertRejects(() => get("inspect", { signal }), TypeError);
    }
  }],
  header("user-agent is as given", { "user-agent": "mine/1" }, "user-agent", "mine/1"),
  header("accept is */* where it is not given", {}, "accept", "*/*"),
  header("accept is as given", { accept: "application/json" }, "accept", "application/json"),
  ["a POST without a body has a length of 0", async (get) => {
    const { headers, method } = await inspect(get, { method: "POST" });
    assertEquals([method, headers["content-length"]], ["POST", "0"]);
    assertEquals([headers["content-type"], headers["transfer-encoding"]], [undefined, undefined]);
  }],
  sent("text", () => "a=1", "a=1", "text/plain;charset=UTF-8"),
  sent("a Buffer", () => Buffer.from("a=1"), "a=1"),
  sent("an ArrayBuffer", () => bytes.buffer, "Some bytes\n"),
  sent("another realm's ArrayBuffer", () => foreign().buffer, "Some bytes\n"),
  sent("a Uint8Array", () => bytes, "Some bytes\n"),
  sent("a DataView", () => new DataView(bytes.buffer), "Some bytes\n"),
  sent("another realm's Uint8Array", foreign, "Some bytes\n"),
  sent("a part of a buffer", () => bytes.subarray(5, 10), "bytes"),
  sent("a Blob without a type", () => new Blob(["a=1"]), "a=1"),
  sent(
    "a Blob with a type",
    () => new Blob(["a=1"], { type: "text/plain;charset=utf-8" }),
    "a=1",
    "text/plain;charset=utf-8",
  ),
  ["a POST with a form of another library as its body", async (get) => {
    const form = new OtherForm() as unknown as BodyInit;
    const { body, headers } = await inspect(get, { method: "POST", body: form });
    assert(headers["content-type"]?.startsWith("multipart/form-data"));
    assert(body.includes("name=\"field\"") && body.includes("name=\"file\""));
  }],
  sent("a plain object", () => ({ a: 1 }), "[object Object]", "text/plain;charset=UTF-8"),
  sent("a URLSearchParams", () => new URLSearchParams({ a: "1" }), "a=1", URL_ENCODED),
  sent("a URLSearchParams of its own class", () => new Extended("a=1"), "a=1", URL_ENCODED),
  sent("a URLSearchParams two classes away", () => new Twice("a=1"), "a=1", URL_ENCODED),
  sent("text", () => "a=1", "a=1", "text/plain;charset=UTF-8", "PUT"),
  ["a DELETE is made", async (get) => {
    assertEquals((await inspect(get, { method: "DELETE" })).method, "DELETE");
  }],
  sent("text", () => "a=1", "a=1", "text/plain;charset=UTF-8", "DELETE"),
  sent("text", () => "a=1", "a=1", "text/plain;charset=UTF-8", "PATCH"),
  ["a HEAD is answered without a body", async (get) => {
    const response = await get("short", { method: "HEAD" });
    assertEquals([response.status, response.statusText], [200, "OK"]);
    assertEquals(response.headers.get("content-type"), "text/plain");
    assertEquals(await response.text(), "");
  }],
  ["a HEAD with a coding is answered without a body", async (get) => {
    const response = await get("error/404", { method: "HEAD" });
    assertEquals([response.status, response.headers.get("content-encoding")], [404, "gzip"]);
    assertEquals(await response.text(), "");
  }],
  ["an OPTIONS is made", async (get) => {
    const response = await get("options", { method: "OPTIONS" });
    assertEquals(response.headers.get("allow"), "GET, HEAD, OPTIONS");
    await response.text();
  }],
  ["a body is read once", async (get) => {
    const response = await get("plain");
    await response.text();
    await assertRejects(() => response.text(), Error);
  }],
  ["a body is read as a stream", async (get) => {
    assertEquals(await readAll((await get("short")).body), "of it");
  }],
  ["a clone is read as a stream beside the original", async (get) => {
    const response = await get("short");
    const clone = response.clone();
    assertEquals(await Promise.all([readAll(response.body), readAll(clone.body)]), [
      "of it",
      "of it",
    ]);
  }],
  ...[
    ["at once", (one: Response, other: Response) => Promise.all([one.json(), other.text()])],
    ["first as JSON", async (one: Response, other: Response) => [
      await one.json(),
      await other.text(),
    ]],
    ["first as text", async (one: Response, other: Response) => {
      const text = await other.text();
      return [await one.json(), text];
    }],
  ].map(([order, read]): Case => [`a response and its clone are read, ${order}`, async (get) => {
    const response = await get("json");
    const run = read as (one: Response, other: Response) => Promise<unknown>;
    assertEquals(await run(response, response.clone()), [
      { made: "here" },
      "{\"made\":\"here\"}",
    ]);
  }]),
  ["what was read cannot be cloned", async (get) => {
    const response = await get("short");
    await response.text();
    assertThrows(() => response.clone(), Error);
  }],
  ["several values of a header come as one", async (get) => {
    const { headers } = await get("cookie");
    assertEquals([headers.get("set-cookie"), headers.get("Set-Cookie")], [
      "one=1, two=2",
      "one=1, two=2",
    ]);
  }],
  ...[
    ["a Request", new Request(`${BASE}short`)],
    ["a Request of a URL", new Request(new URL(`${BASE}short`))],
    ["a Request of another URL", new Request(new URL("short", BASE))],
    ["a Request with an empty query", new Request(new URL(`${BASE}question?`))],
    ["a Request with a query", new Request(new URL(`${BASE}question?a=1`))],
  ].map(([about, request]): Case => [`${about} is fetched`, async (_, pool) => {
    const response = await pool.fetch(request as Request);
    assertEquals([response.url, response.status], [(request as Request).url, 200]);
    await response.text();
  }]),
  ["a Blob that was read is sent with its type", async (get) => {
    const blob = await (await get("short")).blob();
    const { body, headers } = await inspect(get, { method: "POST", body: blob });
    assertEquals([body, headers["content-type"]], ["of it", blob.type]);
    assertEquals(headers["content-length"], `${blob.size}`);
  }],
  ["options win over those of a Request", async (_, pool) => {
    const request = new Request(`${BASE}inspect`, { method: "POST", headers: { a: "1" } });
    const seen = await (await pool.fetch(request, { method: "GET", headers: { a: "2" } })).json();
    assertEquals([seen.method, seen.headers.a], ["GET", "2"]);
  }],
  ["a HEAD goes over TLS", async (get) => {
    assertEquals((await get("", { method: "HEAD" })).status, 200);
  }],
  ["characters beyond ASCII are sent as UTF-8", async (get) => {
    assertEquals((await get("stra\u00dfe")).url, `${BASE}stra%C3%9Fe`);
  }],
];

/** What node-fetch does otherwise, and the documents say why. */
const other: readonly Case[] = [
  header("host is that of the URL", { host: "c.test" }, "host", "a.test"),
  header("HoSt is that of the URL", { HoSt: "c.test" }, "host", "a.test"),
  ["redirect: manual gives the location as it was sent", async (get) => {
    const response = await get("redirect/301", { redirect: "manual" });
    assertEquals([response.url, response.status], [`${BASE}redirect/301`, 301]);
    assertEquals(response.headers.get("location"), "/inspect");
  }],
  ["gzip that breaks off is an error", async (get) => {
    const response = await get("gzip-truncated");
    await assertRejects(() => response.text());
  }],
  ["a coding is decoded, and told as it was spelled", async (get) => {
    const response = await get("gzip-capital");
    assertEquals(response.headers.get("content-encoding"), "GZip");
    assertEquals(await response.text(), "a few words");
  }],
  header("user-agent is hotconn", {}, "user-agent", "hotconn"),
  ["a stream is of bytes, needs the option duplex, and is sent in chunks", async (get) => {
    const init = (part: unknown) => ({ method: "POST", body: Readable.from([part]) as never });
    await assertRejects(() => get("inspect", init(bytes)), TypeError, "duplex");
    await assertRejects(() => get("inspect", { ...init("a=1"), duplex: "half" }), TypeError);
    const { body, headers } = await inspect(get, { ...init(bytes), duplex: "half" } as RequestInit);
    assertEquals([body, headers["transfer-encoding"]], ["Some bytes\n", "chunked"]);
    assertEquals([headers["content-type"], headers["content-length"]], [undefined, undefined]);
  }],
  ["a length that is not the body's is an error", async (get) => {
    const init = { method: "POST", body: "a=1", headers: { "content-length": "1000" } };
    await assertRejects(() => get("inspect", init), TypeError);
  }],
  ["headers of a response cannot be changed", async (get) => {
    const { headers } = await get("cookie");
    assertThrows(() => headers.delete("set-cookie"), TypeError);
  }],
  ["the URL of a response has no fragment", async (get) => {
    assertEquals((await get("question?#")).url, `${BASE}question?`);
  }],
];

for (const [about, run] of [...same, ...other]) {
  test(`node-fetch: ${about}`, async () => {
    await using pool = nodeFetchSite();
    await run((path, init) => pool.fetch(`${BASE}${path}`, init), pool);
  });
}

test("the documents count the cases of node-fetch", () => {
  const told = casesTold("node-fetch");
  assertEquals(told, [same.length + other.length, same.length, other.length]);
});
