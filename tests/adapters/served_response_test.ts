/**
 * What `fetch` over a pool gives, handed on to what each runtime has that takes a `Response`.
 *
 * @module
 */

import { serve } from "@hono/node-server";
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { createPool, detectRuntime } from "../../adapters/detect.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { answer } from "../support/memory_http.ts";

type Handler = (request: Request) => Promise<Response>;

interface Server {
  readonly port: number;
  stop(): Promise<unknown>;
}

/** The server that comes with the runtime, or the usual one where none takes a `Response`. */
async function listen(fetch: Handler): Promise<Server> {
  const { Bun, Deno } = globalThis as unknown as {
    Bun: {
      serve(options: { fetch: Handler; hostname: string; port: number }): {
        readonly port: number;
        stop(): Promise<void>;
      };
    };
    Deno: {
      serve(options: object, fetch: Handler): {
        readonly addr: { readonly port: number };
        shutdown(): Promise<void>;
      };
    };
  };
  const options = { hostname: "127.0.0.1", port: 0 };
  switch (detectRuntime()) {
    case "bun": {
      const server = Bun.serve({ ...options, fetch });
      return { port: server.port, stop: () => server.stop() };
    }
    case "deno": {
      const server = Deno.serve({ ...options, onListen() {} }, fetch);
      return { port: server.addr.port, stop: () => server.shutdown() };
    }
    case "node":
      return await new Promise((resolve) => {
        const server = serve(
          { ...options, fetch, overrideGlobalObjects: false },
          ({ port }) =>
            resolve({ port, stop: () => new Promise((stopped) => server.close(stopped)) }),
        );
      });
  }
}

/** A pool whose only host answers with these bytes, in as many parts. */
function openPool(type: string, ...parts: readonly Uint8Array[]) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = answer("200 Fine", { "content-type": type, "content-length": `${length}` });
  return createPool({
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
    dialer: memoryDialer({
      script: () => ({
        socket: {
          async onWrite(socket) {
            socket.receive(head);
            for (const part of parts) {
              await new Promise((resolve) => setTimeout(resolve, 2));
              socket.receive(part);
            }
          },
        },
      }),
    }),
  });
}

test("the runtime's server sends what fetch() gave", async () => {
  const parts = ["a", "b", "c"].map((letter) => new TextEncoder().encode(letter.repeat(10_000)));
  await using pool = openPool("text/plain", ...parts);
  const server = await listen(() => pool.fetch("https://a.test/"));
  try {
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/plain"]);
    assertEquals((await response.text()).length, 30_000);
  } finally {
    await server.stop();
  }
});

test("the runtime's server sends what fetch() gave, whatever was looked at before", async () => {
  const looks: readonly ((response: Response) => Response)[] = [
    (response) => response,
    (response) => response.headers.has("content-type") ? response : Response.error(),
    (response) => response.body ? response : Response.error(),
    (response) => response.clone(),
    (response) => response.clone() && response,
    (response) => new Response(response.body, response),
  ];
  const letters = new TextEncoder().encode("abc");
  for (const parts of [[letters], [letters.slice(0, 1), letters.slice(1)]]) {
    await using pool = openPool("text/x", ...parts);
    let look = looks[0]!;
    const server = await listen(async () => look(await pool.fetch("https://a.test/")));
    try {
      for (look of looks) {
        const response = await fetch(`http://127.0.0.1:${server.port}/`);
        assertEquals([response.status, response.headers.get("content-type")], [200, "text/x"]);
        assertEquals(await response.text(), "abc", `${look}`);
      }
    } finally {
      await server.stop();
    }
  }
});

test("WebAssembly takes what fetch() gave", async () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  await using pool = openPool("application/wasm", empty.slice(0, 3), empty.slice(3));
  const module = await WebAssembly.compileStreaming(pool.fetch("https://a.test/"));
  assertEquals(WebAssembly.Module.exports(module), []);
});
