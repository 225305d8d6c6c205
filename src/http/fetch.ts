/**
 * The web's `fetch` over a pool.
 *
 * @module
 */

import { ACCEPT_ENCODING } from "./content_coding.ts";
import { type FetchRequest, isStream, readFetch } from "./fetch_request.ts";
import { fetchedOf, type ResponseMaker } from "./fetched_response.ts";
import type { HeaderField } from "./field_check.ts";
import { fetchedOfLazy } from "./lazy_response.ts";
import {
  becomesGet,
  BODY_HEADERS,
  MAX_REDIRECTS,
  readRedirect,
  SECRET_HEADERS,
} from "./redirect.ts";
import { asConstant, type RequestOptions } from "./request.ts";
import type { PooledResponse, ResponseConnection } from "./response.ts";

/** Makes one request: what a pool does. */
export type Requester = (url: string, options: RequestOptions) => Promise<PooledResponse>;

const NO_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** What is said where the caller says nothing else. */
const DEFAULTS: readonly HeaderField[] = [
  ["accept", "*/*"],
  ["accept-encoding", ACCEPT_ENCODING],
  ["user-agent", "hotconn"],
];

/** A GET that says nothing else: most are like it, and it is prepared once for each URL. */
const PLAIN_GET = asConstant({ method: "GET", headers: DEFAULTS });

/** Which machine gave a response that a pool has fetched; undefined for any other. */
export function connectionOf(response: Response): ResponseConnection | undefined {
  return (fetchedOf(response) ?? fetchedOfLazy(response))?.answer.connection;
}

/** Fetches over a pool: see `HttpPool.fetch`. */
export async function fetchOver(
  requester: Requester,
  respond: ResponseMaker,
  input: string | URL | Request,
  init?: RequestInit | null,
): Promise<Response> {
  const request = readFetch(input, init);
  if (request.headers) setDefaults(request.headers);
  try {
    return await follow(requester, respond, request);
  } catch (error) {
    throw networkError(error, request.signal);
  }
}

function setDefaults(headers: Headers): void {
  for (const [name, value] of DEFAULTS) {
    if (headers.has(name)) continue;
    // A part of a coded body cannot be decoded by itself.
    const isPart = name === "accept-encoding" && headers.has("range");
    headers.set(name, isPart ? "identity" : value);
  }
}

async function follow(
  requester: Requester,
  respond: ResponseMaker,
  request: FetchRequest,
): Promise<Response> {
  const { headers, redirect, signal } = request;
  let { body, method, url } = request;
  for (let redirects = 0;; redirects++) {
    const isPlain = method === "GET" && !headers && !signal;
    const options: RequestOptions = isPlain
      ? PLAIN_GET
      : { method, headers: headers ?? DEFAULTS, body, signal };
    const answer = await requester(url.href, options);
    const location = redirect === "manual" ? undefined : readRedirect(answer, url, redirect);
    if (!location) {
      checkStatus(answer);
      const hasBody = method !== "HEAD" && !NO_BODY.has(answer.status);
      if (!hasBody) void answer.dump();
      return respond({
        answer,
        url: withoutFragment(url),
        redirected: redirects > 0,
        hasBody,
        signal,
      });
    }
    letGo(answer);
    if (redirects === MAX_REDIRECTS) {
      throw new TypeError(`Redirected more than ${MAX_REDIRECTS} times`);
    }
    if (answer.status !== 303 && isStream(body)) {
      throw new TypeError(
        `Redirected with ${answer.status}, and the body was a stream: it is gone`,
      );
    }
    if (becomesGet(answer.status, method)) {
      method = "GET";
      body = null;
      for (const name of BODY_HEADERS) headers?.delete(name);
    }
    if (location.origin !== url.origin) {
      for (const name of SECRET_HEADERS) headers?.delete(name);
    }
    url = location;
  }
}

/** Lets a body go that nobody wants: what has not arrived is not waited for, it may never end. */
function letGo(answer: PooledResponse): void {
  if (!answer.takeBytes()) void answer.body.cancel();
}

function withoutFragment(url: URL): string {
  const { href } = url;
  const at = href.indexOf("#");
  return at < 0 ? href : href.slice(0, at);
}

function checkStatus(answer: PooledResponse): void {
  if (answer.status >= 200) return;
  letGo(answer);
  throw new TypeError(`The status ${answer.status} is not one of HTTP`);
}

/** What callers of `fetch` expect: the signal's reason, or a `TypeError` that has the cause. */
function networkError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return new TypeError("fetch failed", { cause: error });
}
