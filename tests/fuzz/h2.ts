/**
 * The target `h2`: what servers of HTTP/2 send.
 *
 * An input's first line has a number that says how it is cut into pieces. Each line after it is a frame:
 * its type, its flags, its stream, and its payload in hexadecimal digits; `raw` is bytes alone.
 *
 * @module
 */

import { Http2Error } from "../../src/http/h2/error_codes.ts";
import { FrameWriter } from "../../src/http/h2/frames.ts";
import { HpackEncoder } from "../../src/http/h2/hpack_encoder.ts";
import { EngineScene } from "../http/h2/engine_scene.ts";
import { fromHex, toHex } from "../http/h2/fixtures.ts";
import { encode } from "../http/h2/hpack_text.ts";
import { Random } from "../support/random.ts";
import { type FuzzTarget, hold } from "./fuzzer.ts";

const HEAD = "8840017801" + "61";

/** What frames of servers must hold to. */
export const h2: FuzzTarget = {
  name: "h2",
  corpus: [
    `1\n4 0 0 \n4 1 0 \n1 4 1 ${HEAD}\n0 1 1 68656c6c6f`,
    `2\n4 0 0 000300000064\n1 4 1 88\n0 8 1 0268690000\n1 5 1 40017901 62`,
    "3\n4 0 0 000400000010\n8 0 3 00001000\n8 0 0 00001000\n1 5 3 88",
    `4\n4 0 0 \n1 0 1 88\n9 4 1 400178${"0161"}\n3 0 3 00000007\n7 0 0 0000000100000000`,
    "5\n4 0 0 \n6 0 0 0102030405060708\n2 0 1 0000000010\n5 4 1 00000002\n11 0 0 00",
    "6\n4 0 0 000100000000\nraw 000000040100000000\n1 5 5 88",
  ],
  tokens: [
    "\n0 1 1 6869",
    "\n0 8 1 0261620000",
    "\n1 4 1 88",
    `\n1 5 3 ${HEAD}`,
    "\n1 0 1 88",
    "\n9 4 1 ",
    "\n3 0 1 00000008",
    "\n3 0 3 00000007",
    "\n4 0 0 ",
    "\n4 1 0 ",
    "\n4 0 0 000400000000",
    "\n4 0 0 00047fffffff",
    "\n4 0 0 000300000001",
    "\n6 1 0 0000000000000000",
    "\n7 0 0 0000000100000000",
    "\n8 0 0 7fffffff",
    "\n8 0 1 00000001",
    "raw ",
    "be",
    "bf",
    "c0",
    "3fe11f",
    "20",
    "8840",
    "ff80808001",
    "5c0135",
    "0f0d0135",
    "00",
    "ff",
    "7f",
  ],
  separators: ["\n", " ", "00"],
  maxLength: 4_000,
  generate,
  check,
};

function generate(random: Random): string {
  const encoder = new HpackEncoder();
  const lines = [`${random.below(1_000)}`, "4 0 0 "];
  for (let i = random.below(8); i >= 0; i--) {
    const id = 1 + 2 * random.below(3);
    const fields = Array.from(
      { length: random.below(4) },
      (): [string, string] => [`x-${random.below(3)}`, `${random.below(4)}`],
    );
    const block = toHex(encode(encoder, [[":status", `${200 + random.below(300)}`], ...fields]));
    lines.push(`1 ${random.pick([4, 5])} ${id} ${block}`);
    if (random.chance(0.7)) {
      lines.push(`0 ${random.below(2)} ${id} ${"61".repeat(random.below(9))}`);
    }
  }
  return lines.join("\n");
}

function check(input: string): string {
  const [first = "", ...lines] = input.split("\n");
  const bytes = bytesOf(lines);
  const whole = run(bytes, []);
  const said = JSON.stringify(whole);
  const same = (cuts: readonly number[]) => {
    const outcome = run(bytes, cuts);
    hold(JSON.stringify(outcome) === said, "In pieces it is something else", whole, outcome, cuts);
  };
  same(new Array<number>(bytes.length).fill(1));
  const random = new Random(Number(/\d+/.exec(first)?.[0] ?? 0) % 2 ** 32);
  same(Array.from({ length: 12 }, () => random.below(bytes.length + 1) >> random.below(6)));
  const { failure, users } = whole;
  return JSON.stringify([
    failure,
    users.map(({ body, ended, error, fields, status }) => [
      error,
      ended,
      Math.floor(status / 100),
      Math.min(3, fields),
      Math.min(4, Math.ceil(Math.log2(body.length + 1))),
    ]),
    Math.min(8, whole.sent.length),
  ]);
}

function bytesOf(lines: readonly string[]): Uint8Array {
  const writer = new FrameWriter();
  for (const line of lines) {
    const [type = "", flags, id, ...payload] = line.split(" ");
    const hexOf = (text: string) => {
      const digits = text.replace(/[^0-9a-f]/g, "");
      return fromHex(digits.slice(0, digits.length & ~1));
    };
    if (type === "raw") {
      const raw = hexOf(line.slice(3));
      const at = writer.reserve(raw.length);
      writer.bytes.set(raw, at);
      writer.advance(at + raw.length);
    } else {writer.frame(
        Number(type) & 0xff,
        Number(flags) & 0xff,
        Number(id) | 0,
        hexOf(payload.join("")),
      );}
  }
  return writer.take()?.slice() ?? new Uint8Array(0);
}

function run(bytes: Uint8Array, cuts: readonly number[]) {
  const scene = new EngineScene(null);
  const { engine } = scene;
  const asked = [
    scene.ask(),
    scene.ask({ method: "POST", body: new Uint8Array(1_000) }),
    scene.ask({ method: "HEAD" }),
  ];
  // One was given up: what comes for it is passed over.
  engine.cancel(scene.ask().stream);
  scene.sent();
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = bytes.slice(at, at + cut);
    engine.push(piece);
    piece.fill(0xee);
    at += cut;
  }
  const { failure } = engine;
  hold(failure === undefined || failure instanceof Http2Error, "A foreign error", failure);
  hold(engine.active <= 3, "There are more streams than were asked for", engine.active);
  const users = asked.map(({ user: { body, ended, error, fields, maybeActedOn, status } }) => {
    hold(!(ended && error !== undefined), "It ended twice", error);
    hold(body.length <= bytes.length, "There is more than was sent", body);
    hold(fields.length <= 256, "There are more fields than the limit allows", fields.length);
    // Of a body that is too long, or goes wrong otherwise, more or less may have come before.
    const kept = error === undefined ? body : "";
    return { body: kept, ended, error: String(error), fields: fields.length, maybeActedOn, status };
  });
  const sent = scene.sent().map((frame) => frame.slice(0, 2));
  hold(sent.length <= bytes.length + 20, "It sends more than it got", sent.length);
  return { failure: failure && String(failure), users, sent };
}
