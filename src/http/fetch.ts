/**
 * The web's `fetch` over a pool.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { checkPort } from "./blocked_ports.ts";
import { openBody as openRequestBody } from "./body_reader.ts";
import { acceptEncoding, type Decoders, decodersOf } from "./content_coding.ts";
import { type FetchRequest, isStream, readFetch } from "./fetch_request.ts";
import { type Fetched, fetchedOf, openBody, type ResponseMaker } from "./fetched_response.ts";
import type { HeaderField } from "./field_check.ts";
import type { HeaderList } from "./header_list.ts";
import { checkIntegrity } from "./integrity.ts";
import { fetchedOfLazy } from "./lazy_response.ts";
import { readAhead } from "./read_ahead.ts";
import {
  becomesGet,
  BODY_HEADERS,
  MAX_REDIRECTS,
  readRedirect,
  SECRET_HEADERS,
} from "./redirect.ts";
import { asConstant } from "./request.ts";
import type { RequestOptions } from "./request_options.ts";
import type { PooledResponse, ResponseConnection } from "./response.ts";

/** Makes one request: what a pool does. */
export type Requester = (url: string, options: RequestOptions) => Promise<PooledResponse>;

const NO_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** What needs no connection: the runtime's own `fetch` reads it. */
const NEEDS_NO_CONNECTION: ReadonlySet<string> = new Set(["data:", "blob:"]);

/** Taken at once: a program may replace it with the pool's. */
const ownFetch = globalThis.fetch;

/** How long the rest of a body that nobody wants may take, so that its connection can be kept. */
const UNWANTED_BODY_MS = 20;

/** How much of it is read, in bytes. */
const UNWANTED_BODY_BYTES = 65_536;

/** What `fetch` needs of its pool. */
export interface FetchHost {
  readonly request: Requester;
  readonly respond: ResponseMaker;
  readonly decoders: Decoders;
  readonly clock: Clock;
}

/** The default header fields. */
interface Defaults {
  readonly fields: readonly HeaderField[];
  /** A GET with nothing but defaults: most are like it, and it is prepared once for each URL. */
  readonly plainGet: RequestOptions;
}

const knownDefaults = new WeakMap<Decoders, Defaults>();

/** Made once: requests prepared from a constant are cached. */
function defaultsFor(decoders: Decoders): Defaults {
  const known = knownDefaults.get(decoders);
  if (known) return known;
  const fields: readonly HeaderField[] = [
    ["accept", "*/*"],
    ["accept-encoding", acceptEncoding(decoders)],
    ["user-agent", "hotconn"],
  ];
  const defaults = { fields, plainGet: asConstant({ method: "GET", headers: fields }) };
  knownDefaults.set(decoders, defaults);
  return defaults;
}

/** Returns which machine answered, for a response of `pool.fetch()`; undefined for any other. */
export function connectionOf(response: Response): ResponseConnection | undefined {
  return (fetchedOf(response) ?? fetchedOfLazy(response))?.answer.connection;
}

/** Fetches over a pool: see `HttpPool.fetch`. */
export async function fetchOver(
  host: FetchHost,
  input: string | URL | Request,
  init?: RequestInit | null,
): Promise<Response> {
  const request = readFetch(input, init);
  const { fields, plainGet } = defaultsFor(host.decoders);
  const { headers, integrity, redirect, signal } = request;
  let { body, method, url } = request;
  if (headers) setDefaults(headers, fields);
  try {
    if (NEEDS_NO_CONNECTION.has(url.protocol)) return await ownFetch(input, init ?? undefined);
    checkStart(request);
    if (request.isRequestBody) body = await readAhead(body as ReadableStream<Uint8Array>);
    for (let redirects = 0;; redirects++) {
      const isPlain = method === "GET" && !headers && !signal;
      const options: RequestOptions = isPlain
        ? plainGet
        : { method, headers: headers ? [...headers] : fields, body, signal };
      const answer = await host.request(url.href, options);
      let location: URL | undefined;
      try {
        if (redirect !== "manual") location = readRedirect(answer, url, redirect);
        if (!location) {
          const fetched = fetchedFrom(answer, method, url, redirects > 0, host, signal);
          return host.respond(integrity ? await verify(fetched, integrity) : fetched);
        }
        checkRedirect(answer, redirects, body);
      } catch (error) {
        void letGo(answer, host.clock);
        throw error;
      }
      await letGo(answer, host.clock);
      if (becomesGet(answer.status, method)) {
        method = "GET";
        body = null;
        headers?.remove(...BODY_HEADERS);
      }
      if (location.origin !== url.origin) headers?.remove(...SECRET_HEADERS);
      url = location;
    }
  } catch (error) {
    throw networkError(error, signal);
  }
}

function setDefaults(headers: HeaderList, fields: Defaults["fields"]): void {
  for (const [name, value] of fields) {
    if (headers.has(name)) continue;
    // A part of a coded body cannot be decoded by itself.
    const isPart = name === "accept-encoding" && headers.has("range");
    headers.add([name, isPart ? "identity" : value]);
  }
}

/** Refuses a request that may not begin, and cancels its body. */
function checkStart({ body, signal, url }: FetchRequest): void {
  try {
    signal?.throwIfAborted();
    checkPort(url);
  } catch (error) {
    if (isStream(body)) openRequestBody(body as AsyncIterable<Uint8Array>).cancel(error);
    throw error;
  }
}

/** Refuses one redirect too many, and one that would need the body again. */
function checkRedirect({ status }: PooledResponse, redirects: number, body: unknown): void {
  if (redirects === MAX_REDIRECTS) {
    throw new TypeError(`Redirected more than ${MAX_REDIRECTS} times`);
  }
  if (status !== 303 && isStream(body)) {
    throw new TypeError(`Redirected with ${status}, and the body was a stream: it is gone`);
  }
}

/** Makes the result from the last answer. */
function fetchedFrom(
  answer: PooledResponse,
  method: string,
  url: URL,
  redirected: boolean,
  { clock, decoders }: FetchHost,
  signal: AbortSignal | undefined,
): Fetched {
  if (answer.status < 200) throw new TypeError(`The status ${answer.status} is not one of HTTP`);
  const hasBody = method !== "HEAD" && !NO_BODY.has(answer.status);
  const codings = hasBody ? answer.headers.get("content-encoding") : null;
  const found = decodersOf(codings, decoders);
  if (!hasBody) void letGo(answer, clock);
  return { answer, url: withoutFragment(url), redirected, hasBody, decoders: found, signal };
}

/** Reads a body in advance, to verify it. */
async function verify(fetched: Fetched, integrity: string): Promise<Fetched> {
  if (!fetched.hasBody) throw new TypeError("There is no body whose integrity could be verified");
  const verified = new Uint8Array(await new Response(openBody(fetched)).arrayBuffer());
  await checkIntegrity(integrity, verified);
  return { ...fetched, verified };
}

/** Drops a body that nobody wants. It may never end: the connection is kept if it soon does. */
async function letGo(answer: PooledResponse, clock: Clock): Promise<void> {
  if (answer.bodyUsed || answer.takeBytes()) return;
  const reader = answer.body.getReader();
  const leave = () => void reader.cancel().catch(() => {});
  const timer = clock.setTimer(leave, UNWANTED_BODY_MS, true);
  let bytes = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      bytes += part.value.length;
      if (bytes > UNWANTED_BODY_BYTES) return leave();
    }
  } catch {
    // The body has failed: there is nothing left to drop.
  } finally {
    timer.cancel();
  }
}

function withoutFragment(url: URL): string {
  const { href } = url;
  const at = href.indexOf("#");
  return at < 0 ? href : href.slice(0, at);
}

/** What callers of `fetch` expect: the signal's reason, or a `TypeError` that has the cause. */
function networkError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return new TypeError("fetch failed", { cause: error });
}
