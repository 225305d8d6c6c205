/**
 * A response over a hot connection, and the machine that gave it.
 *
 * @module
 */

import { checkNumber } from "../core/check.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { type BodyOrigin, type BodyReading, streamBody } from "./body_stream.ts";
import type { ResponseHeaders } from "./response_headers.ts";
import { readRetryAfter, type RetryAfter } from "./retry_after.ts";
import type { Protocol, Stream } from "./session.ts";

/** How long the parts of a request took, in milliseconds. */
export interface RequestTimings {
  /** Until there was a connection: waiting for one to come back, or for a dial. */
  readonly queueMs: number;
  /** The connection's TCP handshake; 0 if the connection was there already. */
  readonly dialMs: number;
  /** The connection's TLS handshake; 0 if the connection was there already. */
  readonly tlsMs: number;
  /** From the request's first byte to the head of the response. */
  readonly firstByteMs: number;
}

/** The machine that answered, and the connection it used. */
export interface ResponseConnection {
  /** The machine's IP address. */
  readonly ip: string;
  /** Its address as the maps have it: with its port, unless that is 443. */
  readonly address: string;
  /** The connection's number. */
  readonly id: number;
  /** Whether the connection had carried a request before. */
  readonly reused: boolean;
  /** The protocol that ALPN chose, or null. */
  readonly alpn: string | null;
  /** Whether a second machine was asked because the first was silent. This one was faster. */
  readonly hedged: boolean;
  /** The protocol that carried it. */
  readonly protocol: Protocol;
  /** The number of the stream that carried it; null over HTTP/1.1. */
  readonly streamId: number | null;
  /** How many requests shared the connection when it was sent, this one included. */
  readonly streams: number;
  /** The proxy that it goes through: its URL without its credentials, or null. */
  readonly proxy: string | null;
  /** How long things took. */
  readonly timings: RequestTimings;
}

/** The source of a response: what it provides on demand. */
export interface ResponseOrigin extends BodyOrigin {
  /** The URL that was asked. */
  readonly url: string;
  /** The connection that brought it. */
  readonly answering: {
    readonly lease: Pick<Lease, "connection" | "reused">;
    readonly protocol: Protocol;
    readonly stream: Pick<Stream, "id" | "streams">;
    readonly trailers: ResponseHeaders | null;
  };
  readonly hedged: boolean;
  /** How long things took, and when the head came, in milliseconds since 1970. */
  readonly times: Pick<RequestTimings, "firstByteMs" | "queueMs"> & { readonly headAt: number };
}

/** How much of a body `dump` reads by default, in bytes. */
const DUMP_BYTES = 131_072;

const decoder = new TextDecoder();

/** Takes over a body as a stream that is read in a given way. Only for `fetch`. */
export let openStream: (
  response: PooledResponse,
  reading: BodyReading,
) => ReadableStream<Uint8Array>;

/**
 * A response. Read, dump or cancel its body: until then its connection serves nobody else. A body that
 * is small enough to arrive with the head holds nothing up.
 */
export class PooledResponse {
  /** The URL that was asked. */
  readonly url: string;
  /** The status code. */
  readonly status: number;
  /** The status text, as the server gave it. */
  readonly statusText: string;
  /** The header fields, cheap until they are read. */
  readonly headers: ResponseHeaders;
  readonly #origin: ResponseOrigin;
  #used = false;
  #stream: ReadableStream<Uint8Array> | undefined;

  /** Made by a request. */
  constructor(
    status: number,
    statusText: string,
    headers: ResponseHeaders,
    origin: ResponseOrigin,
  ) {
    this.url = origin.url;
    this.status = status;
    this.statusText = statusText;
    this.headers = headers;
    this.#origin = origin;
  }

  static {
    openStream = (response, reading) => response.#open(reading);
  }

  /** Whether the status is 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** Which machine answered, over what, and how long it took. */
  get connection(): ResponseConnection {
    const { answering, hedged, times: { firstByteMs, queueMs } } = this.#origin;
    const { lease: { connection, reused }, protocol, stream } = answering;
    const { info } = connection.socket;
    return {
      ip: connection.ip,
      address: connection.address,
      id: connection.id,
      reused,
      alpn: info.alpn,
      hedged,
      protocol,
      streamId: stream.id,
      streams: stream.streams,
      proxy: info.proxy ?? null,
      timings: {
        queueMs,
        dialMs: reused ? 0 : info.tcpMs,
        tlsMs: reused ? 0 : info.tlsMs,
        firstByteMs,
      },
    };
  }

  /**
   * When the server says to come back, by its `Retry-After`; null without one, or if it cannot be read.
   */
  get retryAfter(): RetryAfter | null {
    const since = this.#origin.times.headAt;
    const afterMs = readRetryAfter(this.headers, since);
    return afterMs === undefined ? null : { since, until: since + afterMs };
  }

  /** Whether somebody has read the body, or started to. */
  get bodyUsed(): boolean {
    return this.#used;
  }

  /** The trailer fields; null until the body has ended, and if there are none. */
  get trailers(): ResponseHeaders | null {
    return this.#origin.answering.trailers;
  }

  /**
   * The body as a stream, which is also an async iterable. If you read it slowly, the server slows down.
   * Cancelling it ends the connection, unless all of it has arrived.
   */
  get body(): ReadableStream<Uint8Array> {
    return this.#stream ??= this.#open({});
  }

  /**
   * Reads the whole body.
   *
   * @throws {TypeError} It has already been read
   * @throws {RequestError} It did not come to its end
   */
  bytes(): Promise<Uint8Array> {
    if (this.#used) return Promise.reject(bodyUsedError());
    this.#use();
    return this.#origin.buffer.readAll();
  }

  /**
   * Returns the whole body if all of it has arrived. If not, returns undefined and takes nothing.
   */
  takeBytes(): Uint8Array | undefined {
    if (this.#used) throw bodyUsedError();
    const bytes = this.#origin.buffer.takeAll();
    if (bytes) this.#use();
    return bytes;
  }

  /** Reads the whole body as UTF-8. Throws as `bytes()` does. */
  async text(): Promise<string> {
    return decoder.decode(await this.bytes());
  }

  /**
   * Reads the whole body as JSON. Throws as `bytes()` does.
   *
   * @throws {SyntaxError} It is no JSON
   */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  /**
   * Reads and discards what is left of the body, so that the connection can be used again; past a
   * limit, ends the connection instead. A body that failed is no error here.
   *
   * @param options.maxBytes The limit
   */
  async dump(options: { readonly maxBytes?: number } = {}): Promise<void> {
    const maxBytes = checkNumber("maxBytes", options.maxBytes ?? DUMP_BYTES, { min: 0 });
    const { buffer } = this.#origin;
    if (this.#used) return;
    this.#use();
    try {
      let left = maxBytes;
      for (let chunk = await buffer.read(); chunk; chunk = await buffer.read()) {
        left -= chunk.length;
        if (left < 0) return buffer.cancel(new Error(`More than ${maxBytes} bytes to dump`));
      }
    } catch {
      // The body has failed: there is nothing left to discard.
    }
  }

  #open(reading: BodyReading): ReadableStream<Uint8Array> {
    if (this.#used) throw bodyUsedError();
    this.#used = true;
    return streamBody(this.#origin, reading);
  }

  #use(): void {
    this.#used = true;
    this.#origin.touch();
  }
}

function bodyUsedError(): TypeError {
  return new TypeError("The body has already been read");
}
