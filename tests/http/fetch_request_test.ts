/**
 * What `fetch` over a pool makes of what it is given: as the runtimes' own do, whoever made it.
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
import { createHash } from "node:crypto";
import { test } from "node:test";
import vm from "node:vm";
import { gzipSync } from "node:zlib";
import { connectionOf } from "../../src/http/fetch.ts";
import { answer, memoryHttp, type ServedRequest } from "../support/memory_http.ts";
import { pause } from "../support/services.ts";

const url = "https://a.test/";

/** A pool whose server keeps what it is asked, and sends `/from` on. */
function recording(status = 307) {
  const seen: ServedRequest[] = [];
  const pool = memoryHttp((request) => {
    seen.push(request);
    return request.path === "/from"
      ? answer(`${status} Elsewhere`, { location: "/to" })
      : answer("200 OK");
  });
  return { pool, seen };
}

function form(): FormData {
  const form = new FormData();
  form.set("a", "b");
  form.set("f", new Blob(["file"], { type: "x/y" }), "name.txt");
  return form;
}

const large = new Uint8Array(300_000).fill(97);
const bodies: readonly [
  what: string,
  make: () => BodyInit | undefined,
  sent: string | undefined,
][] = [
  ["a text", () => "hello", "hello"],
  ["bytes", () => new TextEncoder().encode("hello"), "hello"],
  ["parameters", () => new URLSearchParams({ a: "b" }), "a=b"],
  ["a blob", () => new Blob(["hel", "lo"]), "hello"],
  ["a large blob", () => new Blob([large, large]), "a".repeat(600_000)],
  ["a form", form, undefined],
  ["nothing", () => undefined, ""],
];

test("fetch() sends the body of a Request with its length, and again where it is redirected", async () => {
  for (const [what, make, sent] of bodies) {
    const { pool, seen } = recording();
    await using _ = pool;
    const request = new Request("https://a.test/from", { method: "POST", body: make() ?? null });
    assertEquals((await pool.fetch(request)).status, 200, what);
    for (const { body, headers, method } of seen) {
      assertEquals(method, "POST");
      assertEquals(headers.get("transfer-encoding"), null, what);
      assertEquals(headers.get("content-length"), `${body.length}`, what);
      if (sent !== undefined) assertEquals(body === sent, true, what);
    }
    assertEquals(seen.map(({ path }) => path), ["/from", "/to"], what);
  }
});

test("fetch() sends a Request's stream as it comes, and does not wait for its end", async () => {
  const { pool, seen } = recording();
  await using _ = pool;
  let end = () => {};
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      end = () => controller.close();
    },
    pull(controller) {
      if (pulled++ < 2) controller.enqueue(new TextEncoder().encode("ab"));
    },
  });
  const init = { method: "POST", body, duplex: "half" } as RequestInit;
  const fetching = pool.fetch(new Request(url, init));
  // It has a connection, and waits for the rest.
  for (let i = 0; i < 5_000 && pool.stats().leased === 0; i++) await pause(1);
  assertEquals(pool.stats().leased, 1);
  end();
  await fetching;
  assertEquals([seen[0]!.headers.get("transfer-encoding"), seen[0]!.body], ["chunked", "abab"]);
});

test("fetch() fails with a Request's stream, however early it fails", async () => {
  const { pool, seen } = recording();
  await using _ = pool;
  const reason = new Error("no more");
  for (const delayMs of [0, 20]) {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
        controller.error(reason);
      },
    }, { highWaterMark: 0 });
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    await assertRejects(() => pool.fetch(new Request(url, init)), TypeError);
  }
  assertEquals(seen.length, 0);
});

test("fetch() takes a Request's body for used, on every runtime", async () => {
  const { pool } = recording();
  await using _ = pool;
  const request = new Request(url, { method: "POST", body: "hello" });
  await pool.fetch(request);
  assertEquals(request.bodyUsed, true);
  await assertRejects(() => pool.fetch(request), TypeError, "already been read");
  // Another body may be sent in its place; and without one there is nothing to be used.
  await pool.fetch(request, { body: "other" });
  const get = new Request(url);
  await pool.fetch(get);
  await pool.fetch(get);
  await assertRejects(
    () => pool.fetch(new Request(url, { method: "POST", body: "x" }), { method: "GET" }),
    TypeError,
    "must have no body",
  );
});

test("the options of fetch() win over those of a Request", async () => {
  const { pool, seen } = recording(302);
  await using _ = pool;
  const stop = new AbortController();
  const request = new Request("https://a.test/from", {
    method: "PUT",
    headers: { "x-a": "1", "x-b": "1" },
    body: "hello",
    redirect: "manual",
    signal: stop.signal,
  });
  const response = await pool.fetch(request, { headers: { "x-a": "2" }, redirect: "follow" });
  assertEquals([response.status, response.redirected], [200, true]);
  assertEquals(seen.map(({ headers }) => [headers.get("x-a"), headers.get("x-b")]), [
    ["2", null],
    ["2", null],
  ]);
  stop.abort();
  await pool.fetch(new Request(request.url, { signal: stop.signal }), { signal: null });
});

test("fetch() sends a name as it was spelled first, and joins its values", async () => {
  const heads: string[] = [];
  await using pool = memoryHttp(() => answer("200 OK"));
  const ask = async (headers: HeadersInit) => {
    await pool.fetch(url, { headers });
    const { socket } = [...pool.manager.getConnectionsForHost("a.test")][0]!;
    const { written } = socket as unknown as { written: readonly Uint8Array[] };
    heads.push(Buffer.from(written.at(-1)!).toString());
  };
  await ask([["X-Foo", "1"], ["x-FOO", "2"], ["Accept", "a/b"]]);
  assert(heads[0]!.includes("\r\nX-Foo: 1, 2\r\n") && heads[0]!.includes("\r\nAccept: a/b\r\n"));
  await ask({ "X-Foo": "1" });
  assert(heads[1]!.includes("\r\nX-Foo: 1\r\n"), heads[1]);
  const headers = new Headers([["cookie", "a=1"], ["cookie", "b=2"]]);
  for (const given of [headers, [["cookie", "a=1"], ["Cookie", "b=2"]] as HeadersInit]) {
    await ask(given);
    assert(heads.at(-1)!.toLowerCase().includes("\r\ncookie: a=1; b=2\r\n"), heads.at(-1));
  }
  function* pairs(): Iterable<[string, string]> {
    yield ["x-once", "1"];
  }
  await ask(pairs() as never);
  assert(heads.at(-1)!.includes("\r\nx-once: 1\r\n"));
});

test("fetch() names the URL's host, whatever the headers say", async () => {
  const { pool, seen } = recording();
  await using _ = pool;
  await pool.fetch(url, { headers: { host: "b.test", Host: "c.test" } });
  await pool.fetch(new Request(url, { headers: { host: "b.test" } }));
  assertEquals(seen.map(({ headers }) => headers.get("host")), ["a.test", "a.test"]);
});

test("fetch() goes to no port that the standard blocks, by a redirect neither", async () => {
  await using pool = memoryHttp(() => answer("302 Found", { location: "https://a.test:6667/" }));
  for (const port of [1, 25, 587, 5060, 6667, 10080]) {
    await assertRejects(() => pool.fetch(`https://a.test:${port}/`), TypeError, "fetch failed");
  }
  assertEquals(pool.dialer.dials.length, 0);
  await assertRejects(() => pool.fetch(url), TypeError, "fetch failed");
  assertEquals(pool.dialer.dials.length, 1);
  // The standard is about fetch alone.
  await pool.request("https://a.test:6667/");
});

test("fetch() takes its arguments as the standard says", async () => {
  const { pool, seen } = recording();
  await using _ = pool;
  assertEquals(pool.fetch.length, 1);
  const init = Object.assign(() => {}, { method: "PUT" });
  assertEquals((await pool.fetch(url, init)).status, 200);
  assertEquals(seen[0]!.method, "PUT");
  const good = [
    { window: null },
    { window: undefined },
    { duplex: "half" },
    { duplex: undefined },
    ...["high", "low", "auto", undefined].map((priority) => ({ priority })),
  ];
  for (const init of good) {
    assertEquals((await pool.fetch(url, init as RequestInit)).status, 200);
  }
  const bad: readonly [init: unknown, why: string][] = [
    [5, "The options must be an object, got 5"],
    ["PUT", "The options must be an object"],
    [{ window: globalThis }, "window must be null"],
    [{ duplex: "full" }, "duplex must be \"half\""],
    [{ duplex: null }, "duplex must be \"half\""],
    [{ priority: "urgent" }, "priority must be one of high, low, auto"],
  ];
  const asked = seen.length;
  for (const [init, why] of bad) {
    await assertRejects(() => pool.fetch(url, init as RequestInit), TypeError, why);
  }
  assertEquals(seen.length, asked);
});

test("fetch() gives what data: and blob: URLs hold, over no connection", async () => {
  await using pool = memoryHttp(() => answer("302 Found", { location: "data:,x" }));
  const held = URL.createObjectURL(new Blob(["blob"]));
  for (const [given, text] of [["data:text/plain,data", "data"], [held, "blob"]] as const) {
    for (const input of [given, new URL(given), new Request(given)]) {
      const response = await pool.fetch(input);
      assertEquals([response.status, await response.text()], [200, text]);
      assertEquals(connectionOf(response), undefined);
    }
  }
  await assertRejects(() => pool.fetch("data:no comma"), TypeError);
  assertEquals(pool.dialer.dials.length, 0);
  // A server cannot lead there.
  await assertRejects(() => pool.fetch(url), TypeError);
});

test("fetch() verifies integrity over the decoded body, in its options and in a Request", async () => {
  const text = "body";
  const digest = (algorithm: string, of = text) =>
    `${algorithm}-${createHash(algorithm).update(of).digest("base64")}`;
  const [good, bad] = [digest("sha256"), digest("sha256", "other")];
  await using pool = memoryHttp(({ path }) =>
    path === "/coded"
      ? answer("200 OK", { "content-encoding": "gzip" }, gzipSync(text))
      : path === "/none"
      ? "HTTP/1.1 204 No Content\r\n\r\n"
      : answer("200 OK", {}, text)
  );
  const urlSafe = good.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")
    .replace("sha256_", "sha256-");
  for (const path of ["", "coded"]) {
    for (
      const integrity of [
        good,
        urlSafe,
        `${bad} ${good}`,
        digest("sha512"),
        digest("SHA384"),
        "md5-x",
        "",
      ]
    ) {
      const response = await pool.fetch(url + path, { integrity });
      assertEquals(await response.clone().text(), text);
      assertEquals(await response.text(), text);
    }
    // The strongest alone count.
    for (const integrity of [bad, `${good} ${digest("sha512", "other")}`, "sha256-!!!", "sha512"]) {
      const error = await assertRejects(() => pool.fetch(url + path, { integrity }), TypeError);
      assertEquals((error.cause as Error).message, "The body is not what its integrity says");
    }
  }
  await assertRejects(() => pool.fetch(`${url}none`, { integrity: good }), TypeError);
  const request = new Request(url, { integrity: bad });
  // Bun's Request forgets it.
  if (request.integrity) await assertRejects(() => pool.fetch(request), TypeError);
  assertEquals(pool.stats().leased, 0);
});

test("fetch() and request() take what another realm has made", async () => {
  const { pool, seen } = recording();
  await using _ = pool;
  const foreign: readonly [unknown, string][] = [
    [vm.runInNewContext("new Uint8Array([104, 105])"), "hi"],
    [vm.runInNewContext("new Uint8Array([104, 105]).buffer"), "hi"],
    [vm.runInNewContext("new DataView(new Uint8Array([104, 105]).buffer, 1)"), "i"],
    [vm.runInNewContext("(async function* () { yield new Uint8Array([104]) })()"), "h"],
    [new LikeBlob("blob"), "blob"],
    [new LikeStream(vm.runInNewContext("new Uint8Array([104, 105])")), "hi"],
  ];
  for (const [body, sent] of foreign) {
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    await pool.fetch(url, init);
    assertEquals(seen.at(-1)!.body, sent);
  }
  for (const body of [new LikeBlob("blob"), new Uint8Array(foreign[1]![0] as ArrayBuffer)]) {
    await pool.request(url, { method: "POST", body: body as unknown as Blob });
  }
  assertEquals(seen.slice(-2).map(({ body }) => body), ["blob", "hi"]);
  await pool.fetch(url, { method: "POST", body: new LikeForm() as unknown as FormData });
  const { body, headers } = seen.at(-1)!;
  const [, boundary] = /^multipart\/form-data; boundary=(.+)$/.exec(headers.get("content-type")!)!;
  assert(body.endsWith(`\r\n--${boundary}--\r\n`));
  assert(body.includes("name=\"a\"\r\n\r\nb\r\n") && body.includes("filename=\"f.txt\""));
  // An abort of another realm's is one.
  const signal = Object.assign(new EventTarget(), { aborted: true, reason: new Error("enough") });
  Object.assign(signal, {
    throwIfAborted() {
      throw signal.reason;
    },
  });
  const error = await assertRejects(() => pool.fetch(url, { signal: signal as never }));
  assertStrictEquals(error, signal.reason);
});

test("a form is sent as every runtime's own reads it", async () => {
  const given = new FormData();
  given.append("é\"\n", "line\nline\r\nline\r");
  given.append("f", new Blob(["file"], { type: "x/y" }), "a\"b\r\nc.txt");
  given.append("f", new File([], ""));
  let sent: { type: string; body: string } | undefined;
  await using pool = memoryHttp(({ body, headers }) => {
    sent = { type: headers.get("content-type")!, body };
    return answer("200 OK");
  });
  await pool.fetch(url, { method: "POST", body: given });
  const bytes = Uint8Array.from(sent!.body, (char) => char.charCodeAt(0));
  const read = await new Response(bytes, { headers: { "content-type": sent!.type } }).formData();
  const [[, text], [, file], [, empty]] = [...read] as [string, FormDataEntryValue][] as [
    [string, string],
    [string, File],
    [string, File],
  ];
  assertEquals(text, "line\r\nline\r\nline\r\n");
  assertEquals([await file.text(), await empty.text()], ["file", ""]);
  assertInstanceOf(empty, Blob);
  assert(sent!.body.includes("filename=\"a%22b%0D%0Ac.txt\"\r\nContent-Type: x/y\r\n"));
});

/** What a library's blob is. */
class LikeBlob {
  readonly type = "x/y";
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get size(): number {
    return this.#text.length;
  }

  get [Symbol.toStringTag](): string {
    return "Blob";
  }

  slice(start: number, end: number): LikeBlob {
    return new LikeBlob(this.#text.slice(start, end));
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.resolve(new TextEncoder().encode(this.#text).buffer as ArrayBuffer);
  }
}

/** What a library's form is. */
class LikeForm {
  get [Symbol.toStringTag](): string {
    return "FormData";
  }

  *[Symbol.iterator](): Iterator<[string, unknown]> {
    yield ["a", "b"];
    yield ["f", Object.assign(new LikeBlob("file"), { name: "f.txt" })];
  }
}

/** What a library's stream is. */
class LikeStream {
  readonly locked = false;
  #parts: unknown[];

  constructor(...parts: unknown[]) {
    this.#parts = parts;
  }

  get [Symbol.toStringTag](): string {
    return "ReadableStream";
  }

  getReader() {
    return {
      read: () => {
        const value = this.#parts.shift();
        return Promise.resolve({ done: value === undefined, value });
      },
      cancel: () => Promise.resolve(),
    };
  }
}
