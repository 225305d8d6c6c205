/**
 * Upgrades to another protocol, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { plainDialer } from "../../adapters/plain.ts";
import { createPool, type CreatePoolOptions, type HttpPool, staticResolver } from "../../mod.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { RequestError } from "../../src/core/errors.ts";
import type { Upgraded } from "../../src/http/upgrade.ts";
import { RecordingSink } from "../support/recording_sink.ts";

type OnUpgrade = (request: IncomingMessage, socket: Socket) => void;

const HEAD = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/** A server that goes on as it is told. */
async function startServer(address: string, port: number, onUpgrade: OnUpgrade): Promise<Server> {
  const server = createServer((_, response) => {
    response.statusCode = 426;
    response.end("no upgrade");
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    onUpgrade(request, socket);
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return server;
}

const sockets = new Set<Socket>();

/** Ends a server, and what it has upgraded. */
async function stop(server: Server): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function withServer(
  onUpgrade: OnUpgrade,
  body: (pool: HttpPool, port: number) => Promise<void>,
  options: CreatePoolOptions = {},
): Promise<void> {
  const server = await startServer("127.0.0.1", 0, onUpgrade);
  const pool = createPool({
    plainDialer: plainDialer(),
    resolver: staticResolver({ "a.test": ["127.0.0.1"] }),
    ...options,
  });
  try {
    await body(pool, portOf(server));
    pool.manager.checkInvariants();
  } finally {
    await pool.close({ graceMs: 0 });
    await stop(server);
  }
}

function upgraded(answer: Awaited<ReturnType<HttpPool["upgrade"]>>): Upgraded {
  assert("lease" in answer, `The answer was ${answer.status}`);
  return answer;
}

test("upgrade() gives the connection, and the bytes that came with the answer", () =>
  withServer((request, socket) => {
    assertEquals([request.headers.upgrade, request.headers["x-own"]], ["echo", "1"]);
    socket.write(`${HEAD}early`);
    socket.pipe(socket);
  }, async (pool, port) => {
    const answer = upgraded(
      await pool.upgrade(`http://a.test:${port}/x`, {
        protocol: "echo",
        headers: { "x-own": "1" },
      }),
    );
    assertEquals([answer.status, answer.headers.get("upgrade")], [101, "echo"]);
    // It may take its time: the peer is held back.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const sink = new RecordingSink();
    answer.attach(sink);
    answer.lease.write(new TextEncoder().encode("late"));
    await sink.bytes(9);
    assertEquals(sink.text, "earlylate");
    assertEquals([pool.manager.idleCount, pool.diagnose()], [0, []]);
    answer.lease.release();
    await answer.lease.connection.closed;
    assertEquals([pool.stats().connections, pool.stats().evicted], [0, { used: 1 }]);
  }, { leaseWarningMs: 20 }));

test("upgrade() gives whatever else is answered as a response, and its connection ends", () =>
  withServer((_, socket) => {
    socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nnope");
  }, async (pool, port) => {
    const answer = await pool.upgrade(`http://a.test:${port}/`, { protocol: "echo" });
    assert(!("lease" in answer));
    assertEquals([answer.status, await answer.text()], [403, "nope"]);
    assertEquals(pool.stats().connections, 0);
  }));

test("upgrade() asks another machine where one hangs up before it has answered", async () => {
  await withServer((_, socket) => socket.destroy(), async (pool, port) => {
    const second = await startServer("127.0.0.2", port, (_, socket) => socket.write(HEAD));
    try {
      for (let i = 0; i < 2; i++) {
        const answer = upgraded(
          await pool.upgrade(`http://a.test:${port}/`, { protocol: "echo" }),
        );
        assertEquals(answer.lease.connection.ip, "127.0.0.2");
        answer.lease.release();
      }
    } finally {
      await stop(second);
    }
  }, {
    resolver: staticResolver({ "a.test": ["127.0.0.1", "127.0.0.2"] }),
    balancer: "roundRobin",
  });
});

test("upgrade() says what failed where no machine answers", () =>
  withServer((_, socket) => socket.destroy(), async (pool, port) => {
    const error = await assertRejects(
      () => pool.upgrade(`http://a.test:${port}/`, { protocol: "echo" }),
      RequestError,
    );
    assertEquals([error.failure, error.maybeActedOn], ["connection", false]);
  }));

test("upgrade() ends with the signal's reason, or after timeoutMs", () => {
  const clock = new ManualClock();
  let asked = () => {};
  return withServer(() => asked(), async (pool, port) => {
    const url = `http://a.test:${port}/`;
    const ending = new AbortController();
    const reason = { not: "an error" };
    const first = new Promise<void>((resolve) => asked = resolve);
    const pending = pool.upgrade(url, { protocol: "echo", signal: ending.signal });
    await first;
    ending.abort(reason);
    assertStrictEquals(await pending.catch((error: unknown) => error), reason);
    const second = new Promise<void>((resolve) => asked = resolve);
    const late = assertRejects(
      () => pool.upgrade(url, { protocol: "echo", timeoutMs: 50 }),
      RequestError,
      "no answer came within 50 ms (timeoutMs)",
    );
    await second;
    clock.advance(50);
    const { address, failure } = await late;
    assertEquals([failure, address], ["timeout", `127.0.0.1:${port}`]);
    assertEquals(pool.stats().connections, 0);
  }, { clock });
});

test("upgrade() refuses bad options with an error that says what would do", () =>
  withServer(() => {}, async (pool, port) => {
    const refuses = (options: unknown, detail: string) =>
      assertRejects(
        () => pool.upgrade(`http://a.test:${port}/`, options as never),
        TypeError,
        detail,
      );
    await refuses({}, "protocol must be the name of one, such as \"websocket\", got undefined");
    await refuses({ protocol: "a\r\nb: c" }, "");
    await refuses({ protocol: "echo", body: "x" }, "Unknown option \"body\" of upgrade()");
    await refuses({ protocol: "echo", timeoutMs: "1" }, "timeoutMs must be a number");
  }));

test("A server that goes on with another protocol unasked is refused, as ever", () =>
  withServer(() => {}, async (pool, port) => {
    const server = await startServer("127.0.0.3", port, () => {});
    server.removeAllListeners("request");
    server.on("request", (request: IncomingMessage) => request.socket.write(HEAD));
    try {
      await assertRejects(
        () => pool.request(`http://127.0.0.3:${port}/`, { idempotent: false }),
        RequestError,
        "protocol",
      );
    } finally {
      await stop(server);
    }
  }));

test("upgrade() reads an answer that comes in pieces, and after interim ones", async () => {
  const encoder = new TextEncoder();
  for (const final of [HEAD, "HTTP/1.1 426 No\r\ncontent-length: 5\r\n\r\n"]) {
    const dialer = memoryDialer({
      script: () => ({
        socket: {
          onWrite(socket) {
            for (const char of `HTTP/1.1 103 Early Hints\r\n\r\n${final}first`) {
              socket.receive(encoder.encode(char));
            }
          },
        },
      }),
    });
    const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
    await using pool = createPool({ dialer, resolver });
    const answer = await pool.upgrade("https://a.test/", { protocol: "echo" });
    if (!("lease" in answer)) {
      assertEquals([answer.status, await answer.text()], [426, "first"]);
      continue;
    }
    const sink = new RecordingSink();
    answer.attach(sink);
    assertEquals([answer.status, sink.text], [101, "first"]);
    answer.lease.release({ reuse: false });
  }
});

test("Who gives an upgraded connection up at its first bytes hears nothing more of it", async () => {
  const encoder = new TextEncoder();
  const dialer = memoryDialer({
    script: () => ({
      socket: {
        onWrite(socket) {
          socket.receive(encoder.encode(`${HEAD}first`));
          socket.receive(encoder.encode("second"));
          socket.end();
        },
      },
    }),
  });
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  await using pool = createPool({ dialer, resolver });
  const { attach, lease } = upgraded(await pool.upgrade("https://a.test/", { protocol: "echo" }));
  const heard: string[] = [];
  attach({
    onData() {
      heard.push("data");
      lease.release({ reuse: false });
    },
    onDrain: () => heard.push("drain"),
    onClose: () => heard.push("close"),
  });
  assertEquals(heard, ["data"]);
});
