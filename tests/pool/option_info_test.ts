import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { createPool } from "../../mod.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { optionsOf, readDocument } from "../support/documents.ts";
import { memoryPool } from "../support/memory_pool.ts";

/** What is code, or has its own place in what is told. */
const LEFT_OUT = ["clock", "connectDialer", "dialer", "fleet", "hosts", "plainDialer", "resolver"];

const given = {
  dialer: memoryDialer(),
  resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
};

test("Pool.options() tells every option that is no code, and whether it was set", async () => {
  await using pool = createPool({
    ...given,
    maxRetries: 1,
    bodyIdleTimeoutMs: 5_000,
    protocols: ["http/1.1"],
    hedge: undefined as unknown as boolean,
    access: { deny: ["10.0.0.0/8"] },
  });
  const { hosts, options } = pool.options();
  const names = [
    ...optionsOf(readDocument("src/pool/options.ts"), "PoolOptions").keys(),
    ...optionsOf(readDocument("src/http/http_options.ts"), "HttpPoolOptions").keys(),
  ];
  assertEquals([...Object.keys(options), ...LEFT_OUT].sort(), names.sort());
  const set = Object.entries(options).filter(([, { isSet }]) => isSet).map(([name]) => name);
  assertEquals(set.sort(), ["access", "bodyIdleTimeoutMs", "maxRetries", "protocols"]);
  assertEquals(hosts, {});
  const values = Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [name, value]),
  );
  assertEquals(
    [values["protocols"], values["maxIdleConnections"], values["hedge"], values["proxy"]],
    [["http/1.1"], null, true, null],
  );
  assertEquals(values["access"], { deny: ["10.0.0.0/8"], denyPrivate: false });
  assertEquals(JSON.parse(JSON.stringify(options)), options);
});

test("Pool.options() tells the limits and TLS options that hold now, and of a host what was set for it", async () => {
  await using it = memoryPool({
    maxConnections: 50,
    hostOptions: {
      "a.test": { addresses: ["192.0.2.1"], weights: { "192.0.2.1": 3 }, maxConnections: 4 },
      "c.test": { srv: "_api._tcp.c.test", verifySrvTarget: true, balancer: ([first]) => first! },
    },
    resolver: { ...given.resolver, resolveSrv: () => Promise.reject(new Error("no")) },
  });
  const isSet = () => {
    const { maxConnections, maxConnectionsPerIp, tls } = it.pool.options().options;
    return [maxConnections, maxConnectionsPerIp, tls].map((option) => option?.isSet);
  };
  assertEquals(isSet(), [true, false, false]);
  it.pool.setLimits({ maxConnections: 20, maxConnectionsPerIp: 5 });
  it.pool.setTls({ minVersion: "TLSv1.3" });
  assertEquals(isSet(), [true, true, true]);
  const { hosts, options } = it.pool.options();
  assertEquals(options["maxConnections"], { value: 20, isSet: true });
  assertEquals(hosts, {
    "a.test": { addresses: ["192.0.2.1"], weights: { "192.0.2.1": 3 }, maxConnections: 4 },
    "c.test": { srv: "_api._tcp.c.test", verifySrvTarget: true, balancer: "a function" },
  });
});

test("Pool.options() has no key, certificate, pin, path or password in it", async () => {
  const secret = "sesame";
  await using pool = createPool({
    ...given,
    tls: { clientCertificate: { cert: secret, key: secret }, pins: undefined as never },
    proxy: { https: `http://user:${secret}@proxy.test:3128`, except: [`${secret}.test`] },
    healthCheck: { path: `/healthz?token=${secret}` },
    hosts: {
      "c.test": {
        tls: { clientCertificate: { cert: secret, key: secret } },
        proxy: [{ url: `https://user:${secret}@proxy.test`, tls: { serverName: "x.test" } }],
      },
    },
  });
  const told = pool.options();
  const { healthCheck, proxy, tls } = told.options;
  assertEquals(tls?.value, ["clientCertificate"]);
  assertEquals(proxy?.value, { http: [], https: ["http://proxy.test:3128"] });
  assertEquals(healthCheck?.value, "http");
  assertEquals(told.hosts["c.test"]?.["tls"], ["clientCertificate"]);
  assert(!JSON.stringify(told).includes(secret), JSON.stringify(told));
});
