/**
 * One request and its response over HTTP/2.
 *
 * @module
 */

import type { Connection } from "../../map/connection.ts";
import type { BodyReader } from "../body_reader.ts";
import type { HeaderField } from "../field_check.ts";
import type { PreparedRequest } from "../request.ts";
import type { ResponseHeaders } from "../response_headers.ts";
import type { Stream, StreamUser } from "../session.ts";
import type { Http2Engine } from "./engine.ts";
import { connectionError, streamError } from "./error_codes.ts";
import type { Http2Head } from "./head_reader.ts";
import type { BlockField } from "./hpack_encoder.ts";
import { requestFields, trailerFields } from "./request_fields.ts";
import type { Http2Stream, StreamUser as EngineUser } from "./stream.ts";
import { Http2Upload } from "./upload.ts";

/** What a stream needs of its session. */
export interface StreamSession {
  /** The connection. */
  readonly connection: Connection;
  /** The engine, its time not set. */
  readonly engine: Http2Engine;
  /** The engine, with the time set. */
  timed(): Http2Engine;
  /** A head came: pass it on when the bytes that came with it are processed. */
  noteHead(stream: { passHead(): void }): void;
  /** Calls back when the peer has shown that it is alive. If it is dead, its streams fail. */
  whenAlive(call: () => void, failed: (error: unknown) => void): void;
  /** Removes a callback. */
  forget(call: () => void): void;
  /** Starts the timer that has the engine check timeouts. */
  lookLater(): void;
}

/**
 * How long a connection may be idle before a request that may not be repeated asks with a PING
 * first.
 */
const FRESH_ENOUGH_MS = 5_000;

const NOTHING = new Uint8Array(0);

/** The fields of requests that were sent. */
const known = new WeakMap<PreparedRequest, readonly BlockField[]>();

/** A stream as an exchange has it. */
export class Http2RequestStream implements Stream, EngineUser {
  /** Whether a byte of the response has arrived. */
  responding = false;
  /** The status of the response, once its head has arrived. */
  status = 0;
  /** How many streams the connection had when it began, itself included. */
  streams = 1;
  readonly #session: StreamSession;
  #user: StreamUser | undefined;
  #stream: Http2Stream | undefined;
  #upload: Http2Upload | undefined;
  #sensitive: readonly string[] | undefined;
  #headers: ResponseHeaders | undefined;
  #contentLength = -1;
  #waiting: (() => void) | undefined;

  /** Made by its session. */
  constructor(session: StreamSession, user: StreamUser) {
    this.#session = session;
    this.#user = user;
  }

  /** Its number; null before it was sent. */
  get id(): number | null {
    return this.#stream?.id ?? null;
  }

  /** The fields of a head that has not been passed on yet. */
  get headers(): ResponseHeaders | undefined {
    return this.#headers;
  }

  /** How long the body of the response will be, in bytes, if its head says so. */
  get contentLength(): number | undefined {
    return this.#contentLength < 0 ? undefined : this.#contentLength;
  }

  /** Sends the request, or first a PING, if it may be sent once and the peer may be gone. */
  send(request: PreparedRequest, body: BodyReader | undefined): void {
    const { connection } = this.#session;
    if (request.replayable || connection.idleBeforeMs < FRESH_ENOUGH_MS) {
      this.#send(request, body);
      return;
    }
    this.#waiting = () => {
      this.#waiting = undefined;
      this.#send(request, body);
    };
    this.#session.whenAlive(this.#waiting, (error) => this.onFailure(error, false));
  }

  /** Stops giving the peer more window. */
  pause(): void {
    if (this.#stream) this.#session.engine.pause(this.#stream);
  }

  /** Gives the peer window again. */
  resume(): void {
    if (this.#stream) this.#session.timed().resume(this.#stream);
  }

  /** Ends this stream alone. */
  cancel(): boolean {
    this.#user = undefined;
    this.#headers = undefined;
    this.#end();
    const engine = this.#session.timed();
    if (this.#waiting) this.#session.forget(this.#waiting);
    if (this.#stream) {
      engine.cancel(this.#stream);
      this.#session.lookLater();
    }
    return !engine.isLeaving;
  }

  /** Passes a part of the body on, to be sent. */
  sendPart(bytes: Uint8Array): boolean {
    return !this.#stream || this.#session.timed().send(this.#stream, bytes, false);
  }

  /** Passes the end of the body on, to be sent. */
  sendEnd(trailers: readonly HeaderField[]): void {
    if (!this.#stream) return;
    const fields = trailers.length > 0 ? trailerFields(trailers, this.#sensitive) : undefined;
    this.#session.timed().send(this.#stream, NOTHING, true, fields);
  }

  /** Notes the head; it is passed on when the bytes that came with it are taken. */
  onHead({ contentLength, headers, status }: Http2Head): void {
    this.responding = true;
    this.status = status;
    this.#contentLength = contentLength;
    this.#headers = headers;
    this.#session.noteHead(this);
  }

  /** Passes a part of the body on. */
  onBody(bytes: Uint8Array): void {
    this.#user?.onBody(bytes);
  }

  /** Passes the trailers on. */
  onTrailers(trailers: ResponseHeaders): void {
    this.#user?.onTrailers(trailers);
  }

  /** Passes the end on. */
  onEnd(): void {
    this.#end();
    this.#user?.onComplete(!this.#session.engine.isLeaving);
  }

  /** Goes on with the body. */
  onSent(): void {
    this.#upload?.onSent();
  }

  /** Passes on that the response will not come to its end. */
  onFailure(error: unknown, maybeActedOn: boolean): void {
    this.#headers = undefined;
    this.#end();
    const user = this.#user;
    this.#user = undefined;
    const reusable = !this.#session.engine.isLeaving;
    user?.onFailure({ error, unprocessed: !maybeActedOn, reusable });
  }

  /** Passes the head on, if that has not been done. */
  passHead(): void {
    const headers = this.#headers;
    this.#headers = undefined;
    if (headers) this.#user?.onHead(this.status, "", headers);
  }

  #send(request: PreparedRequest, body: BodyReader | undefined): void {
    const { bytes, method, sensitive, streamBytes, trailers } = request;
    const engine = this.#session.timed();
    const hasMore = body !== undefined;
    let fields = known.get(request);
    if (!fields) known.set(request, fields = fieldsOf(request));
    this.#stream = engine.request(fields, bytes, hasMore, method === "HEAD", this);
    if (!this.#stream) {
      const error = engine.isLeaving
        ? engine.goaway ?? connectionError("NO_ERROR", "no stream may begin on it any more")
        : streamError("REFUSED_STREAM", "the peer allows no more of them for now");
      this.onFailure(error, false);
      return;
    }
    this.streams = engine.active;
    this.#session.lookLater();
    if (!body) return;
    this.#sensitive = sensitive;
    const upload = this.#upload = new Http2Upload(this);
    const user = this.#user;
    upload.send(body, streamBytes, trailers).catch((error) => {
      if (this.#upload === upload) user?.onUploadFailure(error);
    });
  }

  #end(): void {
    const upload = this.#upload;
    this.#upload = undefined;
    upload?.stop();
  }
}

function fieldsOf(request: PreparedRequest): readonly BlockField[] {
  const { bytes, fields, method, sensitive, stream, streamBytes, target } = request;
  const length = stream ? streamBytes : bytes?.length;
  const isEmpty = method === "POST" || method === "PUT" || method === "PATCH";
  return requestFields({
    method,
    scheme: target.isPlain ? "http" : "https",
    authority: target.hostHeader,
    path: target.path,
    headers: fields,
    contentLength: length ?? (isEmpty && !stream ? 0 : null),
    sensitive,
  });
}
