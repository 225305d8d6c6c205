/**
 * `pool.webSocket()`: the web's interface, and what the pool adds to it, without a network.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { ClosedError, RequestError, WebSocketError } from "../../../src/core/errors.ts";
import type { WebSocketOptions } from "../../../src/http/websocket/web_socket_options.ts";
import { openMetrics } from "../../../src/metrics/open_metrics.ts";
import { turns } from "../../support/turns.ts";
import { closeFrame, frame } from "./server_frames.ts";
import { agreement, fieldOf, next, type SocketScene, socketScene } from "./socket_scene.ts";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const decoder = new TextDecoder();

/** A code and a reason, as a close frame has them. */
function goodbye(payload: Uint8Array): readonly [code: number, reason: string] {
  return [payload[0]! * 256 + payload[1]!, decoder.decode(payload.subarray(2))];
}

/** The error of the event `error`. */
async function failure(socket: Parameters<typeof next>[0]): Promise<unknown> {
  return (await next(socket, "error"))["error"];
}

test("webSocket() asks for what the protocol wants, and for what the program does", async () => {
  await using scene = socketScene({
    answer: (head) => agreement(head, { "sec-websocket-protocol": "b" }),
  });
  const { machine, socket } = await scene.open({
    protocols: ["a", "b"],
    headers: { origin: "https://o.test", authorization: "secret", cookie: "c=1" },
    ip: "192.0.2.2",
  });
  const { head } = machine;
  assert(head.startsWith("GET / HTTP/1.1\r\nhost: a.test\r\n"), head);
  const field = (name: string) => fieldOf(head, name);
  assertEquals(
    ["upgrade", "connection", "sec-websocket-version", "sec-websocket-protocol"].map(field),
    ["websocket", "upgrade", "13", "a, b"],
  );
  assertEquals(["origin", "authorization", "cookie"].map(field), [
    "https://o.test",
    "secret",
    "c=1",
  ]);
  assertEquals([atob(field("sec-websocket-key")).length, field("sec-websocket-extensions")], [
    16,
    "",
  ]);
  assertEquals([socket.protocol, socket.extensions, socket.url], ["b", "", "wss://a.test/"]);
  const { id, ...connection } = socket.connection!;
  assertEquals([typeof id, connection], ["number", {
    ip: "192.0.2.2",
    address: "192.0.2.2",
    host: "a.test",
    reused: false,
    alpn: null,
    proxy: null,
  }]);
});

test("No two handshakes have the same key", async () => {
  await using scene = socketScene();
  await scene.open();
  await scene.open();
  const keys = scene.machines.map(({ head }) => fieldOf(head, "sec-websocket-key"));
  assertEquals(new Set(keys).size, 2);
});

test("Messages come as events, in order, as text and as bytes of the wanted type", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  const heard: unknown[] = [];
  socket.addEventListener("message", ({ data, origin }) => heard.push(data, origin));
  machine.send(frame(TEXT, "één"), frame(BINARY, Uint8Array.of(1, 2)));
  socket.binaryType = "arraybuffer";
  socket.binaryType = "nonsense" as never;
  machine.send(frame(BINARY, Uint8Array.of(3)));
  assertEquals([heard[0], heard[1]], ["één", "wss://a.test"]);
  assertInstanceOf(heard[2], Blob);
  assertEquals([...new Uint8Array(await heard[2].arrayBuffer())], [1, 2]);
  assertInstanceOf(heard[4], ArrayBuffer);
  assertEquals([...new Uint8Array(heard[4])], [3]);
});

test("send() takes text, bytes, views and Blobs, and keeps their order", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  const bytes = Uint8Array.of(1, 2, 3, 4);
  socket.send("half \ud800");
  socket.send(bytes.buffer);
  socket.send(new DataView(bytes.buffer, 1, 2));
  socket.send(new Blob(["blob"]));
  const changed = Buffer.of(7);
  socket.send(changed);
  changed[0] = 8;
  socket.send("after");
  assertEquals(socket.bufferedAmount, 8 + 4 + 2 + 4 + 1 + 5);
  await socket.drained();
  assertEquals(socket.bufferedAmount, 0);
  const sent = machine.frames.map(({ opcode, payload }) =>
    opcode === TEXT ? decoder.decode(payload) : [...payload]
  );
  assertEquals(sent, ["half \ufffd", [1, 2, 3, 4], [2, 3], [98, 108, 111, 98], [7], "after"]);
});

test("It is an EventTarget with the web's handlers, states and constants", async () => {
  await using scene = socketScene();
  const socket = scene.pool.webSocket("https://a.test/x?y", {});
  // What takes the web's WebSocket takes this one.
  const web: WebSocket = socket;
  assertEquals([web.url, web.readyState, web.binaryType], ["wss://a.test/x?y", 0, "blob"]);
  const order: string[] = [];
  socket.onopen = () => order.push("never");
  socket.onopen = (event) => order.push(`handler ${event.type} ${socket.readyState}`);
  socket.addEventListener("open", { handleEvent: () => order.push("object") });
  const off = () => order.push("off");
  socket.addEventListener("open", off);
  socket.removeEventListener("open", off);
  socket.onmessage = () => order.push("never");
  socket.onmessage = null;
  assertEquals([socket.onmessage, socket.onerror], [null, null]);
  await socket.opened;
  assertEquals(order, ["handler open 1", "object"]);
  scene.machines[0]!.send(frame(TEXT, "x"));
  assertEquals(order.length, 2);
  const { CLOSED, CLOSING, CONNECTING, OPEN } = socket;
  assertEquals([CONNECTING, OPEN, CLOSING, CLOSED], [0, 1, 2, 3]);
  const { constructor } = socket as { constructor: unknown };
  assertEquals((constructor as typeof WebSocket).CLOSED, 3);
});

test("close() says good-bye, and it is clean when the server has, too", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  socket.close(4_001, "grüße");
  socket.close(1_000, "never");
  assertEquals(socket.readyState, socket.CLOSING);
  const [sent, ...more] = machine.frames;
  assertEquals([sent!.opcode, goodbye(sent!.payload), more], [CLOSE, [4_001, "grüße"], []]);
  const heard: unknown[] = [];
  socket.onmessage = ({ data }) => heard.push(data);
  machine.send(frame(TEXT, "late"), frame(PING, "late"), closeFrame(4_001, "grüße"));
  const closed = next(socket, "close");
  machine.socket.end();
  const { code, reason, wasClean } = await closed;
  assertEquals([code, reason, wasClean, socket.readyState], [4_001, "grüße", true, 3]);
  socket.close();
  assertEquals(socket.readyState, socket.CLOSED);
  assertEquals([heard, machine.frames.length], [[], 1]);
  assertEquals(scene.pool.stats().connections, 0);
});

test("close() without a code says none, and a reason alone goes with 1000", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  socket.close();
  assertEquals(machine.frames.map(({ payload }) => payload.length), [0]);
  const second = await scene.open();
  second.socket.close(undefined, "done");
  assertEquals(goodbye(second.machine.frames[0]!.payload), [1_000, "done"]);
});

test("A server that says good-bye is answered, and the connection ends", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  const errors: unknown[] = [];
  socket.onerror = (event) => errors.push(event);
  const closed = next(socket, "close");
  machine.send(closeFrame(1_012, "restart"));
  assertEquals([socket.readyState, goodbye(machine.frames[0]!.payload)], [2, [1_012, ""]]);
  // It does not end the connection: some time later we do.
  scene.clock.advance(5_000);
  const { code, reason, wasClean } = await closed;
  assertEquals([code, reason, wasClean, errors], [1_012, "restart", true, []]);
  assertEquals(scene.pool.stats().connections, 0);
});

test("A server that says good-bye without a code gives 1005", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  const closed = next(socket, "close");
  machine.send(closeFrame());
  machine.socket.end();
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean, machine.frames[0]!.payload.length], [1_005, true, 0]);
});

test("A server that does not close is left after closeTimeoutMs, and not blamed", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open({ closeTimeoutMs: 700 });
  const failed = failure(socket);
  const closed = next(socket, "close");
  socket.close(1_000);
  scene.clock.advance(699);
  assert(machine.socket.open);
  scene.clock.advance(1);
  const error = await failed;
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.failure, error.code], ["timeout", "HOTCONN_WEBSOCKET"]);
  assertStringIncludes(error.message, "the server did not close within 700 ms (closeTimeoutMs)");
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean, machine.socket.open], [1_006, false, false]);
  assertEquals(failuresOf(scene, machine.ip), {});
});

/** The failures that are noted of a machine. */
function failuresOf({ pool }: SocketScene, ip: string): unknown {
  return pool.stats().hosts["a.test"]?.addresses[ip]?.health.failures;
}

test("A ping goes out after so much silence, and its answer is enough", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open({ pingIntervalMs: 1_000, pongTimeoutMs: 300 });
  for (let i = 1; i <= 3; i++) {
    scene.clock.advance(999);
    assertEquals(machine.frames.length, i - 1);
    scene.clock.advance(1);
    assertEquals(machine.frames.at(-1)?.opcode, PING);
    machine.send(frame(PONG));
    scene.clock.advance(300);
    await Promise.resolve();
    machine.send(frame(TEXT, "x"));
  }
  assertEquals(socket.readyState, socket.OPEN);
});

test("Whatever comes is a sign of life, in place of a ping and of its answer", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open({ pingIntervalMs: 1_000, pongTimeoutMs: 300 });
  for (let i = 0; i < 5; i++) {
    scene.clock.advance(900);
    machine.send(frame(TEXT, "x"));
  }
  assertEquals(machine.frames, []);
  scene.clock.advance(1_000);
  assertEquals(machine.frames.length, 1);
  machine.send(frame(TEXT, "busy").subarray(0, 3));
  scene.clock.advance(300);
  await Promise.resolve();
  assertEquals(socket.readyState, socket.OPEN);
});

test("A machine that does not answer a ping is dead: 1006, and it is blamed", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open({ pingIntervalMs: 1_000, pongTimeoutMs: 300 });
  const failed = failure(socket);
  const closed = next(socket, "close");
  scene.clock.advance(1_299);
  await Promise.resolve();
  assertEquals(socket.readyState, socket.OPEN);
  scene.clock.advance(1);
  const error = await failed;
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.failure, error.host, error.address], ["timeout", "a.test", machine.ip]);
  assertStringIncludes(error.message, "nothing came within 300 ms of a ping (pongTimeoutMs)");
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean, machine.socket.open], [1_006, false, false]);
  assertEquals(failuresOf(scene, machine.ip), { response: 1 });
});

test("With pingIntervalMs: Infinity nobody is asked", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open({ pingIntervalMs: Infinity });
  scene.clock.advance(3_600_000);
  await Promise.resolve();
  assertEquals([machine.frames, socket.readyState], [[], 1]);
});

test("A connection that ends without a good-bye is 1006; only a failing one is its machine's fault", async () => {
  for (const cause of [undefined, new Error("reset")]) {
    await using scene = socketScene();
    const { machine, socket } = await scene.open();
    const failed = failure(socket);
    const closed = next(socket, "close");
    machine.socket.end(cause);
    const error = await failed;
    assertInstanceOf(error, WebSocketError);
    assertEquals([error.failure, error.cause], ["connection", cause]);
    const { code, reason, wasClean } = await closed;
    assertEquals([code, reason, wasClean], [1_006, "", false]);
    assertEquals(failuresOf(scene, machine.ip), cause ? { response: 1 } : {});
    assertEquals(scene.pool.stats().connections, 0);
  }
});

test("A connection that the program takes out of the maps is no fault of its machine", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  const failed = failure(socket);
  scene.pool.manager.removeConnection(machine.ip);
  assertInstanceOf(await failed, WebSocketError);
  assertEquals(failuresOf(scene, machine.ip), {});
});

test("What breaks a rule ends it, tells the server why, and is the machine's fault", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open();
  const failed = failure(socket);
  const closed = next(socket, "close");
  machine.send(frame(TEXT, "x", { masked: true }));
  const error = await failed;
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.failure, error.closeCode], ["protocol", 1_002]);
  assertStringIncludes(error.message, "a server's frame is masked");
  assertEquals(goodbye(machine.frames[0]!.payload), [1_002, "a server's frame is masked"]);
  assertEquals((await closed)["code"], 1_006);
  assertEquals(failuresOf(scene, machine.ip), { response: 1 });
});

const limits: readonly [options: WebSocketOptions, frames: Uint8Array[], detail: string][] = [
  [{ maxMessageBytes: 5 }, [frame(TEXT, "123456")], "more than 5 bytes (maxMessageBytes)"],
  [
    { maxMessageBytes: 5 },
    [frame(TEXT, "123", { fin: false }), frame(0, "456")],
    "more than 5 bytes (maxMessageBytes)",
  ],
  [
    { maxFragments: 2 },
    [frame(TEXT, "", { fin: false }), frame(0, "", { fin: false }), frame(0)],
    "more than 2 frames (maxFragments)",
  ],
];

for (const [i, [options, frames, detail]] of limits.entries()) {
  test(`A message with ${detail} is refused with 1009, and no machine blamed (${i})`, async () => {
    await using scene = socketScene();
    const { machine, socket } = await scene.open(options);
    const failed = failure(socket);
    machine.send(...frames);
    const error = await failed;
    assertInstanceOf(error, WebSocketError);
    assertEquals([error.failure, error.closeCode], ["limit", 1_009]);
    assertStringIncludes(error.message, detail);
    assertEquals(goodbye(machine.frames[0]!.payload)[0], 1_009);
    assertEquals(failuresOf(scene, machine.ip), {});
  });
}

test("Limits end where they say: a message of just so many bytes and frames comes", async () => {
  await using scene = socketScene();
  const { machine, socket } = await scene.open({ maxMessageBytes: 6, maxFragments: 2 });
  const heard: unknown[] = [];
  socket.onmessage = ({ data }) => heard.push(data);
  machine.send(frame(TEXT, "123456"), frame(TEXT, "123", { fin: false }), frame(0, "456"));
  assertEquals([heard, socket.readyState], [["123456", "123456"], 1]);
});

test("An abort ends it at any point, with the signal's reason, and blames nobody", async () => {
  const reason = { not: "an error" };
  await using scene = socketScene({
    answer: (head, ip) => ip === "192.0.2.1" ? agreement(head) : null,
  });
  const early = scene.pool.webSocket("wss://a.test/", { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await failure(early), reason);
  const ending = new AbortController();
  const connecting = scene.pool.webSocket("wss://a.test/", {
    signal: ending.signal,
    ip: "192.0.2.2",
  });
  const connectingFailed = failure(connecting);
  while (scene.machines.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  ending.abort(reason);
  assertStrictEquals(await connectingFailed, reason);
  assertStrictEquals(await connecting.opened.catch((error: unknown) => error), reason);
  const closing = new AbortController();
  const { machine, socket } = await scene.open({ signal: closing.signal, ip: "192.0.2.1" });
  const failed = failure(socket);
  const closed = next(socket, "close");
  closing.abort(reason);
  assertStrictEquals(await failed, reason);
  assertEquals((await closed)["code"], 1_006);
  assertEquals(goodbye(machine.frames[0]!.payload)[0], 1_001);
  assertEquals([failuresOf(scene, "192.0.2.1"), failuresOf(scene, "192.0.2.2")], [{}, {}]);
});

test("A machine that does not answer the handshake is left for another one in time", async () => {
  await using scene = socketScene({
    answer: (head, ip) => ip === "192.0.2.1" ? null : agreement(head),
  });
  for (const expected of ["192.0.2.2", "192.0.2.2"]) {
    const socket = scene.pool.webSocket("wss://a.test/", { handshakeTimeoutMs: 400 });
    const count = scene.machines.length;
    while (scene.machines.length === count) await turn();
    if (scene.machines.at(-1)!.ip === "192.0.2.1") scene.clock.advance(400);
    await socket.opened;
    assertEquals(socket.connection?.ip, expected);
    socket.close();
  }
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

test("A machine that cannot be dialled, or hangs up, is left for another one", async () => {
  await using scene = socketScene({
    dial: ({ ip }) => ip === "192.0.2.1" ? { failure: "refused" } : {},
  });
  const { socket } = await scene.open();
  assertEquals(socket.connection?.ip, "192.0.2.2");
});

test("An answer of failoverStatuses is a failure of its machine, while there is another one", async () => {
  await using scene = socketScene({
    answer: (head, ip) =>
      ip === "192.0.2.1" ? "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n" : agreement(head),
    pool: { failoverStatuses: [503] },
  });
  for (let i = 0; i < 2; i++) {
    const { socket } = await scene.open();
    assertEquals(socket.connection?.ip, "192.0.2.2");
  }
  assertEquals(failuresOf(scene, "192.0.2.1"), { status: 1 });
  const error = await failure(scene.pool.webSocket("wss://a.test/", { ip: "192.0.2.1" }));
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.failure, error.status], ["handshake", 503]);
});

test("timeoutMs bounds the opening, whatever is tried", async () => {
  await using scene = socketScene({ answer: () => null });
  const socket = scene.pool.webSocket("wss://a.test/", {
    handshakeTimeoutMs: 400,
    timeoutMs: 1_000,
  });
  const failed = failure(socket);
  while (socket.readyState === socket.CONNECTING) {
    scene.clock.advance(100);
    await turn();
  }
  const error = await failed;
  assertInstanceOf(error, RequestError);
  assertEquals(error.failure, "timeout");
  await assertRejects(() => socket.opened, RequestError);
});

const answers: readonly [fields: { readonly [name: string]: string }, detail: string][] = [
  [{ upgrade: "h2c" }, "it has no field Upgrade: websocket"],
  [{ upgrade: "" }, "it has no field Upgrade: websocket"],
  [{ connection: "keep-alive" }, "it has no field Connection: Upgrade"],
  [{ "sec-websocket-accept": "x" }, "its Sec-WebSocket-Accept is not what the key asks for"],
  [{ "sec-websocket-accept": "" }, "its Sec-WebSocket-Accept is not what the key asks for"],
  [{ "sec-websocket-extensions": "permessage-deflate" }, "it chooses an extension"],
  [{ "sec-websocket-protocol": "b" }, "it chooses a subprotocol that was not offered"],
];

for (const [fields, detail] of answers) {
  test(`An answer will not do if ${JSON.stringify(fields)}`, async () => {
    await using scene = socketScene({ answer: (head) => agreement(head, fields) });
    const socket = scene.pool.webSocket("wss://a.test/");
    const error = await failure(socket);
    assertInstanceOf(error, WebSocketError);
    assertEquals([error.failure, error.status], ["handshake", 101]);
    assertStringIncludes(error.message, detail);
    assertEquals(scene.pool.stats().connections, 0);
  });
}

test("A server must choose one of the subprotocols that are offered", async () => {
  await using scene = socketScene();
  const error = await failure(scene.pool.webSocket("wss://a.test/", { protocols: "a" }));
  assertInstanceOf(error, WebSocketError);
  assertStringIncludes(error.message, "it chooses none of the subprotocols");
});

test("An answer that is no 101 is told with its status, and no machine blamed", async () => {
  await using scene = socketScene({
    answer: () => "HTTP/1.1 401 Unauthorized\r\ncontent-length: 1000\r\n\r\nno",
  });
  const socket = scene.pool.webSocket("wss://a.test/");
  const closed = next(socket, "close");
  const error = await failure(socket);
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.failure, error.status], ["handshake", 401]);
  assertEquals((await closed)["code"], 1_006);
  assertEquals(scene.machines.length, 1);
  assertEquals(failuresOf(scene, scene.machines[0]!.ip), {});
  assertEquals(scene.pool.stats().connections, 0);
});

test("A URL or subprotocols that are none are the web's SyntaxError, at once", async () => {
  await using scene = socketScene();
  const { pool } = scene;
  const refuses = (url: string, protocols?: string | string[]) => {
    const error = assertThrows(() => pool.webSocket(url, { protocols }), DOMException);
    assertEquals(error.name, "SyntaxError", url);
  };
  for (const url of ["", "/x", "a.test", "ftp://a.test/", "wss://a.test/#x", "wss://a.test/#"]) {
    refuses(url);
  }
  for (const protocols of ["", "a b", "a,b", "é", ["a", "a"], ["a", "A"], ["a", ""], ["a\r\n"]]) {
    refuses("wss://a.test/", protocols);
  }
  assertEquals(pool.webSocket(new URL("http://a.test:80/")).url, "ws://a.test/");
  assertEquals(pool.webSocket("wss://user:pass@a.test/").url, "wss://a.test/");
});

test("webSocket() refuses bad options with an error that says what would do", async () => {
  await using scene = socketScene();
  const refuses = (options: unknown, kind: typeof TypeError | typeof RangeError, detail: string) =>
    assertThrows(() => scene.pool.webSocket("wss://a.test/", options as never), kind, detail);
  refuses({ protocol: "a" }, TypeError, "did you mean protocols?");
  refuses({ protocols: 1 }, TypeError, "protocols must be a text or a list of texts, got 1");
  refuses({ signal: 1 }, TypeError, "signal must be an AbortSignal, got 1");
  refuses(
    { maxMessageBytes: 0 },
    RangeError,
    "maxMessageBytes must be a whole number of at least 1",
  );
  refuses({ maxFragments: 1.5 }, RangeError, "maxFragments must be a whole number");
  refuses({ maxBufferedBytes: "1" }, TypeError, "maxBufferedBytes must be a whole number");
  for (const name of ["timeoutMs", "handshakeTimeoutMs", "pingIntervalMs", "pongTimeoutMs"]) {
    refuses({ [name]: -1 }, RangeError, `${name} must be a number of at least 0, got -1`);
  }
  refuses({ closeTimeoutMs: NaN }, TypeError, "closeTimeoutMs must be a number");
  refuses(
    { headers: { "Sec-WebSocket-Protocol": "a" } },
    TypeError,
    "Header \"Sec-WebSocket-Protocol\" is the handshake's own: use protocols",
  );
  refuses({ headers: { "x-y": "a\r\nb: c" } }, TypeError, "Value of header x-y");
  refuses({ headers: { "x y": "a" } }, TypeError, "Header name at index 0");
  refuses({ headers: { upgrade: "h2c" } }, TypeError, "Header \"upgrade\" is the handshake's own");
});

test("close() refuses codes and reasons as the web does", async () => {
  await using scene = socketScene();
  const { socket } = await scene.open();
  for (const code of [0, 999, 1_001, 1_005, 1_006, 2_999, 5_000, NaN]) {
    const error = assertThrows(() => socket.close(code), DOMException);
    assertEquals(error.name, "InvalidAccessError", `${code}`);
  }
  const error = assertThrows(() => socket.close(1_000, "ü".repeat(62)), DOMException);
  assertEquals(error.name, "SyntaxError");
  assertEquals(socket.readyState, socket.OPEN);
  socket.close(1_000, "ü".repeat(61));
});

test("send() throws before it is open, and counts what it never sends afterwards", async () => {
  await using scene = socketScene();
  const socket = scene.pool.webSocket("wss://a.test/");
  const error = assertThrows(() => socket.send("x"), DOMException);
  assertEquals(error.name, "InvalidStateError");
  await socket.opened;
  socket.close();
  socket.send("héllo");
  socket.send(new Uint8Array(10));
  assertEquals([socket.bufferedAmount, scene.machines[0]!.frames.length], [16, 1]);
  const closed = next(socket, "close");
  scene.machines[0]!.socket.end();
  await closed;
  socket.send(new Blob(["1234"]));
  assertEquals(socket.bufferedAmount, 20);
  await socket.drained();
});

test("close() before it is open fails it", async () => {
  await using scene = socketScene({ answer: () => null });
  const socket = scene.pool.webSocket("wss://a.test/");
  const failed = failure(socket);
  socket.close();
  assertEquals(socket.readyState, socket.CLOSING);
  const error = await failed;
  assertInstanceOf(error, DOMException);
  assertEquals([error.name, socket.readyState], ["AbortError", 3]);
});

test("close() in whichever moment of the opening holds: it does not open after that", async () => {
  const outcomes = new Set<string>();
  for (let moment = 0; moment < 40; moment++) {
    let tell = () => {};
    const answered = new Promise<void>((resolve) => tell = resolve);
    await using scene = socketScene({
      answer: (head) => {
        tell();
        return agreement(head);
      },
    });
    const socket = scene.pool.webSocket("wss://a.test/");
    socket.opened.catch(() => {});
    await answered;
    await turns(moment);
    const wasOpen = socket.readyState === socket.OPEN;
    socket.close();
    socket.addEventListener("open", () => outcomes.add("it opens although it is closed"));
    await turns();
    assert(socket.readyState !== socket.OPEN, `moment ${moment}`);
    if (!wasOpen) assertEquals(scene.pool.stats().leased, 0, `moment ${moment}`);
    outcomes.add(wasOpen ? "open" : "opening");
  }
  assertEquals([...outcomes].sort(), ["open", "opening"]);
});

test("A machine that was ejected is well as soon as it has agreed, not when the WebSocket ends", async () => {
  let isBroken = true;
  await using scene = socketScene({
    answer: (head) => isBroken ? "nonsense\r\n\r\n" : agreement(head),
    pool: { ejectAfterFailures: 1, ejectionMs: 1_000 },
  });
  const { clock, pool } = scene;
  const standing = () => pool.stats().hosts["a.test"]?.addresses["192.0.2.1"]?.standing;
  await failure(pool.webSocket("wss://a.test/", { ip: "192.0.2.1" }));
  assertEquals(standing(), "ejected");
  isBroken = false;
  clock.advance(1_000);
  const { socket } = await scene.open({ ip: "192.0.2.1" });
  assertEquals([standing(), socket.readyState], ["good", socket.OPEN]);
});

test("It counts as in use, is no leak, and never goes back as idle", async () => {
  await using scene = socketScene({ pool: { leaseWarningMs: 1_000 } });
  const { machine, socket } = await scene.open({ pingIntervalMs: Infinity });
  scene.clock.advance(60_000);
  const { draining, hosts, idle } = scene.pool.stats();
  assertEquals([idle, draining, hosts["a.test"]?.leases, scene.pool.diagnose()], [0, 1, 1, []]);
  const figures = () => {
    const [, told] =
      /^hotconn_upgraded_connections(?:\{.*\})? (\d+)$/m.exec(openMetrics(scene.pool)) ?? [];
    return [scene.pool.stats().upgraded, Number(told)];
  };
  assertEquals(figures(), [1, 1]);
  const [connection] = scene.pool.debugInfo().connections;
  assertEquals([connection?.upgraded, connection?.leases], ["websocket", 1]);
  const closed = next(socket, "close");
  socket.close();
  machine.send(closeFrame());
  machine.socket.end();
  await closed;
  assertEquals([scene.pool.stats().connections, scene.pool.stats().idle], [0, 0]);
  assertEquals(figures(), [0, 0]);
});

test("Closing the pool closes it with 1001, and what is not open yet fails", async () => {
  await using scene = socketScene({
    answer: (head) => head.startsWith("GET / ") ? agreement(head) : null,
  });
  const { machine, socket } = await scene.open();
  const connecting = scene.pool.webSocket("wss://a.test/silent");
  const failed = failure(connecting);
  const closed = next(socket, "close");
  const closing = scene.pool.close();
  assertEquals(goodbye(machine.frames[0]!.payload)[0], 1_001);
  machine.send(closeFrame(1_001));
  machine.socket.end();
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean], [1_001, true]);
  assertInstanceOf(await failed, ClosedError);
  await closing;
  assertInstanceOf(await failure(scene.pool.webSocket("wss://a.test/")), ClosedError);
});
