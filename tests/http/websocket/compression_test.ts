/**
 * Compressed messages (RFC 7692).
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { messageCompression } from "../../../adapters/codings/message_compression.ts";
import { joinBytes } from "../../../src/core/bytes.ts";
import { WebSocketError } from "../../../src/core/errors.ts";
import { isAgreed } from "../../../src/http/websocket/compression.ts";
import { Random, withSeed } from "../../support/random.ts";
import { bytesOf, frame, hex } from "./server_frames.ts";
import { SessionScene } from "./session_scene.ts";
import { agreement, fieldOf, next, socketScene } from "./socket_scene.ts";

const TEXT = 1;
const BINARY = 2;
const AGREED = "permessage-deflate; server_no_context_takeover";

/** Compresses as a server may: with several blocks, and as strongly as it likes. */
function deflate(text: string, level = 6): Uint8Array {
  const whole = deflateRawSync(bytesOf(text), { finishFlush: constants.Z_SYNC_FLUSH, level });
  return whole.subarray(0, whole.length - 4);
}

const compressed = (options = {}) => new SessionScene(options, true, messageCompression);

test("What a server may choose is what was offered, and a smaller window", () => {
  for (const parameters of ["", "; client_no_context_takeover", "; server_max_window_bits=8"]) {
    assert(isAgreed(`${AGREED}${parameters}`), parameters);
  }
  assert(isAgreed("permessage-deflate;server_max_window_bits=\"15\" ;server_no_context_takeover"));
  const wrong = [
    "",
    "permessage-deflate",
    "x-webkit-deflate-frame",
    `${AGREED}, permessage-deflate`,
    `${AGREED}; server_no_context_takeover`,
    `${AGREED}; client_max_window_bits`,
    `${AGREED}; client_max_window_bits=10`,
    `${AGREED}; server_max_window_bits`,
    `${AGREED}; server_max_window_bits=7`,
    `${AGREED}; server_max_window_bits=16`,
    `${AGREED}; server_no_context_takeover=1`,
    `${AGREED}; other`,
  ];
  for (const chosen of wrong) assert(!isAgreed(chosen), chosen);
});

test("Messages are read compressed and as they are, whole, in fragments and wherever they are cut", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    const texts = ["", "x", "héllo héllo héllo", "ab".repeat(5_000), "0123456789".repeat(99)];
    const frames = texts.flatMap((text, i) => {
      const bytes = deflate(text, i);
      const half = bytes.length >> 1;
      return [
        frame(TEXT, bytes, { rsv: 4 }),
        frame(TEXT, text),
        frame(TEXT, bytes.subarray(0, half), { rsv: 4, fin: false }),
        frame(9, "between"),
        frame(0, bytes.subarray(half)),
      ];
    });
    const sent = joinBytes(frames);
    const expected = texts.flatMap((text) => [text, text, text]);
    const ways = [[], new Array<number>(sent.length).fill(1)].concat(
      Array.from(
        { length: 5 },
        () => Array.from({ length: 20 }, () => random.below(sent.length) >> random.below(10)),
      ),
    );
    for (const cuts of ways) {
      const scene = compressed();
      scene.receive(sent, cuts);
      assertEquals(scene.heard, expected);
      scene.socket.end();
    }
  }));

test("Messages of all sizes come back from a server that looks back as far as it likes", () => {
  const text = "{\"id\": 17, \"text\": \"Grüße\", \"values\": [1.5, null, true]}, ".repeat(2_000);
  for (const windowBits of [9, 12, 15]) {
    const scene = compressed();
    const sizes = [0, 16, 64, 256, 1_024, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072];
    for (const size of sizes) {
      const message = text.slice(0, size);
      const whole = deflateRawSync(bytesOf(message), {
        finishFlush: constants.Z_SYNC_FLUSH,
        windowBits,
      });
      const bytes = whole.subarray(0, whole.length - 4);
      const pieces = Array.from(
        { length: Math.max(1, Math.ceil(bytes.length / 200)) },
        (_, i) =>
          frame(i === 0 ? TEXT : 0, bytes.subarray(i * 200, (i + 1) * 200), {
            rsv: i === 0 ? 4 : 0,
            fin: (i + 1) * 200 >= bytes.length,
          }),
      );
      scene.receive(joinBytes(pieces), [1, 1, 1]);
    }
    const back = scene.frames.map(({ payload, rsv }) =>
      new TextDecoder().decode(
        rsv === 0 ? payload : messageCompression.inflate(payload, 1_000_000),
      )
    );
    assertEquals(back.length, sizes.length);
    sizes.forEach((size, i) => assert(back[i] === text.slice(0, size), `${windowBits} ${size}`));
    scene.socket.end();
  }
});

test("Messages are sent compressed from 1,024 bytes on, and read back as they were", () => {
  const scene = compressed();
  for (const size of [0, 1_023, 1_024, 100_000]) {
    scene.session.send("é".repeat(size));
    scene.session.send(new Uint8Array(size).fill(7));
  }
  const sizes: number[] = [];
  for (const { opcode, payload, rsv } of scene.frames) {
    const bytes = rsv === 0 ? payload : messageCompression.inflate(payload, 1_000_000);
    assert(opcode === TEXT || bytes.every((byte) => byte === 7));
    // The empty block at the end is not sent (RFC 7692 section 7.2.1).
    if (rsv !== 0) assertNotEquals([...payload.subarray(-4)], [0, 0, 0xff, 0xff]);
    sizes.push(rsv, bytes.length);
  }
  assertEquals(sizes, [0, 0, 0, 0, 0, 2_046, 0, 1_023, 4, 2_048, 4, 1_024, 4, 200_000, 4, 100_000]);
  scene.socket.end();
});

test("A message that grows beyond the limit, or is none, ends it", () => {
  const cases: readonly [sent: Uint8Array, code: number, detail: string][] = [
    [frame(TEXT, deflate("x".repeat(1_001)), { rsv: 4 }), 1009, "more than 1000 bytes"],
    [frame(TEXT, hex("ffffff"), { rsv: 4 }), 1007, "cannot be read"],
    [frame(TEXT, deflateRawSync(hex("eda080")), { rsv: 4 }), 1007, "not UTF-8"],
    [
      joinBytes([frame(TEXT, "", { rsv: 4, fin: false }), frame(0, "", { rsv: 4 })]),
      1002,
      "reserved",
    ],
    [frame(9, "", { rsv: 4 }), 1002, "reserved"],
    [frame(TEXT, "", { rsv: 2 }), 1002, "reserved"],
  ];
  for (const [sent, code, detail] of cases) {
    const scene = compressed({ maxMessageBytes: 1_000 });
    scene.receive(sent);
    const error = scene.end?.failure?.error;
    assertInstanceOf(error, WebSocketError);
    assertEquals(error.closeCode, code);
    assertStringIncludes(error.message, detail);
    assertEquals(scene.said, [`close ${code}`]);
  }
  const scene = compressed({ maxMessageBytes: 1_000 });
  scene.receive(frame(BINARY, deflate("x".repeat(1_000)), { rsv: 4 }));
  assertEquals(scene.heard.map(({ length }) => length), [1_000]);
  scene.socket.end();
});

test("Compression is offered where it is asked for, and a server may do without", async () => {
  let chosen = "";
  await using scene = socketScene({
    answer: (head) => agreement(head, { "sec-websocket-extensions": chosen }),
  });
  const plain = await scene.open({ compress: true });
  assertEquals(plain.socket.extensions, "");
  assertStringIncludes(fieldOf(plain.machine.head, "sec-websocket-extensions"), AGREED);
  plain.socket.send("x".repeat(2_000));
  assertEquals(plain.machine.frames[0]?.payload.length, 2_000);
  chosen = AGREED;
  const { machine, socket } = await scene.open({ compress: true });
  assertEquals(socket.extensions, AGREED);
  socket.send("x".repeat(2_000));
  assertEquals(socket.bufferedAmount, 2_000);
  assert(machine.frames[0]!.payload.length < 100);
  const message = next(socket, "message");
  machine.send(frame(TEXT, deflate("back"), { rsv: 4 }));
  assertEquals((await message)["data"], "back");
  chosen = "permessage-deflate";
  const refused = scene.pool.webSocket("wss://a.test/", { compress: true });
  const { error } = await next(refused, "error");
  assertInstanceOf(error, WebSocketError);
  assertStringIncludes(error.message, "it chooses another extension than was offered");
  assertThrows(
    () => scene.pool.webSocket("wss://a.test/", { compress: 1 as never }),
    TypeError,
    "compress must be true or false, got 1",
  );
});
