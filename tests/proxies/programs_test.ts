/**
 * Requests through proxies of others' making, with a password and without.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { plainDialer } from "../../adapters/plain.ts";
import { createPool, type HttpPool, type PoolOptions, staticResolver } from "../../mod.ts";
import { ProxyError } from "../../src/core/errors.ts";
import { authority, leaf } from "../support/http_scene.ts";
import { type Origin, startRemoteOrigin } from "../support/origin_process.ts";
import { PROXY_PROGRAMS, type ProxyProgram, USER } from "../support/proxy_programs.ts";

interface Scene {
  readonly origin: Origin;
  readonly plain: PlainServer;
  pool(proxy: PoolOptions["proxy"]): HttpPool;
}

interface PlainServer extends AsyncDisposable {
  readonly port: number;
  readonly asked: readonly string[];
}

async function startPlainServer(): Promise<PlainServer> {
  const asked: string[] = [];
  const server = createServer(({ headers: { host = "" }, method, url }, response) => {
    asked.push(`${method} ${url} ${host.split(":")[0]}`);
    response.end("plain");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    behaviour: { kind: "http" },
  });
  await using plain = await startPlainServer();
  await body({
    origin,
    plain,
    pool: (proxy) =>
      createPool({
        proxy,
        plainDialer: plainDialer(),
        resolver: staticResolver({ "a.test": ["127.0.0.1"] }),
        tls: { ca: [authority], serverName: "a.test" },
      }),
  });
}

for (const program of PROXY_PROGRAMS) {
  const skip = program.program === undefined && `${program.name} is not installed`;
  for (const withPassword of program.takesPassword ? [false, true] : [false]) {
    const how = withPassword ? "with a password" : "without a password";
    test(`${program.name}, ${how}, lets requests through, names resolved here and there`, {
      skip,
    }, async () => {
      await using proxy = await program.start(withPassword);
      await withScene((scene) => ask(scene, program, proxy.port, withPassword));
    });
  }
  if (!program.takesPassword) continue;
  test(`${program.name} is told apart from the machine behind it where it wants a password`, {
    skip,
  }, async () => {
    await using proxy = await program.start(true);
    await withScene(async ({ origin, plain, pool }) => {
      for (const credentials of ["", "user:wrong@"]) {
        await using it = pool(`${program.scheme}://${credentials}127.0.0.1:${proxy.port}`);
        const urls = [`https://a.test:${origin.port}/`, `http://localhost:${plain.port}/`];
        // tinyproxy answers 401 to a URL, as a server behind it might.
        for (const url of program.name === "squid" ? urls : urls.slice(0, 1)) {
          const error = await assertRejects(() => it.request(url), ProxyError);
          assertEquals(error.failure, "authentication", error.message);
          assert(!error.message.includes("wrong"));
        }
        const [address] = Object.values(it.stats().hosts[`a.test:${origin.port}`]!.addresses);
        assertEquals(address!.health.ejections, 0);
      }
      const { accepted } = await origin.report();
      assertEquals(accepted, 0);
    });
  });
}

async function ask(
  { origin, plain, pool }: Scene,
  { password, scheme }: ProxyProgram,
  port: number,
  withPassword: boolean,
): Promise<void> {
  const credentials = withPassword ? `${USER.name}:${encodeURIComponent(password)}@` : "";
  const url = `${scheme}://${credentials}127.0.0.1:${port}`;
  const label = `${scheme}://127.0.0.1:${port}`;
  {
    await using it = pool(url);
    const body = "x".repeat(200_000);
    const response = await it.request(`https://a.test:${origin.port}/a`, { method: "POST", body });
    assertEquals(response.status, 200);
    assertEquals(response.connection.address, `127.0.0.1:${origin.port}`);
    assertEquals(response.connection.proxy, label);
    await response.dump();
    const again = await it.request(`https://a.test:${origin.port}/b`);
    await again.dump();
    assert(again.connection.reused);
    it.manager.checkInvariants();
    assert(!JSON.stringify([it.debugInfo(), it.diagnose()]).includes(password || "none"));
  }
  {
    await using it = pool({ url, resolve: "there" });
    const response = await it.request(`https://localhost:${origin.port}/there`);
    assertEquals([response.status, response.connection.address], [200, `127.0.0.1:${port}`]);
    await response.dump();
  }
  await using it = pool(scheme === "http" ? url : { url, resolve: "there" });
  for (const path of ["/one", "/two"]) {
    const response = await it.request(`http://localhost:${plain.port}${path}`);
    assertEquals([response.status, response.connection.address], [200, `127.0.0.1:${port}`]);
    await response.dump();
  }
  assertEquals(plain.asked, ["GET /one localhost", "GET /two localhost"]);
}
