/**
 * The target `websocket`: what servers of WebSocket send.
 *
 * An input's first line has a number that says how it is cut into pieces. Each line after it is a frame:
 * its opcode, its flags (1: the last, 2, 4 and 8: reserved bits, 16: masked), how many bytes its
 * length is written in, and its payload in hexadecimal digits; `raw` is bytes alone.
 *
 * @module
 */

import { joinBytes } from "../../src/core/bytes.ts";
import { FrameError } from "../../src/http/websocket/frame.ts";
import { MessageReader } from "../../src/http/websocket/message_reader.ts";
import { frame, hex } from "../http/websocket/server_frames.ts";
import { Random } from "../support/random.ts";
import { type FuzzTarget, hold } from "./fuzzer.ts";
import { readMessages } from "./websocket_reference.ts";

const LIMITS = { maxMessageBytes: 300, maxFragments: 5 };

/** What frames of servers must hold to. */
export const websocket: FuzzTarget = {
  name: "websocket",
  corpus: [
    "1\n1 1 0 68656c6c6f\n9 1 0 01\n8 1 0 03e8",
    "2\n1 0 0 ce\n0 0 0 ba\n9 1 0 \n0 1 0 e1bdb9",
    "3\n2 1 2 00ff\n10 1 0 ff\n8 1 0 0fa06279",
    `4\n2 0 0 ${"00".repeat(100)}\n0 0 2 ${"01".repeat(150)}\n0 1 0 02`,
    "5\n1 1 0 eda080\n1 1 0 6869",
    "6\n8 1 0 \n1 1 0 6869",
    "7\n1 3 0 61\n3 1 0 \n9 0 0 ",
    `8\n2 1 8 ${"61".repeat(20)}\nraw 827f0000000000010000`,
    "9\n1 17 0 6869\n8 1 0 03",
  ],
  tokens: [
    "\n1 1 0 ",
    "\n1 0 0 ",
    "\n0 1 0 ",
    "\n0 0 0 ",
    "\n2 1 2 ",
    "\n8 1 0 03e8",
    "\n8 1 0 03ed",
    "\n9 1 0 ",
    "\n10 1 0 ",
    "\nraw ",
    "7e",
    "7f",
    "c3",
    "a9",
    "e282ac",
    "f09f9880",
    "f490",
    "eda080",
    "00".repeat(60),
  ],
  separators: ["\n", " "],
  maxLength: 3_000,
  generate,
  check,
};

const TEXTS = ["61", "c3a9", "e282ac", "f09f9880", "c3", "a9", "e282", "ac", "80", "efbbbf", ""];

function generate(random: Random): string {
  const lines = [`${random.below(1_000)}`];
  for (let i = random.below(10); i >= 0; i--) {
    const opcode = random.pick([0, 0, 1, 1, 2, 2, 8, 9, 10, 3]);
    const flags = random.chance(0.7) ? 1 : random.chance(0.8) ? 0 : 1 + 2 * random.below(16);
    const payload = opcode === 8
      ? `0${random.pick(["3e8", "3ed", "bb8", "000", "3f4"])}${random.pick(TEXTS)}`
      : Array.from({ length: random.below(12) }, () => random.pick(TEXTS)).join("");
    const long = random.chance(0.1) ? "61".repeat(random.below(320)) : "";
    lines.push(`${opcode} ${flags} ${random.chance(0.9) ? 0 : 2} ${payload}${long}`);
  }
  return lines.join("\n");
}

function check(input: string): string {
  const [first = "", ...lines] = input.split("\n");
  const bytes = bytesOf(lines);
  const whole = run(bytes, []);
  const expected = readMessages(bytes, LIMITS);
  const said = JSON.stringify(whole);
  hold(said === JSON.stringify(expected), "It is not what the reference reads", whole, expected);
  const same = (cuts: readonly number[]) => {
    const outcome = run(bytes, cuts);
    hold(JSON.stringify(outcome) === said, "In pieces it is something else", whole, outcome, cuts);
  };
  same(new Array<number>(bytes.length).fill(1));
  const random = new Random(Number(/\d+/.exec(first)?.[0] ?? 0) % 2 ** 32);
  same(Array.from({ length: 12 }, () => random.below(bytes.length + 1) >> random.below(6)));
  return JSON.stringify(
    whole.map(([kind = "", value = ""]) => [
      kind,
      kind === "fault" || kind === "close" ? value : Math.min(3, value.length),
    ]),
  );
}

function bytesOf(lines: readonly string[]): Uint8Array {
  return joinBytes(lines.map((line) => {
    const [opcode = "", flags = "", length, ...payload] = line.split(" ");
    if (opcode === "raw") return hex(line.slice(3).replace(/[^0-9a-f]/g, ""));
    const bytes = hex(payload.join("").replace(/[^0-9a-f]/g, ""));
    const bits = Number(flags) & 31;
    const shortest = bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8;
    const wanted = length === "2" ? 2 : length === "8" ? 8 : 0;
    return frame(Number(opcode) & 15, bytes, {
      fin: (bits & 1) !== 0,
      rsv: (bits >> 1) & 7,
      masked: (bits & 16) !== 0,
      lengthBytes: wanted > shortest ? wanted : shortest,
    });
  }));
}

/** What a reader tells: each with its kind, and what it holds. */
function run(bytes: Uint8Array, cuts: readonly number[]): string[][] {
  const told: string[][] = [];
  const digits = (bytes: Uint8Array) => Array.from(bytes, (byte) => `${byte}`).join(" ");
  const reader = new MessageReader({
    onText: (text) => told.push(["text", text]),
    onBinary: (bytes) => told.push(["binary", digits(bytes)]),
    onPing: (bytes) => told.push(["ping", digits(bytes)]),
    onPong: () => told.push(["pong"]),
    onCloseFrame: (code, reason) => told.push(["close", `${code}`, reason]),
  }, LIMITS);
  let at = 0;
  try {
    for (const cut of [...cuts, bytes.length]) {
      const piece = bytes.slice(at, at + cut);
      reader.push(piece);
      piece.fill(0xee);
      at += cut;
    }
  } catch (error) {
    hold(error instanceof FrameError, "A foreign error", error);
    told.push(["fault", `${(error as FrameError).closeCode}`]);
  }
  return told;
}
