/**
 * A server of raw frames without a network, and a pool that leads to it: for what no server does.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type MemoryDialer, memoryDialer, type MemorySocket } from "../../../adapters/memory.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { staticResolver } from "../../../src/hosts/resolver.ts";
import { errorNumber, type Http2ErrorName } from "../../../src/http/h2/error_codes.ts";
import { FrameReader } from "../../../src/http/h2/frame_reader.ts";
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  FrameWriter,
  GOAWAY,
  HEADERS,
  MAX_CONCURRENT_STREAMS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "../../../src/http/h2/frames.ts";
import { HpackDecoder } from "../../../src/http/h2/hpack_decoder.ts";
import { HpackEncoder } from "../../../src/http/h2/hpack_encoder.ts";
import type { HttpPoolOptions } from "../../../src/http/http_options.ts";
import { HttpPool } from "../../../src/http/http_pool.ts";
import { FrameRecorder } from "./frame_recorder.ts";
import { decode, encode, type Field } from "./hpack_text.ts";

/** A request as the server sees it. */
export interface ServedStream {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly contentLength: string | undefined;
}

/** What the server does. */
export interface FrameServerOptions {
  /** Called with each request, when its head is there. */
  readonly onRequest?: (connection: ServerConnection, stream: ServedStream) => void;
  /** Called with what has come of a request's body so far. */
  readonly onBody?: (
    connection: ServerConnection,
    id: number,
    body: string,
    isEnd: boolean,
  ) => void;
  /** How many streams it allows. */
  readonly maxStreams?: number;
  /** The names that its certificate is for, besides. */
  readonly names?: readonly string[];
  /** Whether it answers PINGs. @default {true} */
  readonly answersPings?: boolean;
  /** Whether it acknowledges SETTINGS. @default {true} */
  readonly acknowledges?: boolean;
}

/** One connection, from the server's side. */
export class ServerConnection {
  /** Counts from 1. */
  readonly id: number;
  /** Requests, in their order. */
  readonly streams: ServedStream[] = [];
  /** The bodies of requests, by their streams. */
  readonly bodies: Map<number, string> = new Map();
  /** What the client has reset. */
  readonly resets: number[] = [];
  /** How many PINGs came. */
  pings = 0;
  /** How many times the client has written. */
  writes = 0;
  /** How many requests were under way at a time, at the most. */
  mostOpen = 0;
  /** The last stream of each GOAWAY that the client sent. */
  readonly goaways: number[] = [];
  readonly #options: FrameServerOptions;
  readonly #socket: MemorySocket;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();
  readonly #writer = new FrameWriter();
  readonly #open = new Set<number>();
  #reader: FrameReader | undefined;
  #preface = 0;

  constructor(id: number, socket: MemorySocket, options: FrameServerOptions) {
    this.id = id;
    this.#socket = socket;
    this.#options = options;
  }

  /** Takes what the client writes. */
  take(bytes: Uint8Array): void {
    this.writes++;
    const skipped = Math.min(PREFACE.length - this.#preface, bytes.length);
    this.#preface += skipped;
    this.#reader ??= this.#begin();
    this.#reader.push(bytes.subarray(skipped));
    this.#flush();
  }

  settings(settings: readonly (readonly [number, number])[]): void {
    this.#writer.settings(settings);
    this.#flush();
  }

  respond(id: number, status = 200, body = "ok", fields: readonly Field[] = []): void {
    const block = encode(this.#encoder, [[":status", `${status}`], ...fields]);
    this.#writer.frame(HEADERS, END_HEADERS, id, block);
    this.#writer.frame(DATA, END_STREAM, id, new TextEncoder().encode(body));
    this.#open.delete(id);
    this.#flush();
  }

  head(id: number): void {
    this.#writer.frame(HEADERS, END_HEADERS, id, encode(this.#encoder, [[":status", "200"]]));
    this.#flush();
  }

  data(id: number, bytes: Uint8Array, isEnd = false): void {
    this.#writer.frame(DATA, isEnd ? END_STREAM : 0, id, bytes);
    this.#flush();
  }

  reset(id: number, code: Http2ErrorName): void {
    this.#writer.word(RST_STREAM, id, errorNumber(code));
    this.#open.delete(id);
    this.#flush();
  }

  goaway(lastId: number, code: Http2ErrorName = "NO_ERROR"): void {
    const payload = new Uint8Array(8);
    const view = new DataView(payload.buffer);
    view.setUint32(0, lastId);
    view.setUint32(4, errorNumber(code));
    this.#writer.frame(GOAWAY, 0, 0, payload);
    this.#flush();
  }

  /** Ends the connection. */
  end(error?: Error): void {
    this.#socket.end(error);
  }

  /** Whether the connection is open. */
  get isOpen(): boolean {
    return this.#socket.open;
  }

  #begin(): FrameReader {
    const recorder = new FrameRecorder();
    const { acknowledges = true, answersPings = true, maxStreams } = this.#options;
    recorder.onHeaders = (id, bytes, start, end) => {
      const fields = Object.fromEntries(decode(this.#decoder, bytes.slice(start, end)));
      const stream: ServedStream = {
        id,
        method: fields[":method"] ?? "",
        path: fields[":path"] ?? "",
        authority: fields[":authority"] ?? "",
        contentLength: fields["content-length"],
      };
      this.streams.push(stream);
      this.#open.add(id);
      this.mostOpen = Math.max(this.mostOpen, this.#open.size);
      this.#options.onRequest?.(this, stream);
    };
    recorder.onData = (id, bytes, credit, isEnd) => {
      const body = (this.bodies.get(id) ?? "") + new TextDecoder().decode(bytes);
      this.bodies.set(id, body);
      if (credit > 0) {
        this.#writer.word(WINDOW_UPDATE, 0, credit);
        if (!isEnd && this.#open.has(id)) this.#writer.word(WINDOW_UPDATE, id, credit);
      }
      this.#options.onBody?.(this, id, body, isEnd);
    };
    recorder.onReset = (id) => {
      this.resets.push(id);
      this.#open.delete(id);
    };
    recorder.onGoaway = (lastId) => this.goaways.push(lastId);
    recorder.onPing = (payload, isAnswer) => {
      if (isAnswer) return;
      this.pings++;
      if (answersPings) this.#writer.frame(PING, ACK, 0, payload);
    };
    recorder.onSettingsEnd = () => {
      this.#writer.settings(
        maxStreams === undefined ? [] : [[MAX_CONCURRENT_STREAMS, maxStreams]],
      );
      if (acknowledges) this.#writer.frame(SETTINGS, ACK, 0, new Uint8Array(0));
    };
    return new FrameReader(recorder, 65_536);
  }

  #flush(): void {
    const bytes = this.#writer.take();
    // Later, as from a network.
    if (bytes) queueMicrotask(() => this.#socket.receive(bytes));
  }
}

/** A pool, and the server that it leads to. */
export interface FrameScene {
  readonly pool: HttpPool;
  readonly clock: ManualClock;
  readonly dialer: MemoryDialer;
  /** The connections, in the order of their dials. */
  readonly connections: readonly ServerConnection[];
}

/** Makes a scene: a.test has two machines unless told otherwise. */
export function frameScene(
  options: FrameServerOptions & {
    readonly pool?: Partial<HttpPoolOptions>;
    readonly hosts?: { readonly [host: string]: readonly string[] };
    readonly dialMs?: number;
  } = {},
): FrameScene {
  const clock = new ManualClock();
  const connections: ServerConnection[] = [];
  const dialer = memoryDialer({
    clock,
    script: () => {
      let connection: ServerConnection | undefined;
      return {
        delayMs: options.dialMs ?? 0,
        socket: {
          alpn: "h2",
          ...options.names && { names: options.names },
          onWrite(socket, bytes) {
            if (!connection) {
              connection = new ServerConnection(connections.length + 1, socket, options);
              connections.push(connection);
            }
            connection.take(bytes);
          },
        },
      };
    },
  });
  const pool = new HttpPool({
    resolver: staticResolver(options.hosts ?? { "a.test": ["192.0.2.1", "192.0.2.2"] }),
    clock,
    ...options.pool,
    dialer,
  });
  return { pool, clock, dialer, connections };
}

/** Ends a scene, and sees that nothing is left of it. */
export async function endScene({ dialer, pool }: FrameScene): Promise<void> {
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
  assertEquals(dialer.sockets.size, 0);
}

/** Lets microtasks run, many of them. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await null;
}
