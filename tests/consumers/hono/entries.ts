/**
 * A library over the package: it takes something from every entry point, and its own declarations
 * name types of the package.
 *
 * @module
 */

import * as hotconn from "hotconn";
import { bunDialer } from "hotconn/bun";
import { denoDialer } from "hotconn/deno";
import { dnsResolver } from "hotconn/dns";
import { dohResolver } from "hotconn/doh";
import { adminRouter } from "hotconn/hono";
import { memoryDialer } from "hotconn/memory";
import { nodeDialer } from "hotconn/node";
import { instrument } from "hotconn/otel";
import { plainDialer } from "hotconn/plain";
import { redisFleet } from "hotconn/redis";

export const makers: readonly ((...args: never[]) => unknown)[] = [
  hotconn.createPool,
  bunDialer,
  denoDialer,
  dnsResolver,
  dohResolver,
  adminRouter,
  memoryDialer,
  nodeDialer,
  instrument,
  plainDialer,
  redisFleet,
];

export class Client {
  readonly #pool: hotconn.HttpPool;

  constructor(options: hotconn.CreatePoolOptions) {
    this.#pool = hotconn.createPool(options);
  }

  ask(path: string, options?: hotconn.RequestOptions): Promise<hotconn.PooledResponse> {
    return this.#pool.request(new URL(path, "https://api.example/"), options);
  }

  get stats(): hotconn.PoolStats {
    return this.#pool.stats();
  }
}
