/**
 * The bodies of requests, over real sockets.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { Readable } from "node:stream";
import { test } from "node:test";
import { RequestError } from "../../src/core/errors.ts";
import type { RequestBody } from "../../src/http/payload.ts";
import { ok, type Scene, withScene } from "../support/http_scene.ts";
import { pattern } from "../support/pattern.ts";

const CREATED = [{ wait: "body" as const }, { send: ok("", [], "201 Created") }];
const scripts = { "*": CREATED };

async function post({ pool, url }: Scene, body: RequestBody): Promise<void> {
  const response = await pool.request(url("/"), { method: "POST", body });
  assertEquals(response.status, 201);
  await response.dump();
}

/** Gives so many bytes at a time of the pattern. */
async function* patterned(sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield await Promise.resolve(pattern(at, size));
    at += size;
  }
}

test("A body of every kind is sent whole, with its length and its type", () =>
  withScene({ scripts }, async (scene) => {
    const bytes = new TextEncoder().encode("body");
    const text = "text/plain;charset=utf-8";
    const form = "application/x-www-form-urlencoded;charset=utf-8";
    const cases: [body: RequestBody, sent: string, type: string | undefined][] = [
      ["", "", text],
      ["b\u00f6dy", "b\xc3\xb6dy", text],
      [bytes, "body", undefined],
      [bytes.subarray(1, 3), "od", undefined],
      [bytes.buffer, "body", undefined],
      [new DataView(bytes.buffer, 1, 2), "od", undefined],
      [new Uint16Array(bytes.buffer, 2), "dy", undefined],
      [new URLSearchParams({ a: "1 2", b: "&" }), "a=1+2&b=%26", form],
      [new Blob(["bl", "ob"], { type: "x/y" }), "blob", "x/y"],
      [new Blob(["bl", "ob"]), "blob", undefined],
    ];
    for (const [body] of cases) await post(scene, body);
    const { log } = await scene.origin.report();
    for (const [index, [, sent, type]] of cases.entries()) {
      const { bodyStart, head } = log[index]!;
      assertEquals(bodyStart, sent);
      assertEquals(/^content-length: (.*)$/m.exec(head)?.[1], `${sent.length}`);
      assertEquals(/^content-type: (.*)$/m.exec(head)?.[1]?.toLowerCase(), type);
    }
    assertEquals(scene.pool.stats().dials, 1);
  }));

test("A blob and a form's file go out as they are read, with their length", () =>
  withScene({ scripts }, async (scene) => {
    const size = 32 * 1024 * 1024;
    let held = 0;
    let most = 0;
    const file = {
      name: "f.bin",
      size,
      type: "x/y",
      [Symbol.toStringTag]: "File",
      arrayBuffer: () => Promise.reject(new Error("It was read whole")),
      slice: (start: number, end: number) => ({
        arrayBuffer() {
          most = Math.max(most, end - start);
          held += end - start;
          return Promise.resolve(pattern(start, end - start).buffer);
        },
      }),
    };
    const form = {
      [Symbol.toStringTag]: "FormData",
      *[Symbol.iterator]() {
        yield ["f", file];
      },
    };
    for (const body of [file, form]) {
      held = 0;
      await post(scene, body as unknown as Blob);
      assertEquals(held, size);
    }
    assert(most <= 262_144, `${most}`);
    const [blob, multipart] = (await scene.origin.report()).log;
    assertEquals(blob!.bodyBytes, size);
    for (const { bodyBytes, complete, head } of [blob!, multipart!]) {
      assertEquals([complete, /^content-length: (.*)$/m.exec(head)?.[1]], [true, `${bodyBytes}`]);
    }
    // Its size is a promise that it may break.
    const short = {
      ...file,
      slice: () => ({ arrayBuffer: () => Promise.resolve(new ArrayBuffer(1)) }),
    };
    await assertRejects(() => post(scene, short as unknown as Blob), RequestError, "body failed");
  }));

test("A form with a file is sent as multipart/form-data", () =>
  withScene({ scripts }, async (scene) => {
    const form = new FormData();
    form.set("name", "v\u00e4lue");
    form.set("file", new File(["content"], "f.txt", { type: "text/x" }));
    await post(scene, form);
    const [request] = (await scene.origin.report()).log;
    const boundary = /^content-type: multipart\/form-data; boundary=(\S+)/m.exec(request!.head)
      ?.[1];
    assert(boundary && request!.bodyStart.includes(boundary), request!.head);
    assertMatch(request!.bodyStart, /name="name"\r\n\r\nv\xc3\xa4lue\r\n/);
    assertMatch(request!.bodyStart, /filename="f.txt"[\s\S]*text\/x[\s\S]*\r\n\r\ncontent\r\n/);
  }));

test("A type among the headers is kept, whatever the body's own", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const headers = { "Content-Type": "application/json" };
    await (await pool.request(url("/"), { method: "PUT", body: "{}", headers })).dump();
    const [request] = (await origin.report()).log;
    assertEquals(request!.head.match(/content-type/gi)?.length, 1);
    assertMatch(request!.head, /^Content-Type: application\/json$/m);
  }));

test("A stream and an iterable are sent in chunks as they come, empty parts left out", () =>
  withScene({ scripts }, async (scene) => {
    const parts = [pattern(0, 10), new Uint8Array(0), pattern(10, 100_000), pattern(100_010, 1)];
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
    async function* generate(): AsyncGenerator<Uint8Array> {
      for (const part of parts) {
        yield part;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    const empty = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
    for (const body of [stream, generate(), empty]) await post(scene, body);
    const { log } = await scene.origin.report();
    assertEquals(log.map(({ bodyBytes }) => bodyBytes), [100_011, 100_011, 0]);
    assertEquals(log.map(({ bodyMismatch }) => bodyMismatch), [-1, -1, -1]);
    for (const { complete, head } of log) {
      assert(complete);
      assertMatch(head, /^transfer-encoding: chunked$/m);
      assert(!/content-length/i.test(head));
    }
    assertEquals(scene.pool.stats().dials, 1);
  }));

test("A stream of a length that the headers say is sent so, and not in chunks", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const cases: [parts: readonly number[], length: number][] = [
      [[0, 1, 0, 100_000, 0], 100_001],
      [[300_000, 300_000], 600_000],
      [[], 0],
    ];
    for (const [parts, length] of cases) {
      const headers = { "Content-Length": `${length}` };
      const body = patterned(parts);
      await (await pool.request(url("/"), { method: "PUT", headers, body })).dump();
    }
    const { log } = await origin.report();
    assertEquals(log.map(({ bodyBytes }) => bodyBytes), cases.map(([, length]) => length));
    assertEquals(log.map(({ bodyMismatch }) => bodyMismatch), [-1, -1, -1]);
    for (const { head } of log) assert(!/transfer-encoding/i.test(head), head);
    assertEquals(pool.stats().dials, 1);
  }));

test("A stream of another length than the headers say ends its request, and is never whole", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const cases: [parts: readonly number[], length: number, text: string][] = [
      [[4, 5], 10, "shorter than its content-length says, which is 10"],
      [[], 1, "shorter"],
      [[4, 6, 1], 10, "longer than its content-length says, which is 10"],
      [[11], 10, "longer"],
      [[1], 0, "longer"],
    ];
    for (const [parts, length, text] of cases) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const size of parts) controller.enqueue(new Uint8Array(size));
          controller.close();
        },
      });
      const error = await assertRejects(
        () =>
          pool.request(url("/"), {
            method: "PUT",
            headers: { "content-length": `${length}` },
            body,
          }),
        RequestError,
        "its body failed",
      );
      assert(error.cause instanceof RangeError);
      assertStringIncludes(error.cause.message, text);
    }
    for (const length of ["1.5", "-1", "01", "1e3", "99999999999999999999"]) {
      const headers = { "content-length": length };
      const body = new Blob(["x"]).stream();
      await assertRejects(
        () => pool.request(url("/"), { method: "PUT", headers, body }),
        TypeError,
        "content-length contradicts the body",
      );
    }
    const { log } = await origin.until({ openSockets: 0 });
    assertEquals(log.filter(({ complete, head }) => complete && !/length: 0$/m.test(head)), []);
  }));

test("8 MiB go up intact, as bytes and as a stream, and the connection stays hot", () =>
  withScene({ scripts }, async (scene) => {
    const whole = pattern(0, 8_388_608);
    let at = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at === whole.length) return controller.close();
        controller.enqueue(whole.subarray(at, at += 65_536));
      },
    });
    for (const body of [whole, stream, new Blob([whole])]) await post(scene, body);
    const { log } = await scene.origin.report();
    assertEquals(log.map(({ bodyBytes }) => bodyBytes), [8_388_608, 8_388_608, 8_388_608]);
    assertEquals(log.map(({ bodyMismatch }) => bodyMismatch), [-1, -1, -1]);
    assertEquals(scene.pool.stats().dials, 1);
  }));

test("A server that does not read makes the body's stream wait", () =>
  withScene({ scripts: { "*": [{ do: "pause" }] } }, async ({ origin, pool, url }) => {
    let sent = 0;
    const stop = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    }, { highWaterMark: 0 });
    const request = pool.request(url("/"), { method: "POST", body, signal: stop.signal });
    await origin.until({ requests: 1 });
    for (let before = -1; sent !== before && sent < 33_554_432;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert(sent > 0 && sent < 33_554_432, `${sent} bytes were taken`);
    stop.abort(new Error("enough"));
    await assertRejects(() => request, Error, "enough");
    await origin.act({ kind: "resume" });
  }));

test("A body that throws midway ends the request with its error, and the connection", () =>
  withScene({ scripts: { "*": CREATED } }, async ({ origin, pool, url }) => {
    const cause = new Error("out of bytes");
    async function* bad(): AsyncGenerator<Uint8Array> {
      yield pattern(0, 1_000);
      await origin.until({ bytesReceived: 1_000 });
      throw cause;
    }
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(pattern(0, 1_000));
        controller.error(cause);
      },
    });
    for (const body of [bad(), stream]) {
      const error = await assertRejects(
        () => pool.request(url("/"), { method: "PUT", body }),
        RequestError,
        "its body failed",
      );
      assertEquals([error.failure, error.maybeActedOn], ["body", true]);
      assertStrictEquals(error.cause, cause);
    }
    const { log } = await origin.until({ openSockets: 0, accepted: 2 });
    assertEquals(log.map(({ complete }) => complete), [false, false]);
  }));

test("A body's stream that gives something else than bytes ends the request", () =>
  withScene({ scripts }, async ({ pool, url }) => {
    async function* iterable(part: unknown): AsyncGenerator<unknown> {
      yield await Promise.resolve(part);
    }
    const stream = (part: unknown) =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(part);
          controller.close();
        },
      });
    // What is nothing must not be taken for the end of the body.
    for (const part of ["text", 1, {}, null, undefined]) {
      for (const body of [iterable(part), stream(part)] as AsyncIterable<Uint8Array>[]) {
        const error = await assertRejects(
          () => pool.request(url("/"), { method: "POST", body }),
          RequestError,
        );
        assertMatch(String(error.cause), /must be a Uint8Array, got /);
      }
    }
  }));

test("A stream that was read already is refused, and not sent as an empty body", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const streams: readonly (() => RequestBody)[] = [
      () => new Blob(["text"]).stream(),
      () => Readable.from([pattern(0, 10)]),
    ];
    for (const make of streams) {
      const body = make();
      await (await pool.request(url("/"), { method: "PUT", body })).dump();
      const again = { method: "PUT", body, duplex: "half" } as RequestInit;
      await assertRejects(
        () => pool.request(url("/"), { method: "PUT", body }),
        TypeError,
        "already been read",
      );
      await assertRejects(() => pool.fetch(url("/"), again), TypeError);
    }
    const read = new Blob(["text"]).stream();
    assertEquals(await new Response(read).text(), "text");
    await assertRejects(() => pool.request(url("/"), { method: "PUT", body: read }), TypeError);
    assertEquals((await origin.report()).requests, 2);
  }));
