/**
 * What `fetch` over a pool gives, whole or lazy: to its callers it is the runtime's own `Response`.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { detectRuntime } from "../../adapters/detect.ts";
import type { MemorySocket } from "../../adapters/memory.ts";
import { RequestError } from "../../src/core/errors.ts";
import { connectionOf } from "../../src/http/fetch.ts";
import { makeResponse, type ResponseMaker } from "../../src/http/fetched_response.ts";
import { makeLazyResponse, makeLazyStreamedResponse } from "../../src/http/lazy_response.ts";
import { collect } from "../support/collect.ts";
import { answer, memoryHttp, type ServedRequest } from "../support/memory_http.ts";
import { Random, withSeed } from "../support/random.ts";

const text = "{\"name\": \"Grüße\"}";
const bytes = new TextEncoder().encode(text);
const head = `HTTP/1.1 200 Fine\r\ncontent-type: application/json\r\ncontent-length: `;

/** Answers the same three ways: whole, in two parts, and coded. */
function serve({ headers, path }: ServedRequest, socket: MemorySocket) {
  const type = { "content-type": "application/json" };
  switch (path) {
    case "/whole":
      return answer("200 Fine", type, bytes);
    case "/parts":
      setTimeout(() => socket.receive(bytes.subarray(5)), 5);
      return answer(
        "200 Fine",
        { ...type, "content-length": `${bytes.length}` },
        bytes.slice(0, 5),
      );
    case "/coded":
      return answer("200 Fine", { ...type, "content-encoding": "gzip" }, gzipSync(bytes));
    case "/fields":
      return "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-many: 1\r\n"
        + "x-many: 2\r\nx-none:\r\ncontent-length: 0\r\n\r\n";
    case "/form":
      return answer("200", { "content-type": "application/x-www-form-urlencoded" }, "a=1&b=2");
    case "/redirect":
      return answer("302 Found", { location: "/whole" });
    case "/cut":
      setTimeout(() => socket.end(), 5);
      return `${head}10\r\n\r\nhalf`;
    case "/typed":
      return answer("200 OK", { "content-type": headers.get("x-type")! }, bytes);
    case "/coded-cut": {
      setTimeout(() => socket.end(), 5);
      return "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n\x1f";
    }
    case "/half":
      return `${head}10\r\n\r\nhalf`;
    default:
      return "HTTP/1.1 204 No Content\r\n\r\n";
  }
}

function membersOf(response: Response): string[] {
  const names: string[] = [];
  for (const name in response) names.push(name);
  return names.sort();
}

/** A stream as the runtimes' own fetch gives it: one of bytes, whose tee() reads nothing ahead. */
function streamOf(...parts: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      for (const part of parts) controller.enqueue(part.slice());
      controller.close();
    },
  });
}

const ways = ["/whole", "/parts", "/coded"];

const runtime = detectRuntime();

// A lazy one is for Node and Deno, whose own class it is like to the last quirk.
const makers: readonly (readonly [kind: string, respond: ResponseMaker])[] = [
  ["whole", makeResponse],
  ...(runtime === "node" ? [["lazy", makeLazyResponse]] as const : []),
  ...(runtime === "deno" ? [["lazy", makeLazyStreamedResponse]] as const : []),
];

for (const [kind, respond] of makers) {
  const open = () => memoryHttp(serve, {}, respond);
  const isStreamed = respond === makeLazyStreamedResponse;

  test(`a response made ${kind} gives its body in every form, once`, async () => {
    await using pool = open();
    const forms: readonly ((response: Response) => Promise<unknown>)[] = [
      (response) => response.text(),
      (response) => response.json(),
      (response) => response.arrayBuffer(),
      async (response) => await (await response.blob()).text(),
      async (response) => await new Response(response.body).text(),
      async (response) => await new Response(response.body, response).text(),
    ];
    for (const way of ways) {
      for (const read of forms) {
        const response = await pool.fetch(`https://a.test${way}`);
        const { headers } = response;
        const isStream = way !== "/whole" || isStreamed;
        const own = new Response(isStream ? streamOf(bytes) : bytes, { headers });
        assertEquals(response.bodyUsed, false, `${way} ${read}`);
        assertEquals(await read(response), await read(own), `${way} ${read}`);
        assertEquals(response.bodyUsed, own.bodyUsed, `${way} ${read}`);
        // Deno lets a body that was there at once be handed on time and again.
        if (!own.bodyUsed) continue;
        await assertRejects(() => response.text(), TypeError);
        await assertRejects(() => response.json(), TypeError);
        await assertRejects(() => response.arrayBuffer(), TypeError);
        await assertRejects(() => response.blob(), TypeError);
        assertThrows(() => response.clone(), TypeError);
        assertThrows(() => new Response(response.body), TypeError);
      }
    }
    for (const way of ways) {
      const { type } = await (await pool.fetch(`https://a.test${way}`)).blob();
      assert(type.startsWith("application/json"), `${way}: ${type}`);
    }
    const form = await (await pool.fetch("https://a.test/form")).formData();
    assertEquals([...form], [["a", "1"], ["b", "2"]]);
  });

  test(`a response made ${kind} gives bytes where the runtime's own does`, async () => {
    await using pool = open();
    for (const way of ways) {
      const response = await pool.fetch(`https://a.test${way}`);
      if (!("bytes" in response)) continue;
      assertEquals(await response.bytes(), bytes);
      await assertRejects(() => response.bytes(), TypeError);
    }
  });

  test(`a response made ${kind} has all fields, several of a name among them`, async () => {
    await using pool = open();
    const response = await pool.fetch("https://a.test/fields");
    for (const { headers } of [response, response.clone()]) {
      assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
      assertEquals([headers.get("x-many"), headers.get("x-none")], ["1, 2", ""]);
      assertEquals(headers.get("content-length"), "0");
    }
  });

  test(`a response made ${kind} keeps one body and one set of headers`, async () => {
    await using pool = open();
    const response = await pool.fetch("https://a.test/parts");
    const { body, headers } = response;
    assertInstanceOf(headers, Headers);
    assertInstanceOf(body, ReadableStream);
    assertStrictEquals(response.body, body);
    assertStrictEquals(response.headers, headers);
    const reader = body.getReader();
    await assertRejects(() => response.text(), TypeError);
    assertEquals((await reader.read()).value, bytes.slice(0, 5));
    assertEquals((await reader.read()).value, bytes.slice(5));
    assertEquals((await reader.read()).done, true);
  });

  test(`a clone of a response made ${kind} tells what the response tells`, async () => {
    await using pool = open();
    for (const way of ["/redirect", ...ways]) {
      const response = await pool.fetch(`https://a.test${way}`);
      const clones = [response.clone(), response.clone()];
      clones.push(clones[0]!.clone());
      for (const each of [response, ...clones]) {
        assertInstanceOf(each, Response);
        assertEquals(each.url, `https://a.test${way === "/redirect" ? "/whole" : way}`);
        assertEquals([each.status, each.statusText, each.ok], [200, "Fine", true]);
        assertEquals([each.redirected, each.type], [way === "/redirect", "basic"]);
        assertEquals(each.headers.get("content-type"), "application/json");
        assertEquals(connectionOf(each)?.ip, "192.0.2.1");
      }
      const texts = [response, ...clones].map((each) => each.text());
      assertEquals(await Promise.all(texts), [text, text, text, text]);
    }
  });

  test(`the headers of a response made ${kind}, and of its clone, cannot be changed`, async () => {
    await using pool = open();
    const response = await pool.fetch("https://a.test/coded");
    const clone = response.clone();
    for (const { headers } of [response, clone, clone.clone()]) {
      assertThrows(() => headers.set("content-type", "x"), TypeError, "immutable");
      assertThrows(() => headers.append("x-added", "1"), TypeError, "immutable");
      assertThrows(() => headers.delete("content-type"), TypeError, "immutable");
      assertInstanceOf(headers, Headers);
      assertEquals(headers.get("content-type"), "application/json");
      const copy = new Headers(headers);
      copy.set("content-type", "x");
      assertEquals(copy.get("content-type"), "x");
    }
    // What is made of it is the caller's.
    const made = new Response(null, response);
    made.headers.set("x-added", "1");
    assertEquals([made.headers.get("x-added"), made.headers.has("content-type")], ["1", true]);
  });

  test(`the body of a response made ${kind} fails though nobody reads it`, async () => {
    await using pool = open();
    for (const path of ["/cut", "/coded-cut"]) {
      const { body } = await pool.fetch(`https://a.test${path}`);
      const error = await assertRejects(() => body!.getReader().closed, TypeError);
      assertInstanceOf(error.cause, RequestError);
    }
    const reader = (await pool.request("https://a.test/cut")).body.getReader();
    await assertRejects(() => reader.closed, RequestError);
  });

  const hasBytes = runtime === "node" || kind === "lazy";
  const skip = hasBytes ? false : "the runtime's own has none either, or Deno gives another kind";
  test(`the body of a response made ${kind} is a stream of bytes`, { skip }, async () => {
    await using pool = open();
    for (const way of ways) {
      const response = await pool.fetch(`https://a.test${way}`);
      const reader = response.body!.getReader({ mode: "byob" });
      const parts: number[] = [];
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(4));
        if (done) break;
        parts.push(...value);
      }
      assertEquals(Uint8Array.from(parts), bytes, way);
    }
  });

  test(`a response made ${kind} gives nothing after an abort, though all has arrived`, async () => {
    await using pool = open();
    const reason = new Error("enough");
    for (const way of ways) {
      for (const read of Object.values(wholeReads)) {
        const stop = new AbortController();
        const response = await pool.fetch(`https://a.test${way}`, { signal: stop.signal });
        const clone = response.clone();
        await new Promise((resolve) => setTimeout(resolve, 10));
        stop.abort(reason);
        assertStrictEquals(await assertRejects(() => read(response)), reason);
        assertStrictEquals(await assertRejects(() => read(clone)), reason);
      }
    }
  });

  test(`a clone of a response made ${kind} can be read however late`, async () => {
    await using pool = open();
    const response = await pool.fetch("https://a.test/parts");
    const clone = response.clone();
    for (let turns = 0; turns < 5; turns++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals([await response.text(), await clone.text()], [text, text]);
  });

  test(`a response made ${kind} has every member of the runtime's own`, async () => {
    await using pool = open();
    const response = await pool.fetch("https://a.test/whole");
    for (const name of Object.getOwnPropertyNames(Response.prototype)) {
      const own = Reflect.get(new Response(), name);
      const member = Reflect.get(response, name);
      assertEquals(typeof member, typeof own, name);
    }
    assertEquals(Object.prototype.toString.call(response), "[object Response]");
    assertEquals(inspect(response).includes("200"), inspect(new Response()).includes("200"));
    assertEquals(await response.text(), text);
  });

  test(`a response made ${kind} looks as the runtime's own to who copies it`, async () => {
    await using pool = open();
    const own = new Response("");
    const response = await pool.fetch("https://a.test/whole");
    for (const one of [response, response.clone()]) {
      assertEquals(membersOf(one), membersOf(own));
      assertStrictEquals(one.constructor, Response);
    }
  });

  test(`a blob of a response made ${kind} has the body's type, if it is one`, async () => {
    await using pool = open();
    // Bun's own takes whatever stands there.
    const nonsense = detectRuntime() === "bun" ? "nonsense" : "";
    for (const [given, type] of [["text/x", "text/x"], ["nonsense", nonsense]] as const) {
      const response = await pool.fetch("https://a.test/typed", { headers: { "x-type": given } });
      assertEquals((await response.blob()).type, type, given);
    }
  });

  test(`a response made ${kind} without a body has none, however often it is read`, async () => {
    await using pool = open();
    const response = await pool.fetch("https://a.test/nothing");
    assertEquals([response.status, response.body, response.bodyUsed], [204, null, false]);
    assertEquals([await response.text(), await response.text()], ["", ""]);
    assertEquals((await response.clone().arrayBuffer()).byteLength, 0);
  });

  test(`the body of a response made ${kind} fails as fetch's does`, async () => {
    await using pool = open();
    const reads: readonly ((response: Response) => Promise<unknown>)[] = [
      (response) => response.text(),
      (response) => response.json(),
      (response) => response.arrayBuffer(),
      (response) => response.blob(),
      (response) => new Response(response.body).text(),
      (response) => response.clone().text(),
    ];
    for (const read of reads) {
      const response = await pool.fetch("https://a.test/cut");
      const error = await assertRejects(() => read(response), TypeError);
      assertInstanceOf(error.cause, RequestError, `${error}`);
      const stop = new AbortController();
      const reason = new Error("enough");
      const stopped = await pool.fetch("https://a.test/half", { signal: stop.signal });
      const reading = read(stopped);
      setTimeout(() => stop.abort(reason), 5);
      assertStrictEquals(await assertRejects(() => reading), reason);
    }
    assertEquals(pool.stats().connections, 0);
  });

  test(`whatever is called in whatever order, a response made ${kind} does as the runtime's own`, () =>
    withSeed(async (seed) => {
      await using pool = open();
      const random = new Random(seed);
      for (let round = 0; round < 200; round++) {
        const way = random.pick([...ways, "/nothing"]);
        const response = await pool.fetch(`https://a.test${way}`);
        const { status } = response;
        const body = {
          "/nothing": null,
          "/whole": isStreamed ? streamOf(bytes) : bytes,
          "/parts": streamOf(bytes.slice(0, 5), bytes.slice(5)),
          "/coded": streamOf(bytes),
        }[way] ?? null;
        const own = new Response(body, { status, headers: response.headers });
        const pairs: [Response, Response][] = [[response, own]];
        const called: string[] = [];
        for (let step = 0; step < 6; step++) {
          const [theirs, native] = random.pick(pairs);
          const call = random.pick(Object.keys(calls));
          called.push(call);
          const [got, expected] = [
            await outcome(calls[call]!, theirs),
            await outcome(calls[call]!, native),
          ];
          assertEquals(got.told, expected.told, `${way}: ${called.join()}`);
          if (got.copy && expected.copy) pairs.push([got.copy, expected.copy]);
        }
        for (const [theirs] of pairs) void theirs.body?.cancel().catch(() => {});
      }
    }));
}

const wholeReads: { readonly [name: string]: (response: Response) => Promise<unknown> } = {
  text: (response) => response.text(),
  json: (response) => response.json(),
  arrayBuffer: (response) => response.arrayBuffer(),
  blob: (response) => response.blob(),
  read: (response) => response.body!.getReader().read(),
};

type Call = (response: Response) => unknown;

const calls: { readonly [name: string]: Call } = {
  text: (response) => response.text(),
  json: (response) => response.json(),
  arrayBuffer: (response) => response.arrayBuffer(),
  blob: async (response) => await (await response.blob()).text(),
  clone: (response) => response.clone(),
  bodyUsed: (response) => response.bodyUsed,
  locked: (response) => response.body?.locked,
  headers: (response) => response.headers.get("content-type"),
  // A clone's is over when its twin's is.
  cancel: (response) => void response.body?.cancel().catch(() => {}),
  stream: async (response) => response.body && await new Response(response.body).text(),
  copy: (response) => new Response(response.body, response),
  lock: (response) => void response.body?.getReader(),
  read: async (response) => {
    const reader = response.body?.getReader();
    const { done } = await reader?.read() ?? {};
    reader?.releaseLock();
    return done;
  },
};

/** What came of a call, as far as it can be compared, and the response that it gave, if any. */
async function outcome(
  call: Call,
  response: Response,
): Promise<{ told: unknown; copy?: Response }> {
  try {
    const result = await call(response);
    return result instanceof Response ? { told: "response", copy: result } : { told: result };
  } catch (error) {
    return { told: (error as Error).name };
  }
}
