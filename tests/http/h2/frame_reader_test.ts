import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { errorName } from "../../../src/http/h2/error_codes.ts";
import { FrameReader } from "../../../src/http/h2/frame_reader.ts";
import { Random, withSeed } from "../../support/random.ts";
import { fixturesSkip, frameCases, fromHex } from "./fixtures.ts";
import { FrameRecorder, type Noted, record } from "./frame_recorder.ts";

const SETTINGS = "000000040000000000";
const BEGUN: Noted = ["settings", 0];

/** Reads frames behind SETTINGS, whole and byte by byte, and gives what both say. */
function read(hex: string): [...Noted[], string | null] {
  const bytes = fromHex(SETTINGS + hex);
  const whole = record(bytes);
  assertEquals(record(bytes, new Array<number>(bytes.length).fill(1)), whole);
  assertEquals(whole.frames[0], BEGUN);
  return [...whole.frames.slice(1), whole.error];
}

test("FrameReader asks for SETTINGS first, and says so where HTTP/1.1 answers", () => {
  assertEquals(record(fromHex("000008060000000000" + "00".repeat(8))).error, "PROTOCOL_ERROR");
  const text = new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n");
  assertEquals(record(text).error, "PROTOCOL_ERROR");
  assertEquals(record(fromHex("000000040100000000")).error, "PROTOCOL_ERROR");
});

test("FrameReader takes padding off, and counts it as a part of the window", () => {
  assertEquals(read("000005" + "00" + "09" + "00000001" + "02" + "6869" + "0000"), [
    ["data", 1, "hi", 5, true],
    null,
  ]);
  assertEquals(read("000001" + "00" + "09" + "00000001" + "00"), [["data", 1, "", 1, true], null]);
  assertEquals(read("000003" + "00" + "09" + "00000001" + "020000"), [
    ["data", 1, "", 3, true],
    null,
  ]);
  assertEquals(read("000000" + "00" + "09" + "00000001"), ["FRAME_SIZE_ERROR"]);
  assertEquals(read("000002" + "00" + "09" + "00000001" + "0200"), ["PROTOCOL_ERROR"]);
});

test("FrameReader reads a long header block however it is cut", () => {
  for (const [length, size] of [[256, "000100"], [700, "0002bc"]] as const) {
    const block = "61".repeat(length);
    assertEquals(read(`${size}010500000001${block}`), [
      ["headers", 1, "a".repeat(length), true],
      null,
    ]);
  }
});

test("FrameReader takes no padding that comes byte by byte for DATA without bytes", () => {
  const recorder = new FrameRecorder();
  const reader = new FrameReader(recorder, 65_536);
  let empty = 0;
  recorder.onEmptyData = () => empty++;
  const frames = SETTINGS + "000101" + "00" + "08" + "00000001" + "ff" + "61" + "00".repeat(255);
  for (const byte of fromHex(frames)) reader.push(Uint8Array.of(byte));
  recorder.flush();
  assertEquals([recorder.frames.at(-1), empty], [["data", 1, "a", 257, false], 0]);
});

test("Codes of errors that nobody knows mean the same as INTERNAL_ERROR", () => {
  assertEquals([2, 8, 14, 0xffff_ffff].map(errorName), [
    "INTERNAL_ERROR",
    "CANCEL",
    "INTERNAL_ERROR",
    "INTERNAL_ERROR",
  ]);
});

test("FrameReader puts a block together of HEADERS and CONTINUATION, and lets nothing between", () => {
  const head = "000001" + "01" + "01" + "00000001" + "61";
  assertEquals(
    read(head + "000001" + "09" + "00" + "00000001" + "62" + "000001" + "09" + "04" + "0000000163"),
    [["headers", 1, "abc", true], null],
  );
  assertEquals(read(head + "000001" + "09" + "04" + "00000003" + "62"), ["PROTOCOL_ERROR"]);
  for (const type of ["00", "01", "03"]) {
    const another = "000004" + type + "05" + "00000001" + "00000000";
    assertEquals(read(head + another), ["PROTOCOL_ERROR"], type);
  }
  assertEquals(read(head + "000008" + "06" + "00" + "00000000" + "00".repeat(8)), [
    "PROTOCOL_ERROR",
  ]);
  assertEquals(read("000001" + "09" + "04" + "00000001" + "62"), ["PROTOCOL_ERROR"]);
});

test("H19: FrameReader ends a block that goes on and on, be its parts empty", () => {
  const head = "000001" + "01" + "00" + "00000001" + "61";
  const more = "000000" + "09" + "00" + "00000001";
  assertEquals(read(head + more.repeat(5)), [null]);
  assertEquals(read(head + more.repeat(6)), ["ENHANCE_YOUR_CALM"]);
});

test("FrameReader passes over frames of types that nobody knows", () => {
  assertEquals(read("000003" + "0b" + "ff" + "00000001" + "aabbcc"), [["ignored", 0], null]);
});

test("FrameReader refuses frames that are longer than it allows", () => {
  assertEquals(read("004001" + "00" + "00" + "00000001"), ["FRAME_SIZE_ERROR"]);
});

test("frames of another project's tests are read as they say", { skip: fixturesSkip }, () => {
  const cases = frameCases();
  assert(cases.length > 30);
  for (const { error, frame, name, wire } of cases) {
    // A CONTINUATION needs something to continue.
    const isContinuation = frame?.type === 9;
    const before = isContinuation ? "00000001000000" + wire.slice(14, 18) : "";
    const [first, ...rest] = read(before + wire);
    if (frame?.type === 5) {
      assertEquals(first, "PROTOCOL_ERROR", name);
      continue;
    }
    if (error) {
      const codes = error.map(errorName);
      const said = Array.isArray(first) && first[0] === "stream error"
        ? first[2]
        : first ?? rest[0];
      assert(codes.includes(said as typeof codes[number]), `${name}: ${said}`);
      continue;
    }
    assert(frame);
    const isOpen = (frame.flags & 4) === 0 && (isContinuation || frame.type === 1);
    if (isOpen) assertEquals(first, null, name);
    else assertEquals(first, expected(frame), name);
  }
});

function expected({ flags, frame_payload, length, stream_identifier: id, type }: NonNullable<
  ReturnType<typeof frameCases>[number]["frame"]
>): unknown {
  const payload = frame_payload;
  switch (type) {
    case 0:
      return ["data", id, payload["data"], length, (flags & 1) !== 0];
    case 1:
    case 9:
      return ["headers", id, payload["header_block_fragment"], (flags & 1) !== 0];
    case 2:
      return ["ignored", 0];
    case 3:
      return ["reset", id, payload["error_code"]];
    case 4:
      return ["setting", 0, ...(payload["settings"] as number[][])[0] ?? []];
    case 6:
      return ["ping", 0, payload["opaque_data"], (flags & 1) !== 0];
    case 7:
      return ["goaway", 0, payload["last_stream_id"], payload["error_code"]];
    default:
      return ["window", id, payload["window_size_increment"]];
  }
}

test("any frames, split anywhere, are read the same", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    for (let round = 0; round < 300; round++) {
      const frames = Array.from({ length: 1 + random.below(8) }, () => randomFrame(random));
      const bytes = fromHex(SETTINGS + frames.join(""));
      const whole = record(bytes);
      const cuts = Array.from({ length: 30 }, () => random.below(bytes.length) >> random.below(7));
      assertEquals(record(bytes, cuts), whole);
      assertEquals(record(bytes, new Array<number>(bytes.length).fill(1)), whole);
    }
  }));

function randomFrame(random: Random): string {
  const type = random.below(11);
  const lengths = [random.below(40), 4, 5, 6, 8, 12, 0];
  const length = random.chance(0.5) ? fit(type, random) : random.pick(lengths);
  const flags = random.chance(0.7) ? random.pick([0, 1, 4, 5, 8, 0xd, 0x2c]) : random.below(256);
  const id = random.chance(0.8) ? random.pick([0, 1, 3]) : random.below(20);
  const payload = Array.from({ length }, () => hex(random.chance(0.5) ? 0 : random.below(256), 1));
  return hex(length, 3) + hex(type, 1) + hex(flags, 1) + hex(id, 4) + payload.join("");
}

function fit(type: number, random: Random): number {
  return [random.below(30), random.below(30), 5, 4, 6 * random.below(4), 10, 8, 12, 4][type] ?? 3;
}

function hex(value: number, bytes: number): string {
  return value.toString(16).padStart(2 * bytes, "0");
}
