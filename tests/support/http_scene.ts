/**
 * A pool that speaks HTTP, and a scripted origin that it speaks it with over real sockets.
 *
 * @module
 */

import { createPool, type CreatePoolOptions } from "../../adapters/detect.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { HttpPool } from "../../src/http/http_pool.ts";
import { type Origin, startRemoteOrigin } from "./origin_process.ts";
import type { Scripts } from "./origin_script.ts";
import type { OriginCertificate, OriginOptions } from "./origin_types.ts";
import { createAuthority } from "./pki.ts";

const ca = await createAuthority();

/** A certificate that the pools of scenes trust, for both hosts. */
export const leaf: OriginCertificate = {
  ...await ca.issue({ names: ["a.test", "b.test"] }),
  names: ["a.test", "b.test"],
};

/** What a test works with. */
export interface Scene {
  readonly pool: HttpPool;
  readonly origin: Origin;
  /** The URL of a path at the origin. */
  url(path: string, host?: string): string;
}

/** How a scene is set. */
export interface SceneOptions {
  /** The answers by path. */
  readonly scripts?: Scripts;
  readonly origin?: OriginOptions;
  readonly pool?: CreatePoolOptions;
}

/** The authority that the origins' certificates are from. */
export const authority: string = ca.cert;

/** Runs a test. At its end the pool is closed, and no socket may be open at the origin. */
export async function withScene(
  options: SceneOptions,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    behaviour: { kind: "script", scripts: options.scripts ?? {} },
    ...options.origin,
  });
  const addresses = [...origin.addresses];
  await using pool = createPool({
    resolver: staticResolver({ "a.test": addresses, "b.test": addresses }),
    tls: { ca: [ca.cert] },
    ...options.pool,
  });
  const url = (path: string, host = "a.test") => `https://${host}:${origin.port}${path}`;
  await body({ origin, pool, url });
  await settle(pool);
  pool.manager.checkInvariants();
  const left = busy(pool);
  if (left > 0) throw new Error(`${left} leases were left`);
  await pool.close({ graceMs: 0 });
}

/** Waits until no connection is leased, for ten seconds at the most. */
async function settle(pool: HttpPool): Promise<void> {
  for (let tries = 0; tries < 1_000 && busy(pool) > 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** How many connections are leased, be it for the last time. */
export function busy(pool: HttpPool): number {
  const { draining, leased } = pool.stats();
  return leased + draining;
}

/** Makes the bytes of a response with a body of known length, each character a byte. */
export function ok(body = "", headers: readonly string[] = [], status = "200 OK"): string {
  const fields = [...headers, `content-length: ${body.length}`];
  return `HTTP/1.1 ${status}\r\n${fields.join("\r\n")}\r\n\r\n${body}`;
}
