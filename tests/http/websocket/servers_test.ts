/**
 * WebSockets to servers of others' making, and over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { detectRuntime } from "../../../adapters/detect.ts";
import { plainDialer } from "../../../adapters/plain.ts";
import { createPool, type CreatePoolOptions, type HttpPool, staticResolver } from "../../../mod.ts";
import { WebSocketError } from "../../../src/core/errors.ts";
import type { PooledWebSocket } from "../../../src/http/websocket/pooled_web_socket.ts";
import { startConnectProxy } from "../../support/connect_proxy.ts";
import { authority, leaf } from "../../support/http_scene.ts";
import { nginx } from "../../support/nginx.ts";
import { startNodeProgram } from "../../support/node_program.ts";
import { acceptOf, next } from "./socket_scene.ts";

const startWs = async (input: { readonly cert?: string; readonly key?: string } = {}) =>
  Number(await startNodeProgram("ws_main.ts", input));

/** Runs a test with a pool that knows a.test at 127.0.0.1. */
async function withPool(
  body: (pool: HttpPool) => Promise<void>,
  options: CreatePoolOptions = {},
): Promise<void> {
  await using pool = createPool({
    plainDialer: plainDialer(),
    resolver: staticResolver({ "a.test": ["127.0.0.1"] }),
    tls: { ca: [authority] },
    ...options,
  });
  await body(pool);
  pool.manager.checkInvariants();
}

/** The next message, sent for by one. */
async function ask(socket: PooledWebSocket, message: string | Uint8Array): Promise<unknown> {
  const answer = next(socket, "message");
  socket.send(message as string);
  return (await answer)["data"];
}

/** Sends messages of many sizes to a server that sends them back, and closes. */
async function talk(socket: PooledWebSocket): Promise<void> {
  socket.binaryType = "arraybuffer";
  await socket.opened;
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
    const text = "é".repeat(size / 2);
    assertEquals(await ask(socket, text) === text, true, `${size}`);
    const bytes = Uint8Array.from({ length: size }, (_, i) => i % 251);
    const back = await ask(socket, bytes);
    assertInstanceOf(back, ArrayBuffer);
    assertEquals(back.byteLength, size);
    assert(new Uint8Array(back).every((byte, i) => byte === i % 251), `${size}`);
  }
  const closed = next(socket, "close");
  socket.close(4_000, "done");
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean], [4_000, true]);
}

test("It talks with the package ws on Node, over TLS and without", async () => {
  const plain = await startWs();
  const secure = await startWs(leaf);
  await withPool(async (pool) => {
    await talk(pool.webSocket(`ws://a.test:${plain}/`));
    await talk(pool.webSocket(`wss://a.test:${secure}/`));
    const compressed = pool.webSocket(`wss://a.test:${secure}/`, { compress: true });
    await compressed.opened;
    assertStringIncludes(compressed.extensions, "permessage-deflate");
    await talk(compressed);
    const socket = pool.webSocket(`wss://a.test:${secure}/path?x=y`, {
      protocols: ["one", "two"],
      headers: { origin: "https://o.test" },
    });
    await socket.opened;
    assertEquals(socket.protocol, "one");
    const who = JSON.parse(await ask(socket, "!who") as string);
    assertEquals(who, { url: "/path?x=y", origin: "https://o.test" });
    assertEquals(await ask(socket, "!ping"), "pong 1");
    const closed = next(socket, "close");
    socket.send("!close");
    const { code, reason, wasClean } = await closed;
    assertEquals([code, reason, wasClean], [4_001, "grüße", true]);
    assertEquals(pool.stats().connections, 0);
  });
});

test("A machine that is killed closes it with 1006", async () => {
  const port = await startWs();
  await withPool(async (pool) => {
    for (const how of ["!terminate", "!die"]) {
      const socket = pool.webSocket(`ws://a.test:${port}/`);
      await socket.opened;
      const failed = next(socket, "error");
      const closed = next(socket, "close");
      socket.send(how);
      const { error } = await failed;
      assertInstanceOf(error, WebSocketError);
      assertEquals(error.failure, "connection");
      const { code, wasClean } = await closed;
      assertEquals([code, wasClean, socket.readyState], [1_006, false, 3]);
    }
    assertEquals(pool.stats().connections, 0);
  });
});

test("Its pings are answered by the package ws", async () => {
  const port = await startWs();
  await withPool(async (pool) => {
    const socket = pool.webSocket(`ws://a.test:${port}/`, { pingIntervalMs: 20 });
    await socket.opened;
    assertEquals((await next(socket, "message"))["data"], "ping 0");
    socket.close();
    await next(socket, "close");
  });
});

/** A server of the tests' own, which does with what was upgraded as it is told. */
async function withServer(
  address: string,
  port: number,
  onUpgrade: (request: IncomingMessage, socket: Socket) => void,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", onUpgrade);
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  try {
    await body((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const agree = ({ headers }: IncomingMessage) =>
  "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
  + `sec-websocket-accept: ${acceptOf(`${headers["sec-websocket-key"]}`)}\r\n\r\n`;

test("A machine that dies in the handshake is left for another one", () =>
  withServer(
    "127.0.0.1",
    0,
    (_, socket) => socket.destroy(),
    (port) =>
      withServer("127.0.0.2", port, (request, socket) => {
        // What comes with the answer is not lost.
        socket.write(`${agree(request)}\x81\x02hi`, "latin1");
      }, () =>
        withPool(async (pool) => {
          for (let i = 0; i < 2; i++) {
            const socket = pool.webSocket(`ws://a.test:${port}/`, { closeTimeoutMs: 0 });
            const message = next(socket, "message");
            await socket.opened;
            assertEquals([socket.connection?.ip, (await message)["data"]], ["127.0.0.2", "hi"]);
            const closed = next(socket, "close");
            socket.close();
            await closed;
          }
        }, {
          resolver: staticResolver({ "a.test": ["127.0.0.1", "127.0.0.2"] }),
          balancer: "roundRobin",
        })),
  ));

test("A server that does not read is told of by bufferedAmount and drained(), and bounded", async () => {
  let taken: Socket | undefined;
  await withServer("127.0.0.1", 0, (request, socket) => {
    socket.write(agree(request));
    socket.pause();
    taken = socket;
  }, (port) =>
    withPool(async (pool) => {
      const options = { closeTimeoutMs: 0, maxBufferedBytes: 4_000_000 };
      const socket = pool.webSocket(`ws://a.test:${port}/`, options);
      await socket.opened;
      const piece = new Uint8Array(100_000);
      do {
        socket.send(piece);
        await new Promise((resolve) => setTimeout(resolve, 1));
      } while (socket.bufferedAmount === 0);
      let isDrained = false;
      const drained = socket.drained().then(() => isDrained = true);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(isDrained, false);
      taken!.resume();
      await drained;
      assertEquals(socket.bufferedAmount, 0);
      taken!.pause();
      const failed = next(socket, "error");
      while (socket.readyState === socket.OPEN) {
        socket.send(piece);
        if (socket.bufferedAmount < 4_000_000) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
      const { error } = await failed;
      assertInstanceOf(error, WebSocketError);
      assertEquals(error.failure, "limit");
      assertStringIncludes(
        error.message,
        "more than 4000000 bytes wait to be sent (maxBufferedBytes)",
      );
      await socket.drained();
    }));
});

test("It goes through a proxy by CONNECT", async () => {
  const port = await startWs(leaf);
  await using proxy = await startConnectProxy();
  await withPool(async (pool) => {
    const socket = pool.webSocket(`wss://a.test:${port}/`);
    await talk(socket);
    assertEquals(socket.connection?.proxy, `http://127.0.0.1:${proxy.port}`);
    assert(proxy.asked.every((line) => line.startsWith(`CONNECT 127.0.0.1:${port} `)));
  }, { proxy: `http://127.0.0.1:${proxy.port}` });
  const plain = await startWs();
  await withPool(async (pool) => {
    const socket = pool.webSocket(`ws://a.test:${plain}/`, { compress: true });
    await talk(socket);
    assert(proxy.asked.includes(`CONNECT 127.0.0.1:${plain} HTTP/1.1`));
  }, { proxy: { url: `http://127.0.0.1:${proxy.port}`, resolve: "here" } });
});

test("It goes through nginx to the package ws", {
  skip: nginx.program === undefined && "nginx is not installed",
}, async () => {
  const upstream = await startWs();
  await using party = await nginx.start({
    protocol: "http/1.1",
    credentials: { ...leaf, pin: "" },
    extra: `location /ws/ {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }`,
  });
  await withPool(async (pool) => {
    await talk(pool.webSocket(`wss://a.test:${party.port}/ws/`));
    const socket = pool.webSocket(`wss://a.test:${party.port}/200`);
    const { error } = await next(socket, "error");
    assertInstanceOf(error, WebSocketError);
    assertEquals([error.failure, error.status], ["handshake", 200]);
  });
});

const runtime = detectRuntime();

test(
  "It talks with Deno.serve",
  { skip: runtime !== "deno" && "It is for deno only" },
  async () => {
    const { Deno } = globalThis as unknown as { readonly Deno: DenoServe };
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const { response, socket } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    });
    await withPool((pool) => talk(pool.webSocket(`ws://a.test:${server.addr.port}/`)));
    await server.shutdown();
  },
);

test("It talks with Bun.serve", { skip: runtime !== "bun" && "It is for bun only" }, async () => {
  const { Bun } = globalThis as unknown as { readonly Bun: BunServe };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) =>
      server.upgrade(request) ? undefined : new Response("", { status: 400 }),
    websocket: { perMessageDeflate: true, message: (socket, message) => void socket.send(message) },
  });
  await withPool(async (pool) => {
    await talk(pool.webSocket(`ws://a.test:${server.port}/`));
    const compressed = pool.webSocket(`ws://a.test:${server.port}/`, { compress: true });
    await compressed.opened;
    assertStringIncludes(compressed.extensions, "permessage-deflate");
    await talk(compressed);
  });
  await server.stop(true);
});

interface DenoServe {
  serve(
    options: { readonly port: number; readonly hostname: string; onListen(): void },
    handler: (request: Request) => Response,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
  upgradeWebSocket(request: Request): { readonly response: Response; readonly socket: WebSocket };
}

interface BunServe {
  serve(options: {
    readonly port: number;
    readonly hostname: string;
    fetch(
      request: Request,
      server: { upgrade(request: Request): boolean },
    ): Response | undefined;
    readonly websocket: {
      readonly perMessageDeflate: boolean;
      message(socket: { send(message: unknown): number }, message: unknown): void;
    };
  }): { readonly port: number; stop(force: boolean): Promise<void> };
}
