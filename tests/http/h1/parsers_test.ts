import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { memorySocket } from "../../../adapters/memory.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { staticResolver } from "../../../src/hosts/resolver.ts";
import { Parsers } from "../../../src/http/h1/parsers.ts";
import { HttpPool } from "../../../src/http/http_pool.ts";
import { checkLimits } from "../../../src/http/limits.ts";
import { turns } from "../../support/turns.ts";

const encoder = new TextEncoder();
const SINK = { onInterim() {}, onHead() {}, onBody() {}, onTrailers() {} };

test("A parser is lent again when it was given back, and not before", () => {
  const parsers = new Parsers(checkLimits());
  const first = parsers.take(SINK);
  const second = parsers.take(SINK);
  assert(first !== second);
  parsers.give(first);
  assertEquals(parsers.take(SINK), first);
});

test("A call that is given up in the middle of a body leaves its parser to nobody else", async () => {
  const clock = new ManualClock();
  const answers = [
    "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
  ];
  const pool = new HttpPool({
    clock,
    dialer: {
      name: "scripted",
      capabilities: new Set(),
      dial: () =>
        Promise.resolve(memorySocket({
          onWrite: (socket) => socket.receive(encoder.encode(answers.shift())),
        })),
    },
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
  });
  const response = await pool.request("https://a.test/");
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  // The second call begins while the first one's bytes are there, and over another connection.
  const second = pool.request("https://a.test/");
  await reader.cancel();
  assertEquals(await (await second).text(), "ok");
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
});

test("What a server sends after its answer, while the lease goes on, ends the connection", async () => {
  let socket: ReturnType<typeof memorySocket> | undefined;
  const pool = new HttpPool({
    clock: new ManualClock(),
    dialer: {
      name: "scripted",
      capabilities: new Set(),
      dial: () =>
        Promise.resolve(
          socket = memorySocket({
            onWrite: (it) => it.receive(encoder.encode("HTTP/1.1 204 No Content\r\n\r\n")),
          }),
        ),
    },
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
  });
  await (await pool.request("https://a.test/")).dump();
  const [connection] = pool.manager.connections();
  assertEquals(connection?.state, "idle");
  socket?.receive(encoder.encode("HTTP/1.1 200 OK\r\n\r\n"));
  await turns();
  assertEquals(pool.stats().connections, 0);
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
});
