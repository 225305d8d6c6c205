/**
 * Another reader of a server's frames, plain and slow, to hold the fast one against. It sees all
 * bytes at once, and decides UTF-8 by a table of its own.
 *
 * @module
 */

/** How much of a message is taken. */
export interface Limits {
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
}

/** Reads what is there: what each frame tells, and the code of the first fault. */
export function readMessages(bytes: Uint8Array, limits: Limits): string[][] {
  const told: string[][] = [];
  const fault = (code: number) => [...told, ["fault", `${code}`]];
  let message: { opcode: number; bytes: number[]; size: number; fragments: number } | undefined;
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at]!;
    const opcode = first & 15;
    const isLast = first >= 128;
    const isControl = opcode >= 8;
    if (![0, 1, 2, 8, 9, 10].includes(opcode) || (first & 0x70) !== 0) return fault(1002);
    if (isControl && !isLast) return fault(1002);
    if (!isControl && (opcode === 0) !== (message !== undefined)) return fault(1002);
    const second = bytes[at + 1];
    if (second === undefined) return told;
    if (second >= 128 || (isControl && second > 125)) return fault(1002);
    const more = second < 126 ? 0 : second === 126 ? 2 : 8;
    const written = [...bytes.subarray(at + 2, at + 2 + more)];
    if (more === 8 && written.length > 0 && written[0]! >= 128) return fault(1002);
    if (written.length < more) return told;
    const length = more === 0
      ? BigInt(second)
      : written.reduce((n, byte) => n * 256n + BigInt(byte), 0n);
    if ((more === 2 && length < 126n) || (more === 8 && length < 65_536n)) return fault(1002);
    at += 2 + more;
    if (!isControl) {
      message ??= { opcode, bytes: [], size: 0, fragments: 0 };
      if (BigInt(message.size) + length > BigInt(limits.maxMessageBytes)) return fault(1009);
      message.size += Number(length);
      if (++message.fragments > limits.maxFragments) return fault(1009);
    }
    const payload = [...bytes.subarray(at, at + Number(length))];
    const isWhole = payload.length === Number(length);
    at += Number(length);
    if (message && !isControl) {
      message.bytes.push(...payload);
      const { opcode } = message;
      // It is refused with the byte that shows it, whether or not the rest has come.
      const state = opcode === 1 ? utf8(message.bytes) : "whole";
      if (state === "wrong") return fault(1007);
      if (!isWhole) return told;
      if (!isLast) continue;
      if (state === "begun") return fault(1007);
      if (opcode === 1) told.push(["text", textOf(message.bytes)]);
      else told.push(["binary", message.bytes.join(" ")]);
      message = undefined;
      continue;
    }
    if (!isWhole) return told;
    if (opcode === 9) told.push(["ping", payload.join(" ")]);
    else if (opcode === 10) told.push(["pong"]);
    else {
      if (payload.length === 0) return [...told, ["close", "1005", ""]];
      if (payload.length === 1) return fault(1002);
      const code = payload[0]! * 256 + payload[1]!;
      const known = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
      if (!known.includes(code) && !(code >= 3000 && code < 5000)) return fault(1002);
      const reason = payload.slice(2);
      if (utf8(reason) !== "whole") return fault(1007);
      return [...told, ["close", `${code}`, textOf(reason)]];
    }
  }
  return told;
}

/** The well-formed sequences of bytes (Unicode, table 3-7). */
const SEQUENCES: readonly (readonly (readonly [low: number, high: number])[])[] = [
  [[0x00, 0x7f]],
  [[0xc2, 0xdf], [0x80, 0xbf]],
  [[0xe0, 0xe0], [0xa0, 0xbf], [0x80, 0xbf]],
  [[0xe1, 0xec], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xed, 0xed], [0x80, 0x9f], [0x80, 0xbf]],
  [[0xee, 0xef], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xf0, 0xf0], [0x90, 0xbf], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xf1, 0xf3], [0x80, 0xbf], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xf4, 0xf4], [0x80, 0x8f], [0x80, 0xbf], [0x80, 0xbf]],
];

function utf8(bytes: readonly number[]): "whole" | "begun" | "wrong" {
  for (let at = 0; at < bytes.length;) {
    const sequence = SEQUENCES.find(([[low, high] = [1, 0]]) =>
      bytes[at]! >= low && bytes[at]! <= high
    );
    if (!sequence) return "wrong";
    for (const [i, [low, high]] of sequence.entries()) {
      const byte = bytes[at + i];
      if (byte === undefined) return "begun";
      if (byte < low || byte > high) return "wrong";
    }
    at += sequence.length;
  }
  return "whole";
}

function textOf(bytes: readonly number[]): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}
