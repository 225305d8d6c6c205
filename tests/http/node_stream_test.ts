/**
 * Streams of Node's as the bodies of requests, on every runtime, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, request as requestOf } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { RequestError } from "../../src/core/errors.ts";
import { ok, withScene } from "../support/http_scene.ts";

const scripts = {
  "/": [{ wait: "body" as const }, { send: ok("fine") }],
  "/early": [{ send: ok("no", [], "413 Content Too Large") }],
};

/** A stream with a part to read, and no end yet. */
function stalled(): PassThrough {
  const stream = new PassThrough();
  stream.write("part");
  return stream;
}

test("A stream of Node's is sent as it comes", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const parts = ["a stream", " in parts"].map((text) => Buffer.from(text));
    const through = Readable.from(parts).pipe(new PassThrough());
    for (const body of [Readable.from(parts), through]) {
      const response = await pool.request(url("/"), { method: "POST", body });
      assertEquals(await response.text(), "fine");
    }
    const { log } = await origin.report();
    assertEquals(log.map(({ bodyStart }) => bodyStart), ["a stream in parts", "a stream in parts"]);
    assertEquals(pool.stats().dials, 1);
  }));

test("A stream of Node's that fails before its connection is there fails its request alone", () =>
  withScene({ scripts }, async ({ pool, url }) => {
    const cause = new Error("out of bytes");
    const failed = new Readable({ read() {} }).destroy(cause);
    const error = await assertRejects(
      () => pool.request(url("/"), { method: "POST", body: failed }),
      RequestError,
      "its body failed",
    );
    assertStrictEquals(error.cause, cause);
    // Another connection than the last one's, which ended with it.
    const absent = createReadStream("/there/is/no/such/file");
    const init = { method: "POST", body: absent, duplex: "half" } as unknown as RequestInit;
    const { cause: failure } = await assertRejects(() => pool.fetch(url("/"), init), TypeError);
    assertEquals(((failure as Error).cause as NodeJS.ErrnoException).code, "ENOENT");
  }));

test("A stream of Node's is destroyed with a request that ends before it", () =>
  withScene({ scripts }, async ({ origin, pool, url }) => {
    const post = async (to: string, options: object): Promise<void> => {
      const body = stalled();
      const request = pool.request(to, { method: "POST", body, ...options });
      await request.then((response) => response.dump(), () => {});
      assert(body.destroyed, to);
    };
    await post("https://127.0.0.1:1/", {});
    await post(url("/"), { signal: AbortSignal.abort() });
    await post(url("/"), { timeoutMs: 20 });
    await post(url("/early"), {});
    const stop = new AbortController();
    const { requests } = await origin.report();
    const asked = post(url("/"), { signal: stop.signal });
    await origin.until({ requests: requests + 1 });
    stop.abort();
    await asked;
    // The standard blocks the one port, and nobody listens on the other.
    for (const port of [1, 2]) {
      for (const signal of [AbortSignal.abort(), undefined]) {
        const body = stalled();
        const init = { method: "POST", body, duplex: "half", signal } as unknown as RequestInit;
        await assertRejects(() => pool.fetch(`https://127.0.0.1:${port}/`, init));
        assert(body.destroyed);
      }
    }
  }));

test("A server answers a request whose body it could not hand on to its end", () =>
  withScene({ scripts }, async ({ pool, url }) => {
    const ended = (request: IncomingMessage) =>
      Promise.race([once(request, "end"), once(request, "close")]);
    for (const [to, status] of [[url("/early"), 413], ["https://127.0.0.1:1/", 502]] as const) {
      const server = createServer((body, response) => {
        pool.request(to, { method: "POST", body })
          .then(async (answer) => {
            await answer.dump();
            // What comes late is not wanted any more, and must not be in the answer's way.
            client.end("late");
            await ended(body);
            return answer.status;
          }, () => 502)
          .then((status) => response.writeHead(status, { connection: "close" }).end());
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const client = requestOf({ host: "127.0.0.1", port, method: "POST" });
      client.write("part");
      const [response] = await once(client, "response") as [IncomingMessage];
      assertEquals(response.statusCode, status);
      response.resume();
      client.destroy();
      server.close();
    }
  }));
