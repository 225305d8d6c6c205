/**
 * A request, read and checked once, and ready to be sent by any protocol.
 *
 * @module
 */

import { basicAuthorization } from "../core/base64.ts";
import { quote } from "../core/check.ts";
import { BlobParts } from "./blob_parts.ts";
import { checkTrailers, type HeaderField } from "./field_check.ts";
import { encodeRequest } from "./h1/request_head.ts";
import { NO_PAYLOAD, type Payload, readBody } from "./payload.ts";
import { hasField, readHeaders, type RequestHeaders } from "./request_headers.ts";
import {
  checkRequestOptions,
  type RequestOptions,
  type RequestTrailers,
} from "./request_options.ts";
import { UrlCache } from "./url_cache.ts";

/** Returns the checked trailers of a body that has ended. */
export type ReadTrailers = () => readonly HeaderField[] | Promise<readonly HeaderField[]>;

/** Where a URL leads. */
export interface Target {
  /** The URL, without its fragment. */
  readonly url: string;
  /** The host and port, as the pool takes them. */
  readonly host: string;
  /** The same as they are sent: the scheme's own port is left out. */
  readonly hostHeader: string;
  /** Whether it is `http:`, without TLS. */
  readonly isPlain: boolean;
  /** The path and query, as they are sent. */
  readonly path: string;
  /** The credentials as a header field, if the URL has any. */
  readonly authorization: string | undefined;
  /** Requests that were prepared from constant options, which can be used again. */
  readonly prepared: Map<RequestOptions, PreparedRequest>;
}

/** A request, checked and ready to be sent: what any protocol needs of it. */
export class PreparedRequest {
  readonly target: Target;
  readonly method: string;
  /** The fields, without those that follow from target and body; names in any case. */
  readonly fields: readonly HeaderField[];
  /** The body, if it is complete. */
  readonly bytes: Uint8Array | null;
  /** The body, if it comes as a stream. */
  readonly stream: AsyncIterable<Uint8Array> | null;
  /** How long the stream is, in bytes, if that is known or the headers say so. */
  readonly streamBytes: number | null;
  /** Whether the stream can be read as often as it is needed. */
  readonly repeats: boolean;
  /** Whether it may be sent more than once. */
  readonly replayable: boolean;
  readonly options: RequestOptions;
  /** Returns the trailers, if there may be any. */
  readonly trailers: ReadTrailers | undefined;
  /** Names of fields that are secret, in lower case. */
  readonly sensitive: readonly string[] | undefined;
  /** Whether it asks that its connection be closed after it (RFC 9112 section 9.6). */
  readonly closes: boolean;
  /** The head as HTTP/1.1 sends it, and the body with it if that is small. */
  readonly head: Uint8Array;

  /**
   * Checks what goes into the head by writing it, which is the fastest check.
   *
   * @throws {TypeError} Something cannot be sent: says what, and repeats no value
   */
  constructor(
    target: Target,
    method: string,
    fields: readonly HeaderField[],
    { bytes, stream }: Pick<Payload, "bytes" | "stream">,
    replayable: boolean,
    options: RequestOptions,
  ) {
    this.target = target;
    this.method = method;
    this.fields = fields;
    this.bytes = bytes;
    this.stream = stream;
    this.repeats = stream instanceof BlobParts;
    this.trailers = readTrailers(options.trailers);
    this.sensitive = options.sensitiveHeaders?.map((name) => name.toLowerCase());
    this.streamBytes = this.trailers
      ? null
      : stream instanceof BlobParts
      ? stream.bytes
      : stream
      ? lengthAmong(fields)
      : null;
    this.replayable = replayable && (!stream || this.repeats);
    this.options = options;
    this.closes = fields.length > 0 && fields.some(asksToClose);
    this.head = encodeRequest({
      method,
      target: target.path,
      host: target.hostHeader,
      headers: fields,
      body: stream
        ? this.streamBytes ?? "chunked"
        : this.rest
        ? this.rest.length
        : bytes,
    });
  }

  /** The body, if it does not go out in one piece with the head. */
  get rest(): Uint8Array | null {
    return this.bytes !== null && this.bytes.length > ONE_PIECE_BYTES ? this.bytes : null;
  }
}

const NO_OPTIONS: RequestOptions = {};
const constants = new WeakSet<RequestOptions>([NO_OPTIONS]);
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PUT",
  "DELETE",
]);

/** A body up to this size goes out in one piece with the head, in bytes. */
const ONE_PIECE_BYTES = 32_768;

const targets = new UrlCache<Target>();

/**
 * Reads a URL.
 *
 * @throws {TypeError} It is no URL, or its scheme is another than `https:` and `http:`
 */
export function readTarget(text: string | URL): Target {
  return typeof text === "string" ? targets.get(text, readAfresh) : readAfresh(text);
}

function readAfresh(text: string | URL): Target {
  if (Object.prototype.toString.call(text) === "[object Request]") {
    throw new TypeError("request() takes a URL and options: fetch() takes a Request");
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    const detail = "it must be absolute, as text or a URL";
    throw new TypeError(`The URL ${quote(text)} cannot be read: ${detail}`, { cause: error });
  }
  const { protocol } = url;
  if (protocol !== "https:" && protocol !== "http:") {
    throw new TypeError(`The URL's scheme must be https: (or http:), got ${protocol}`);
  }
  const isPlain = protocol === "http:";
  url.hash = "";
  const authorization = url.username || url.password ? basicCredentials(url) : undefined;
  url.username = url.password = "";
  return {
    url: url.href,
    host: isPlain && url.port === "" ? `${url.host}:80` : url.host,
    hostHeader: url.host,
    isPlain,
    // A question mark at its end belongs to it, and none of the URL's parts has it.
    path: url.href.slice(url.origin.length),
    authorization,
    prepared: new Map(),
  };
}

/** Marks options as constant, so that requests made from them may be cached. */
export function asConstant(options: RequestOptions): RequestOptions {
  constants.add(options);
  return options;
}

/**
 * Reads a request.
 *
 * @throws {TypeError | RangeError} Something is not valid
 */
export function prepareRequest(
  url: string | URL,
  given: RequestOptions = NO_OPTIONS,
): PreparedRequest | Promise<PreparedRequest> {
  const target = readTarget(url);
  if (constants.has(given)) {
    const known = target.prepared.get(given);
    if (known) return known;
  }
  const request = prepareAfresh(target, given);
  if (constants.has(given) && !(request instanceof Promise)) target.prepared.set(given, request);
  return request;
}

function prepareAfresh(
  target: Target,
  given: RequestOptions,
): PreparedRequest | Promise<PreparedRequest> {
  const options = checkRequestOptions(given);
  const { body, method = "GET" } = options;
  const headers = readHeaders(options.headers);
  if (options.trailers !== undefined && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`A ${method} request must have no trailers: it has no body`);
  }
  if (body === undefined || body === null) {
    return prepared(target, method, headers, NO_PAYLOAD, options);
  }
  if (method === "GET" || method === "HEAD") {
    throw new TypeError(`A ${method} request must have no body`);
  }
  const payload = readBody(body);
  return payload instanceof Promise
    ? payload.then((payload) => prepared(target, method, headers, payload, options))
    : prepared(target, method, headers, payload, options);
}

function prepared(
  target: Target,
  method: string,
  headers: readonly HeaderField[],
  payload: Payload,
  options: RequestOptions,
): PreparedRequest {
  const own: HeaderField[] = [];
  if (payload.contentType !== null && !hasField(headers, "content-type")) {
    own.push(["content-type", payload.contentType]);
  }
  if (target.authorization !== undefined && !hasField(headers, "authorization")) {
    own.push(["authorization", target.authorization]);
  }
  const idempotent = options.idempotent
    ?? (IDEMPOTENT.has(method) || (headers.length > 0 && hasField(headers, "idempotency-key")));
  const fields = own.length > 0 ? [...headers, ...own] : headers;
  const sent = options.trailers === undefined ? payload : asStream(payload);
  return new PreparedRequest(target, method, fields, sent, idempotent, options);
}

/** The same body as a stream: only a body in chunks can have trailers. */
function asStream({ bytes, contentType, stream }: Payload): Payload {
  return { bytes: null, stream: stream ?? new BlobParts(bytes ? [bytes] : []), contentType };
}

function readTrailers(given: RequestTrailers | undefined): ReadTrailers | undefined {
  if (given === undefined) return undefined;
  if (typeof given === "function") {
    return async () => checkedTrailers(await given());
  }
  const fields = checkedTrailers(given);
  return () => fields;
}

function checkedTrailers(given: RequestHeaders): readonly HeaderField[] {
  const fields = readHeaders(given, "Trailer");
  checkTrailers(fields);
  return fields;
}

function asksToClose([name, value]: HeaderField): boolean {
  return name.length === 10 && name.toLowerCase() === "connection"
    && value.toLowerCase().split(",").some((option) => option.trim() === "close");
}

/** The length that fields announce, if they do. */
function lengthAmong(headers: readonly HeaderField[]): number | null {
  const length = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

function basicCredentials({ password, username }: URL): string {
  try {
    return basicAuthorization(decodeURIComponent(username), decodeURIComponent(password));
  } catch (error) {
    throw new TypeError("The URL's credentials are not UTF-8, percent-encoded", { cause: error });
  }
}
