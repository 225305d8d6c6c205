/**
 * The protocol on one connection, from the handshake on: what is sent, when, and how it ends.
 *
 * @module
 */

import { type Clock, inNextTurn, type Timer } from "../../core/clock.ts";
import type { SocketSink } from "../../core/dialer.ts";
import { WebSocketError, type WebSocketFailure } from "../../core/errors.ts";
import type { Lease } from "../../pool/lease/lease.ts";
import type { MessageCompression } from "./compression.ts";
import {
  ABNORMAL,
  BINARY,
  CLOSE,
  FrameError,
  GOING_AWAY,
  NO_CODE,
  NOT_UTF8,
  PING,
  PONG,
  TEXT,
  TOO_BIG,
} from "./frame.ts";
import { encodeFrame, encodeText, payloadBytes } from "./frame_writer.ts";
import {
  type Inflate,
  MessageReader,
  type MessageSink,
  type OwnBytes,
  tooBig,
} from "./message_reader.ts";
import type { WebSocketTerms } from "./web_socket_options.ts";

/** How a WebSocket has ended. */
export interface SocketEnd {
  /** The code that the peer sent; 1006 if there was no close frame. */
  readonly code: number;
  readonly reason: string;
  /** Whether both sides have sent a close frame. */
  readonly wasClean: boolean;
  /** Why it failed, if it did. */
  readonly failure?: { readonly error: unknown } | undefined;
}

/** What a session calls. Nothing is called after its end. */
export interface SessionUser {
  onText(text: string): void;
  onBinary(bytes: OwnBytes): void;
  /** The peer has sent a close frame. */
  onClosing(): void;
  onEnd(end: SocketEnd): void;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** Below this a message is not worth compressing, in bytes or characters. */
const COMPRESSED_FROM = 1_024;

/** Whether the machine is to blame for the end, and whether a close frame can still be sent. */
interface Blame {
  readonly machine: boolean;
  readonly atOnce: boolean;
}

/** Speaks over a lease, which belongs to it and ends with it. */
export class WebSocketSession implements SocketSink, MessageSink {
  readonly #clock: Clock;
  readonly #lease: Lease;
  readonly #terms: WebSocketTerms;
  readonly #user: SessionUser;
  readonly #reader: MessageReader;
  readonly #compression: MessageCompression | undefined;
  #over = false;
  #timer: Timer | undefined;
  #receivedAt: number;
  #isAsking = false;
  #closeSent = false;
  /** The peer's close frame. */
  #goodbye: { readonly code: number; readonly reason: string } | undefined;
  /** Whether the socket is full for now. */
  #blocked = false;
  #settling = false;
  #bufferedBytes = 0;
  /** The payload of a ping that is to be answered when the socket takes more. */
  #owedPong: Uint8Array | undefined;
  #onDrained: (() => void)[] = [];

  /** Begins where the handshake has ended. Bytes come to it when it is attached. */
  constructor(
    clock: Clock,
    lease: Lease,
    terms: WebSocketTerms,
    user: SessionUser,
    compression?: MessageCompression,
  ) {
    this.#clock = clock;
    this.#lease = lease;
    this.#terms = terms;
    this.#user = user;
    this.#compression = compression;
    this.#reader = new MessageReader(this, terms, compression && inflateBy(compression));
    this.#receivedAt = clock.now();
    this.#awaitSilence();
  }

  /** How much was given to be sent, and is not handed to the system yet, in bytes. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Calls back when nothing waits to be sent any more, or never will be. */
  onDrained(callback: () => void): void {
    if (this.#over || this.#bufferedBytes === 0) callback();
    else this.#onDrained.push(callback);
  }

  /** Sends a message. Returns whether it may still go out. */
  send(message: string | Uint8Array): boolean {
    if (this.#over || this.#closeSent) return false;
    const { maxBufferedBytes } = this.#terms;
    if (this.#blocked && this.#bufferedBytes >= maxBufferedBytes) {
      const detail = `more than ${maxBufferedBytes} bytes wait to be sent (maxBufferedBytes)`;
      this.#fail(this.#error("limit", detail), { machine: false, atOnce: true });
      return false;
    }
    const isText = typeof message === "string";
    if (this.#compression && message.length >= COMPRESSED_FROM) {
      const bytes = isText ? encoder.encode(message) : message;
      this.#bufferedBytes += bytes.length;
      this.#write(encodeFrame(isText ? TEXT : BINARY, this.#compression.deflate(bytes), true));
    } else {
      const frame = isText ? encodeText(TEXT, message) : encodeFrame(BINARY, message);
      this.#bufferedBytes += isText ? payloadBytes(frame) : message.length;
      this.#write(frame);
    }
    if (!this.#blocked && !this.#settling) {
      this.#settling = true;
      queueMicrotask(this.#settle);
    }
    return true;
  }

  /** Sends a close frame, and ends when the peer has, too. */
  close(code: number | undefined, reason: string): void {
    if (this.#over || this.#closeSent) return;
    this.#sayGoodbye(code, reason);
    this.#awaitEnd();
  }

  /** Ends it for the program's own reasons. */
  abort(error: unknown): void {
    if (!this.#closeSent) this.#sayGoodbye(GOING_AWAY, "");
    this.#fail(error, { machine: false, atOnce: false });
  }

  onData(bytes: Uint8Array): void {
    this.#receivedAt = this.#clock.now();
    this.#isAsking = false;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#refuse(error);
    }
  }

  onDrain(): void {
    this.#blocked = false;
    const owed = this.#owedPong;
    this.#owedPong = undefined;
    if (owed) this.onPing(owed);
    this.#settle();
  }

  onClose(error?: Error): void {
    if (this.#over) return;
    if (this.#goodbye) this.#end({ ...this.#goodbye, wasClean: true });
    else if (this.#closeSent && error === undefined) {
      this.#lease.failure = null;
      this.#end({ code: ABNORMAL, reason: "", wasClean: false });
    } else {
      const detail = "the connection ended without a good-bye";
      const failure = this.#error("connection", detail, null, error);
      // An end in good order may come from a proxy with a time limit.
      const isMachines = error !== undefined && !this.#lease.connection.endedHere;
      this.#fail(failure, { machine: isMachines, atOnce: true });
    }
  }

  onText(text: string): void {
    if (!this.#closeSent) this.#user.onText(text);
  }

  onBinary(bytes: OwnBytes): void {
    if (!this.#closeSent) this.#user.onBinary(bytes);
  }

  onPing(payload: Uint8Array): void {
    if (this.#closeSent) return;
    // Only the last one is answered (RFC 6455 section 5.5.3): a peer that never reads piles up nothing.
    if (this.#blocked) this.#owedPong = payload;
    else this.#write(encodeFrame(PONG, payload));
  }

  onPong(): void {}

  onCloseFrame(code: number, reason: string): void {
    this.#goodbye = { code, reason };
    this.#user.onClosing();
    if (this.#over) return;
    if (!this.#closeSent) this.#sayGoodbye(code === NO_CODE ? undefined : code, "");
    // The server should end the connection first, so that we need not wait for stray packets.
    this.#awaitEnd();
  }

  #sayGoodbye(code: number | undefined, reason: string): void {
    this.#closeSent = true;
    const payload = code === undefined
      ? NOTHING
      : Uint8Array.of(code >> 8, code & 0xff, ...encoder.encode(reason));
    this.#write(encodeFrame(CLOSE, payload));
  }

  #write(frame: Uint8Array): void {
    if (!this.#lease.write(frame)) this.#blocked = true;
  }

  /** Notes that what was sent has reached the system. */
  readonly #settle = () => {
    this.#settling = false;
    if (this.#blocked) return;
    this.#bufferedBytes = 0;
    this.#tellDrained();
  };

  #tellDrained(): void {
    for (const callback of this.#onDrained.splice(0)) callback();
  }

  #awaitSilence(): void {
    const { pingIntervalMs } = this.#terms;
    if (pingIntervalMs === Infinity) return;
    const leftMs = this.#receivedAt + pingIntervalMs - this.#clock.now();
    this.#setTimer(() => {
      const silentMs = this.#clock.now() - this.#receivedAt;
      // Queued behind data that the peer takes slowly, a ping would be late in any case.
      if (silentMs < pingIntervalMs || this.#blocked) this.#awaitSilence();
      else this.#ask();
    }, leftMs > 0 ? leftMs : pingIntervalMs);
  }

  #ask(): void {
    const { pongTimeoutMs } = this.#terms;
    this.#isAsking = true;
    this.#write(encodeFrame(PING, NOTHING));
    this.#setTimer(() => {
      // What arrived while the program was busy is read first.
      inNextTurn(this.#clock, () => {
        if (this.#over || this.#closeSent) return;
        if (!this.#isAsking) return this.#awaitSilence();
        const detail = `nothing came within ${pongTimeoutMs} ms of a ping (pongTimeoutMs)`;
        this.#fail(this.#error("timeout", detail), { machine: true, atOnce: true });
      });
    }, pongTimeoutMs);
  }

  #awaitEnd(): void {
    const { closeTimeoutMs } = this.#terms;
    this.#setTimer(() => {
      if (this.#goodbye) return this.#end({ ...this.#goodbye, wasClean: true });
      const detail = `the server did not close within ${closeTimeoutMs} ms (closeTimeoutMs)`;
      this.#fail(this.#error("timeout", detail), { machine: false, atOnce: true });
    }, closeTimeoutMs);
  }

  #setTimer(callback: () => void, delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(callback, delayMs);
  }

  /** Ends it because of what the peer has sent. */
  #refuse({ closeCode, message }: FrameError): void {
    const isLimit = closeCode === TOO_BIG;
    const error = this.#error(isLimit ? "limit" : "protocol", message, closeCode);
    if (!this.#closeSent) this.#sayGoodbye(closeCode, message);
    this.#fail(error, { machine: !isLimit, atOnce: false });
  }

  #fail(error: unknown, { atOnce, machine }: Blame): void {
    if (this.#over) return;
    this.#lease.failure = machine ? { kind: "response", error } : null;
    this.#end({ code: ABNORMAL, reason: "", wasClean: false, failure: { error } }, atOnce);
  }

  #end(end: SocketEnd, atOnce = false): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#reader.stop();
    const { failure } = end;
    if (atOnce && failure) this.#lease.release({ error: failure.error });
    else this.#lease.release({ reuse: false });
    this.#user.onEnd(end);
    this.#tellDrained();
  }

  #error(
    failure: WebSocketFailure,
    detail: string,
    closeCode: number | null = null,
    cause?: unknown,
  ): WebSocketError {
    const { address, host } = this.#lease.connection;
    const fields = { failure, host, address, closeCode };
    return new WebSocketError(fields, detail, cause === undefined ? undefined : { cause });
  }
}

function inflateBy(compression: MessageCompression): Inflate {
  return (bytes, maxBytes) => {
    try {
      return compression.inflate(bytes, maxBytes);
    } catch (error) {
      if (error instanceof RangeError) throw tooBig(maxBytes);
      throw new FrameError(NOT_UTF8, "a compressed message cannot be read");
    }
  };
}
