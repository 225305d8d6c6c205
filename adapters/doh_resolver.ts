/**
 * The addresses of hosts as a DNS server tells them over HTTPS (RFC 8484), on hot connections.
 *
 * @example One pool asks for names, and another one uses them
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

import { decode, type DecodedPacket, encode, RECURSION_DESIRED } from "dns-packet";
import { Buffer } from "node:buffer";
import { isIp } from "../src/core/address.ts";
import { checkNames, describe } from "../src/core/check.ts";
import type { Resolution, Resolver } from "../src/hosts/resolver.ts";
import type { HttpPool } from "../src/http/http_pool.ts";
import type { PooledResponse } from "../src/http/response.ts";
import type { ResponseHeaders } from "../src/http/response_headers.ts";
import { askFamilies, BOTH_FAMILIES, checkFamilies } from "./resolvers/address_families.ts";

/** Options of {@linkcode dohResolver}. */
export interface DohResolverOptions {
  /**
   * Where the server is asked, such as `https://192.0.2.53/dns-query`. A host name in it is for the
   * `pool` to resolve.
   */
  readonly url: string | URL;
  /**
   * What the server is asked over: a pool, which stays the caller's to close. Its own resolver must
   * be another one, which knows the server without asking it: the system's, or a `staticResolver`
   * with the server's addresses; where the `url` has an IP address, none is asked.
   */
  readonly pool: Pick<HttpPool, "request">;
  /**
   * The IP versions to ask for, in the order in which their addresses are given.
   *
   * @default {[4, 6]}
   */
  readonly families?: readonly (4 | 6)[];
}

const MEDIA_TYPE = "application/dns-message";

/**
 * Five hundred addresses fit. A message may be four times as long, but the work to read one that
 * was made to be slow grows with the square of its length: 20 ms here, and 300 ms there.
 */
const MAX_BYTES = 16_384;

/** How many aliases are followed. */
const MAX_ALIASES = 16;

/** The end of a request that nobody waits for any more, in milliseconds. */
const MAX_REQUEST_MS = 10_000;

/**
 * Makes a resolver that asks a DNS server over HTTPS. It sends GET requests, whose URL is the same
 * for the same name (the message's ID is 0), so that caches on the way can answer them, and the
 * pool may send them again where a connection turns out to be dead.
 *
 * Both IP versions are asked for at once; when one has come, the other is waited for no longer than
 * 50 ms (RFC 8305 section 3), and where it is late, the answer is soon asked for again. An answer
 * holds as long as the shortest-lived record that led to it, less the time that it has spent in
 * caches, and no longer than they may keep it (RFC 8484 section 5.1).
 *
 * @throws {TypeError} An option is unknown, or not valid
 */
export function dohResolver(options: DohResolverOptions): Resolver {
  checkNames("dohResolver()", options, ["url", "pool", "families"]);
  const { pool } = options;
  if (typeof pool?.request !== "function") {
    throw new TypeError(`pool must be an HttpPool, got ${describe(pool)}`);
  }
  const url = readUrl(options.url);
  const families = checkFamilies(options.families ?? BOTH_FAMILIES);
  return {
    name: "doh",
    resolve: (name, signal) =>
      askFamilies(name, families, signal, async (family) => {
        const type = family === 4 ? "A" : "AAAA";
        const response = await pool.request(`${url}${encodeQuestion(name, type)}`, {
          headers: { accept: MEDIA_TYPE },
          signal,
          timeoutMs: MAX_REQUEST_MS,
        });
        const { addresses, ttlMs } = readAnswer(await readMessage(response), name, type);
        return { addresses, ttlMs: freshness(response.headers, ttlMs) };
      }),
  };
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

function encodeQuestion(name: string, type: "A" | "AAAA"): string {
  return encode({
    type: "query",
    id: 0,
    flags: RECURSION_DESIRED,
    questions: [{ name, type, class: "IN" }],
  }).toString("base64url");
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

/** What a message says of a name: the addresses at the end of its aliases. */
function readAnswer(
  bytes: Buffer,
  name: string,
  type: "A" | "AAAA",
): Resolution & { readonly ttlMs: number } {
  const { answers = [] } = readPacket(bytes, name, type);
  let owner = name;
  let ttl = Infinity;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const addresses: string[] = [];
    let alias: string | undefined;
    let aliasTtl = Infinity;
    for (const answer of answers) {
      if (!("ttl" in answer) || answer.class !== "IN" || !isSame(answer.name, owner)) continue;
      if (answer.type === type) {
        if (!isIp(answer.data)) throw new Error("the message is malformed: no address");
        addresses.push(answer.data);
        ttl = Math.min(ttl, ttlOf(answer.ttl));
      } else if (answer.type === "CNAME" && alias === undefined) {
        alias = answer.data;
        aliasTtl = ttlOf(answer.ttl);
      }
    }
    if (addresses.length > 0) return { addresses, ttlMs: 1_000 * ttl };
    if (alias === undefined) throw new Error("NODATA, the name has no such address");
    owner = alias;
    ttl = Math.min(ttl, aliasTtl);
  }
  throw new Error(`more than ${MAX_ALIASES} aliases, or a loop of them`);
}

function readPacket(bytes: Buffer, name: string, type: string): DecodedPacket {
  let packet: DecodedPacket & { readonly rcode?: string };
  try {
    packet = decode(bytes);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`the message is malformed: ${detail}`, { cause: error });
  }
  if (!packet.flag_qr) throw new Error("the message is malformed: no response");
  if (packet.flag_tc) throw new Error("the message is truncated");
  if (packet.rcode !== "NOERROR") throw new Error(`the server answered ${packet.rcode}`);
  const [question, ...others] = packet.questions ?? [];
  if (!question || others.length > 0 || question.type !== type || !isSame(question.name, name)) {
    throw new Error("the message answers another question");
  }
  return packet;
}

/** Names are the same whatever their case (RFC 4343). */
function isSame(name: string, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase();
}

/** In seconds. What has the highest bit set is none (RFC 2181 section 8). */
function ttlOf(ttl: number | undefined): number {
  return ttl === undefined || ttl > 0x7fffffff ? 0 : ttl;
}

/** How much longer a response holds as HTTP sees it, in milliseconds. */
function freshness(headers: ResponseHeaders, ttlMs: number): number {
  const ageMs = 1_000 * Number(/^\d+$/.exec(headers.get("age") ?? "")?.[0] ?? 0);
  const maxAge = /(?:^|[\s,])max-age="?(\d+)/i.exec(headers.get("cache-control") ?? "")?.[1];
  const lifeMs = maxAge === undefined ? ttlMs : Math.min(ttlMs, 1_000 * Number(maxAge));
  return Math.max(0, lifeMs - ageMs);
}
