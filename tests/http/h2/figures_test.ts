import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "node:test";
import { MAX_CONCURRENT_STREAMS } from "../../../src/http/h2/frames.ts";
import { openMetrics } from "../../../src/metrics/open_metrics.ts";
import type { Finding } from "../../../src/pool/watch/findings.ts";
import { endScene, type FrameScene, frameScene, settle } from "./frame_server.ts";

const ONE = { "a.test": ["192.0.2.1"] };

/** Answers all that was asked. */
function answer({ connections }: FrameScene): void {
  for (const connection of connections) {
    for (const { id } of connection.streams.splice(0)) connection.respond(id);
  }
}

test("Pool, host, address and connection tell streams under way and how many there may be", async () => {
  const scene = frameScene({ hosts: ONE, maxStreams: 5 });
  const asked = [1, 2, 3].map(() => scene.pool.request("https://a.test/"));
  await settle();
  const stats = scene.pool.stats();
  const host = stats.hosts["a.test"]!;
  for (const figures of [stats, host, host.addresses["192.0.2.1"]!]) {
    const { capacity, connections, leased, leases, multiplexed } = figures;
    assertEquals([connections, leased, multiplexed, leases, capacity], [1, 1, 1, 3, 5]);
  }
  const { capacity, leases, multiplexed } = scene.pool.debugInfo().connections[0]!;
  assertEquals([leases, capacity, multiplexed], [3, 5, true]);
  const text = openMetrics(scene.pool, { addresses: true });
  const place = "{pool=\"default\",host=\"a.test\"";
  for (
    const sample of [
      `multiplexed_connections${place}} 1`,
      `leases_in_flight${place}} 3`,
      `lease_capacity${place}} 5`,
      `address_leases_in_flight${place},address="192.0.2.1"} 3`,
      `address_lease_capacity${place},address="192.0.2.1"} 5`,
    ]
  ) assert(text.includes(`hotconn_${sample}\n`), sample);
  answer(scene);
  for (const response of await Promise.all(asked)) await response.dump();
  assertEquals(scene.pool.stats().hosts["a.test"]!.leases, 0);
  await scene.pool.drain("a.test");
  assertEquals(scene.pool.stats().multiplexed, 0);
  await endScene(scene);
});

test("Connections of HTTP/1.1 are not counted among those of HTTP/2", async () => {
  const scene = frameScene({ hosts: ONE, pool: { protocols: ["http/1.1"] } });
  await scene.pool.warm("a.test", { connections: 2 });
  const { capacity, connections, multiplexed } = scene.pool.stats();
  assertEquals([connections, multiplexed, capacity], [2, 0, 2]);
  await endScene(scene);
});

test("diagnose() tells that all streams of a machine are taken, and callers wait", async () => {
  const scene = frameScene({
    hosts: ONE,
    maxStreams: 2,
    pool: { maxConnectionsPerIp: 1, hedge: false },
  });
  const told: Finding[] = [];
  scene.pool.on("streamsTaken", (finding) => told.push(finding));
  const found = () => scene.pool.diagnose().filter(({ what }) => what === "streamsTaken");
  const asked = [1, 2].map(() => scene.pool.request("https://a.test/"));
  await settle();
  scene.clock.advance(2_000);
  // All are taken, but nobody waits.
  assertEquals(found(), []);
  asked.push(scene.pool.request("https://a.test/"));
  await settle();
  assertEquals(found(), []);
  scene.clock.advance(1_000);
  const [finding] = found();
  const { address, host, severity } = finding!;
  assertEquals([host, address, severity], ["a.test", "192.0.2.1", "warning"]);
  assertMatch(
    finding!.message,
    /^All 2 HTTP\/2 streams .* on its one connection are taken, and 1 wait/,
  );
  scene.connections[0]!.settings([[MAX_CONCURRENT_STREAMS, 0]]);
  await settle();
  assertMatch(found()[0]!.message, /allows no HTTP\/2 stream for now/);
  scene.clock.advance(10_000);
  await settle();
  assertEquals(told.length, 1);
  scene.connections[0]!.settings([[MAX_CONCURRENT_STREAMS, 3]]);
  await settle();
  assertEquals(found(), []);
  answer(scene);
  for (const response of await Promise.all(asked)) await response.dump();
  await endScene(scene);
});
