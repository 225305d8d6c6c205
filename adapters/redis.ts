/**
 * A fleet over Redis or Valkey, through the npm package `redis`.
 *
 * @example
 * ```ts
 * import { createPool, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { redisFleet } from "@hotconn/hotconn/redis";
 *
 * await using pool = createPool({
 *   // A program would leave these two out: they stand for a network here.
 *   dialer: memoryDialer(),
 *   resolver: staticResolver({ "example.com": ["192.0.2.1"] }),
 *   fleet: redisFleet({ url: "redis://127.0.0.1:6379", name: "shop" }),
 *   maxConnectionsPerIp: 100,
 * });
 * pool.on("fleet", ({ members, state }) => console.log(state, members));
 * ```
 *
 * @module
 */

import { checkNumber, describe } from "../src/core/check.ts";
import type { Fleet } from "../src/fleet/fleet.ts";
import { type FleetOptions, fleetOver, readFleetOptions } from "../src/pool/fleet/fleet_over.ts";
import { RedisStore } from "./redis/redis_store.ts";

export type { Fleet } from "../src/fleet/fleet.ts";
export type { FleetOptions } from "../src/pool/fleet/fleet_over.ts";

/** Options of {@linkcode redisFleet}. */
export interface RedisFleetOptions extends FleetOptions {
  /**
   * Where Redis is, such as `redis://127.0.0.1:6379` or `rediss://user:secret@host:6380/0`. If you
   * give several, the pool uses whichever is the primary now, so it follows a failover.
   */
  readonly url: string | readonly string[];
  /**
   * How long one command may take, and one attempt to connect, in milliseconds: at most half of
   * `leaseMs`. No request waits for it.
   *
   * @default {1_000}
   */
  readonly timeoutMs?: number | undefined;
  /** More options for `createClient()` of the package `redis`, such as `{ socket: { ca } }`. */
  readonly client?: object | undefined;
}

/**
 * Makes a pool share limits, verdicts on addresses and blocks with every pool whose fleet has the
 * same name. Pass it as the pool's `fleet`. The pool owns it, and returns what it holds in
 * `close()`.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not valid
 */
export function redisFleet(options: RedisFleetOptions): Fleet {
  const read = readFleetOptions("redisFleet()", options, ["url", "timeoutMs", "client"]);
  const { client = {}, timeoutMs = Math.min(1_000, read.leaseMs / 2), url } = options;
  const urls = typeof url === "string" ? [url] : Array.isArray(url) ? [...url as string[]] : [];
  if (urls.length === 0 || !urls.every(isRedisUrl)) {
    // Never the URL itself: it may hold a password.
    throw new TypeError(
      `url must be a redis: or rediss: URL with a host, or several, got ${
        typeof url === "string" ? "another text" : Array.isArray(url) ? "others" : describe(url)
      }`,
    );
  }
  if (typeof client !== "object" || client === null) {
    throw new TypeError(`client must be an object of options, got ${describe(client)}`);
  }
  checkNumber("timeoutMs", timeoutMs, { min: 1, max: read.leaseMs / 2 });
  return fleetOver(new RedisStore({ urls, name: read.name, timeoutMs, client }), read);
}

function isRedisUrl(url: unknown): boolean {
  return typeof url === "string" && /^rediss?:\/\/[^/]/.test(url) && URL.canParse(url);
}
