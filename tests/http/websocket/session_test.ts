/**
 * A session whose socket takes no more for a while.
 *
 * @module
 */

import { assert, assertEquals, assertFalse, assertInstanceOf } from "@std/assert";
import { test } from "node:test";
import { joinBytes } from "../../../src/core/bytes.ts";
import { WebSocketError } from "../../../src/core/errors.ts";
import { MessageReader } from "../../../src/http/websocket/message_reader.ts";
import type { WebSocketOptions } from "../../../src/http/websocket/web_socket_options.ts";
import { frame, hex } from "./server_frames.ts";
import { SessionScene } from "./session_scene.ts";

const TEXT = 1;
const PING = 9;

/** A scene whose socket says that it is full, until it is told to go on. */
function blocked(options: WebSocketOptions = {}) {
  const scene = new SessionScene(options, false);
  const { socket } = scene;
  const write = socket.write.bind(socket);
  let isFull = true;
  socket.write = (bytes) => write(bytes) && !isFull;
  return {
    scene,
    goOn() {
      isFull = false;
      scene.session.onDrain();
    },
  };
}

test("A server that pings and does not read is owed one pong, and no heap of them", () => {
  const { goOn, scene } = blocked();
  scene.session.send("fills the socket");
  for (let i = 0; i < 1_000; i++) scene.receive(frame(PING, `${i}`));
  assertEquals(scene.said, ["text fills the socket"]);
  goOn();
  assertEquals(scene.said, ["text fills the socket", "pong 393939"]);
  scene.socket.end();
});

test("Behind what a server is slow to take no ping goes out, and it is not taken for dead", async () => {
  const { goOn, scene } = blocked({ pingIntervalMs: 100, pongTimeoutMs: 50 });
  scene.session.send("much");
  scene.clock.advance(10_000);
  await Promise.resolve();
  assertEquals([scene.said, scene.end], [["text much"], undefined]);
  goOn();
  scene.clock.advance(100);
  assertEquals(scene.said, ["text much", "ping"]);
  scene.socket.end();
});

test("What is not handed on yet is counted until the socket takes more", async () => {
  const { goOn, scene } = blocked();
  let isDrained = false;
  scene.session.send("12345");
  scene.session.send(new Uint8Array(10));
  scene.session.onDrained(() => isDrained = true);
  await Promise.resolve();
  assertEquals([scene.session.bufferedBytes, isDrained], [15, false]);
  goOn();
  assertEquals([scene.session.bufferedBytes, isDrained], [0, true]);
  scene.session.send("1");
  assertEquals(scene.session.bufferedBytes, 1);
  await Promise.resolve();
  assertEquals(scene.session.bufferedBytes, 0);
  scene.socket.end();
});

test("More than maxBufferedBytes may not wait, and who waits for the rest is told", () => {
  const { scene } = blocked({ maxBufferedBytes: 10 });
  let isDrained = false;
  assert(scene.session.send(new Uint8Array(9)));
  scene.session.onDrained(() => isDrained = true);
  assert(scene.session.send(new Uint8Array(9)));
  assertFalse(scene.session.send(new Uint8Array(1)));
  const error = scene.end?.failure?.error;
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.failure, isDrained, scene.socket.open], ["limit", true, false]);
});

test("A message that was announced takes room as it comes, and not before", () => {
  let longest = 0;
  const reader = new MessageReader({
    onText() {},
    onBinary: ({ buffer }) => longest = Math.max(longest, buffer.byteLength),
    onPing() {},
    onPong() {},
    onCloseFrame() {},
  }, { maxMessageBytes: 2 ** 52, maxFragments: 10 });
  // Whoever made room for all of it would fail here.
  reader.push(hex("827f000f000000000000"));
  for (let i = 0; i < 1_000; i++) reader.push(new Uint8Array(1_000));
  const other = new MessageReader({
    onText() {},
    onBinary: ({ buffer }) => longest = buffer.byteLength,
    onPing() {},
    onPong() {},
    onCloseFrame() {},
  }, { maxMessageBytes: 1_000, maxFragments: 1_000 });
  const pieces = Array.from(
    { length: 500 },
    (_, i) => frame(i === 0 ? 2 : 0, "x", { fin: i === 499 }),
  );
  other.push(joinBytes(pieces));
  assertEquals(longest, 500);
});

test("A message in very many frames is not moved again for each of them", () => {
  let received = 0;
  const reader = new MessageReader({
    onText() {},
    onBinary: ({ length }) => received = length,
    onPing() {},
    onPong() {},
    onCloseFrame() {},
  }, { maxMessageBytes: 1_000_000, maxFragments: 1_000 });
  const pieces = Array.from(
    { length: 1_000 },
    (_, i) => frame(i === 0 ? 2 : 0, new Uint8Array(1_000), { fin: i === 999 }),
  );
  let moved = 0;
  const { set } = Uint8Array.prototype;
  Uint8Array.prototype.set = function(source: ArrayLike<number>, offset?: number) {
    moved += source.length;
    set.call(this, source, offset);
  };
  try {
    for (const piece of pieces) reader.push(piece);
  } finally {
    Uint8Array.prototype.set = set;
  }
  assertEquals(received, 1_000_000);
  assert(moved >= 1_000_000 && moved < 4_000_000, `${moved} bytes were moved`);
});

test("What is empty costs a server its frames, which are counted", () => {
  const scene = new SessionScene({ maxFragments: 100 });
  scene.receive(frame(TEXT, "", { fin: false }));
  for (let i = 0; i < 99; i++) scene.receive(frame(0, "", { fin: false }));
  assertEquals(scene.said, []);
  scene.receive(frame(0, "", { fin: false }));
  assertEquals(scene.said, ["close 1009"]);
});
