/**
 * A router for [Hono](https://hono.dev) that shows pools and acts on them. It has a dashboard,
 * figures, metrics, a stream of events, and an OpenAPI document of it all.
 *
 * The right to look and the right to act are separate, each with its own tokens. No secret, key or
 * header is ever shown. Each action is reported to `audit` and in the event stream.
 *
 * @example Looking, without a server
 * ```ts
 * import { createPool, staticResolver } from "@hotconn/hotconn";
 * import { adminRouter } from "@hotconn/hotconn/hono";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = createPool({
 *   dialer: memoryDialer(),
 *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
 * });
 * await pool.warm("example.test", { connections: 2 });
 *
 * const token = crypto.randomUUID();
 * const router = adminRouter(pool, { auth: { read: token } });
 * const response = await router.request("/api/pools/default/connections?state=idle", {
 *   headers: { authorization: `Bearer ${token}` },
 * });
 * assertEquals((await response.json()).total, 2);
 * ```
 *
 * @example Beside an app's own routes
 * ```ts no-run
 * import { createPool } from "@hotconn/hotconn";
 * import { adminRouter } from "@hotconn/hotconn/hono";
 * import { Hono } from "hono";
 *
 * const tokens = { looks: crypto.randomUUID(), acts: crypto.randomUUID() };
 *
 * const app = new Hono();
 * app.route("/admin", adminRouter(createPool(), {
 *   auth: { read: tokens.looks, act: { name: "Operators", token: tokens.acts } },
 *   audit: (entry) => console.log(JSON.stringify(entry)),
 * }));
 * Deno.serve(app.fetch);
 * ```
 *
 * @module
 */

import type { ConnectionPool } from "../src/pool/pool.ts";
import { type AdminOptions, type NamedPools, readOptions, readPools } from "./admin/options.ts";
import { type AdminRouter, routerOf } from "./admin/router.ts";
import { AdminState } from "./admin/state.ts";

export {
  type AdminAccess,
  type AdminContext,
  type AdminMiddleware,
  type AdminToken,
  type AdminTokens,
  grantAccess,
} from "./admin/access.ts";
export type { AdminOptions, AuditEntry, NamedPools } from "./admin/options.ts";
export type { AdminRouter } from "./admin/router.ts";

/**
 * Makes a router that you can mount anywhere: `app.route("/admin", adminRouter(pool, { auth }))`. It
 * listens to the pools until they are closed or its `signal` aborts.
 *
 * @param pools A pool, which is named `default`, or pools by name
 * @throws {TypeError} There is no `auth`, and no `insecure: true` either; or an option is unknown or
 * of the wrong type
 * @throws {RangeError} A token is shorter than 16 characters, or an option is out of its range
 */
export function adminRouter(
  pools: ConnectionPool | NamedPools,
  options: AdminOptions,
): AdminRouter {
  const named = readPools(pools);
  return routerOf(new AdminState(named, readOptions(options ?? {}, named)));
}
