/**
 * The web's `fetch` over a pool.
 *
 * @module
 */

import type { HttpPool } from "./http_pool.ts";

/** Fetches over a pool. */
export function fetchOver(
  _pool: HttpPool,
  _input: RequestInfo | URL,
  _init?: RequestInit,
): Promise<Response> {
  return Promise.reject(new TypeError("Not yet"));
}
