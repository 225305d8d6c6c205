/**
 * What a client has to make of what a server sends, right and wrong: the cases of Autobahn's suite
 * for clients by their groups and numbers, as bytes. Each comes whole, byte by byte, and cut at
 * random.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { joinBytes } from "../../../src/core/bytes.ts";
import { casesTold } from "../../support/documents.ts";
import { Random, withSeed } from "../../support/random.ts";
import { bytesOf, closeFrame, frame, hex } from "./server_frames.ts";
import { SessionScene } from "./session_scene.ts";

/** What the server sends, and what the client that sends back each message says to it. */
interface Case {
  readonly name: string;
  readonly sent: readonly Uint8Array[];
  readonly said: readonly string[];
}

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const PING = 9;
const PONG = 10;

const cases: Case[] = [];
const digits = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** All is well: the server closes afterwards. */
function well(name: string, sent: readonly Uint8Array[], said: readonly string[]): void {
  cases.push({ name, sent: [...sent, closeFrame(1000)], said: [...said, "close 1000"] });
}

/** The server breaks a rule: what follows is not read. */
function bad(
  name: string,
  sent: readonly Uint8Array[],
  said: readonly string[] = [],
  code = 1002,
): void {
  const more = [frame(PING, "never"), frame(TEXT, "never")];
  cases.push({ name, sent: [...sent, ...more], said: [...said, `close ${code}`] });
}

// 1: messages by their size.
for (const [i, size] of [0, 125, 126, 127, 128, 65_535, 65_536, 65_536].entries()) {
  well(`1.1.${i + 1}`, [frame(TEXT, "*".repeat(size))], [`text ${"*".repeat(size)}`]);
  const bytes = new Uint8Array(size).fill(0xfe);
  well(`1.2.${i + 1}`, [frame(BINARY, bytes)], [
    size === 0 ? "binary" : `binary ${digits(bytes)}`,
  ]);
}

// 2: pings and pongs.
const some = hex("00fffefdfcfb00ff");
well("2.1", [frame(PING)], ["pong"]);
well("2.2", [frame(PING, "Hello, world!")], [`pong ${digits(bytesOf("Hello, world!"))}`]);
well("2.3", [frame(PING, some)], [`pong ${digits(some)}`]);
const longest = new Uint8Array(125).fill(0xfe);
well("2.4", [frame(PING, longest)], [`pong ${digits(longest)}`]);
bad("2.5", [frame(PING, new Uint8Array(126).fill(0xfe))]);
well("2.6", [frame(PING, longest)], [`pong ${digits(longest)}`]);
well("2.7", [frame(PONG)], []);
well("2.8", [frame(PONG, "unsolicited")], []);
well("2.9", [frame(PONG, "unsolicited"), frame(PING, "01")], [`pong ${digits(bytesOf("01"))}`]);
const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
for (const name of ["2.10", "2.11"]) {
  well(
    name,
    ten.map((text) => frame(PING, text)),
    ten.map((text) => `pong ${digits(bytesOf(text))}`),
  );
}

// 3: reserved bits.
const first = frame(TEXT, "first");
bad("3.1", [frame(TEXT, "x", { rsv: 1 })]);
for (const name of ["3.2", "3.3", "3.4"]) {
  bad(name, [first, frame(TEXT, "x", { rsv: name === "3.2" ? 2 : name === "3.3" ? 3 : 4 })], [
    "text first",
  ]);
}
bad("3.5", [frame(BINARY, some, { rsv: 5 })]);
bad("3.6", [frame(PING, "x", { rsv: 6 })]);
bad("3.7", [frame(8, "", { rsv: 7 })]);

// 4: opcodes that mean nothing.
for (const [i, opcode] of [3, 4, 5, 6, 7].entries()) {
  const before = i >= 2;
  bad(
    `4.1.${i + 1}`,
    [...(before ? [first] : []), frame(opcode, i % 2 === 0 ? "" : "payload")],
    before ? ["text first"] : [],
  );
}
for (const [i, opcode] of [11, 12, 13, 14, 15].entries()) {
  const before = i >= 2;
  bad(
    `4.2.${i + 1}`,
    [...(before ? [first] : []), frame(opcode, i % 2 === 0 ? "" : "payload")],
    before ? ["text first"] : [],
  );
}

// 5: fragments.
const begin = (text: string, opcode = TEXT) => frame(opcode, text, { fin: false });
const goOn = (text: string, fin = true) => frame(CONTINUATION, text, { fin });
bad("5.1", [frame(PING, "frag", { fin: false }), frame(CONTINUATION, "ment")]);
bad("5.2", [frame(PONG, "frag", { fin: false }), frame(CONTINUATION, "ment")]);
for (const name of ["5.3", "5.4", "5.5"]) {
  well(name, [begin("frag"), goOn("ment")], ["text fragment"]);
}
for (const name of ["5.6", "5.7", "5.8"]) {
  well(name, [begin("frag"), frame(PING, "p"), goOn("ment")], ["pong 70", "text fragment"]);
}
for (const name of ["5.9", "5.10", "5.11"]) bad(name, [goOn("stray"), first]);
for (const name of ["5.12", "5.13", "5.14"]) bad(name, [goOn("stray", false), first]);
bad("5.15", [begin("frag"), goOn("ment"), goOn("stray", false), first], ["text fragment"]);
bad("5.16", [goOn("stray", false), first, goOn("stray", false), first]);
bad("5.17", [goOn("stray"), first, goOn("stray"), first]);
bad("5.18", [begin("frag"), frame(TEXT, "ment")]);
for (const name of ["5.19", "5.20"]) {
  well(name, [
    begin("a"),
    goOn("b", false),
    frame(PING, "1"),
    goOn("c", false),
    goOn("d", false),
    frame(PING, "2"),
    goOn("e"),
  ], ["pong 31", "pong 32", "text abcde"]);
}

// 6: UTF-8, by the test files of Markus Kuhn that the suite goes by.
const kosme = "κόσμε";
const valid = (name: string, bytes: Uint8Array) =>
  well(name, [frame(TEXT, bytes)], [
    `text ${new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)}`,
  ]);
const notUtf8 = (name: string, bytes: Uint8Array) => bad(name, [frame(TEXT, bytes)], [], 1007);
valid("6.1.1", bytesOf(""));
well("6.1.2", [begin(""), goOn("", false), goOn("")], ["text "]);
well("6.1.3", [begin(""), goOn("middle", false), goOn("")], ["text middle"]);
const hello = "Hello-µ@ßöäüàá-UTF-8!!";
valid("6.2.1", bytesOf(hello));
well("6.2.2", [begin(hello), goOn(hello)], [`text ${hello}${hello}`]);
const inPieces = (bytes: Uint8Array, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => {
    const piece = bytes.subarray(i * size, (i + 1) * size);
    return frame(i === 0 ? TEXT : CONTINUATION, piece, { fin: (i + 1) * size >= bytes.length });
  });
well("6.2.3", inPieces(bytesOf(hello), 1), [`text ${hello}`]);
well("6.2.4", inPieces(bytesOf(kosme), 1), [`text ${kosme}`]);
const broken = joinBytes([bytesOf(kosme), hex("eda080"), bytesOf("edited")]);
notUtf8("6.3.1", broken);
bad("6.3.2", inPieces(broken, 1), [], 1007);
for (const name of ["6.4.1", "6.4.2", "6.4.3", "6.4.4"]) {
  // Without its end: the fault shows before.
  cases.push({
    name,
    sent: [
      frame(TEXT, kosme, { fin: false }),
      frame(CONTINUATION, name < "6.4.3" ? hex("f4908080") : hex("f490"), { fin: false }),
    ],
    said: ["close 1007"],
  });
}
const groups: { readonly [group: string]: { readonly good?: string; readonly bad?: string } } = {
  "6.5": { good: "ceba e1bdb9cf83cebcceb5 cebae1bdb9 cf83 cebc" },
  // Ends of sequences that are missing.
  "6.6": {
    bad: "ce cebae1 cebae1bd cebae1bdb9cf cebae1bdb9cf83ce cebae1bdb9cf83cebcce",
    good: "ceba cebae1bdb9 cebae1bdb9cf83 cebae1bdb9cf83cebc cebae1bdb9cf83cebcceb5",
  },
  "6.7": { good: "00 c280 e0a080 f0908080" },
  "6.8": { bad: "f888808080 fc8480808080" },
  "6.9": { good: "7f dfbf efbfbf f48fbfbf" },
  "6.10": { bad: "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf" },
  "6.11": { good: "ed9fbf ee8080 efbfbd f48fbfbf", bad: "f4908080" },
  "6.12": {
    bad: "80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf "
      + "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacad"
      + "aeafb0b1b2b3b4b5b6b7b8b9babbbcbdbe",
  },
  "6.13": { bad: "c020c120c220dfe020 e020e120ef20 f020f120f720 f820f920fa20fb20 fc20fd20" },
  "6.14": { bad: "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf" },
  "6.15": { bad: "c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf" },
  "6.16": { bad: "fe ff fefeffff" },
  "6.17": { bad: "c0af e080af f08080af f8808080af fc80808080af" },
  "6.18": { bad: "c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf" },
  "6.19": { bad: "c080 e08080 f0808080 f880808080 fc8080808080" },
  "6.20": { bad: "eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf" },
  "6.21": {
    bad: "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf "
      + "edafbfedb080 edafbfedbfbf",
  },
  // Characters that are none, and are allowed.
  "6.22": {
    good: "efbfbe efbfbf f09fbfbe f09fbfbf f0afbfbe f0afbfbf f0bfbfbe f0bfbfbf f18fbfbe f18fbfbf "
      + "f19fbfbe f19fbfbf f1afbfbe f1afbfbf f1bfbfbe f1bfbfbf f28fbfbe f28fbfbf f29fbfbe f29fbfbf "
      + "f2afbfbe f2afbfbf f2bfbfbe f2bfbfbf f38fbfbe f38fbfbf f39fbfbe f39fbfbf f3afbfbe f3afbfbf "
      + "f3bfbfbe f3bfbfbf f48fbfbe f48fbfbf",
  },
  "6.23": { good: "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf" },
};
for (const [group, { bad = "", good = "" }] of Object.entries(groups)) {
  let i = 0;
  for (const text of good.split(" ")) if (text !== "") valid(`${group}.${++i}`, hex(text));
  for (const text of bad.split(" ")) if (text !== "") notUtf8(`${group}.${++i}`, hex(text));
}

// 7: the good-bye.
const ends = (name: string, sent: readonly Uint8Array[], said: readonly string[]) =>
  cases.push({ name, sent, said });
ends("7.1.1", [first, closeFrame(1000)], ["text first", "close 1000"]);
ends("7.1.2", [closeFrame(1000), closeFrame(1000)], ["close 1000"]);
ends("7.1.3", [closeFrame(1000), frame(PING, "x")], ["close 1000"]);
ends("7.1.4", [closeFrame(1000), first], ["close 1000"]);
ends("7.1.5", [begin("frag"), closeFrame(1000), goOn("ment")], ["close 1000"]);
const big = "x".repeat(262_144);
ends("7.1.6", [frame(TEXT, big), closeFrame(1000), frame(PING)], [`text ${big}`, "close 1000"]);
ends("7.3.1", [closeFrame()], ["close"]);
ends("7.3.2", [frame(8, "x")], ["close 1002"]);
ends("7.3.3", [closeFrame(1000)], ["close 1000"]);
ends("7.3.4", [closeFrame(1000, "a reason")], ["close 1000"]);
ends("7.3.5", [closeFrame(1000, "r".repeat(123))], ["close 1000"]);
ends("7.3.6", [closeFrame(1000, "r".repeat(124))], ["close 1002"]);
ends("7.5.1", [closeFrame(1000, broken)], ["close 1007"]);
const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
for (const [i, code] of codes.entries()) {
  ends(`7.7.${i + 1}`, [closeFrame(code)], [`close ${code}`]);
}
const wrong = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015];
for (const [i, code] of wrong.entries()) ends(`7.9.${i + 1}`, [closeFrame(code)], ["close 1002"]);
for (const [i, code] of [5000, 65_535].entries()) {
  ends(`7.13.${i + 1}`, [closeFrame(code)], ["close 1002"]);
}

// Beyond the suite: what the rules say besides.
bad("a masked frame", [frame(TEXT, "x", { masked: true })]);
bad("a length in two bytes that one holds", [frame(TEXT, "x", { lengthBytes: 2 })]);
bad("a length in eight bytes that two hold", [frame(TEXT, "x".repeat(200), { lengthBytes: 8 })]);
bad("a length beyond all bounds", [hex("827fffffffffffffffff")]);
bad("a length beyond what is taken", [hex("827f7fffffffffffffff")], [], 1009);
well("a mark of the byte order is part of a text", [frame(TEXT, "\ufeffx")], ["text \ufeffx"]);

/** What came of a case: what was said, and whether the end is what that asks for. */
function outcome({ sent }: Case, cuts: readonly number[]): readonly string[] {
  const scene = new SessionScene({}, true);
  scene.receive(joinBytes(sent), cuts);
  const { said } = scene;
  assert(scene.end !== undefined || said.at(-1)?.startsWith("close"), "It goes on");
  if (scene.end) {
    assertEquals([scene.end.code, scene.end.wasClean], [1006, false]);
    assert(scene.end.failure);
  }
  scene.socket.end();
  return said;
}

const small = cases.filter(({ sent }) => joinBytes(sent).length < 10_000);

test("The cases have distinct names, and the documents count them", () => {
  assertEquals(new Set(cases.map(({ name }) => name)).size, cases.length);
  const ofAutobahn = cases.filter(({ name }) => /^\d/.test(name));
  assertEquals(casesTold("Autobahn")[0], ofAutobahn.length);
});

test("What a server sends right is answered, and what it sends wrong ends it with its code", () => {
  for (const one of cases) assertEquals(outcome(one, []), one.said, one.name);
});

test("It is all the same when it comes byte by byte", () => {
  for (const one of small) {
    const cuts = new Array<number>(joinBytes(one.sent).length).fill(1);
    assertEquals(outcome(one, cuts), one.said, one.name);
  }
});

test("It is all the same wherever it is cut", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    for (const one of cases) {
      const { length } = joinBytes(one.sent);
      for (let i = 0; i < 4; i++) {
        const cuts = Array.from(
          { length: 1 + random.below(8) },
          () => 1 + (random.below(length) >> random.below(12)),
        );
        assertEquals(outcome(one, cuts), one.said, `${one.name} cut at ${cuts}`);
      }
    }
  }));

test("A text that is none is refused with the first byte that shows it", () => {
  for (const { name, sent, said } of small) {
    if (!name.startsWith("6.") || said.at(-1) !== "close 1007") continue;
    const scene = new SessionScene();
    const bytes = joinBytes(sent);
    let at = 0;
    while (!scene.end && at < bytes.length) scene.receive(bytes.subarray(at, ++at));
    // An independent look: the longest beginning of the text that could still become one.
    const payload = joinBytes(
      name === "6.3.2"
        ? [broken]
        : name.startsWith("6.4")
        ? [bytesOf(kosme), hex("f490")]
        : [sent[0]!.subarray(2)],
    );
    const fault = firstFault(payload);
    const heads = name === "6.3.2" ? 2 * (fault + 1) : name.startsWith("6.4") ? 4 : 2;
    assertEquals(at, Math.min(heads + fault + 1, heads + payload.length), name);
  }
});

/** Where a text shows that it is none; its length where only its end does. */
function firstFault(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at]!;
    const more = byte < 0x80
      ? 0
      : byte < 0xc2
      ? -1
      : byte < 0xe0
      ? 1
      : byte < 0xf0
      ? 2
      : byte < 0xf5
      ? 3
      : -1;
    if (more < 0) return at;
    for (let i = 1; i <= more; i++) {
      const next = bytes[at + i];
      if (next === undefined) return bytes.length;
      const low = i > 1 ? 0x80 : byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
      const high = i > 1 ? 0xbf : byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) return at + i;
    }
    at += more + 1;
  }
  return bytes.length;
}

test("Long messages come whole, in fragments and in pieces of any size", () => {
  for (const opcode of [TEXT, BINARY]) {
    const bytes = new Uint8Array(262_144).fill(0x78);
    for (const fragment of [64, 1_024, 65_536, 262_144]) {
      for (const chop of [997, 65_536, Infinity]) {
        const scene = new SessionScene({}, false);
        const frames = Array.from(
          { length: bytes.length / fragment },
          (_, i) =>
            frame(i === 0 ? opcode : CONTINUATION, bytes.subarray(0, fragment), {
              fin: (i + 1) * fragment === bytes.length,
            }),
        );
        const sent = joinBytes(frames);
        for (let at = 0; at < sent.length; at += chop) scene.receive(sent.subarray(at, at + chop));
        const [message] = scene.heard;
        assertEquals(
          [scene.heard.length, message?.length],
          [1, bytes.length],
          `${fragment} ${chop}`,
        );
        scene.socket.end();
      }
    }
  }
});

test("A thousand messages one behind the other are a thousand, whatever their size", () => {
  for (const size of [0, 16, 64, 256, 1_024, 4_096]) {
    const scene = new SessionScene();
    const text = "y".repeat(size);
    scene.receive(joinBytes(Array.from({ length: 1_000 }, () => frame(TEXT, text))), [777, 65_536]);
    assertEquals(scene.said.length, 1_000);
    assert(scene.said.every((said) => said === `text ${text}`));
    scene.socket.end();
  }
});

test("Bytes that come as a Buffer of a larger memory are copied out of it", () => {
  const scene = new SessionScene();
  const sent = frame(BINARY, Uint8Array.of(1, 2, 3));
  const memory = Buffer.alloc(20, 0xaa);
  memory.set(sent, 7);
  scene.socket.receive(memory.subarray(7, 7 + sent.length));
  memory.fill(0xee);
  const [message] = scene.heard;
  assert(message instanceof Uint8Array);
  assertEquals([[...message], message.buffer.byteLength], [[1, 2, 3], 3]);
  scene.socket.end();
});

test("A message in frames of 1,300 bytes is one", () => {
  const bytes = bytesOf("*".repeat(65_536));
  const scene = new SessionScene();
  scene.receive(joinBytes(inPieces(bytes, 1_300)));
  assertEquals(scene.said, [`text ${"*".repeat(65_536)}`]);
  scene.socket.end();
});
