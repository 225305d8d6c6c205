/**
 * Measures the codec of WebSocket beside those that were not taken: the `Receiver` and `Sender` of
 * `ws`, which Bun has none of, and the `Hybi` of `websocket-driver`.
 *
 * Each takes the same chunks, and gives what the web's interface gives: texts, and ArrayBuffers of their
 * own. What it writes goes nowhere.
 * Run it with `node --import tsx`, `bun`, or `deno run --allow-all`.
 *
 * @module
 */

import { bench, do_not_optimize, group, run, summary } from "mitata";
import { createRequire } from "node:module";
import { BINARY, TEXT } from "../src/http/websocket/frame.ts";
import { encodeFrame, encodeText } from "../src/http/websocket/frame_writer.ts";
import { MessageReader } from "../src/http/websocket/message_reader.ts";

/** One way to read and write. */
interface Codec {
  readonly name: string;
  /** Reads chunks, and gives how many messages there were. */
  read(chunks: readonly Uint8Array[]): number;
  write(message: string | Uint8Array): void;
}

const CHUNK_BYTES = 65_536;

function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126
    ? [0x80 | opcode, length]
    : length < 65_536
    ? [0x80 | opcode, 126, length >> 8, length & 255]
    : [
      0x80 | opcode,
      127,
      0,
      0,
      0,
      0,
      length >>> 24,
      length >> 16 & 255,
      length >> 8 & 255,
      length & 255,
    ];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

/** A megabyte of equal messages, as a socket gives it. */
function chunksOf(opcode: number, payload: Uint8Array): Uint8Array[] {
  const one = frame(opcode, payload);
  const count = Math.max(1, Math.floor(1_048_576 / one.length));
  const all = new Uint8Array(count * one.length);
  for (let i = 0; i < count; i++) all.set(one, i * one.length);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += CHUNK_BYTES) chunks.push(all.slice(at, at + CHUNK_BYTES));
  return chunks;
}

function ours(): Codec {
  let messages = 0;
  const take = (message: unknown) => {
    messages++;
    do_not_optimize(message);
  };
  const reader = new MessageReader(
    {
      onText: take,
      onBinary: ({ buffer }) => take(buffer),
      onPing() {},
      onPong() {},
      onCloseFrame() {},
    },
    { maxMessageBytes: 2 ** 30, maxFragments: 1_000 },
  );
  return {
    name: "hotconn",
    read(chunks) {
      messages = 0;
      for (const chunk of chunks) reader.push(chunk);
      return messages;
    },
    write(message) {
      do_not_optimize(
        typeof message === "string" ? encodeText(TEXT, message) : encodeFrame(BINARY, message),
      );
    },
  };
}

interface Emitter {
  on(event: string, listener: (...values: never[]) => void): void;
}

function ws(require: NodeRequire): Codec {
  const { Receiver, Sender } = require("ws") as {
    Receiver: new(options: object) => Emitter & { write(bytes: Uint8Array): boolean };
    Sender: new(socket: object, extensions: object) => {
      send(message: string | Uint8Array, options: object, callback?: () => void): void;
    };
  };
  let messages = 0;
  const receiver = new Receiver({
    binaryType: "arraybuffer",
    isServer: false,
    maxPayload: 2 ** 30,
  });
  receiver.on("message", (data: Uint8Array, isBinary: boolean) => {
    messages++;
    do_not_optimize(isBinary ? data : String(data));
  });
  const socket = { cork() {}, uncork() {}, write: (bytes: Uint8Array) => do_not_optimize(bytes) };
  const sender = new Sender(socket, {});
  return {
    name: "ws",
    read(chunks) {
      messages = 0;
      for (const chunk of chunks) receiver.write(chunk);
      return messages;
    },
    write(message) {
      const binary = typeof message !== "string";
      sender.send(message, { fin: true, binary, mask: true, compress: false });
    },
  };
}

function driver(require: NodeRequire): Codec {
  const Hybi = require("websocket-driver/lib/websocket/driver/hybi.js") as new(
    request: null,
    url: string,
    options: object,
  ) => Emitter & {
    readyState: number;
    readonly _extensions: { activate(header: string): void };
    io: Emitter;
    parse(chunk: Uint8Array): void;
    text(message: string): void;
    binary(message: Uint8Array): void;
  };
  const { Buffer } = require("node:buffer") as typeof import("node:buffer");
  let messages = 0;
  const hybi = new Hybi(null, "ws://a.test/", { masking: true, maxLength: 2 ** 30 });
  hybi.readyState = 1;
  hybi._extensions.activate("");
  hybi.on("message", ({ data }: { readonly data: string | Uint8Array }) => {
    messages++;
    do_not_optimize(typeof data === "string" ? data : new Uint8Array(data).buffer);
  });
  hybi.io.on("data", (bytes: unknown) => do_not_optimize(bytes));
  const asBuffer = ({ buffer, byteLength, byteOffset }: Uint8Array) =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  return {
    name: "websocket-driver",
    read(chunks) {
      messages = 0;
      for (const chunk of chunks) hybi.parse(asBuffer(chunk));
      return messages;
    },
    write(message) {
      if (typeof message === "string") hybi.text(message);
      else hybi.binary(asBuffer(message));
    },
  };
}

const require = createRequire(import.meta.url);
const codecs: Codec[] = [ours()];
for (const make of [ws, driver]) {
  try {
    codecs.push(make(require));
  } catch (error) {
    console.warn(`Without ${make.name}: ${String(error).split("\n")[0]}`);
  }
}

const encoder = new TextEncoder();
const text = (length: number) =>
  "The quick brown fox jumps, été. ".repeat(length / 32 + 1).slice(0, length);
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i & 255);
const MESSAGES: readonly [name: string, message: string | Uint8Array][] = [
  ["text, 32 characters", text(32)],
  ["text, 1,024 characters", text(1_024)],
  ["text, 65,536 characters", text(65_536)],
  ["bytes, 32", bytes(32)],
  ["bytes, 1,024", bytes(1_024)],
  ["bytes, 65,536", bytes(65_536)],
  ["bytes, 1,000,000", bytes(1_000_000)],
];

for (const [name, message] of MESSAGES) {
  const opcode = typeof message === "string" ? TEXT : BINARY;
  const payload = typeof message === "string" ? encoder.encode(message) : message;
  const chunks = chunksOf(opcode, payload);
  const expected = Math.max(1, Math.floor(1_048_576 / frame(opcode, payload).length));
  group(`read a megabyte of ${name}`, () => {
    summary(() => {
      for (const codec of codecs) {
        if (codec.read(chunks) !== expected) throw new Error(`${codec.name} misreads ${name}`);
        bench(codec.name, () => codec.read(chunks));
      }
    });
  });
  group(`write ${name}`, () => {
    summary(() => {
      for (const codec of codecs) bench(codec.name, () => codec.write(message));
    });
  });
}

await run();
