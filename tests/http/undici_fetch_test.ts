/**
 * Cases of undici's own tests of `fetch` (`test/fetch`), in words and code of our own, by the file
 * that they stand in there: what a program finds the same, and what it finds otherwise.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { decoders } from "../../adapters/codings/decoders.ts";
import type { HttpPool } from "../../src/http/http_pool.ts";
import { casesTold } from "../support/documents.ts";
import { type Answer, answer, memoryHttp, type ServedRequest } from "../support/memory_http.ts";

const URL_A = "https://a.test/";

/** A case: its file, what it is about, what the server answers, and how it is tried. */
type Case = readonly [
  file: string,
  about: string,
  serve: (request: ServedRequest) => Answer,
  run: (pool: HttpPool, seen: readonly ServedRequest[]) => Promise<unknown>,
];

const ok = () => answer("200 OK");
const json = () => answer("200 OK", { "content-type": "application/json" }, "{\"made\":\"here\"}");
const typed = (type: string, body: string | Uint8Array = "") => () =>
  answer("200 OK", { "content-type": type }, body);
const coded = (coding: string, body: string | Uint8Array) => () =>
  answer("200 OK", { "content-encoding": coding }, body);
/** A frame with a block that is not compressed (RFC 8878). */
const ZSTD = Uint8Array.of(
  ...[0x28, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x29, 0, 0],
  ...new TextEncoder().encode("Hello"),
);

const ENDLESS = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/** The first path leads to the second. */
const leads =
  (status: number, location: string, headers = {}, body = "") =>
  (from: string) =>
  (request: ServedRequest) =>
    request.path === from
      ? answer(`${status} Elsewhere`, { location, ...headers }, body)
      : answer("200 OK", {}, request.path);

const URL_ENCODED = "application/x-www-form-urlencoded";
const BOM = "\uFEFF";

/** A pool without a network keeps no program alive, and a timeout neither. */
async function timedOut(pool: HttpPool, signal: AbortSignal): Promise<DOMException> {
  const alive = setTimeout(() => {}, 10_000);
  const error = await assertRejects(() => pool.fetch(URL_A, { signal }));
  clearTimeout(alive);
  return error as DOMException;
}

const sha256 = (text: string) => `sha256-${createHash("sha256").update(text).digest("base64")}`;

const reads = (
  file: string,
  about: string,
  serve: (request: ServedRequest) => Answer,
  text: string,
  init: RequestInit = {},
): Case => [file, about, serve, async (pool) => {
  assertEquals(await (await pool.fetch(URL_A, init)).text(), text);
}];

const fails = (
  file: string,
  about: string,
  url: string,
  init: RequestInit = {},
  serve: (request: ServedRequest) => Answer = ok,
): Case => [file, about, serve, (pool) => assertRejects(() => pool.fetch(url, init), TypeError)];

function form(value: string | Blob, name?: string): FormData {
  const made = new FormData();
  if (typeof value !== "string" && name !== undefined) made.append("one", value, name);
  else made.append("one", value as string);
  return made;
}

async function formText(): Promise<{ readonly type: string; readonly text: string }> {
  const made = form("1");
  made.append("two", new Blob(["two\nlines"], { type: "text/plain" }), "lines.txt");
  const response = new Response(made);
  return { type: response.headers.get("content-type")!, text: await response.text() };
}

const multipart = await formText();

const same: readonly Case[] = [
  ["client-fetch.js", "fetch() has its name, and one argument that it needs", ok, async (pool) => {
    await Promise.resolve();
    assertEquals([pool.fetch.name, pool.fetch.length], ["fetch", 1]);
  }],
  ["client-fetch.js", "fetch() needs a URL that it can fetch", ok, async (pool) => {
    await assertRejects(() => (pool.fetch as () => Promise<Response>)(), TypeError);
    await assertRejects(() => pool.fetch("ftp://a.test/"), TypeError);
  }],
  ["client-fetch.js", "a body is read as JSON", json, async (pool) => {
    assertEquals(await (await pool.fetch(URL_A)).json(), { made: "here" });
  }],
  reads("client-fetch.js", "a body is read as text", json, "{\"made\":\"here\"}"),
  ["client-fetch.js", "a body is read as an ArrayBuffer", json, async (pool) => {
    const bytes = await (await pool.fetch(URL_A)).arrayBuffer();
    assertEquals(Buffer.from(bytes).toString(), "{\"made\":\"here\"}");
  }],
  ["client-fetch.js", "a Blob has the type of the answer", json, async (pool) => {
    // Bun adds a charset.
    assertMatch((await (await pool.fetch(URL_A)).blob()).type, /^application\/json\b/);
  }],
  ["client-fetch.js", "a stream is cancelled where the signal has aborted", ok, async (pool) => {
    let reason: unknown;
    const body = new ReadableStream({
      cancel(why) {
        reason = why;
      },
    });
    const init = { method: "POST", body, duplex: "half", signal: AbortSignal.abort() };
    const error = await assertRejects(() => pool.fetch(URL_A, init as RequestInit));
    assertEquals([(error as Error).name, (reason as Error).name], ["AbortError", "AbortError"]);
  }],
  ["client-fetch.js", "a stream that has ended is not cancelled", ok, async (pool) => {
    let cancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.close(),
      cancel() {
        cancelled = true;
      },
    });
    await Promise.resolve();
    const init = { method: "POST", body, duplex: "half", signal: AbortSignal.abort() };
    const error = await assertRejects(() => pool.fetch(URL_A, init as RequestInit));
    assertEquals([(error as Error).name, cancelled], ["AbortError", false]);
  }],
  ["client-fetch.js", "what is no form cannot be read as one", typed("no/form"), async (pool) => {
    const response = await pool.fetch(URL_A);
    await assertRejects(() => response.formData(), TypeError);
  }],
  [
    "client-fetch.js",
    "a form of several parts is read",
    typed(multipart.type, multipart.text),
    async (pool) => {
      const read = await (await pool.fetch(URL_A)).formData();
      assertEquals(read.get("one"), "1");
      assertEquals(await (read.get("two") as File).text(), "two\nlines");
    },
  ],
  [
    "client-fetch.js",
    "a form with another boundary cannot be read",
    typed("multipart/form-data; boundary=another", multipart.text),
    async (pool) => {
      const response = await pool.fetch(URL_A);
      await assertRejects(() => response.formData());
    },
  ],
  [
    "client-fetch.js",
    "a form in a query's coding is read",
    typed(URL_ENCODED, "one=1&two=2"),
    async (pool) => {
      const read = await (await pool.fetch(URL_A)).formData();
      assertEquals([read.get("one"), read.get("two")], ["1", "2"]);
    },
  ],
  reads(
    "client-fetch.js",
    "a mark of the byte order is no text",
    typed(URL_ENCODED, `${BOM}a=${BOM}`),
    `a=${BOM}`,
  ),
  ["client-fetch.js", "what is locked cannot be read", typed("a/b", "x"), async (pool) => {
    const response = await pool.fetch(URL_A);
    const reader = response.body!.getReader();
    await assertRejects(() => response.blob(), TypeError);
    await reader.cancel();
  }],
  ["client-fetch.js", "what was read cannot be read again", typed("a/b", "x"), async (pool) => {
    const response = await pool.fetch(URL_A);
    await response.blob();
    await assertRejects(() => response.blob(), TypeError);
  }],
  [
    "client-fetch.js",
    "a PUT is redirected with its body",
    ({ path }) =>
      path === "/" ? answer("302 Found", { location: "to" }) : answer("200 OK", {}, "2"),
    async (pool, seen) => {
      const response = await pool.fetch(URL_A, { method: "PUT", body: "a body" });
      assertEquals(await response.text(), "2");
      assertEquals(seen.map(({ body }) => body), ["a body", "a body"]);
    },
  ],
  [
    "client-fetch.js",
    "the body of a redirect is read where it is not followed",
    () => answer("302 Found", { location: "/to" }, "elsewhere"),
    async (pool) => {
      const response = await pool.fetch(URL_A, { redirect: "manual" });
      assertEquals([response.status, response.headers.get("location")], [302, "/to"]);
      assertEquals(await response.text(), "elsewhere");
    },
  ],
  ["client-fetch.js", "a form with a Blob is sent", ok, async (pool, seen) => {
    await pool.fetch(URL_A, { method: "PUT", body: form(new Blob(["of a blob"])) });
    assertMatch(seen[0]!.body, /of a blob/);
  }],
  ["client-fetch.js", "a form with a file is sent, with its name", ok, async (pool, seen) => {
    await pool.fetch(URL_A, { method: "PUT", body: form(new Blob(["of a blob"]), "a name.bin") });
    assertMatch(seen[0]!.body, /a name\.bin[^]*of a blob/);
  }],
  ["client-fetch.js", "the error names a host that there is not", ok, async (pool) => {
    const error = await assertRejects(() => pool.fetch("https://unknown.test/"), TypeError);
    assertMatch(((error as Error).cause as Error).message, /unknown\.test/);
  }],
  fails(
    "client-fetch.js",
    "redirect: error fails a redirect",
    URL_A,
    { redirect: "error" },
    () => answer("302 Found"),
  ),
  ["client-fetch.js", "a Request is fetched, with its body", ok, async (pool, seen) => {
    await pool.fetch(new Request(URL_A, { method: "POST", body: "{\"made\":\"here\"}" }));
    assertEquals(seen[0]!.body, "{\"made\":\"here\"}");
  }],
  reads(
    "client-fetch.js",
    "a redirect whose coding has no body is followed",
    ({ path }) =>
      path === "/"
        ? answer("301 Moved", { location: "/to", "content-encoding": "gzip" })
        : answer("200 OK", { "content-encoding": "gzip" }, gzipSync("decoded")),
    "decoded",
  ),
  reads(
    "client-fetch.js",
    "a location does not keep another status from being decoded",
    () => answer("201 Made", { location: "/to", "content-encoding": "gzip" }, gzipSync("decoded")),
    "decoded",
  ),
  [
    "client-fetch.js",
    "headers are read byte by byte",
    () => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-name: \u00e2\u0080\u0094 copy\r\n\r\n",
    async (pool) => {
      // The server sends the text as UTF-8: each of its bytes is a character.
      const value = (await pool.fetch(URL_A, { method: "HEAD" })).headers.get("x-name")!;
      assertEquals(Buffer.from(value, "latin1").toString(), "\u00e2\u0080\u0094 copy");
    },
  ],
  ["abort.js", "a timeout is the error", () => null, async (pool) => {
    const { code } = await timedOut(pool, AbortSignal.timeout(2));
    assertEquals(code, DOMException.TIMEOUT_ERR);
  }],
  ["abort.js", "without a reason it is an AbortError", ok, async (pool) => {
    const error = await assertRejects(() => pool.fetch(URL_A, { signal: AbortSignal.abort() }));
    assertEquals((error as DOMException).code, DOMException.ABORT_ERR);
  }],
  fails("about-uri.js", "about:blank is refused", "about:blank"),
  fails("about-uri.js", "about:config is refused", "about:config"),
  ["content-length.js", "a form has its length", ok, async (pool, seen) => {
    const body = form(new Blob(["body"], { type: "text/plain" }));
    await pool.fetch(URL_A, { method: "POST", body });
    assertEquals(seen[0]!.headers.get("content-length"), `${seen[0]!.body.length}`);
  }],
  [
    "cookies.js",
    "a cookie of the server's is read",
    () => answer("200 OK", { "set-cookie": "a=1; Domain=a.test" }),
    async (pool) => {
      for (const credentials of ["same-origin", "include"] as const) {
        const { headers } = await pool.fetch(URL_A, { credentials });
        assertEquals(headers.get("set-cookie"), "a=1; Domain=a.test");
      }
    },
  ],
  ["cookies.js", "a cookie is sent", ok, async (pool, seen) => {
    const cookie: [string, string][] = [["cookie", "value"]];
    for (const headers of [new Headers(cookie), { cookie: "value" }, cookie]) {
      await pool.fetch(URL_A, { headers });
    }
    assertEquals(seen.map(({ headers }) => headers.get("cookie")), ["value", "value", "value"]);
  }],
  ["cookies.js", "cookies stand apart by semicolons", ok, async (pool, seen) => {
    await pool.fetch(URL_A, { headers: [["cookie", "a=1"], ["cookie", "b=2"]] });
    assertEquals(seen[0]!.headers.get("cookie"), "a=1; b=2");
  }],
  reads("decompress.js", "a body without a coding", typed("a/b", "text"), "text"),
  reads("decompress.js", "a body with an empty coding", coded("", "text"), "text"),
  reads(
    "decompress.js",
    "a redirect with a coding",
    ({ path }) =>
      path === "/"
        ? answer("301 Moved", { location: "/next", "content-encoding": "gzip" }, "no gzip")
        : answer("200 OK", {}, "next"),
    "next",
  ),
  reads(
    "decompress.js",
    "a HEAD with a coding",
    () => "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
    "",
    { method: "HEAD" },
  ),
  reads("decompress.js", "a coding that nobody knows", coded("x-made-up", "text"), "text"),
  reads("decompress.js", "gzip", coded("gzip", gzipSync("a few words")), "a few words"),
  reads("decompress.js", "x-gzip", coded("x-gzip", gzipSync("a few words")), "a few words"),
  reads(
    "decompress.js",
    "gzip, br",
    coded("gzip, br", brotliCompressSync(gzipSync("a few words"))),
    "a few words",
  ),
  [
    "encoding.js",
    "two codings are decoded, and told",
    coded("deflate, gzip", gzipSync(deflateSync("Hello"))),
    async (pool) => {
      const response = await pool.fetch(URL_A, { headers: { "accept-encoding": "deflate, gzip" } });
      assertEquals(response.headers.get("content-encoding"), "deflate, gzip");
      assertEquals(await response.text(), "Hello");
    },
  ],
  [
    "encoding.js",
    "codings are asked for in any case",
    coded("deflate, gzip", gzipSync(deflateSync("Hello"))),
    async (pool, seen) => {
      const response = await pool.fetch(URL_A, { headers: { "accept-encoding": "DeFlAtE, GzIp" } });
      assertEquals(seen[0]!.headers.get("accept-encoding"), "DeFlAtE, GzIp");
      assertEquals(await response.text(), "Hello");
    },
  ],
  reads("encoding.js", "five codings", coded(Array(5).fill("identity").join(), "test"), "test"),
  [
    "encoding.js",
    "zstd is decoded where the runtime can",
    coded("zstd", ZSTD),
    async (pool, seen) => {
      const text = await (await pool.fetch(URL_A)).text();
      const asked = seen[0]!.headers.get("accept-encoding")!.includes("zstd");
      assertEquals([asked, text === "Hello"], [decoders.has("zstd"), decoders.has("zstd")]);
    },
  ],
  [
    "fetch-url-after-redirect.js",
    "the URL is the one that redirects led to",
    ({ path }) => {
      const next = { "/1": "/2", "/2": "/3", "/3": "/end" }[path];
      return next ? answer("302 Found", { location: next }) : answer("200 OK");
    },
    async (pool) => assertEquals((await pool.fetch(`${URL_A}1`)).url, `${URL_A}end`),
  ],
  [
    "fetch-url-after-redirect.js",
    "a location beyond ASCII is escaped byte by byte",
    leads(302, "/\uc548\ub155")("/"),
    async (pool) => {
      assertEquals((await pool.fetch(URL_A)).url, `${URL_A}${encodeURIComponent("\uc548\ub155")}`);
    },
  ],
  ["integrity.js", "a right checksum", () => answer("200 OK", {}, "a few words"), async (pool) => {
    const response = await pool.fetch(URL_A, { integrity: sha256("a few words") });
    assertEquals(await response.text(), "a few words");
  }],
  fails(
    "integrity.js",
    "a wrong checksum",
    URL_A,
    { integrity: sha256("others") },
    () => answer("200 OK", {}, "a few words"),
  ),
  reads(
    "integrity.js",
    "a checksum of what was decoded",
    coded("gzip", gzipSync("a few words")),
    "a few words",
    { integrity: sha256("a few words") },
  ),
  ["issue-2009.js", "a body without an end is cancelled", () => ENDLESS, async (pool) => {
    for (let times = 0; times < 10; times++) {
      const { body } = await pool.fetch(URL_A);
      await body?.cancel("enough of it");
      assertEquals(pool.stats().leased, 0);
    }
  }],
  [
    "issue-2021.js",
    "a length is sent no more where a POST becomes a GET",
    leads(302, "/to")("/"),
    async (pool, seen) => {
      const headers = { "content-length": "5" };
      await pool.fetch(URL_A, { method: "POST", body: "1 2 3", headers });
      assertEquals(seen.map(({ headers }) => headers.get("content-length")), ["5", null]);
    },
  ],
  ["issue-2171.js", "the reason of a signal is the error", () => null, async (pool) => {
    const signal = AbortSignal.timeout(2);
    assertStrictEquals(await timedOut(pool, signal), signal.reason);
  }],
  ["issue-3334.js", "an origin is sent as given", ok, async (pool, seen) => {
    const headers = { origin: "https://b.test" };
    await pool.fetch(URL_A, { method: "POST", body: "", headers, redirect: "error" });
    assertEquals(seen[0]!.headers.get("origin"), "https://b.test");
  }],
  reads(
    "redirect.js",
    "a redirect with a body is followed",
    leads(301, "/there/", {}, "Moved")("/"),
    "/there/",
  ),
  reads(
    "redirect.js",
    "an empty body is redirected",
    leads(307, "/there/")("/"),
    "/there/",
    { method: "PUT", body: "" },
  ),
  [
    "redirect-cross-origin-header.js",
    "what is for one origin does not go to another",
    ({ headers }) =>
      headers.get("host") === "a.test"
        ? answer("302 Found", { location: "https://b.test/" })
        : answer("200 OK"),
    async (pool, seen) => {
      await pool.fetch(URL_A, { headers: { authorization: "secret", cookie: "a=1" } });
      const told = seen.map(({ headers }) => [headers.get("authorization"), headers.get("cookie")]);
      assertEquals(told, [["secret", "a=1"], [null, null]]);
    },
  ],
  ["user-agent.js", "user-agent is as given", ok, async (pool, seen) => {
    await pool.fetch(URL_A, { headers: { "user-agent": "mine/1" } });
    assertEquals(seen[0]!.headers.get("user-agent"), "mine/1");
  }],
];

/** What undici does otherwise, and the documents say why. */
const other: readonly Case[] = [
  ...[6, 100].map((count): Case => [
    "encoding.js",
    `identity, ${count} times, is no coding; ${count} others are too many`,
    ({ path }) => coded(Array(count).fill(path.slice(1) || "identity").join(", "), "test")(),
    async (pool) => {
      assertEquals(await (await pool.fetch(URL_A)).text(), "test");
      await assertRejects(() => pool.fetch(`${URL_A}gzip`), TypeError);
    },
  ]),
  [
    "401-statuscode-no-infinite-loop.js",
    "401 is an answer",
    () => answer("401 No"),
    async (pool, seen) => {
      assertEquals((await pool.fetch(URL_A)).status, 401);
      assertEquals(seen.length, 1);
    },
  ],
  ["407-statuscode-window-null.js", "407 is an answer", () => answer("407 No"), async (pool) => {
    assertEquals((await pool.fetch(URL_A, { window: null })).status, 407);
  }],
  ["user-agent.js", "user-agent is hotconn", ok, async (pool, seen) => {
    await pool.fetch(URL_A);
    assertEquals(seen[0]!.headers.get("user-agent"), "hotconn");
  }],
];

for (const [file, about, serve, run] of [...same, ...other]) {
  test(`undici, ${file}: ${about}`, async () => {
    const seen: ServedRequest[] = [];
    await using pool = memoryHttp((request) => {
      seen.push(request);
      return serve(request);
    });
    await run(pool, seen);
  });
}

test("the documents count the cases of undici", () => {
  const told = casesTold("undici");
  assertEquals(told, [same.length + other.length, same.length, other.length]);
});
