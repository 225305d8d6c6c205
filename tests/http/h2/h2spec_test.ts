/**
 * The cases of h2spec's suite for clients by their sections and numbers, as frames: what a server may
 * send, right and wrong, and what a client has to make of it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "../../../src/http/h2/frames.ts";
import { casesTold } from "../../support/documents.ts";
import { EngineScene } from "./engine_scene.ts";

type Act = (scene: EngineScene) => void;

/** `200`, as HPACK has it in its table. */
const OK = Uint8Array.of(0x88);
const NONE = new Uint8Array(0);
const zeros = (length: number) => new Uint8Array(length);

const PROTOCOL = "connection PROTOCOL_ERROR";
const FRAME_SIZE = "connection FRAME_SIZE_ERROR";
const CLOSED = "connection STREAM_CLOSED";

/** Sends the head of stream 1, whose body is to come. */
const head: Act = (scene) => scene.headers(1);

const cases: { readonly [number: string]: readonly [expected: string, act: Act] } = {
  "1/1": ["answered", (scene) => scene.respond(1)],
  "4.1/1": ["pong", (scene) => scene.raw(0x16, 0, 0, zeros(8))],
  "4.1/2": ["pong", (scene) => scene.raw(PING, 0x16, 0, zeros(8))],
  "4.1/3": ["pong", (scene) => scene.raw(PING, 0x16, 0x8000_0000, zeros(8))],
  "4.2/1": ["pong", (scene) => {
    head(scene);
    scene.raw(DATA, END_STREAM, 1, zeros(16_384));
  }],
  "4.2/2": [FRAME_SIZE, (scene) => {
    head(scene);
    scene.raw(DATA, END_STREAM, 1, zeros(16_385));
  }],
  "4.2/3": [FRAME_SIZE, (scene) => scene.raw(HEADERS, END_HEADERS, 1, zeros(16_385))],
  "4.3/1": [
    "connection COMPRESSION_ERROR",
    (scene) => scene.raw(HEADERS, END_HEADERS, 1, Uint8Array.of(0x40)),
  ],
  "5.1/1": [PROTOCOL, (scene) => scene.data(2, "test", true)],
  "5.1/2": [PROTOCOL, (scene) => scene.reset(2, "CANCEL")],
  "5.1/3": [PROTOCOL, (scene) => scene.window(2, 100)],
  "5.1/4": [PROTOCOL, (scene) => scene.raw(CONTINUATION, END_HEADERS, 2, OK)],
  // Stricter than the suite, which wants the stream to end: who goes on after it has reset a stream has
  // lost its count of them (RFC 9113 section 5.1).
  "5.1/5": [CLOSED, (scene) => {
    head(scene);
    scene.reset(1, "CANCEL");
    scene.data(1, "test", true);
  }],
  "5.1/6": [CLOSED, (scene) => {
    head(scene);
    scene.reset(1, "CANCEL");
    scene.headers(1, [[":status", "200"]], true);
  }],
  "5.1/7": [PROTOCOL, (scene) => {
    head(scene);
    scene.reset(1, "CANCEL");
    scene.raw(CONTINUATION, END_HEADERS, 1, OK);
  }],
  "5.1/8": [CLOSED, (scene) => {
    scene.headers(1, [[":status", "200"]], true);
    scene.data(1, "test", true);
  }],
  "5.1/9": [CLOSED, (scene) => {
    scene.headers(1, [[":status", "200"]], true);
    scene.headers(1, [[":status", "200"]], true);
  }],
  "5.1/10": [PROTOCOL, (scene) => {
    scene.headers(1, [[":status", "200"]], true);
    scene.raw(CONTINUATION, END_HEADERS, 1, OK);
  }],
  "5.1.1/1": [PROTOCOL, (scene) => scene.headers(101, [[":status", "200"]], true)],
  "5.4.1/1": [PROTOCOL, (scene) => scene.raw(PING, 0, 3, zeros(8))],
  "5.4.1/2": [PROTOCOL, (scene) => scene.raw(PING, 0, 3, zeros(8))],
  "5.5/1": ["pong", (scene) => scene.raw(0x16, 0, 0, zeros(8))],
  "6.1/1": [PROTOCOL, (scene) => scene.raw(DATA, END_STREAM, 0, zeros(4))],
  "6.1/2": [CLOSED, (scene) => {
    scene.headers(1, [[":status", "200"]], true);
    scene.data(1, "test", true);
  }],
  "6.1/3": [PROTOCOL, (scene) => {
    head(scene);
    scene.raw(DATA, END_STREAM | PADDED, 1, Uint8Array.of(6, 0x54, 0x65, 0x73, 0x74));
  }],
  "6.2/1": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, 0, 1, OK);
    scene.raw(PRIORITY, 0, 1, zeros(5));
  }],
  "6.2/2": [PROTOCOL, (scene) => scene.raw(HEADERS, END_HEADERS | END_STREAM, 0, OK)],
  "6.2/3": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, END_HEADERS | PADDED, 1, Uint8Array.of(17, 0x88));
  }],
  "6.3/1": [PROTOCOL, (scene) => scene.raw(PRIORITY, 0, 0, zeros(5))],
  "6.3/2": ["stream FRAME_SIZE_ERROR", (scene) => {
    head(scene);
    scene.raw(PRIORITY, 0, 1, zeros(4));
  }],
  "6.4/1": [PROTOCOL, (scene) => scene.raw(RST_STREAM, 0, 0, zeros(4))],
  "6.4/2": [PROTOCOL, (scene) => scene.reset(2, "CANCEL")],
  "6.4/3": [FRAME_SIZE, (scene) => {
    scene.headers(1, [[":status", "200"]], true);
    scene.raw(RST_STREAM, 0, 1, zeros(3));
  }],
  "6.5/1": [FRAME_SIZE, (scene) => scene.raw(SETTINGS, ACK, 0, zeros(1))],
  "6.5/2": [PROTOCOL, (scene) => scene.raw(SETTINGS, 0, 1, Uint8Array.of(0, 3, 0, 0, 0, 100))],
  "6.5/3": [FRAME_SIZE, (scene) => scene.raw(SETTINGS, 0, 0, Uint8Array.of(0, 3, 0))],
  "6.5.2/1": ["connection FLOW_CONTROL_ERROR", (scene) => scene.settings([[4, 2 ** 31]])],
  "6.5.2/2": [PROTOCOL, (scene) => scene.settings([[5, 16_383]])],
  "6.5.2/3": [PROTOCOL, (scene) => scene.settings([[5, 2 ** 24]])],
  "6.5.2/4": ["pong", (scene) => scene.settings([[0xff, 1]])],
  "6.5.3/1": ["settings acknowledged", (scene) => scene.settings([[2, 0]])],
  "6.7/1": ["pong", () => {}],
  "6.7/2": ["pong", (scene) => scene.raw(PING, ACK, 0, zeros(8))],
  "6.7/3": [PROTOCOL, (scene) => scene.raw(PING, 0, 1, zeros(8))],
  "6.7/4": [FRAME_SIZE, (scene) => scene.raw(PING, 0, 0, zeros(6))],
  "6.8/1": [PROTOCOL, (scene) => scene.raw(GOAWAY, 0, 1, zeros(8))],
  "6.9/1": [PROTOCOL, (scene) => scene.window(0, 0)],
  "6.9/2": ["stream PROTOCOL_ERROR", (scene) => {
    head(scene);
    scene.window(1, 0);
  }],
  "6.9/3": [FRAME_SIZE, (scene) => scene.raw(WINDOW_UPDATE, 0, 0, Uint8Array.of(0, 0, 1))],
  "6.9.1/1": ["connection FLOW_CONTROL_ERROR", (scene) => {
    scene.window(0, 2 ** 31 - 1);
    scene.window(0, 2 ** 31 - 1);
  }],
  "6.9.1/2": ["stream FLOW_CONTROL_ERROR", (scene) => {
    head(scene);
    scene.window(1, 2 ** 31 - 1);
    scene.window(1, 2 ** 31 - 1);
  }],
  "6.10/1": ["pong", (scene) => {
    scene.raw(HEADERS, END_STREAM, 1, OK);
    scene.raw(CONTINUATION, 0, 1, NONE);
    scene.raw(CONTINUATION, END_HEADERS, 1, NONE);
  }],
  "6.10/2": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, 0, 1, OK);
    scene.raw(CONTINUATION, 0, 1, NONE);
    scene.data(1, "test", true);
  }],
  "6.10/3": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, END_STREAM, 1, OK);
    scene.raw(CONTINUATION, END_HEADERS, 0, NONE);
  }],
  "6.10/4": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, END_STREAM | END_HEADERS, 1, OK);
    scene.raw(CONTINUATION, END_HEADERS, 1, NONE);
  }],
  "6.10/5": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, END_STREAM, 1, OK);
    scene.raw(CONTINUATION, END_HEADERS, 1, NONE);
    scene.raw(CONTINUATION, END_HEADERS, 1, NONE);
  }],
  "6.10/6": [PROTOCOL, (scene) => {
    scene.raw(HEADERS, 0, 1, OK);
    scene.data(1, "test", true);
    scene.raw(CONTINUATION, 0, 1, NONE);
  }],
};

/** What comes of a case: the connection's error, the stream's, or a PING that is answered still. */
function outcome(act: Act, wanted: string): string {
  const scene = new EngineScene();
  const { user } = scene.ask();
  scene.sent();
  act(scene);
  if (scene.failure !== undefined) return `connection ${scene.failure}`;
  if (user.failure !== undefined) return `stream ${user.failure}`;
  if (wanted === "answered") return user.ended ? wanted : "not answered";
  if (wanted === "settings acknowledged") {
    return scene.sentOf("settings ack").length > 0 ? wanted : "nothing is sent";
  }
  scene.sent();
  scene.raw(PING, 0, 0, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  return scene.sent().some(([kind, , , isAnswer]) => kind === "ping" && isAnswer)
    ? "pong"
    : "no pong";
}

for (const [number, [expected, act]] of Object.entries(cases)) {
  test(`h2spec's case for clients ${number}: ${expected}`, () => {
    assertEquals(outcome(act, expected), expected);
  });
}

test("the documents count the cases of h2spec", () => {
  assertEquals(casesTold("h2spec")[0], Object.keys(cases).length);
});
