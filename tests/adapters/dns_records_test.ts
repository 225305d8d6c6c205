/**
 * SRV and HTTPS records, from a DNS server and over HTTPS.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { decode } from "dns-packet";
import { Buffer } from "node:buffer";
import test from "node:test";
import { dnsResolver } from "../../adapters/dns_resolver.ts";
import { dohResolver } from "../../adapters/doh_resolver.ts";
import { type MemoryDialer, memoryDialer } from "../../adapters/memory.ts";
import { readBinding } from "../../adapters/resolvers/service_bindings.ts";
import { createPool, ManualClock, type Resolver } from "../../mod.ts";
import { ResolveError } from "../../src/core/errors.ts";
import { type DnsZone, encodeReply, startDnsServer } from "../support/dns_server.ts";
import { DNS_MESSAGE } from "../support/doh_scripts.ts";
import {
  alpn,
  httpsRecord,
  ipv4hint,
  NO_DEFAULT_ALPN,
  port,
  u16,
} from "../support/https_record.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { turns } from "../support/turns.ts";

const never = new AbortController().signal;

const SRV = [
  { priority: 1, weight: 3, port: 8443, target: "one.test" },
  { priority: 2, weight: 0, port: 9443, target: "two.test" },
];

/** Calls `use` with a resolver of each kind that knows a zone. */
async function withBoth(
  zone: DnsZone,
  options: { readonly httpsRecords?: boolean },
  use: (resolver: Resolver) => Promise<void>,
): Promise<void> {
  {
    await using server = await startDnsServer(unhurried(zone));
    await use(dnsResolver({ servers: [server.address], families: [4], ...options }));
  }
  await using pool = memoryHttp(({ path }) => {
    const text = new URL(path, "https://a.test").searchParams.get("dns") ?? "";
    const [{ name, type } = { name: "", type: "" }] = decode(Buffer.from(text, "base64url"))
      .questions ?? [];
    const known = { UNKNOWN_64: "SVCB", UNKNOWN_65: "HTTPS" }[type as string] as "SVCB" ?? type;
    const reply = zone[name] ? zone[name][known] ?? {} : { rcode: "NXDOMAIN" as const };
    return answer("200 OK", { "content-type": DNS_MESSAGE }, encodeReply(0, name, known, reply));
  });
  await use(dohResolver({ url: "https://a.test/dns-query", pool, families: [4], ...options }));
}

/** Answers for addresses late, so that HTTPS records come in time on a busy machine too. */
function unhurried(zone: DnsZone): DnsZone {
  const names = Object.entries(zone).map(([name, types]) => {
    const { A: addresses, HTTPS: records } = types;
    return [name, addresses && records ? { ...types, A: { delayMs: 200, ...addresses } } : types];
  });
  return Object.fromEntries(names);
}

test("Resolvers give SRV records as they are, with their time", async () => {
  const zone = { "_api._tcp.test": { SRV: { srv: SRV, ttl: 77 } } };
  await withBoth(zone, {}, async (resolver) => {
    const { records, ttlMs } = await resolver.resolveSrv!("_api._tcp.test", never);
    assertEquals([...records].sort((a, b) => a.priority - b.priority), SRV);
    assertEquals(ttlMs, 77_000);
  });
});

test("Resolvers say why there are no SRV records", async () => {
  await withBoth(
    { "empty.test": {}, "ill.test": { SRV: { rcode: "SERVFAIL" } } },
    {},
    async (resolver) => {
      const fails = async (name: string, detail: string) => {
        const error = await assertRejects(
          () => resolver.resolveSrv!(name, never),
          ResolveError,
          detail,
        );
        assertEquals(error.host, name);
      };
      await fails("gone.test", "SRV: the server answered NXDOMAIN");
      await fails("empty.test", "SRV: NODATA");
      await fails("ill.test", "SRV: the server answered SERVFAIL");
    },
  );
});

test("dnsResolver() asks over TCP for SRV records that were cut short, and the next server where one is ill", async () => {
  await using ill = await startDnsServer({ "_api._tcp.test": { SRV: { rcode: "SERVFAIL" } } });
  await using server = await startDnsServer({
    "_api._tcp.test": { SRV: { srv: SRV, truncated: true } },
  });
  const resolver = dnsResolver({ servers: [ill.address, server.address] });
  const { records } = await resolver.resolveSrv!("_api._tcp.test", never);
  assertEquals(records.length, 2);
  assertEquals(server.asked, ["_api._tcp.test SRV", "_api._tcp.test SRV tcp"]);
});

test("dnsResolver() ends a question for SRV records with the signal's reason", async () => {
  await using server = await startDnsServer({ "_api._tcp.test": { SRV: { silent: true } } });
  const reason = { not: "an error" };
  const stop = new AbortController();
  const pending = dnsResolver({ servers: [server.address] }).resolveSrv!(
    "_api._tcp.test",
    stop.signal,
  );
  setTimeout(() => stop.abort(reason), 50);
  assertStrictEquals(await pending.catch((error: unknown) => error), reason);
});

test("A pool finds a host's machines by SRV records: their ports, the lowest priority first", async () => {
  await using server = await startDnsServer({
    "_api._tcp.test": { SRV: { srv: SRV } },
    "one.test": { A: { addresses: ["192.0.2.1", "192.0.2.2"] } },
    "two.test": { A: { addresses: ["192.0.2.3"] } },
  });
  const dialer = memoryDialer();
  await using pool = createPool({
    dialer,
    resolver: dnsResolver({ servers: [server.address], families: [4] }),
    hosts: {
      "api.test": { srv: "_api._tcp.test" },
      "named.test": { srv: "_api._tcp.test", verifySrvTarget: true },
    },
  });
  for (const host of ["api.test", "named.test", "srv:_api._tcp.test"]) {
    await pool.warm(host, { connections: 2 });
    assertEquals(pool.manager.getConnectionsForHost(host).map(({ address }) => address).sort(), [
      "192.0.2.1:8443",
      "192.0.2.2:8443",
    ]);
  }
  assertEquals([...new Set(dialer.dials.map(({ serverName }) => serverName))], [
    "api.test",
    "one.test",
    "test",
  ]);
  pool.manager.checkInvariants();
});

test("HTTPS records tell machines, ports and their order, and the name's own addresses come last", async () => {
  const zone: DnsZone = {
    "a.test": {
      A: { addresses: ["192.0.2.9"], ttl: 50 },
      HTTPS: {
        ttl: 40,
        https: [
          httpsRecord({ priority: 2, target: "other.test", values: [alpn("h2")] }),
          httpsRecord({ priority: 1, target: ".", values: [alpn("h3", "h2"), port(8443)] }),
        ],
      },
    },
    "other.test": { A: { addresses: ["192.0.2.1"], ttl: 30 } },
  };
  await withBoth(zone, { httpsRecords: true }, async (resolver) => {
    assertEquals(await resolver.resolve("a.test", never, 443), {
      addresses: [
        { address: "192.0.2.9:8443", priority: 1, protocols: ["h3", "h2", "http/1.1"] },
        { address: "192.0.2.1", priority: 2, protocols: ["h2", "http/1.1"] },
        { address: "192.0.2.9", priority: 65_536 },
      ],
      ttlMs: 30_000,
    });
  });
});

test("HTTPS records of an alias are those of its target, which needs none", async () => {
  const zone: DnsZone = {
    "a.test": {
      A: { addresses: ["192.0.2.9"] },
      HTTPS: { https: [httpsRecord({ priority: 0, target: "cdn.test" })] },
    },
    "cdn.test": { A: { addresses: ["192.0.2.1"] } },
    "b.test": {
      A: { addresses: ["192.0.2.9"] },
      HTTPS: { https: [httpsRecord({ priority: 0, target: "a.test" })] },
    },
    "none.test": {
      A: { addresses: ["192.0.2.9"] },
      HTTPS: { https: [httpsRecord({ priority: 0, target: "." })] },
    },
    "round.test": {
      A: { addresses: ["192.0.2.9"] },
      HTTPS: { https: [httpsRecord({ priority: 0, target: "round.test" })] },
    },
  };
  await withBoth(zone, { httpsRecords: true }, async (resolver) => {
    for (const name of ["a.test", "b.test"]) {
      const { addresses } = await resolver.resolve(name, never, 443);
      assertEquals(addresses, [
        { address: "192.0.2.1", priority: 1 },
        { address: "192.0.2.9", priority: 65_536 },
      ]);
    }
    for (const name of ["none.test", "round.test"]) {
      assertEquals((await resolver.resolve(name, never, 443)).addresses, ["192.0.2.9"]);
    }
  });
});

test("HTTPS records that ask for what is not known here, or not spoken, are passed over", async () => {
  const zone: DnsZone = {
    "a.test": {
      A: { addresses: ["192.0.2.9"] },
      HTTPS: {
        https: [
          httpsRecord({ priority: 1, target: "x.test", values: [[0, u16(9)], [9, []]] }),
          httpsRecord({ priority: 2, target: "x.test", values: [alpn("h3"), NO_DEFAULT_ALPN] }),
          httpsRecord({
            priority: 3,
            target: ".",
            values: [[0, u16(3)], port(1234), [65_280, [1]]],
          }),
        ],
      },
    },
    "x.test": { A: { addresses: ["192.0.2.66"] } },
  };
  await withBoth(zone, { httpsRecords: true }, async (resolver) => {
    const { addresses } = await resolver.resolve("a.test", never, 443);
    assertEquals(addresses, [
      { address: "192.0.2.9:1234", priority: 3 },
      { address: "192.0.2.9", priority: 65_536 },
    ]);
  });
});

test("SVCB records of a name lead to machines: aliases, ports, hints and what they speak", async () => {
  const zone: DnsZone = {
    "_dns.api.test": { SVCB: { https: [httpsRecord({ priority: 0, target: "svc.test" })] } },
    "svc.test": {
      SVCB: {
        ttl: 40,
        https: [
          httpsRecord({ priority: 2, target: "gone.test", values: [ipv4hint("192.0.2.7")] }),
          httpsRecord({
            priority: 1,
            target: ".",
            values: [alpn("dot"), NO_DEFAULT_ALPN, port(853)],
          }),
        ],
      },
      A: { addresses: ["192.0.2.1"], ttl: 30 },
    },
    "alias.test": { SVCB: { https: [httpsRecord({ priority: 0, target: "plain.test" })] } },
    "plain.test": { A: { addresses: ["192.0.2.2"] } },
    "none.test": { SVCB: { https: [httpsRecord({ priority: 0, target: "." })] } },
    "ill.test": { SVCB: { rcode: "SERVFAIL" } },
  };
  await withBoth(zone, {}, async (resolver) => {
    const find = (name: string) => resolver.resolveSvcb!(name, never, 443);
    assertEquals(await find("_dns.api.test"), {
      addresses: [
        { address: "192.0.2.1:853", priority: 1, protocols: ["dot"] },
        { address: "192.0.2.7", priority: 2 },
      ],
      ttlMs: 30_000,
      partial: true,
    });
    assertEquals((await find("alias.test")).addresses, [{ address: "192.0.2.2", priority: 1 }]);
    const fails = (name: string, says: string) =>
      assertRejects(() => find(name), ResolveError, says);
    await fails("none.test", "SVCB: none of its records leads to an address");
    await fails("ill.test", "SVCB: the server answered SERVFAIL");
    await fails("nowhere.test", "SVCB: the server answered NXDOMAIN");
  });
});

test("A pool finds a host's machines by SVCB records, and verifies them for the host", async () => {
  await using server = await startDnsServer({
    "_api.test": {
      SVCB: {
        https: [httpsRecord({ priority: 1, target: "one.test", values: [alpn("h2"), port(8443)] })],
      },
    },
    "one.test": { A: { addresses: ["192.0.2.1"] } },
  });
  const dialer = memoryDialer();
  await using pool = createPool({
    dialer,
    resolver: dnsResolver({ servers: [server.address], families: [4] }),
    hosts: { "api.test": { svcb: "_api.test" } },
  });
  await pool.warm("api.test", { connections: 1 });
  const [dial] = dialer.dials;
  assertEquals([dial?.address, dial?.serverName], ["192.0.2.1:8443", "api.test"]);
  pool.manager.checkInvariants();
});

/** The dials that six callers of a cold host have begun together, once the resolver has answered. */
async function dialsOfSix(resolver: Resolver): Promise<MemoryDialer["dials"]> {
  const clock = new ManualClock();
  const dialer = memoryDialer({ clock, script: () => ({ delayMs: 10 }) });
  await using pool = createPool({ clock, dialer, resolver });
  const begun = new Promise<void>((resolve) => pool.on("dial", () => resolve()));
  const stop = new AbortController();
  const requests = Array.from(
    { length: 6 },
    () => pool.request("https://a.test/", { signal: stop.signal }).catch(() => {}),
  );
  await begun;
  await turns();
  const dials = [...dialer.dials];
  stop.abort();
  await Promise.all(requests);
  pool.manager.checkInvariants();
  return dials;
}

for (const [speaks, dials] of [[["http/1.1"], 6], [["h2", "http/1.1"], 1], [[], 1]] as const) {
  test(`Callers of a cold host have ${dials} dials where its record tells ${speaks.join(" and ") || "nothing"}`, async () => {
    const values = speaks.length === 0
      ? []
      : [alpn(...speaks), ...speaks.includes("h2" as never) ? [] : [NO_DEFAULT_ALPN]];
    await using server = await startDnsServer(unhurried({
      "a.test": {
        A: { addresses: ["192.0.2.1"] },
        HTTPS: { https: [httpsRecord({ priority: 1, target: ".", values })] },
      },
    }));
    const { address } = server;
    const resolver = dnsResolver({ servers: [address], families: [4], httpsRecords: true });
    assertEquals((await dialsOfSix(resolver)).length, dials);
  });
}

for (const [protocols, dials] of [[["http/1.1"], 6], [["h2"], 1], [undefined, 1]] as const) {
  test(`Callers of a cold host have ${dials} dials where a resolver of one's own tells ${protocols}`, async () => {
    const addresses = [{ address: "192.0.2.1", protocols }];
    const begun = await dialsOfSix({ name: "own", resolve: () => Promise.resolve({ addresses }) });
    assertEquals(begun.length, dials);
    // What is offered stays what it is.
    assertEquals(begun[0]!.tls.alpn, ["h2", "http/1.1"]);
  });
}

test("Protocols of a resolver's own that are no list are refused, and the other addresses serve", async () => {
  for (const protocols of ["h2", [1], {}] as unknown[] as string[][]) {
    await using pool = createPool({
      dialer: memoryDialer(),
      resolver: {
        name: "own",
        resolve: (name) =>
          Promise.resolve({
            addresses: [
              { address: "192.0.2.1", protocols },
              ...name === "b.test" ? ["192.0.2.2"] : [],
            ],
          }),
      },
    });
    const says = "The resolver's 192.0.2.1: protocols must be a list such as [\"h2\"], got";
    await assertRejects(() => pool.acquire("a.test"), ResolveError, says);
    (await pool.acquire("b.test")).release();
    const { leftOut } = pool.stats().hosts["b.test"]!.resolution!;
    assert(leftOut[0]!.startsWith(says), leftOut[0]);
  }
});

test("Hints of HTTPS records serve where the target's addresses are not to be had", async () => {
  const zone: DnsZone = {
    "a.test": {
      HTTPS: {
        https: [httpsRecord({ priority: 1, target: "x.test", values: [ipv4hint("192.0.2.7")] })],
      },
    },
  };
  await withBoth(zone, { httpsRecords: true }, async (resolver) => {
    const found = await resolver.resolve("a.test", never, 443);
    assertEquals([found.addresses, found.partial], [[{ address: "192.0.2.7", priority: 1 }], true]);
  });
});

test("HTTPS records that lead to the name itself have its addresses asked for once", async () => {
  const record = httpsRecord({ priority: 1, target: ".", values: [port(8443)] });
  await using server = await startDnsServer(unhurried({
    "a.test": { A: { addresses: ["192.0.2.9"] }, HTTPS: { https: [record] } },
  }));
  const resolver = dnsResolver({ servers: [server.address], families: [4], httpsRecords: true });
  assertEquals((await resolver.resolve("a.test", never, 443)).addresses, [
    { address: "192.0.2.9:8443", priority: 1 },
    { address: "192.0.2.9", priority: 65_536 },
  ]);
  assertEquals([...server.asked].sort(), ["a.test A", "a.test HTTPS"]);
});

test("HTTPS records of another port are those of its own name", async () => {
  const zone: DnsZone = {
    "a.test": {
      A: { addresses: ["192.0.2.9"] },
      HTTPS: { https: [httpsRecord({ priority: 1, target: ".", values: [port(1)] })] },
    },
    "_8443._https.a.test": {
      HTTPS: { https: [httpsRecord({ priority: 1, target: ".", values: [port(2)] })] },
    },
  };
  await withBoth(zone, { httpsRecords: true }, async (resolver) => {
    assertEquals((await resolver.resolve("a.test", never, 8443)).addresses, [
      { address: "192.0.2.9:2", priority: 1 },
      { address: "192.0.2.9", priority: 65_536 },
    ]);
  });
});

test("Where HTTPS records are late, ill or malformed, the name's own addresses serve", async () => {
  const https = (reply: NonNullable<DnsZone[string]["HTTPS"]>): DnsZone[string] => ({
    A: { addresses: ["192.0.2.9"], ttl: 60 },
    HTTPS: reply,
  });
  await using server = await startDnsServer({
    "late.test": https({ silent: true }),
    "ill.test": https({ rcode: "SERVFAIL" }),
    "bad.test": https({ https: [Uint8Array.of(0)] }),
  });
  const resolver = dnsResolver({ servers: [server.address], families: [4], httpsRecords: true });
  assertEquals(await resolver.resolve("late.test", never), {
    addresses: ["192.0.2.9"],
    ttlMs: 0,
    partial: true,
  });
  for (const name of ["ill.test", "bad.test"]) {
    assertEquals(await resolver.resolve(name, never), { addresses: ["192.0.2.9"], ttlMs: 60_000 });
  }
  await assertRejects(() => resolver.resolve("gone.test", never), ResolveError, "IPv4: ");
});

test("readBinding() reads what RFC 9460 has as an example, and refuses what is malformed", () => {
  // Appendix D.2: 1 foo.example.org ( mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1 )
  const example = Uint8Array.from(
    Buffer.from(
      "001003666f6f076578616d706c65036f726700000000040001000400010009026832056833"
        + "2d3139000400" + "04c0000201",
      "hex",
    ),
  );
  assertEquals(readBinding(example), {
    priority: 16,
    target: "foo.example.org",
    protocols: ["h2", "h3-19", "http/1.1"],
    tellsProtocols: true,
    port: undefined,
    hints: ["192.0.2.1"],
    isKnown: true,
  });
  const key = (number: number) => [...u16(number), 0, 0];
  for (
    const bytes of [[], [0], [0, 1], [0, 1, 5, 97], [0, 1, 0, 0], [0, 1, 0, ...key(5), ...key(5)]]
  ) {
    assertThrows(() => readBinding(Uint8Array.from(bytes)), Error, "the record is malformed");
  }
});

test("Resolvers refuse a bad httpsRecords with an error that says what would do", () => {
  const bad = { httpsRecords: "yes" } as never;
  assertThrows(() => dnsResolver(bad), TypeError, "httpsRecords must be true or false, got");
});

test("A pool finds the pods of a headless service of Kubernetes, and follows them", async () => {
  const service = "orders.prod.svc.cluster.local";
  const ip = (last: number) => `10.1.0.${last}`;
  const pods = (...ips: string[]) => ({ A: { addresses: ips, ttl: 5 } });
  const zone: { [name: string]: DnsZone[string] } = {
    [service]: pods(ip(7), ip(8)),
    [`_https._tcp.${service}`]: {
      SRV: {
        ttl: 5,
        srv: [7, 8].map((last) => ({
          priority: 0,
          weight: 50,
          port: 8443,
          target: `10-1-0-${last}.${service}`,
        })),
      },
    },
    [`10-1-0-7.${service}`]: pods(ip(7)),
    [`10-1-0-8.${service}`]: pods(ip(8)),
  };
  await using server = await startDnsServer(zone);
  const clock = new ManualClock();
  await using pool = createPool({
    clock,
    dialer: memoryDialer({ clock }),
    resolver: dnsResolver({ servers: [server.address], families: [4] }),
    dnsMinTtlMs: 5_000,
    hosts: { "named.test": { srv: `_https._tcp.${service}` } },
  });
  await pool.warm("named.test", { connections: 2 });
  assertEquals(pool.manager.getHostMapping().get("named.test")?.toSorted(), [
    "10.1.0.7:8443",
    "10.1.0.8:8443",
  ]);
  await pool.warm(`${service}:8443`, { connections: 2 });
  const changed = new Promise<unknown>((resolve) =>
    pool.on("addresses", (event) => event.removed.length > 0 && resolve(event))
  );
  zone[service] = pods(ip(8), ip(9));
  clock.advance(5_000);
  assertEquals(await changed, {
    host: `${service}:8443`,
    added: ["10.1.0.9:8443"],
    removed: ["10.1.0.7:8443"],
  });
});

test("A pool finds the machines that Consul's DNS tells, which holds for no time", async () => {
  await using server = await startDnsServer({
    "orders.service.consul": {
      SRV: {
        ttl: 0,
        srv: [{ priority: 1, weight: 1, port: 21_001, target: "7f000001.addr.dc1.consul" }],
      },
    },
    "7f000001.addr.dc1.consul": { A: { addresses: ["127.0.0.1"], ttl: 0 } },
  });
  await using pool = createPool({
    dialer: memoryDialer(),
    resolver: dnsResolver({ servers: [server.address] }),
    dnsMinTtlMs: 5_000,
    hosts: { "orders.test": { srv: "orders.service.consul" } },
  });
  (await pool.acquire("orders.test")).release();
  assertEquals(pool.stats().hosts["orders.test"]?.resolution?.ttlMs, 5_000);
  assertEquals([...pool.manager.getHostMapping().values()], [["127.0.0.1:21001"]]);
});
