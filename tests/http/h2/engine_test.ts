import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  SETTINGS,
  WINDOW_UPDATE,
} from "../../../src/http/h2/frames.ts";
import { HpackEncoder } from "../../../src/http/h2/hpack_encoder.ts";
import { EngineScene } from "./engine_scene.ts";
import { encode, type Field } from "./hpack_text.ts";

const GET = ":method: GET\n:scheme: https\n:authority: a.test\n:path: /";
const bytes = (length: number) => new Uint8Array(length).fill(0x61);

test("Http2Engine begins with SETTINGS that refuse push, and acknowledges the peer's", () => {
  const scene = new EngineScene(null);
  assertEquals(scene.sent(), [
    ["setting", 0, 2, 0],
    ["setting", 0, 4, 262_144],
    ["setting", 0, 6, 65_536],
    ["settings", 0],
    ["window", 0, 16_777_216 - 65_535],
  ]);
  scene.settings();
  assertEquals(scene.sent(), [["settings ack", 0]]);
  scene.settingsAck();
  assertEquals(scene.failure, undefined);
});

test("Http2Engine sends a request, and tells its response and trailers", () => {
  const scene = new EngineScene();
  const { user } = scene.ask();
  assertEquals(scene.sent(), [["headers", 1, GET, true]]);
  scene.headers(1, [[":status", "103"], ["link", "</a>"]]);
  scene.headers(1, [[":status", "200"], ["x-a", "1"], ["content-length", "5"]]);
  scene.data(1, "he");
  scene.data(1, "llo");
  scene.headers(1, [["grpc-status", "0"]], true);
  assertEquals([user.status, user.body, user.ended], [200, "hello", true]);
  assertEquals(user.fields, [["x-a", "1"], ["content-length", "5"]]);
  assertEquals(user.trailers, [["grpc-status", "0"]]);
  assertEquals(scene.engine.active, 0);
});

test("Http2Engine sends the frames of a turn, small bodies among them, in one piece", () => {
  const scene = new EngineScene();
  const body = bytes(10);
  for (let i = 0; i < 20; i++) scene.ask({ method: "POST", body });
  const taken = scene.engine.take();
  assert(taken);
  assertEquals(scene.engine.take(), undefined);
  let frames = 0;
  for (let at = 0; at < taken.length; frames++) at += 9 + (taken[at + 1]! << 8 | taken[at + 2]!);
  assertEquals(frames, 40);
});

test("Http2Engine sends trailers behind a body", () => {
  const scene = new EngineScene();
  const { stream } = scene.ask({ method: "POST", hasMore: true });
  scene.engine.send(stream, bytes(3), true, [
    { name: "x-sum", value: "1", key: "x-sum\n1", indexing: "without" },
  ]);
  assertEquals(scene.sent().slice(1), [
    ["data", 1, "aaa", 3, false],
    ["headers", 1, "x-sum: 1", true],
  ]);
});

test("Http2Engine holds content-length against DATA", () => {
  for (const [length, body] of [["3", "four"], ["9", "four"]] as const) {
    const scene = new EngineScene();
    const { user } = scene.ask();
    scene.sent();
    scene.headers(1, [[":status", "200"], ["content-length", length]]);
    scene.data(1, body, true);
    assertEquals([user.failure, user.ended], ["PROTOCOL_ERROR", false]);
    assertEquals(scene.sentOf("reset"), [["reset", 1, 1]]);
    assertEquals(scene.failure, undefined);
  }
});

test("Http2Engine takes no body of HEAD, 204 and 304, whatever content-length says", () => {
  for (const [method, status] of [["HEAD", "200"], ["GET", "204"], ["GET", "304"]] as const) {
    const scene = new EngineScene();
    const whole = scene.ask({ method });
    scene.headers(1, [[":status", status], ["content-length", "100"]], true);
    assert(whole.user.ended);
    const more = scene.ask({ method });
    scene.headers(3, [[":status", status]]);
    scene.data(3, "x", true);
    assertEquals(more.user.failure, "PROTOCOL_ERROR");
  }
});

test("Http2Engine ends a stream alone whose head is malformed", () => {
  const heads: Field[][] = [
    [],
    [["x-a", "1"]],
    [["x-a", "1"], [":status", "200"]],
    [[":status", "200"], [":status", "200"]],
    [[":status", "20"]],
    [[":status", "2x0"]],
    [[":status", "101"]],
    [[":status", "200"], [":path", "/"]],
    [[":status", "200"], ["X-A", "1"]],
    [[":status", "200"], ["x a", "1"]],
    [[":status", "200"], ["", "1"]],
    [[":status", "200"], ["x-a", "1\r\nx-b: 2"]],
    [[":status", "200"], ["x-a", "a\0"]],
    [[":status", "200"], ["x-a", " 1"]],
    [[":status", "200"], ["x-a", "1\t"]],
    [[":status", "200"], ["connection", "close"]],
    [[":status", "200"], ["transfer-encoding", "chunked"]],
    [[":status", "200"], ["content-length", "1"], ["content-length", "2"]],
    [[":status", "200"], ["content-length", "-1"]],
    [[":status", "200"], ["content-length", ""]],
  ];
  for (const head of heads) {
    const scene = new EngineScene();
    const bad = scene.ask();
    const good = scene.ask();
    scene.headers(1, head);
    assertEquals(bad.user.failure, "PROTOCOL_ERROR", JSON.stringify(head));
    scene.respond(3);
    assert(good.user.ended);
  }
});

test("Http2Engine gives crumbs of a cookie as one field, and names and values as they came", () => {
  const scene = new EngineScene();
  const { user } = scene.ask();
  const fields: Field[] = [["x-a", "\xe4"], ["set-cookie", "a"], ["set-cookie", "b"], ["x-b", ""]];
  scene.headers(1, [[":status", "200"], ["cookie", "a=1"], ...fields, ["cookie", "b=2"]], true);
  assertEquals(user.fields, [...fields, ["cookie", "a=1; b=2"]]);
});

test("Http2Engine knows a head that comes again, and not one whose table has changed", () => {
  const scene = new EngineScene();
  const heads: Field[][] = [
    [[":status", "200"], ["x-a", "1"]],
    [[":status", "200"], ["x-a", "2"]],
    [[":status", "404"], ["x-a", "1"]],
  ];
  for (let i = 0, id = 1; i < 60; i++, id += 2) {
    const { user } = scene.ask();
    const head = heads[(i * i + (i >> 2)) % 3]!;
    scene.headers(id, [...head, ...(i % 7 === 0 ? [["x-b", String(i)] as Field] : [])], true);
    assertEquals([user.status, user.fields[0]], [Number(head[0]![1]), head[1]!]);
  }
});

test("Http2Engine keeps its table in step where a server adds the same fields with each head", () => {
  const scene = new EngineScene();
  const add = (name: string, value: string) => {
    const text = new TextEncoder().encode(name + value);
    const middle = name.length;
    return [0x40, middle, ...text.subarray(0, middle), value.length, ...text.subarray(middle)];
  };
  const heads = [
    [0x88, ...add("x-a", "1"), ...add("x-b", "2")],
    [0x88, ...add("x-a", "3")],
    // The fields that were added last and before that, the newest first.
    [0x88, 0xbe, 0xbf],
    [0x88, 0xbf, 0xbe],
  ];
  const expected = [["x-a: 1", "x-b: 2"], ["x-a: 3"]];
  const table: string[] = [];
  for (let i = 0, id = 1; i < 200; i++, id += 2) {
    const { user } = scene.ask();
    const which = i < 2 ? 0 : (i * i + (i >> 2)) % 4;
    scene.raw(HEADERS, END_HEADERS | END_STREAM, id, Uint8Array.from(heads[which]!));
    const said = user.fields.map(([name, value]) => `${name}: ${value}`);
    const [first, second] = [table.at(-1)!, table.at(-2)!];
    assertEquals(said, expected[which] ?? (which === 2 ? [first, second] : [second, first]));
    table.push(...expected[which] ?? []);
  }
  assertEquals(scene.failure, undefined);
});

test("Http2Engine shares the connection's window fairly among bodies", () => {
  const scene = new EngineScene([[4, 1_000_000]]);
  const asked = [1, 2, 3].map(() => scene.ask({ method: "POST", body: bytes(40_000) }));
  const order = scene.sentOf("data").map(([, id, , credit]) => [id, credit]);
  assertEquals(order.map(([id]) => id), [1, 3, 5, 1]);
  assertEquals(order.reduce((sum, [, credit]) => sum + Number(credit), 0), 65_535);
  scene.window(0, 1_000_000);
  scene.sent();
  assertEquals(asked.map(({ user }) => user.sent), [1, 1, 1]);
});

test("Http2Engine gives half a window back with other output, and three quarters by themselves", () => {
  const scene = new EngineScene();
  const { engine } = scene;
  scene.ask();
  scene.ask();
  for (const id of [1, 3]) scene.headers(id);
  const part = new Uint8Array(16_384);
  scene.sent();
  for (let i = 0; i < 8; i++) for (const id of [1, 3]) scene.data(id, part);
  assertEquals([engine.outputLength, scene.sent()], [0, []]);
  scene.ask();
  assertEquals(scene.sentOf("window"), [["window", 1, 131_072], ["window", 3, 131_072]]);
  for (let i = 0; i < 12; i++) scene.data(1, part);
  assertEquals(engine.outputLength > 0, true);
  assertEquals(scene.sentOf("window"), [["window", 1, 196_608]]);
});

test("Http2Engine leaves a window open for the end of a body that fills it", () => {
  const scene = new EngineScene();
  scene.ask();
  scene.headers(1, [[":status", "200"], ["content-length", "262144"]]);
  scene.sent();
  for (let i = 0; i < 16; i++) scene.data(1, new Uint8Array(16_384));
  assert(scene.sentOf("window").length > 0);
  // Whose end fits anyway is given nothing.
  scene.ask();
  scene.headers(3, [[":status", "200"], ["content-length", "262143"]]);
  scene.sent();
  for (let i = 0; i < 15; i++) scene.data(3, new Uint8Array(16_384));
  scene.data(3, new Uint8Array(16_383));
  assertEquals(scene.sentOf("window"), []);
});

test("Http2Engine ends the connection for what breaks the rules of all streams", () => {
  const cases: { readonly [what: string]: [string, (scene: EngineScene) => void] } = {
    "DATA on a stream that nobody opened": ["PROTOCOL_ERROR", (scene) => scene.data(3, "x")],
    "HEADERS on a stream of the peer's": ["PROTOCOL_ERROR", (scene) => scene.headers(2)],
    "RST_STREAM on a stream that nobody opened": [
      "PROTOCOL_ERROR",
      (scene) => scene.reset(5, "CANCEL"),
    ],
    "PUSH_PROMISE": [
      "PROTOCOL_ERROR",
      (scene) => scene.raw(PUSH_PROMISE, END_HEADERS, 1, Uint8Array.of(0, 0, 0, 2)),
    ],
    "PUSH_PROMISE on a stream that nobody opened": [
      "PROTOCOL_ERROR",
      (scene) => scene.raw(PUSH_PROMISE, END_HEADERS, 9, Uint8Array.of(0, 0, 0, 2)),
    ],
    "PUSH_PROMISE on a stream that has ended": ["PROTOCOL_ERROR", (scene) => {
      scene.respond(1);
      scene.raw(PUSH_PROMISE, 0, 1, Uint8Array.of(0, 0, 0, 2));
    }],
    "PUSH_PROMISE on no stream": [
      "PROTOCOL_ERROR",
      (scene) => scene.raw(PUSH_PROMISE, END_HEADERS, 0, Uint8Array.of(0, 0, 0, 2)),
    ],
    "push allowed by a server": ["PROTOCOL_ERROR", (scene) => scene.settings([[2, 1]])],
    "a window of 2^31": ["FLOW_CONTROL_ERROR", (scene) => scene.settings([[4, 2 ** 31]])],
    "frames too short": ["PROTOCOL_ERROR", (scene) => scene.settings([[5, 16_383]])],
    "frames too long": ["PROTOCOL_ERROR", (scene) => scene.settings([[5, 2 ** 24]])],
    "the connection's window over 2^31": [
      "FLOW_CONTROL_ERROR",
      (scene) => scene.window(0, 2 ** 31 - 1),
    ],
    "SETTINGS that make a window overflow": ["FLOW_CONTROL_ERROR", (scene) => {
      scene.window(1, 2 ** 31 - 1 - 65_535);
      scene.settings([[4, 65_536]]);
    }],
    "a header block that is not valid": [
      "COMPRESSION_ERROR",
      (scene) => scene.raw(HEADERS, END_HEADERS, 1, Uint8Array.of(0x80)),
    ],
    "DATA behind the end": ["STREAM_CLOSED", (scene) => {
      scene.respond(1);
      scene.data(1, "x");
    }],
    "SETTINGS acknowledged twice": ["PROTOCOL_ERROR", (scene) => scene.settingsAck()],
    "another frame within a header block": ["PROTOCOL_ERROR", (scene) => {
      scene.raw(HEADERS, 0, 1, Uint8Array.of(0x88));
      scene.data(1, "x");
    }],
  };
  for (const [what, [code, act]] of Object.entries(cases)) {
    const scene = new EngineScene();
    const { user } = scene.ask();
    scene.sent();
    act(scene);
    assertEquals(scene.failure, code, what);
    assertEquals(user.ended || user.failure === code, true, what);
    assertEquals(scene.sentOf("goaway").length, 1, what);
    assertEquals(scene.tryAsk(), undefined);
  }
});

test("Http2Engine ends one stream for what breaks its own rules", () => {
  const cases: { readonly [what: string]: [string, (scene: EngineScene) => void] } = {
    "a window over 2^31": ["FLOW_CONTROL_ERROR", (scene) => scene.window(1, 2 ** 31 - 1)],
    "a window that opens by nothing": ["PROTOCOL_ERROR", (scene) => scene.window(1, 0)],
    "PRIORITY of a wrong length": [
      "FRAME_SIZE_ERROR",
      (scene) => scene.raw(PRIORITY, 0, 1, bytes(4)),
    ],
    "DATA before the head": ["PROTOCOL_ERROR", (scene) => scene.data(1, "x")],
    "trailers that do not end it": ["PROTOCOL_ERROR", (scene) => {
      scene.headers(1);
      scene.headers(1, [["x-a", "1"]]);
    }],
    "trailers with a pseudo-header": ["PROTOCOL_ERROR", (scene) => {
      scene.headers(1);
      scene.headers(1, [[":status", "200"]], true);
    }],
    "an interim response that ends it": [
      "PROTOCOL_ERROR",
      (scene) => scene.headers(1, [[":status", "100"]], true),
    ],
    "interim responses without end": ["ENHANCE_YOUR_CALM", (scene) => {
      for (let i = 0; i < 17; i++) scene.headers(1, [[":status", "100"]]);
    }],
    "a reset of the peer's": ["INTERNAL_ERROR", (scene) => scene.reset(1, "INTERNAL_ERROR")],
  };
  for (const [what, [code, act]] of Object.entries(cases)) {
    const scene = new EngineScene();
    const bad = scene.ask();
    const good = scene.ask();
    scene.sent();
    act(scene);
    assertEquals(bad.user.failure, code, what);
    scene.respond(3);
    assert(good.user.ended, what);
    assertEquals(scene.failure, undefined);
  }
});

test("Http2Engine says of a refused stream that it was not processed, and of no other reset", () => {
  const scene = new EngineScene();
  const refused = scene.ask();
  const reset = scene.ask();
  scene.reset(1, "REFUSED_STREAM");
  scene.reset(3, "CANCEL");
  assertEquals(refused.user.maybeActedOn, false);
  assertEquals(reset.user.maybeActedOn, true);
});

test("Http2Engine cancels the rest of a request that was answered before it was out", () => {
  const scene = new EngineScene();
  const { user } = scene.ask({ method: "POST", body: bytes(100_000) });
  scene.sent();
  scene.respond(1, "no");
  assertEquals([user.body, user.ended, user.error], ["no", true, undefined]);
  assertEquals(scene.sentOf("reset"), [["reset", 1, 8]]);
  scene.reset(1, "NO_ERROR");
  assertEquals(scene.failure, undefined);
});

test("Http2Engine leaves a connection whose window went into a body that nobody wanted", () => {
  for (const [sent, isLeaving] of [[10_000, false], [60_000, true]] as const) {
    const scene = new EngineScene([[4, sent]]);
    scene.ask({ method: "POST", body: bytes(100_000) });
    scene.sent();
    scene.respond(1, "no");
    assertEquals(scene.engine.isLeaving, isLeaving);
  }
});

test("Http2Engine splits a head that is longer than a frame", () => {
  const scene = new EngineScene();
  const value = "~".repeat(40_000);
  scene.ask({ headers: [["x-a", value]] });
  const [frame] = scene.sent();
  assertEquals(frame?.[0], "headers");
  assert(String(frame?.[2]).endsWith(`x-a: ${value}`));
});

test("Http2Engine reads a head within its limit, fails one stream beyond, and ends far beyond", () => {
  const limits = { maxHeadBytes: 1_000, maxFields: 10 };
  const outcome = (fields: Field[]) => {
    const scene = new EngineScene([], { limits });
    const { user } = scene.ask();
    scene.headers(1, [[":status", "200"], ...fields], true);
    // What was beyond the limit was read all the same: the tables are in step.
    if (!scene.failure) {
      scene.ask();
      scene.headers(3, [[":status", "200"], ...fields.slice(0, 1)], true);
    }
    return [user.failure, scene.failure];
  };
  const many = (count: number): Field[] =>
    Array.from({ length: count }, (_, i) => ["x", String(i)]);
  assertEquals(outcome(many(9)), [undefined, undefined]);
  assertEquals(outcome(many(10)), ["ENHANCE_YOUR_CALM", undefined]);
  assertEquals(outcome(many(40)), ["ENHANCE_YOUR_CALM", "ENHANCE_YOUR_CALM"]);
  assertEquals(outcome([["x", "y".repeat(900)]]), [undefined, undefined]);
  assertEquals(outcome([["x", "y".repeat(1_500)]]), ["ENHANCE_YOUR_CALM", undefined]);
  assertEquals(outcome([["x", "y".repeat(5_000)]]), ["ENHANCE_YOUR_CALM", "ENHANCE_YOUR_CALM"]);
});

test("Http2Engine ends a connection that floods it with frames of no use", () => {
  const floods: { readonly [what: string]: (scene: EngineScene) => void } = {
    "empty DATA": (scene) => scene.data(1, ""),
    "padding alone": (scene) => scene.raw(DATA, PADDED, 1, Uint8Array.of(3, 0, 0, 0)),
    "SETTINGS": (scene) => scene.settings(),
    "PING": (scene) => scene.raw(PING, 0, 0, bytes(8)),
    "PRIORITY": (scene) => scene.raw(PRIORITY, 0, 1, bytes(5)),
    "unknown frames": (scene) => scene.raw(0x20, 0, 0, bytes(5)),
    "WINDOW_UPDATE": (scene) => scene.raw(WINDOW_UPDATE, 0, 0, Uint8Array.of(0, 0, 0, 1)),
    "late RST_STREAM": (scene) => scene.reset(3, "CANCEL"),
  };
  for (const [what, send] of Object.entries(floods)) {
    const scene = new EngineScene();
    scene.ask();
    scene.ask();
    scene.sent();
    scene.headers(1);
    scene.respond(3);
    let sent = 0;
    for (; sent < 5_000 && !scene.failure; sent++) {
      send(scene);
      scene.sent();
    }
    assertEquals(scene.failure, "ENHANCE_YOUR_CALM", what);
    assert(sent > 15, what);
  }
});

test("Http2Engine takes DATA without data, however often, while the body goes on", () => {
  const scene = new EngineScene();
  scene.ask();
  scene.headers(1);
  for (let part = 0; part < 500; part++) {
    scene.data(1, "");
    scene.data(1, "x");
  }
  assertEquals(scene.failure, undefined);
});

test("Http2Engine takes a few frames of no use with each response, however many responses there are", () => {
  const habits: { readonly [what: string]: (scene: EngineScene, id: number) => void } = {
    "PING": (scene) => scene.raw(PING, 0, 0, bytes(8)),
    "PRIORITY": (scene) => scene.raw(PRIORITY, 0, 1, bytes(5)),
    "ALTSVC": (scene) => scene.raw(0xa, 0, 0, bytes(5)),
    "WINDOW_UPDATE": (scene, id) => scene.raw(WINDOW_UPDATE, 0, id, Uint8Array.of(0, 0, 0, 1)),
    "late RST_STREAM": (scene, id) => scene.reset(id, "NO_ERROR"),
  };
  for (const [what, send] of Object.entries(habits)) {
    const scene = new EngineScene();
    for (let request = 0; request < 5_000 && !scene.failure; request++) {
      const { stream } = scene.ask();
      scene.sent();
      scene.respond(stream.id);
      send(scene, stream.id);
      scene.sent();
    }
    assertEquals(scene.failure, undefined, what);
  }
});

test("Http2Engine goes on where both ends give up many streams at once, at one deadline", () => {
  const scene = new EngineScene();
  const lasting = scene.ask();
  const given = Array.from({ length: 99 }, () => scene.ask());
  for (const { stream } of given) scene.engine.cancel(stream);
  scene.sent();
  for (const { stream } of given) scene.reset(stream.id, "CANCEL");
  scene.respond(lasting.stream.id);
  assertEquals([scene.failure, lasting.user.ended], [undefined, true]);
});

test("Http2Engine keeps no answers without end for a peer that does not read them", () => {
  const scene = new EngineScene();
  for (let i = 0; i < 12 && !scene.failure; i++) {
    for (let ping = 0; ping < 99; ping++) scene.raw(PING, 0, 0, bytes(8));
    scene.engine.now += 1_000;
  }
  assertEquals(scene.failure, "ENHANCE_YOUR_CALM");
});

test("Http2Engine takes no harm from a block that was begun and never ended", () => {
  const scene = new EngineScene();
  scene.ask();
  const block = encode(new HpackEncoder(), [[":status", "200"]]);
  scene.raw(HEADERS, 0, 1, block);
  scene.raw(CONTINUATION, 0, 1);
  assertEquals(scene.failure, undefined);
  scene.raw(SETTINGS, 0, 0);
  assertEquals(scene.failure, "PROTOCOL_ERROR");
});
