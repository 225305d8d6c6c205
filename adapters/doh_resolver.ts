/**
 * A resolver that asks a DNS server over HTTPS (RFC 8484), on hot connections.
 *
 * @example One pool resolves names for another
 * ```ts
 * import { createPool } from "@hotconn/hotconn";
 * import { dohResolver } from "@hotconn/hotconn/doh";
 *
 * await using names = createPool();
 * await using pool = createPool({
 *   resolver: dohResolver({ url: "https://192.0.2.53/dns-query", pool: names }),
 * });
 * console.log(pool.stats().connections);
 * ```
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { checkNames, describe } from "../src/core/check.ts";
import type { Resolver } from "../src/hosts/resolver.ts";
import type { HttpPool } from "../src/http/http_pool.ts";
import type { PooledResponse } from "../src/http/response.ts";
import type { ResponseHeaders } from "../src/http/response_headers.ts";
import {
  encodeQuestion,
  type Found,
  readRecords,
  type RecordType,
} from "./resolvers/dns_message.ts";
import { recordResolver } from "./resolvers/record_resolver.ts";

/** Options of {@linkcode dohResolver}. */
export interface DohResolverOptions {
  /**
   * The server's URL, such as `https://192.0.2.53/dns-query`. If it has a host name, the `pool`
   * resolves that.
   */
  readonly url: string | URL;
  /**
   * The pool to ask the server over. It stays yours to close. Its own resolver must find the server
   * without this one: the system's, or a `staticResolver` with the server's addresses. If the `url`
   * has an IP address, no resolver is needed.
   */
  readonly pool: Pick<HttpPool, "request">;
  /**
   * The IP versions to ask for, in the order in which to return their addresses.
   *
   * @default {[4, 6]}
   */
  readonly families?: readonly (4 | 6)[] | undefined;
  /**
   * Whether to ask for HTTPS records (RFC 9460) too, which may name other machines and ports.
   *
   * @default {false}
   */
  readonly httpsRecords?: boolean | undefined;
}

const MEDIA_TYPE = "application/dns-message";

/**
 * Five hundred addresses fit. A message may be four times as long, but the work to read one that
 * was made to be slow grows with the square of its length: 20 ms here, and 300 ms there.
 */
const MAX_BYTES = 16_384;

/** When a request ends that nobody waits for any more, in milliseconds. */
const MAX_REQUEST_MS = 10_000;

/**
 * Makes a resolver that asks a DNS server over HTTPS. It sends GET requests. The same name always has
 * the same URL (the message's ID is 0), so caches on the way can answer. The pool may repeat a GET if
 * a connection turns out to be dead.
 *
 * It asks for both IP versions at once. When one answer has come, it waits for the other at most 50
 * ms (RFC 8305 section 3). If that one is late, the pool soon asks again. An answer holds as long
 * as the shortest-lived record that led to it, less the time that it spent in caches, and no longer
 * than caches may keep it (RFC 8484 section 5.1).
 *
 * @throws {TypeError} An option is unknown, or not valid
 */
export function dohResolver(options: DohResolverOptions): Resolver {
  checkNames("dohResolver()", options, ["url", "pool", "families", "httpsRecords"]);
  const { pool } = options;
  if (typeof pool?.request !== "function") {
    throw new TypeError(`pool must be an HttpPool, got ${describe(pool)}`);
  }
  const url = readUrl(options.url);
  const ask = async <Type extends RecordType>(
    name: string,
    type: Type,
    signal: AbortSignal,
  ): Promise<Found<Type>> => {
    const response = await pool.request(
      `${url}${encodeQuestion(name, type).toString("base64url")}`,
      {
        headers: { accept: MEDIA_TYPE },
        signal,
        timeoutMs: MAX_REQUEST_MS,
      },
    );
    const found = readRecords(await readMessage(response), name, type);
    return { ...found, ttlMs: freshness(response.headers, found.ttlMs) };
  };
  return recordResolver("doh", options, ask);
}

/** The URL up to the question. */
function readUrl(given: string | URL): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== "https:") {
    const got = url ? url.protocol : typeof given;
    throw new TypeError(
      `url must be an https: URL, such as https://192.0.2.53/dns-query, got ${got}`,
    );
  }
  const query = url.search === "" ? "?" : `${url.search}&`;
  url.hash = url.search = "";
  return `${url.href}${query}dns=`;
}

/** Reads a response's body, if it is a DNS message and not too long. */
async function readMessage(response: PooledResponse): Promise<Buffer> {
  const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (!response.ok || type !== MEDIA_TYPE) {
    await response.dump();
    throw new Error(
      response.ok
        ? `the server answered with ${type ?? "no content type"} for ${MEDIA_TYPE}`
        : `the server answered with status ${response.status}`,
    );
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the body.
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > MAX_BYTES) {
      throw new Error(`the server answered with more than ${MAX_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** How much longer a response is fresh by the rules of HTTP, in milliseconds. */
function freshness(headers: ResponseHeaders, ttlMs: number): number {
  const ageMs = 1_000 * Number(/^\d+$/.exec(headers.get("age") ?? "")?.[0] ?? 0);
  const maxAge = /(?:^|[\s,])max-age="?(\d+)/i.exec(headers.get("cache-control") ?? "")?.[1];
  const lifeMs = maxAge === undefined ? ttlMs : Math.min(ttlMs, 1_000 * Number(maxAge));
  return Math.max(0, lifeMs - ageMs);
}
