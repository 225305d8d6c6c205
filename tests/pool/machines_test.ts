/**
 * A pool over real sockets and real TLS: several machines, several hosts.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { test } from "node:test";
import { createPool } from "../../adapters/detect.ts";
import { DialError, HostUnavailableError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { EvictReason } from "../../src/map/exits.ts";
import { authority, withScene } from "../support/http_scene.ts";
import { startRemoteOrigin } from "../support/origin_process.ts";
import { createAuthority } from "../support/pki.ts";

const PLAIN = { behaviour: { kind: "http" as const } };
const THREE = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

test("Two hosts on one machine in random order: two handshakes for two hundred leases", () =>
  withScene({ origin: PLAIN }, async ({ origin, pool }) => {
    for (let i = 0; i < 200; i++) {
      const host = `${Math.random() < 0.5 ? "a" : "b"}.test:${origin.port}`;
      const lease = await pool.acquire(host);
      assertEquals(lease.connection.host, host);
      lease.release();
    }
    const { connections, handshakes } = await origin.until({ handshakes: 2 });
    assertEquals(handshakes, 2);
    assertEquals(connections.map(({ sni }) => sni).sort(), ["a.test", "b.test"]);
  }));

test("A host is warmed on all its machines, drained, and leaves no socket behind", () =>
  withScene({
    origin: { ...PLAIN, addresses: THREE },
    // However slow a dial is here, there is none beside it.
    pool: { dialStaggerMs: 5_000 },
  }, async ({ origin, pool }) => {
    const host = `a.test:${origin.port}`;
    assertEquals((await pool.warm(host, { connections: 6 })).connections, 6);
    for (const ip of THREE) {
      assertEquals(pool.manager.getConnections(`${ip}:${origin.port}`).length, 2);
    }
    await origin.until({ openSockets: 6 });
    assertEquals(await pool.drain("127.0.0.3"), 2);
    // The host is to be kept warm: what left the machine is replaced there by new ones.
    await origin.until({ handshakes: 8, openSockets: 6 });
    assertEquals(await pool.drain(host), 6);
    await origin.until({ openSockets: 0 });
  }));

test("Trap 6: what an idle connection says, or its end, takes it out of the maps at once", () =>
  withScene({ origin: PLAIN }, async ({ origin, pool }) => {
    const host = `a.test:${origin.port}`;
    const actions: [kind: "send" | "end" | "reset", reasons: EvictReason[]][] = [
      ["send", ["unsolicited"]],
      ["end", ["peer"]],
      // Not every runtime tells a reset from an orderly end.
      ["reset", ["error", "peer"]],
    ];
    for (const [kind, reasons] of actions) {
      (await pool.acquire(host)).release();
      await origin.until({ openSockets: 1 });
      const evicted = new Promise<EvictReason>((resolve) =>
        pool.on("evict", ({ reason }) => resolve(reason))
      );
      await origin.act(kind === "send" ? { kind, text: "HTTP/1.1 200 OK\r\n" } : { kind });
      // The deadline also keeps the test alive: an idle connection does not.
      assert(reasons.includes(await deadline(evicted, 4_000)));
      assertEquals(pool.manager.getConnectionCount(), 0);
      await origin.until({ openSockets: 0 });
    }
  }));

test("Machines that refuse, reset or never answer cost no caller a failure", async () => {
  await using reset = await startRemoteOrigin({
    addresses: ["127.0.0.5"],
    behaviour: { kind: "reset", at: "hello" },
  });
  await using mute = await startRemoteOrigin({
    addresses: ["127.0.0.6"],
    behaviour: { kind: "mute" },
  });
  await withScene({ origin: { ...PLAIN, addresses: ["127.0.0.2"] } }, async ({ origin, pool }) => {
    const exclude = [`127.0.0.2:${origin.port}`];
    const bad = [`127.0.0.5:${reset.port}`, `127.0.0.6:${mute.port}`, "127.0.0.7:1"];
    const good = `127.0.0.2:${origin.port}`;
    const tls = { ca: [authority] };
    await using mixed = createPool({
      resolver: staticResolver({ "a.test": [...bad, good] }),
      connectTimeoutMs: 2_000,
      maxRetries: 0,
      tls,
    });
    for (let i = 0; i < 20; i++) {
      const lease = await mixed.acquire("a.test");
      assertEquals(lease.connection.address, good);
      lease.release({ reuse: false });
    }
    const error = await assertRejects(
      () => mixed.acquire("a.test", { exclude }),
      HostUnavailableError,
    );
    assertEquals(error.failures.length, 3);
    for (const { error: cause } of error.failures) assertInstanceOf(cause, DialError);
    assertEquals(pool.stats().dials, 0);
    // Deno closes the socket of an aborted handshake only when the server hangs up.
    await mute.stop();
  });
});

test("A certificate for another host is no connection, and the message says why", async () => {
  const ca = await createAuthority();
  await withScene({ origin: PLAIN, pool: { maxRetries: 0 } }, async ({ origin, pool }) => {
    const elsewhere = `127.0.0.1:${origin.port}`;
    const wrongName = await assertRejects(() => pool.acquire(elsewhere), HostUnavailableError);
    const options = { tls: { ca: [ca.cert] } };
    const wrongAuthority = await assertRejects(
      () => pool.acquire(`a.test:${origin.port}`, options),
      HostUnavailableError,
    );
    for (const { cause } of [wrongName, wrongAuthority]) {
      assertInstanceOf(cause, DialError);
      assertEquals([cause.phase, cause.failure], ["tls", "certificate"]);
    }
    await origin.until({ openSockets: 0 });
  });
});
