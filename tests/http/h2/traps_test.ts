import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { END_HEADERS, HEADERS } from "../../../src/http/h2/frames.ts";
import { blockField, HpackEncoder } from "../../../src/http/h2/hpack_encoder.ts";
import { EngineScene } from "./engine_scene.ts";
import type { Noted } from "./frame_recorder.ts";
import { encodeFields, type Field } from "./hpack_text.ts";

const bytes = (length: number) => new Uint8Array(length).fill(0x61);

test("H1: no more streams begin than the peer allows, as it says so up and down", () => {
  const scene = new EngineScene([[3, 2]]);
  assertEquals(scene.engine.capacity, 2);
  scene.ask();
  scene.ask();
  assertEquals(scene.tryAsk(), undefined);
  scene.respond(1);
  scene.ask();
  assertEquals(scene.tryAsk(), undefined);
  scene.settings([[3, 1]]);
  scene.respond(3);
  assertEquals(scene.tryAsk(), undefined);
  scene.respond(5);
  scene.ask();
});

test("H6: windows grow with a fast peer and a fast reader, up to a limit", () => {
  const scene = new EngineScene();
  const { stream } = scene.ask();
  scene.headers(1);
  const part = bytes(16_384);
  for (let i = 0; i < 2_000; i++) {
    scene.engine.now += 0.001;
    scene.data(1, part);
  }
  assertEquals(scene.failure, undefined);
  assertEquals(stream.windowSize, 8_388_608);
  assert(scene.sentOf("window").length < 500);
  // What comes slowly needs no large window.
  const slow = scene.ask();
  scene.headers(3);
  for (let i = 0; i < 200; i++) {
    scene.engine.now += 1_000;
    scene.data(3, part);
  }
  assertEquals(slow.stream.windowSize, 262_144);
});

test("H8: a body that nobody reads keeps its own stream waiting, and no other", () => {
  const scene = new EngineScene();
  const unread = scene.ask();
  const read = scene.ask();
  scene.sent();
  scene.headers(1);
  scene.engine.pause(unread.stream);
  let left = 262_144;
  for (; left > 0; left -= 16_384) scene.data(1, bytes(16_384));
  assertEquals(scene.sentOf("window").filter(([, id]) => id === 1), []);
  scene.headers(3);
  // Far more than all the windows there were at first.
  for (let i = 0; i < 2_000; i++) scene.data(3, bytes(16_384));
  assertEquals([scene.failure, read.user.error], [undefined, undefined]);
  assertEquals(read.user.received, 2_000 * 16_384);
  scene.sent();
  scene.engine.resume(unread.stream);
  assertEquals(scene.sentOf("window"), [["window", 1, 262_144]]);
});

test("H9: a changed SETTINGS_INITIAL_WINDOW_SIZE holds for open streams, and may make windows negative", () => {
  const scene = new EngineScene([[4, 10]]);
  const { user } = scene.ask({ method: "POST", body: bytes(100) });
  const credit = () => scene.sentOf("data").reduce((sum, frame) => sum + Number(frame[3]), 0);
  assertEquals(credit(), 10);
  scene.settings([[4, 30]]);
  assertEquals(credit(), 20);
  scene.settings([[4, 5]]);
  scene.window(1, 20);
  assertEquals(credit(), 0);
  scene.window(1, 10);
  assertEquals(credit(), 5);
  scene.settings([[4, 1_000]]);
  assertEquals(credit(), 65);
  assertEquals(user.sent, 1);
});

test("H9: a window that is made negative while a body waits its turn sends no byte of it twice", () => {
  const scene = new EngineScene([[4, 200_000]]);
  scene.window(0, 1_000_000);
  const { user } = scene.ask({ method: "POST", body: bytes(300_000) });
  const lengths = (frames: readonly Noted[]) =>
    frames.reduce((sum, [kind, , , length]) => kind === "data" ? sum + Number(length) : sum, 0);
  let sent = lengths(scene.sent(1));
  scene.settings([[4, 10]]);
  sent += lengths(scene.sent());
  scene.settings([[4, 1_000_000]]);
  sent += lengths(scene.sent());
  assertEquals([sent, user.sent], [300_000, 1]);
});

test("H10: a new window is used only behind the acknowledgement of its SETTINGS", () => {
  const scene = new EngineScene([[4, 10]]);
  scene.ask({ method: "POST", body: bytes(50) });
  scene.sent();
  scene.settings([[4, 20]]);
  assertEquals(scene.sent().map(([kind]) => kind), ["settings ack", "data"]);
});

test("H10: a body of the default window may come before the peer has taken the larger one", () => {
  const scene = new EngineScene(null);
  scene.settings();
  const { stream, user } = scene.ask();
  scene.headers(1);
  // What a slow reader has not taken is not given back to the window.
  scene.engine.pause(stream);
  for (let i = 0; i < 4; i++) scene.data(1, bytes(16_000));
  scene.settingsAck();
  assertEquals([scene.failure, user.received], [undefined, 64_000]);
});

test("H11: behind a GOAWAY the streams up to its last one finish, the others were not processed", () => {
  const scene = new EngineScene();
  const [first, second, third] = [scene.ask(), scene.ask(), scene.ask()];
  scene.goaway(2 ** 31 - 1);
  assertEquals(scene.tryAsk(), undefined);
  assertEquals(third.user.error, undefined);
  scene.goaway(3);
  assertEquals([third.user.failure, third.user.maybeActedOn], ["NO_ERROR", false]);
  scene.respond(1);
  scene.respond(3);
  assert(first.user.ended && second.user.ended);
  // What it had sent before it knew is passed over.
  scene.headers(5);
  assertEquals(scene.failure, undefined);
  assertEquals(scene.engine.active, 0);
});

test("H12: a GOAWAY of this side names no stream of its own", () => {
  const scene = new EngineScene();
  scene.ask();
  scene.sent();
  scene.settings([[2, 1]]);
  const [goaway] = scene.sentOf("goaway");
  assertEquals(goaway?.slice(0, 4), ["goaway", 0, 0, 1]);
  const leaving = new EngineScene();
  leaving.engine.leave();
  assertEquals(leaving.sentOf("goaway")[0]?.slice(2, 4), [0, 0]);
});

test("H13: a peer that is silent is asked, and is dead when it does not answer in time", () => {
  const scene = new EngineScene();
  const { user } = scene.ask();
  scene.sent();
  scene.advance(14_000);
  assertEquals(scene.sent(), []);
  scene.advance(1_000);
  const asked = scene.sentOf("ping");
  assertEquals(asked.length, 1);
  scene.advance(9_000);
  scene.pong(asked);
  assertEquals(scene.pongs, 1);
  // It is asked again, but not so soon: some servers end a connection for that.
  scene.advance(16_000);
  assertEquals(scene.sentOf("ping"), []);
  scene.advance(50_000);
  assertEquals(scene.sentOf("ping").length, 1);
  scene.advance(10_000);
  assertEquals(scene.failure, "NO_ERROR");
  assertEquals(user.maybeActedOn, true);
});

test("H13: nobody is asked where no stream is open, and a request after a pause is no silence", () => {
  const scene = new EngineScene();
  scene.advance(1_000_000);
  scene.ask();
  scene.sent();
  scene.advance(1_000);
  assertEquals(scene.sent(), []);
});

test("H13: SETTINGS that are never acknowledged end the connection", () => {
  const scene = new EngineScene(null);
  scene.settings();
  scene.advance(9_999);
  assertEquals(scene.failure, undefined);
  scene.advance(1);
  assertEquals(scene.failure, "SETTINGS_TIMEOUT");
});

test("H14: a limit of streams that begins at 1 or 0 and is raised later is followed", () => {
  const scene = new EngineScene([[3, 0]]);
  assertEquals(scene.tryAsk(), undefined);
  const before = scene.capacityChanges;
  scene.settings([[3, 1]]);
  assert(scene.capacityChanges > before);
  scene.ask();
  assertEquals(scene.tryAsk(), undefined);
  scene.settings([[3, 1_000]]);
  for (let i = 0; i < 999; i++) scene.ask();
  assertEquals(scene.tryAsk(), undefined);
});

test("H15: a cancelled stream holds its slot until the peer has surely seen it, and no longer", () => {
  const scene = new EngineScene([[3, 1]]);
  for (let round = 0; round < 5; round++) {
    const { stream, user } = scene.ask();
    scene.headers(stream.id);
    scene.sent();
    scene.engine.cancel(stream);
    assertEquals(scene.tryAsk(), undefined);
    const sent = scene.sent();
    assertEquals(sent.map(([kind]) => kind), ["reset", "ping"]);
    scene.data(stream.id, "late");
    assertEquals([user.body, scene.failure], ["", undefined]);
    scene.pong(sent);
  }
});

test("H15: a slot is free in time where no PING may be sent, since some servers count them", () => {
  const scene = new EngineScene([[3, 1]]);
  scene.engine.cancel(scene.ask().stream);
  scene.pong(scene.sent());
  scene.engine.cancel(scene.ask().stream);
  assertEquals(scene.sentOf("ping"), []);
  assertEquals(scene.tryAsk(), undefined);
  scene.advance(1_000);
  scene.ask();
});

test("H16: what a waiting body was promised keeps no other from being sent", () => {
  const scene = new EngineScene([[4, 1_000]]);
  const stuck = scene.ask({ method: "POST", body: bytes(100_000) });
  scene.sent();
  const free = scene.ask({ method: "POST", body: bytes(500) });
  const sent = scene.sentOf("data").map(([, id, , credit]) => [id, credit]);
  assertEquals(sent, [[3, 500]]);
  assertEquals([free.user.sent, stuck.user.sent], [1, 0]);
});

test("H16: a stream that is cancelled leaves the connection's window to the others", () => {
  const scene = new EngineScene([[4, 1_000_000]]);
  const large = scene.ask({ method: "POST", body: bytes(1_000_000) });
  scene.sent();
  const next = scene.ask({ method: "POST", body: bytes(1_000) });
  scene.engine.cancel(large.stream);
  scene.window(0, 1_000);
  assertEquals(scene.sentOf("data").map(([, id]) => id), [3]);
  assertEquals(next.user.sent, 1);
});

test("H17: a thousand aborts in a row are spread, so that they do not look like an attack", () => {
  const scene = new EngineScene([[3, 2_000]]);
  let asked = 0;
  let resets = 0;
  for (let i = 0; i < 1_000; i++) {
    const next = scene.tryAsk();
    if (!next) continue;
    asked++;
    scene.engine.cancel(next.stream);
    const sent = scene.sent();
    resets += sent.filter(([kind]) => kind === "reset").length;
    scene.pong(sent);
  }
  assert(asked > 500);
  assertEquals(resets, 500);
  scene.advance(1_000);
  assertEquals(scene.sentOf("reset").length, 30);
  // What the peer has answered meanwhile need not be reset.
  const capacity = scene.engine.capacity;
  scene.respond(1_999);
  assertEquals(scene.engine.capacity, capacity + 1);
});

test("H18: numbers of streams run out, and then nothing begins", () => {
  const scene = new EngineScene([], { firstId: 2 ** 31 - 3 });
  scene.ask();
  const last = scene.ask();
  assertEquals(last.stream.id, 2 ** 31 - 1);
  assertEquals([scene.tryAsk(), scene.engine.isLeaving], [undefined, true]);
  scene.respond(2 ** 31 - 1);
  assert(last.user.ended);
});

test("H19: crumbs of cookies count as the fields that they are", () => {
  const scene = new EngineScene();
  const { user } = scene.ask();
  const crumbs = Array.from({ length: 300 }, (): Field => ["cookie", "a"]);
  scene.headers(1, [[":status", "200"], ...crumbs], true);
  assertEquals([user.failure, scene.failure], ["ENHANCE_YOUR_CALM", undefined]);
});

test("H19: a block of one byte for each of many large fields ends the connection", () => {
  const scene = new EngineScene();
  scene.ask();
  const encoder = new HpackEncoder();
  const large = blockField("x", "y".repeat(1_900), "auto");
  encodeFields(encoder, [large]);
  const kept = encodeFields(encoder, [large]);
  const block = new Uint8Array(kept.length + 10_000).fill(0xbe);
  block.set(kept);
  scene.raw(HEADERS, END_HEADERS, 1, block);
  assertEquals(scene.failure, "ENHANCE_YOUR_CALM");
});

test("H20: the head of a stream that was just cancelled is read, to keep the tables in step", () => {
  const scene = new EngineScene();
  const { stream } = scene.ask();
  const next = scene.ask();
  scene.engine.cancel(stream);
  const fields: Field[] = [[":status", "200"], ["x-a", "kept"]];
  scene.headers(1, fields);
  scene.headers(1, fields, true);
  scene.headers(3, fields, true);
  assertEquals([next.user.fields, scene.failure], [[["x-a", "kept"]], undefined]);
});
