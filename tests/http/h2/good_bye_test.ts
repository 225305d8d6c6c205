/**
 * What a server hears last, over real sockets; and what follows where it is the server that leaves.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { ok, withScene } from "../../support/http_scene.ts";
import { endScene, frameScene, settle } from "./frame_server.ts";

test("H12: a server hears GOAWAY before the FIN when a pool releases a connection", () =>
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

test("H4: a connection that goes away while it is used is replaced at once where its host is kept warm", async () => {
  const scene = frameScene({ hosts: { "a.test": ["192.0.2.1"] } });
  await scene.pool.warm("a.test", { connections: 1 });
  const asked = scene.pool.request("https://a.test/");
  await settle();
  const [first] = scene.connections;
  first!.goaway(1);
  await settle();
  assertEquals(scene.connections.length, 2);
  first!.respond(1);
  assertEquals(await (await asked).text(), "ok");
  await settle();
  assertEquals(scene.pool.stats().connections, 1);
  await endScene(scene);
});
