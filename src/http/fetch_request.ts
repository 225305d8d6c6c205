/**
 * Reads what `fetch` is given, as the Fetch standard does.
 *
 * @module
 */

import { checkSignal, describe, quote } from "../core/check.ts";
import { HeaderList } from "./header_list.ts";
import { asBytes, bodyKind, type RequestBody } from "./payload.ts";
import { UrlCache } from "./url_cache.ts";

/** What is to be fetched. */
export interface FetchRequest {
  readonly url: URL;
  readonly method: string;
  /** Undefined if none were given. */
  readonly headers: HeaderList | undefined;
  readonly body: RequestBody | null;
  /** Whether the body is that of a `Request`: a stream, whatever it was made of. */
  readonly isRequestBody: boolean;
  readonly redirect: RequestRedirect;
  readonly signal: AbortSignal | undefined;
  /** What the body's digest must be, or nothing. */
  readonly integrity: string;
}

const PRIORITIES: readonly unknown[] = ["high", "low", "auto", undefined];
const REDIRECTS: readonly unknown[] = ["follow", "manual", "error"];
const FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);
const NORMALIZED: ReadonlySet<string> = new Set([
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "POST",
  "PUT",
]);
const NO_INIT: RequestInit = {};

/** Requests without options, which most are. Nobody changes them. */
const plainGets = new UrlCache<FetchRequest>();

/** Options of the runtimes' own fetches: which way a request goes, or what it trusts. */
interface ForeignInit {
  readonly client?: unknown;
  readonly dispatcher?: unknown;
  readonly proxy?: unknown;
  readonly tls?: unknown;
  readonly unix?: unknown;
}

/** Standard options that change nothing here. */
interface UnusedInit {
  readonly duplex?: unknown;
  readonly priority?: unknown;
  readonly window?: unknown;
}

const NO_OTHER_WAY = "leave it out, for a pool goes to the host itself, and through no proxy";
const INSTEAD: { readonly [name in keyof Required<ForeignInit>]: string } = {
  client: `${NO_OTHER_WAY}; authorities stand in the pool's option tls`,
  dispatcher: NO_OTHER_WAY,
  proxy: NO_OTHER_WAY,
  tls: "give it to the pool, to a host among its hosts, or to request()",
  unix: "leave it out, for a pool knows no Unix sockets",
};

/** On Node a request's signal follows the one that it was given only while the request is held. */
const followed = new WeakMap<AbortSignal, Request>();

/** What may be given beside a request, and replaces a part of it. */
interface Given {
  readonly method?: string | undefined;
  readonly headers?: RequestInit["headers"] | undefined;
  readonly body?: RequestInit["body"] | undefined;
  readonly redirect?: RequestRedirect | undefined;
  readonly signal?: AbortSignal | null | undefined;
  readonly integrity?: string | undefined;
}

/**
 * Reads the arguments of `fetch`.
 *
 * @throws {TypeError} Something is not valid, or would go unheard to the caller's harm
 */
export function readFetch(
  input: string | URL | Request,
  given: RequestInit | null | undefined,
): FetchRequest {
  return typeof input === "string" && (given ?? null) === null
    ? plainGets.get(input, readAfresh)
    : readAfresh(input, given);
}

function readAfresh(
  input: string | URL | Request,
  given?: RequestInit | null,
): FetchRequest {
  const init: RequestInit = given ?? NO_INIT;
  if (typeof init !== "object" && typeof init !== "function") {
    throw new TypeError(`The options must be an object, got ${describe(init)}`);
  }
  refuseForeign(init as ForeignInit);
  checkUnused(init as UnusedInit);
  const request = isRequest(input) ? input : undefined;
  const { headers, integrity = "", redirect = "follow", signal } = request
    ? over(request, init)
    : init as Given;
  const method = readMethod(init.method ?? request?.method);
  if (!REDIRECTS.includes(redirect)) {
    throw new TypeError(`redirect must be one of ${REDIRECTS.join(", ")}, got ${redirect}`);
  }
  checkSignal(signal);
  if (request && signal) followed.set(signal, request);
  const url = readUrl(request ? request.url : input as string | URL);
  const own = readBody(init.body ?? null);
  const body = own ?? (request ? bodyOf(request) : null);
  if (body !== null && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`A ${method} request must have no body`);
  }
  if (isStream(own) && (init as UnusedInit).duplex !== "half") {
    throw new TypeError("A body that is a stream needs the option duplex: \"half\"");
  }
  return {
    url,
    method,
    headers: headers === undefined ? undefined : readHeaders(headers),
    body,
    isRequestBody: body !== null && own === null,
    redirect,
    signal: signal ?? undefined,
    integrity: `${integrity}`,
  };
}

/** Takes from a request what the options do not set. */
function over(request: Request, init: RequestInit): Given {
  const { headers, integrity, redirect, signal } = init as Given;
  return {
    headers: headers ?? request.headers,
    integrity: integrity ?? request.integrity,
    redirect: redirect ?? request.redirect,
    signal: signal === undefined ? request.signal : signal,
  };
}

/** Host follows from the URL, as in the web's own `fetch`. */
function readHeaders(given: NonNullable<Given["headers"]>): HeaderList {
  const headers = new HeaderList(given as ConstructorParameters<typeof HeaderList>[0]);
  headers.remove("host");
  return headers;
}

/** `fetch` ignores unknown options; but ignoring these would send the request elsewhere. */
function refuseForeign(init: ForeignInit): void {
  const { client, dispatcher, proxy, tls, unix } = init;
  if ((client ?? dispatcher ?? proxy ?? tls ?? unix ?? null) === null) return;
  for (const [name, instead] of Object.entries(INSTEAD)) {
    if ((init[name as keyof ForeignInit] ?? null) === null) continue;
    throw new TypeError(`The option ${name} of fetch() is not supported: ${instead}`);
  }
}

/** Their values must still be valid. */
function checkUnused({ duplex, priority, window }: UnusedInit): void {
  if (duplex !== undefined && duplex !== "half") {
    throw new TypeError(`duplex must be "half", got ${describe(duplex)}`);
  }
  if (!PRIORITIES.includes(priority)) {
    throw new TypeError(`priority must be one of high, low, auto, got ${describe(priority)}`);
  }
  if ((window ?? null) !== null) {
    throw new TypeError(`window must be null, got ${describe(window)}`);
  }
}

/**
 * Whether it is a request, of this runtime's class or of another one: servers such as
 * `@hono/node-server` use their own class.
 */
function isRequest(input: string | URL | Request): input is Request {
  if (typeof input === "string") return false;
  return Object.prototype.toString.call(input) === "[object Request]";
}

/** The body of a request, which is used from then on. Not every runtime checks that by itself. */
function bodyOf({ body, bodyUsed }: Request): ReadableStream<Uint8Array> | null {
  if (!body) return null;
  if (bodyUsed || body.locked) throw new TypeError("The request's body has already been read");
  return body as ReadableStream<Uint8Array>;
}

function readUrl(input: string | URL): URL {
  let url: URL;
  try {
    url = new URL(input);
  } catch (error) {
    throw new TypeError(`The URL ${quote(`${input}`)} cannot be read`, { cause: error });
  }
  if (url.username || url.password) {
    throw new TypeError("A URL with credentials cannot be fetched: set the header authorization");
  }
  return url;
}

function readMethod(method: string = "GET"): string {
  const text = `${method}`;
  const upper = text.toUpperCase();
  if (FORBIDDEN.has(upper)) throw new TypeError(`Method ${upper} cannot be fetched`);
  return NORMALIZED.has(upper) ? upper : text;
}

/** Whether a body is sent as it comes. The runtimes take iterables, such as a stream of Node's. */
export function isStream(body: unknown): boolean {
  return bodyKind(body) === "stream";
}

/**
 * Anything that is not a body becomes text, and bytes are copied, as the standard says: their owner
 * may change them before they are sent.
 */
function readBody(body: unknown): RequestBody | null {
  if (body === null) return null;
  const kind = bodyKind(body);
  if (kind === "bytes") return new Uint8Array(asBytes(body as ArrayBuffer | ArrayBufferView));
  return kind ? body as RequestBody : `${body}`;
}
