/**
 * What a server hears last, over real sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { ok, withScene } from "../../support/http_scene.ts";

test("H12: a server hears GOAWAY before the FIN when a pool lets go of a connection", () =>
  withScene({
    scripts: { "*": [{ send: ok("fine") }] },
    origin: { alpn: ["h2"] },
    pool: { protocols: ["h2"] },
  }, async ({ origin, pool, url }) => {
    await (await pool.request(url("/"))).dump();
    await pool.drain(new URL(url("/")).host);
    await origin.until({ accepted: 1, openSockets: 0 });
    await (await pool.request(url("/"))).dump();
    await pool.close();
    await origin.until({ accepted: 2, openSockets: 0 });
    const { connections } = await origin.report();
    assertEquals(connections.map(({ goaways }) => goaways), [[0], [0]]);
    assertEquals(connections.map(({ ended }) => ended.includes("reset")), [false, false]);
  }));
