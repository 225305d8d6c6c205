/**
 * Reads the messages of a server out of its frames (RFC 6455 sections 5 and 8.1).
 *
 * @module
 */

import {
  BINARY,
  CLOSE,
  CONTINUATION,
  FIN,
  FrameError,
  isCloseCode,
  MASKED,
  MAX_CONTROL_BYTES,
  NO_CODE,
  NOT_UTF8,
  PING,
  PONG,
  PROTOCOL_ERROR,
  RSV1,
  RSV23,
  TEXT,
  TOO_BIG,
} from "./frame.ts";

/** Bytes that the receiver may keep. */
export type OwnBytes = Uint8Array<ArrayBuffer>;

/** What a reader finds, in order. */
export interface MessageSink {
  /** A message of text. */
  onText(text: string): void;
  /** A message of bytes. */
  onBinary(bytes: OwnBytes): void;
  /** A ping, to be answered with the same payload. */
  onPing(payload: OwnBytes): void;
  /** A pong. */
  onPong(): void;
  /** A close frame: nothing follows. The code is 1005 if none was given. */
  onCloseFrame(code: number, reason: string): void;
}

/** How large a message may be. */
export interface MessageLimits {
  /** The longest message, in bytes. */
  readonly maxMessageBytes: number;
  /** The most frames of one message. */
  readonly maxFragments: number;
}

/**
 * Decompresses a message.
 *
 * @throws {FrameError} It is not what was agreed upon, or too long
 */
export type Inflate = (bytes: OwnBytes, maxBytes: number) => OwnBytes;

const NOTHING: OwnBytes = new Uint8Array(0);

/** Reads a whole text at once: strictly, and with whatever it begins. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Takes bytes as they come, cut anywhere, and tells what they are. A fault is found with the first
 * byte that shows it.
 */
export class MessageReader {
  readonly #sink: MessageSink;
  readonly #limits: MessageLimits;
  readonly #inflate: Inflate | undefined;
  #done = false;
  // The head of a frame, as far as it has come.
  #headBytes = 0;
  #headEnd = 2;
  #first = 0;
  #length = 0;
  /** How much of its payload is still to come; -1 while the head is. */
  #left = -1;
  // The message under way: its opcode, 0 if there is none, and its size with the frame that is read.
  #opcode = 0;
  #compressed = false;
  #fragments = 0;
  #size = 0;
  // What has arrived of it, unless all comes at once: as text, or as bytes.
  #text = "";
  #decoder: TextDecoder | undefined;
  #gathered = NOTHING;
  #gatheredBytes = 0;
  // What has arrived of a control frame, which may come between the frames of a message.
  #control = NOTHING;
  #controlBytes = 0;

  /** Begins at the first byte after the handshake. */
  constructor(sink: MessageSink, limits: MessageLimits, inflate?: Inflate) {
    this.#sink = sink;
    this.#limits = limits;
    this.#inflate = inflate;
  }

  /** Reads on. The bytes may be changed afterwards. Once it has thrown, or was stopped, it reads none. */
  push(bytes: Uint8Array): void {
    const { length } = bytes;
    let at = 0;
    try {
      while (at < length && !this.#done) {
        if (this.#left < 0) {
          this.#takeHead(bytes[at++]!);
          if (this.#left === 0) this.#endFrame();
        } else {
          const end = Math.min(length, at + this.#left);
          this.#takePayload(bytes, at, end);
          at = end;
        }
      }
    } catch (error) {
      this.#done = true;
      throw error;
    }
  }

  /** Stops reading. */
  stop(): void {
    this.#done = true;
  }

  #takeHead(byte: number): void {
    const at = this.#headBytes++;
    if (at === 0) this.#takeFirst(byte);
    else if (at === 1) this.#takeSecond(byte);
    else {
      if (at === 2 && this.#headEnd === 10 && byte > 0x7f) {
        throw new FrameError(PROTOCOL_ERROR, "a frame's length has its highest bit set");
      }
      this.#length = this.#length * 256 + byte;
    }
    if (this.#headBytes === this.#headEnd) this.#beginPayload();
  }

  #takeFirst(byte: number): void {
    this.#first = byte;
    const opcode = byte & 0xf;
    const isControl = opcode >= CLOSE;
    if (opcode > PONG || (opcode > BINARY && !isControl)) {
      throw new FrameError(PROTOCOL_ERROR, `a frame has the opcode ${opcode}, which is reserved`);
    }
    const mayCompress = this.#inflate && (opcode === TEXT || opcode === BINARY);
    if ((byte & RSV23) !== 0 || ((byte & RSV1) !== 0 && !mayCompress)) {
      throw new FrameError(PROTOCOL_ERROR, "a frame has a reserved bit set");
    }
    if (isControl) {
      if ((byte & FIN) === 0) throw new FrameError(PROTOCOL_ERROR, "a control frame is fragmented");
    } else if (opcode === CONTINUATION) {
      if (this.#opcode === 0) {
        throw new FrameError(PROTOCOL_ERROR, "a frame continues a message that was not begun");
      }
    } else if (this.#opcode !== 0) {
      throw new FrameError(PROTOCOL_ERROR, "a message begins within another one");
    }
  }

  #takeSecond(byte: number): void {
    if ((byte & MASKED) !== 0) throw new FrameError(PROTOCOL_ERROR, "a server's frame is masked");
    if ((this.#first & 0xf) >= CLOSE && byte > MAX_CONTROL_BYTES) {
      throw new FrameError(PROTOCOL_ERROR, "a control frame is longer than 125 bytes");
    }
    this.#headEnd = byte < 126 ? 2 : byte === 126 ? 4 : 10;
    this.#length = byte < 126 ? byte : 0;
  }

  #beginPayload(): void {
    const length = this.#length;
    if ((this.#headEnd === 4 && length < 126) || (this.#headEnd === 10 && length < 65_536)) {
      throw new FrameError(PROTOCOL_ERROR, "a frame's length is written longer than it need be");
    }
    this.#headBytes = 0;
    this.#headEnd = 2;
    this.#left = length;
    const opcode = this.#first & 0xf;
    if (opcode >= CLOSE) return;
    const { maxFragments, maxMessageBytes } = this.#limits;
    if (opcode !== CONTINUATION) {
      this.#opcode = opcode;
      this.#compressed = (this.#first & RSV1) !== 0;
      this.#fragments = this.#size = 0;
    }
    this.#size += length;
    if (this.#size > maxMessageBytes || this.#size > Number.MAX_SAFE_INTEGER) {
      throw tooBig(maxMessageBytes);
    }
    if (++this.#fragments > maxFragments) {
      const detail = `a message has more than ${maxFragments} frames (maxFragments)`;
      throw new FrameError(TOO_BIG, detail);
    }
  }

  #takePayload(bytes: Uint8Array, from: number, to: number): void {
    const isAll = this.#left === this.#length && to - from === this.#left;
    this.#left -= to - from;
    if ((this.#first & 0xf) >= CLOSE) {
      if (this.#controlBytes === 0) this.#control = new Uint8Array(this.#length);
      this.#control.set(bytes.subarray(from, to), this.#controlBytes);
      this.#controlBytes += to - from;
    } else if (isAll && this.#fragments === 1 && (this.#first & FIN) !== 0) {
      this.#takeWhole(bytes, from, to);
      return;
    } else if (this.#opcode === TEXT && !this.#compressed) {
      this.#decode(bytes.subarray(from, to), true);
    } else this.#gather(bytes.subarray(from, to));
    if (this.#left === 0) this.#endFrame();
  }

  /** A message in one frame that came in one piece needs no place to wait in. */
  #takeWhole(bytes: Uint8Array, from: number, to: number): void {
    const opcode = this.#opcode;
    this.#left = -1;
    this.#opcode = 0;
    const payload = bytes.subarray(from, to);
    // Not by `slice()`: that of a Buffer, which is bytes too, copies nothing.
    if (this.#compressed) this.#tell(opcode, this.#inflated(new Uint8Array(payload)));
    else if (opcode === TEXT) this.#sink.onText(textOf(payload));
    else this.#sink.onBinary(new Uint8Array(payload));
  }

  #endFrame(): void {
    this.#left = -1;
    const opcode = this.#first & 0xf;
    if (opcode >= CLOSE) this.#endControl(opcode);
    else if ((this.#first & FIN) !== 0) this.#endMessage();
  }

  #endMessage(): void {
    const opcode = this.#opcode;
    this.#opcode = 0;
    if (opcode === TEXT && !this.#compressed) {
      if (this.#decoder) this.#decode(NOTHING, false);
      const text = this.#text;
      this.#text = "";
      this.#sink.onText(text);
      return;
    }
    const gathered = this.#gathered;
    // An empty one is the receiver's own, too.
    const bytes = this.#gatheredBytes === gathered.length && gathered !== NOTHING
      ? gathered
      : gathered.slice(0, this.#gatheredBytes);
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
    this.#tell(opcode, this.#compressed ? this.#inflated(bytes) : bytes);
  }

  #tell(opcode: number, bytes: OwnBytes): void {
    if (opcode === TEXT) this.#sink.onText(textOf(bytes));
    else this.#sink.onBinary(bytes);
  }

  #inflated(bytes: OwnBytes): OwnBytes {
    return this.#inflate!(bytes, this.#limits.maxMessageBytes);
  }

  #endControl(opcode: number): void {
    const payload = this.#controlBytes === 0 ? NOTHING : this.#control;
    this.#controlBytes = 0;
    if (opcode === PING) this.#sink.onPing(payload);
    else if (opcode === PONG) this.#sink.onPong();
    else {
      this.#done = true;
      const { code, reason } = readClose(payload);
      this.#sink.onCloseFrame(code, reason);
    }
  }

  /** Reads text as it comes, so that invalid text is found at once. */
  #decode(bytes: Uint8Array, stream: boolean): void {
    this.#decoder ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    try {
      this.#text += this.#decoder.decode(bytes, { stream });
    } catch {
      throw new FrameError(NOT_UTF8, "a text is not UTF-8");
    }
  }

  /** Keeps bytes, in memory that grows with what has arrived, not with what was announced. */
  #gather(bytes: Uint8Array): void {
    const needed = this.#gatheredBytes + bytes.length;
    if (needed > this.#gathered.length) {
      // More frames may follow one that is not the last. Doubling moves each byte only a few times.
      const most = (this.#first & FIN) === 0 ? Infinity : this.#size;
      const grown = new Uint8Array(Math.min(most, 2 * needed));
      grown.set(this.#gathered.subarray(0, this.#gatheredBytes));
      this.#gathered = grown;
    }
    this.#gathered.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes = needed;
  }
}

/** The error for a message that is too long. */
export function tooBig(maxMessageBytes: number): FrameError {
  const detail = `a message has more than ${maxMessageBytes} bytes (maxMessageBytes)`;
  return new FrameError(TOO_BIG, detail);
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FrameError(NOT_UTF8, "a text is not UTF-8");
  }
}

/** What a close frame says (RFC 6455 section 5.5.1). */
function readClose(payload: Uint8Array): { readonly code: number; readonly reason: string } {
  const [high, low] = payload;
  if (high === undefined) return { code: NO_CODE, reason: "" };
  if (low === undefined) throw new FrameError(PROTOCOL_ERROR, "a close frame has half a code");
  const code = high * 256 + low;
  if (!isCloseCode(code)) {
    throw new FrameError(PROTOCOL_ERROR, `a close frame has the code ${code}`);
  }
  return { code, reason: textOf(payload.subarray(2)) };
}
