/**
 * `http:` URLs, where the user asks for them.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { plainDialer } from "../../adapters/plain.ts";
import { createPool } from "../../mod.ts";
import { UnsupportedOptionError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { memoryHttp } from "../support/memory_http.ts";

test("http: URLs are refused unless the pool has a plainDialer", async () => {
  await using pool = memoryHttp(() => null);
  await assertRejects(() => pool.request("http://a.test/"), TypeError, "plainDialer");
  await assertRejects(() => pool.fetch("http://a.test/"), TypeError, "fetch failed");
  await assertRejects(() => pool.acquire("a.test", { plain: true }), TypeError, "plainDialer");
  assertEquals(pool.dialer.dials, []);
});

test("With a plainDialer http: URLs are served over TCP alone, and share nothing with https:", async () => {
  let connections = 0;
  const server = createServer((request, response) => {
    response.end(`${request.method} ${request.url} ${request.headers.host}`);
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await using pool = createPool({
      plainDialer: plainDialer(),
      resolver: staticResolver({ "a.test": [`127.0.0.1:${port}`] }),
    });
    for (let i = 0; i < 3; i++) {
      const response = await pool.request("http://a.test/x?y");
      assertEquals(await response.text(), "GET /x?y a.test");
      assertEquals([response.connection.alpn, response.connection.reused], [null, i > 0]);
    }
    const fetched = await pool.fetch(`http://127.0.0.1:${port}/z`, { method: "PUT", body: "1" });
    assertEquals(await fetched.text(), `PUT /z 127.0.0.1:${port}`);
    assertEquals(connections, 2);
    const [connection] = pool.manager.getConnectionsForHost("a.test:80");
    assertEquals([connection?.tlsProfile, connection?.host], ["plain", "a.test:80"]);
    const refused = () => pool.request("http://a.test:1/", { ip: "127.0.0.1:1", timeoutMs: 5_000 });
    await assertRejects(refused, Error, "refused");
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("plainDialer() refuses TLS options, and dials nothing: it would honour none of them", async () => {
  // Nobody listens there, which would be another error.
  const target = { host: "a.test", address: "127.0.0.1:1", ip: "127.0.0.1", port: 1 };
  const dial = () =>
    plainDialer().dial(
      { ...target, serverName: "a.test", tls: { minVersion: "TLSv1.3" } },
      new AbortController().signal,
    );
  await assertRejects(dial, UnsupportedOptionError, "minVersion");
});
