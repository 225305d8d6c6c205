/**
 * Requests to nginx.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { bunDialer } from "../../adapters/bun.ts";
import { createPool, detectRuntime } from "../../adapters/detect.ts";
import { nodeDialer } from "../../adapters/node.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { nginx } from "../support/nginx.ts";
import { mismatch } from "../support/pattern.ts";
import { pause } from "../support/services.ts";
import { TEXT } from "../support/upstream.ts";
import { testParty } from "./party_contract.ts";
import { ask, askOften, ca, clientPort, testWith, ways } from "./support.ts";

testParty(nginx);

testWith(nginx, "answers for two names over one connection of HTTP/2", {
  protocol: "h2",
  credentials: await ca.issue({ names: ["a.test", "b.test"] }),
}, async ({ party }) => {
  const address = `127.0.0.1:${party.port}`;
  await using pool = createPool({
    // Deno's own dialer does not tell the certificate.
    dialer: detectRuntime() === "bun" ? bunDialer() : nodeDialer(),
    coalesce: true,
    resolver: staticResolver({ "a.test": [address], "b.test": [address] }),
    tls: { ca: [ca.cert] },
  });
  const ids = new Set<number>();
  for (const name of ["a", "b", "b", "a"]) {
    const response = await pool.request(`https://${name}.test/200`);
    await response.dump();
    ids.add(response.connection.id);
  }
  assertEquals(ids.size, 1);
  assertEquals(pool.stats().dials, 1);
  pool.manager.checkInvariants();
});

testWith(nginx, "ends a connection after as many requests as it allows", {
  extra: "keepalive_requests 5;",
}, async (scene) => {
  const answers = await askOften(scene, "bytes?size=1000", { times: 100, atOnce: 4 });
  const served = new Map<string, number>();
  for (const answer of answers) {
    assertEquals(mismatch(0, answer.bytes), -1);
    const nth = Number(answer.headers.get("x-served"));
    assertEquals(answer.headers.get("connection"), nth === 5 ? "close" : "keep-alive");
    served.set(clientPort(answer), (served.get(clientPort(answer)) ?? 0) + 1);
  }
  assertEquals(Math.max(...served.values()), 5);
  // A caller may be served by another connection while one is dialled for him.
  const unused = [...scene.pool.manager.connections()].filter((it) => it.requestCount === 0);
  const { dialing, dials } = scene.pool.stats();
  assertEquals(dials, served.size + unused.length + dialing);
});

testWith(nginx, "counts as many connections and requests as the pool does", {
  extra: "location = /status { stub_status; }",
}, async (scene) => {
  await askOften(scene, "200", { times: 50, atOnce: 3 });
  const { bytes } = await ask(scene.pool, "status");
  const [, handled, requests] = new TextDecoder().decode(bytes).match(/^ \d+ (\d+) (\d+)/m) ?? [];
  // One connection was only to see whether it listens.
  assertEquals(Number(handled), scene.pool.stats().dials + 1);
  assertEquals(Number(requests), 51);
});

testWith(nginx, "says for how long it keeps a connection, and it is not used for longer", {
  extra: "keepalive_timeout 3s 3s;",
}, async (scene) => {
  const first = await ask(scene.pool, "200");
  assertEquals(first.headers.get("keep-alive"), "timeout=3");
  const second = await ask(scene.pool, "200");
  assertEquals(clientPort(second), clientPort(first));
  await pause(2_500);
  const third = await ask(scene.pool, "200");
  assert(clientPort(third) !== clientPort(first));
  assertEquals(scene.pool.stats().dials, 2);
});

testWith(nginx, "sends bodies that end with their connection", {
  extra: "location /plain/ { chunked_transfer_encoding off; gzip off; proxy_pass http://app; }",
}, async ({ pool }) => {
  const connections = new Set<string>();
  for (const [, ask] of ways) {
    const answer = await ask(pool, "plain/bytes?size=300000&chunked");
    assertEquals(answer.headers.get("connection"), "close");
    assertEquals(answer.headers.get("content-length"), null);
    assertEquals(answer.headers.get("transfer-encoding"), null);
    assertEquals([answer.bytes.length, mismatch(0, answer.bytes)], [300_000, -1]);
    connections.add(clientPort(answer));
  }
  assertEquals(connections.size, 2);
});

testWith(nginx, "passes on what comes to it by HTTP/1.0", {}, async ({ pool }) => {
  for (const [, ask] of ways) {
    const { bytes, status } = await ask(pool, "until-close");
    assertEquals([status, new TextDecoder().decode(bytes) === TEXT], [200, true]);
  }
  assertEquals(pool.stats().dials, 1);
});
