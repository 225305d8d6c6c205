/**
 * Reads what `fetch` is given, as the Fetch standard does.
 *
 * @module
 */

import { describe, quote } from "../core/check.ts";
import { refuseForeignBody, type RequestBody } from "./payload.ts";

/** What is to be fetched. */
export interface FetchRequest {
  readonly url: URL;
  readonly method: string;
  /** Undefined where none were given. */
  readonly headers: Headers | undefined;
  readonly body: RequestBody | null;
  readonly redirect: RequestRedirect;
  readonly signal: AbortSignal | undefined;
}

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

/** Options that the runtimes' own fetches have: by which way a request goes, or whom it trusts. */
interface ForeignInit {
  readonly client?: unknown;
  readonly dispatcher?: unknown;
  readonly proxy?: unknown;
  readonly tls?: unknown;
  readonly unix?: unknown;
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
const followers = new WeakMap<AbortSignal, readonly Request[]>();

/**
 * Reads the arguments of `fetch`.
 *
 * @throws {TypeError} Something is not valid, or would go unheard to the caller's harm
 */
export function readFetch(
  input: string | URL | Request,
  given: RequestInit | null | undefined,
): FetchRequest {
  const init = given ?? NO_INIT;
  refuseForeign(init as ForeignInit);
  if (init.integrity) throw new TypeError("The option integrity is not supported");
  if (isRequest(input)) {
    const request = ownRequest(input, init);
    followers.set(request.signal, [input, request]);
    return readRequest(request);
  }
  const { body = null, headers, redirect = "follow", signal } = init;
  const method = readMethod(init.method);
  if (!REDIRECTS.includes(redirect)) {
    throw new TypeError(`redirect must be one of ${REDIRECTS.join(", ")}, got ${redirect}`);
  }
  if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, got ${describe(signal)}`);
  }
  if (body !== null && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`A ${method} request must have no body`);
  }
  if (isStream(body) && (init as { duplex?: unknown }).duplex !== "half") {
    throw new TypeError("A body that is a stream needs the option duplex: \"half\"");
  }
  return {
    url: readUrl(input),
    method,
    headers: headers === undefined ? undefined : new Headers(headers),
    body: readBody(body),
    redirect,
    signal: signal ?? undefined,
  };
}

/** What `fetch` does not know it ignores; but ignored, these would lead elsewhere than was asked. */
function refuseForeign(init: ForeignInit): void {
  const { client, dispatcher, proxy, tls, unix } = init;
  if ((client ?? dispatcher ?? proxy ?? tls ?? unix ?? null) === null) return;
  for (const [name, instead] of Object.entries(INSTEAD)) {
    if ((init[name as keyof ForeignInit] ?? null) === null) continue;
    throw new TypeError(`The option ${name} of fetch() is not supported: ${instead}`);
  }
}

/**
 * Whether it is a request, of this runtime's class or of another one: servers such as
 * `@hono/node-server` put a class of their own in its place.
 */
function isRequest(input: string | URL | Request): input is Request {
  if (typeof input === "string") return false;
  return input instanceof Request || Object.prototype.toString.call(input) === "[object Request]";
}

function ownRequest(request: Request, init: RequestInit): Request {
  if (request instanceof Request) return new Request(request, init);
  const { body, headers, method, redirect, signal, url } = request;
  const given = { body, headers, method, redirect, signal, ...init };
  return new Request(url, body ? { duplex: "half", ...given } as RequestInit : given);
}

function readRequest(request: Request): FetchRequest {
  return {
    url: readUrl(request.url),
    method: request.method,
    headers: new Headers(request.headers),
    body: request.body as ReadableStream<Uint8Array> | null,
    redirect: request.redirect,
    signal: request.signal,
  };
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
  return body instanceof ReadableStream
    || (typeof body === "object" && body !== null && Symbol.asyncIterator in body);
}

function readBody(body: BodyInit | null): RequestBody | null {
  if (
    body === null || typeof body === "string" || body instanceof ArrayBuffer
    || ArrayBuffer.isView(body) || body instanceof URLSearchParams || body instanceof Blob
    || body instanceof FormData || isStream(body)
  ) return body as RequestBody | null;
  refuseForeignBody(body);
  // The standard's conversion for everything else.
  return `${body}`;
}
