/**
 * An engine, and a peer that sends frames as a test says.
 *
 * @module
 */

import { latin1 } from "../../../src/http/chars.ts";
import { Http2Engine } from "../../../src/http/h2/engine.ts";
import { errorNumber, Http2Error, type Http2ErrorName } from "../../../src/http/h2/error_codes.ts";
import { FrameReader } from "../../../src/http/h2/frame_reader.ts";
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  FrameWriter,
  GOAWAY,
  HEADERS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "../../../src/http/h2/frames.ts";
import type { Http2Head } from "../../../src/http/h2/head_reader.ts";
import { HpackDecoder } from "../../../src/http/h2/hpack_decoder.ts";
import { type BlockField, HpackEncoder } from "../../../src/http/h2/hpack_encoder.ts";
import { requestFields } from "../../../src/http/h2/request_fields.ts";
import type { Http2Stream, StreamUser } from "../../../src/http/h2/stream.ts";
import { type CheckedLimits, DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import type { ResponseHeaders } from "../../../src/http/response_headers.ts";
import { FrameRecorder, type Noted } from "./frame_recorder.ts";
import { decode, encode, type Field } from "./hpack_text.ts";

/** What was told of a stream. */
export class RecordingUser implements StreamUser {
  status = 0;
  fields: Field[] = [];
  /** The beginning of the body. */
  body = "";
  /** How long the body is. */
  received = 0;
  trailers: Field[] | null = null;
  ended = false;
  sent = 0;
  error: unknown = undefined;
  maybeActedOn: boolean | undefined = undefined;

  onHead({ headers, status }: Http2Head): void {
    this.status = status;
    this.fields = [...headers];
  }

  onBody(bytes: Uint8Array): void {
    this.received += bytes.length;
    if (this.body.length < 65_536) this.body += latin1(bytes, 0, bytes.length);
  }

  onTrailers(trailers: ResponseHeaders): void {
    this.trailers = [...trailers];
  }

  onEnd(): void {
    this.ended = true;
  }

  onSent(): void {
    this.sent++;
  }

  onFailure(error: unknown, maybeActedOn: boolean): void {
    this.error = error;
    this.maybeActedOn = maybeActedOn;
  }

  /** The name of the error that ended it, if one did. */
  get failure(): string | undefined {
    return this.error instanceof Http2Error ? this.error.http2Code : undefined;
  }
}

/** A request of the engine's, and what came of it. */
export interface Asked {
  readonly stream: Http2Stream;
  readonly user: RecordingUser;
}

/** How a request is made. */
export interface AskOptions {
  readonly method?: string;
  readonly body?: Uint8Array;
  readonly hasMore?: boolean;
  readonly headers?: readonly Field[];
}

/** The scene. */
export class EngineScene {
  readonly engine: Http2Engine;
  /** How often the number of streams has changed. */
  capacityChanges = 0;
  pongs = 0;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();
  readonly #writer = new FrameWriter();
  readonly #recorder = new FrameRecorder();
  readonly #reader = new FrameReader(this.#recorder, 65_536);
  #isBegun = false;
  readonly #fields = new Map<string, BlockField[]>();

  /** Begins at the time 1,000, and with SETTINGS of the peer's where they are named. */
  constructor(
    settings: readonly (readonly [number, number])[] | null = [],
    options: { readonly firstId?: number; readonly limits?: Partial<CheckedLimits> } = {},
  ) {
    this.engine = new Http2Engine(
      {
        onOutput: () => {},
        onCapacity: () => this.capacityChanges++,
        onPong: () => this.pongs++,
      },
      { ...DEFAULT_LIMITS, ...options.limits },
      1_000,
      options.firstId,
    );
    if (!settings) return;
    this.settings(settings);
    this.settingsAck();
    this.sent();
  }

  /** Moves the time on, and lets the engine look. */
  advance(ms: number): void {
    this.engine.now += ms;
    this.engine.tick();
  }

  /** Makes a request; throws where there may be none. */
  ask(options: AskOptions = {}): Asked {
    const asked = this.tryAsk(options);
    if (!asked) throw new Error("There may not be another stream");
    return asked;
  }

  /** Makes a request; undefined where there may be none. */
  tryAsk({ body, hasMore = false, headers = [], method = "GET" }: AskOptions = {}):
    | Asked
    | undefined
  {
    const user = new RecordingUser();
    const key = JSON.stringify([method, headers]);
    let fields = this.#fields.get(key);
    if (!fields) {
      const authority = "a.test";
      const target = { scheme: "https", authority, path: "/", contentLength: null } as const;
      fields = requestFields({ method, headers, ...target });
      this.#fields.set(key, fields);
    }
    const stream = this.engine.request(fields, body ?? null, hasMore, method === "HEAD", user);
    return stream && { stream, user };
  }

  /** What the engine has sent since the last time, in so many writes; header blocks are read. */
  sent(writes: number = Infinity): Noted[] {
    for (; writes > 0; writes--) {
      let bytes = this.engine.take();
      if (!bytes) break;
      if (!this.#isBegun) {
        this.#isBegun = true;
        bytes = bytes.subarray(PREFACE.length);
      }
      this.#reader.push(bytes);
    }
    this.#recorder.flush();
    return this.#recorder.frames.splice(0).map((frame) => {
      if (frame[0] !== "headers") return frame;
      const block = Uint8Array.from(String(frame[2]), (char) => char.charCodeAt(0));
      const fields = decode(this.#decoder, block).map((field) => field.join(": "));
      return ["headers", frame[1], fields.join("\n"), frame[3]!];
    });
  }

  /** What the engine has sent of these kinds. */
  sentOf(...kinds: string[]): Noted[] {
    return this.sent().filter(([kind]) => kinds.includes(kind));
  }

  // What the peer sends.

  settings(settings: readonly (readonly [number, number])[] = []): void {
    this.#writer.settings(settings);
    this.#push();
  }

  settingsAck(): void {
    this.raw(SETTINGS, ACK, 0);
  }

  headers(id: number, fields: readonly Field[] = [[":status", "200"]], isEnd = false): void {
    const block = encode(this.#encoder, fields);
    this.raw(HEADERS, END_HEADERS | (isEnd ? END_STREAM : 0), id, block);
  }

  data(id: number, text: string | Uint8Array, isEnd = false): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.raw(DATA, isEnd ? END_STREAM : 0, id, bytes);
  }

  /** Answers a request with a body. */
  respond(id: number, body = "ok"): void {
    this.headers(id);
    this.data(id, body, true);
  }

  reset(id: number, code: Http2ErrorName): void {
    this.#writer.word(RST_STREAM, id, errorNumber(code));
    this.#push();
  }

  window(id: number, increment: number): void {
    this.#writer.word(WINDOW_UPDATE, id, increment);
    this.#push();
  }

  goaway(lastId: number, code: Http2ErrorName = "NO_ERROR"): void {
    const payload = new Uint8Array(8);
    const view = new DataView(payload.buffer);
    view.setUint32(0, lastId);
    view.setUint32(4, errorNumber(code));
    this.raw(GOAWAY, 0, 0, payload);
  }

  /** Answers the PINGs among frames. */
  pong(frames: readonly Noted[]): void {
    for (const [kind, , payload, isAnswer] of frames) {
      if (kind !== "ping" || isAnswer) continue;
      this.raw(PING, ACK, 0, Uint8Array.from(String(payload), (char) => char.charCodeAt(0)));
    }
  }

  raw(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array(0)): void {
    this.#writer.frame(type, flags, id, payload);
    this.#push();
  }

  /** The error that ended the engine, if one did. */
  get failure(): string | undefined {
    const { failure } = this.engine;
    return failure instanceof Http2Error ? failure.http2Code : undefined;
  }

  #push(): void {
    this.engine.push(this.#writer.take()!);
  }
}
