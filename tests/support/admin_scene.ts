/**
 * An admin router over pools without a network, and how it is asked.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  type AdminOptions,
  type AdminRouter,
  adminRouter,
  type AuditEntry,
} from "../../adapters/hono.ts";
import type { ManualClock } from "../../src/core/clock.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { memoryPool, type MemoryPoolOptions } from "./memory_pool.ts";

/** The tokens of the scene. */
export const TOKENS = { read: "a-token-that-reads-0", act: "a-token-that-acts-00" } as const;

/** A way to ask. */
export interface AskOptions {
  /** Whose token is sent; none where it is null. */
  readonly as?: "read" | "act" | null;
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
  readonly signal?: AbortSignal;
}

/** An admin router in a test. */
export interface AdminScene extends AsyncDisposable {
  readonly pool: ConnectionPool;
  readonly router: AdminRouter;
  readonly clock: ManualClock;
  readonly audits: AuditEntry[];
  /** Asks. What acts is a POST. */
  ask(path: string, options?: AskOptions): Promise<Response>;
  /** Asks, and gives the JSON of an answer that has this status. */
  json(path: string, status?: number, options?: AskOptions): Promise<Json>;
  /** Acts, and gives the JSON of an answer that has this status. */
  act(action: string, body: unknown, status?: number): Promise<Json>;
}

/** JSON in a test. */
// deno-lint-ignore no-explicit-any
export type Json = any;

/** Opens a scene. */
export function adminScene(
  options: Partial<AdminOptions> = {},
  poolOptions: MemoryPoolOptions = {},
): AdminScene {
  const memory = memoryPool(poolOptions);
  const { clock, pool } = memory;
  const audits: AuditEntry[] = [];
  const router = adminRouter(pool, {
    ...!options.insecure && { auth: { ...TOKENS } },
    audit: (entry) => audits.push(entry),
    clock,
    ...options,
  });
  const ask: AdminScene["ask"] = async (path, options = {}) => {
    const { as = options.body === undefined ? "read" : "act", body, headers, signal } = options;
    const method = options.method ?? (body === undefined ? "GET" : "POST");
    return await router.request(path, {
      method,
      headers: {
        ...as && { authorization: `Bearer ${TOKENS[as]}` },
        ...body !== undefined && { "content-type": "application/json" },
        ...headers,
      },
      ...body !== undefined && { body: JSON.stringify(body) },
      ...signal && { signal },
    });
  };
  const json: AdminScene["json"] = async (path, status = 200, options = {}) => {
    const response = await ask(path, options);
    const text = await response.text();
    assertEquals(response.status, status, text);
    assertEquals(response.headers.get("content-type"), "application/json");
    return JSON.parse(text);
  };
  return {
    pool,
    router,
    clock,
    audits,
    ask,
    json,
    act: (action, body, status = 200) =>
      json(`/api/pools/default/actions/${action}`, status, { body }),
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  };
}
