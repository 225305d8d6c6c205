import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { dnsResolver } from "../../adapters/dns_resolver.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { createPool } from "../../mod.ts";
import { ResolveError } from "../../src/core/errors.ts";
import { startDnsServer } from "../support/dns_server.ts";

const never = new AbortController().signal;

test("dnsResolver() gives the addresses of both families, with the shorter of their times", async () => {
  await using server = await startDnsServer({
    "a.test": {
      A: { addresses: ["192.0.2.1", "192.0.2.2"], ttl: 120 },
      AAAA: { addresses: ["2001:db8::1"], ttl: 90 },
    },
  });
  const resolver = dnsResolver({ servers: [server.address] });
  assertEquals(resolver.name, "dns");
  const { addresses, ttlMs } = await resolver.resolve("a.test", never);
  assertEquals([addresses.slice(0, 2).toSorted(), addresses[2]], [
    ["192.0.2.1", "192.0.2.2"],
    "2001:db8::1",
  ]);
  assertEquals(ttlMs, 90_000);
  assertEquals([...server.asked].sort(), ["a.test A", "a.test AAAA"]);
});

test("dnsResolver() asks for the families that it is told, in their order", async () => {
  const both = { A: { addresses: ["192.0.2.1"] }, AAAA: { addresses: ["2001:db8::1"] } };
  await using server = await startDnsServer({ "a.test": both, "b.test": both });
  const servers = [server.address];
  const reversed = await dnsResolver({ servers, families: [6, 4] }).resolve("a.test", never);
  assertEquals(reversed.addresses, ["2001:db8::1", "192.0.2.1"]);
  const one = await dnsResolver({ servers, families: [6] }).resolve("b.test", never);
  assertEquals(one.addresses, ["2001:db8::1"]);
  assertEquals(server.asked.filter((text) => text.startsWith("b.")), ["b.test AAAA"]);
});

test("dnsResolver() passes over a family that fails where the other one answers", async () => {
  await using server = await startDnsServer({
    "four.test": { A: { addresses: ["192.0.2.1"], ttl: 7 }, AAAA: { rcode: "NXDOMAIN" } },
    "six.test": { A: { rcode: "SERVFAIL" }, AAAA: { addresses: ["2001:db8::1"], ttl: 8 } },
    "empty.test": { A: {}, AAAA: { addresses: ["2001:db8::2"], ttl: 9 } },
  });
  const resolver = dnsResolver({ servers: [server.address] });
  assertEquals(await resolver.resolve("four.test", never), {
    addresses: ["192.0.2.1"],
    ttlMs: 7_000,
  });
  assertEquals((await resolver.resolve("six.test", never)).addresses, ["2001:db8::1"]);
  assertEquals(await resolver.resolve("empty.test", never), {
    addresses: ["2001:db8::2"],
    ttlMs: 9_000,
  });
});

test("dnsResolver() waits only shortly for the second family, and wants it asked for again", async () => {
  await using server = await startDnsServer({
    "a.test": { A: { addresses: ["192.0.2.1"] }, AAAA: { silent: true } },
    "b.test": { A: { silent: true }, AAAA: { addresses: ["2001:db8::1"] } },
  });
  const resolver = dnsResolver({ servers: [server.address] });
  const begun = performance.now();
  assertEquals(await resolver.resolve("a.test", never), {
    addresses: ["192.0.2.1"],
    ttlMs: 0,
    partial: true,
  });
  assertEquals(await resolver.resolve("b.test", never), {
    addresses: ["2001:db8::1"],
    ttlMs: 0,
    partial: true,
  });
  const tookMs = performance.now() - begun;
  assert(tookMs >= 90 && tookMs < 3_000, `It took ${tookMs} ms`);
});

test("dnsResolver() says of each family why there is no address", async () => {
  await using server = await startDnsServer({
    "empty.test": {},
    "broken.test": { A: { rcode: "SERVFAIL" }, AAAA: { rcode: "NXDOMAIN" } },
  });
  const resolver = dnsResolver({ servers: [server.address] });
  for (const name of ["gone.test", "empty.test", "broken.test"]) {
    const error = await assertRejects(() => resolver.resolve(name, never), ResolveError, "IPv6: ");
    assertEquals(error.host, name);
    assert(/IPv4: \S.*; IPv6: \S/.test(error.message), error.message);
    assert(error.cause instanceof Error);
  }
});

test("dnsResolver() follows an alias", async () => {
  await using server = await startDnsServer({
    "a.test": {
      A: { aliases: [{ name: "b.test", ttl: 90 }], addresses: ["192.0.2.1"], ttl: 30 },
    },
  });
  const resolver = dnsResolver({ servers: [server.address], families: [4] });
  assertEquals(await resolver.resolve("a.test", never), {
    addresses: ["192.0.2.1"],
    ttlMs: 30_000,
  });
});

test("dnsResolver() holds an answer no longer than the alias that led to it", async () => {
  await using server = await startDnsServer({
    "a.test": {
      A: { aliases: [{ name: "b.test", ttl: 20 }], addresses: ["192.0.2.1"], ttl: 300 },
    },
  });
  const resolver = dnsResolver({ servers: [server.address], families: [4] });
  assertEquals((await resolver.resolve("a.test", never)).ttlMs, 20_000);
});

test("dnsResolver() asks over TCP for an answer that was cut short", async () => {
  await using server = await startDnsServer({
    "a.test": { A: { addresses: ["192.0.2.1", "192.0.2.2"], truncated: true } },
  });
  const resolver = dnsResolver({ servers: [server.address], families: [4] });
  const { addresses } = await resolver.resolve("a.test", never);
  assertEquals([...addresses].sort(), ["192.0.2.1", "192.0.2.2"]);
  assertEquals(server.asked, ["a.test A", "a.test A tcp"]);
});

test("dnsResolver() goes on from a silent server to the next while the caller still waits", async () => {
  await using silent = await startDnsServer({ "a.test": { A: { silent: true } } });
  await using server = await startDnsServer({ "a.test": { A: { addresses: ["192.0.2.1"] } } });
  const servers = [silent.address, server.address];
  const resolver = dnsResolver({ servers, families: [4] });
  const { addresses } = await resolver.resolve("a.test", AbortSignal.timeout(5_000));
  assertEquals(addresses, ["192.0.2.1"]);
  assert(silent.asked.length > 0);
  assertEquals(server.asked.length, 1);
});

test("dnsResolver() takes no record of another name", async () => {
  const others = { owner: "b.test", addresses: ["192.0.2.66"] };
  await using server = await startDnsServer({
    "a.test": { A: others },
    "alias.test": { A: { ...others, aliases: [{ name: "c.test", ttl: 60 }] } },
  });
  const resolver = dnsResolver({ servers: [server.address], families: [4] });
  for (const name of ["a.test", "alias.test"]) {
    await assertRejects(() => resolver.resolve(name, never), ResolveError, "NODATA");
  }
});

test("dnsResolver() takes a slow answer while it asks the next server already", async () => {
  await using slow = await startDnsServer({
    "a.test": { A: { addresses: ["192.0.2.1"], delayMs: 1_700 } },
  });
  await using silent = await startDnsServer({ "a.test": { A: { silent: true } } });
  const servers = [slow.address, silent.address];
  const { addresses } = await dnsResolver({ servers, families: [4] }).resolve("a.test", never);
  assertEquals(addresses, ["192.0.2.1"]);
  assertEquals([slow.asked.length, silent.asked.length], [1, 1]);
});

test("dnsResolver() gives up when all have been silent for as long as they may", async () => {
  await using silent = await startDnsServer({ "a.test": { A: { silent: true } } });
  const resolver = dnsResolver({ servers: [silent.address], families: [4] });
  await assertRejects(() => resolver.resolve("a.test", never), ResolveError, "within 1500 ms");
  assertEquals(silent.asked.length, 2);
});

test("dnsResolver() goes on to the next server where one is ill", async () => {
  await using broken = await startDnsServer({ "a.test": { A: { rcode: "SERVFAIL" } } });
  await using closed = await startDnsServer({ "a.test": { A: { rcode: "REFUSED" } } });
  await using server = await startDnsServer({ "a.test": { A: { addresses: ["192.0.2.1"] } } });
  const all = [broken, closed, server];
  const resolver = dnsResolver({ servers: all.map(({ address }) => address), families: [4] });
  assertEquals((await resolver.resolve("a.test", never)).addresses, ["192.0.2.1"]);
  assertEquals(all.map(({ asked }) => asked.length), [1, 1, 1]);
});

test("dnsResolver() asks no second server where the first one knows that there is no such name", async () => {
  await using first = await startDnsServer({});
  await using second = await startDnsServer({ "a.test": { A: { addresses: ["192.0.2.1"] } } });
  const servers = [first.address, second.address];
  const resolver = dnsResolver({ servers, families: [4] });
  await assertRejects(() => resolver.resolve("a.test", never), ResolveError, "NXDOMAIN");
  assertEquals([first.asked, second.asked], [["a.test A"], []]);
});

test("dnsResolver() ends with the signal, and rejects with its reason untouched", async () => {
  await using server = await startDnsServer({
    "a.test": { A: { silent: true }, AAAA: { silent: true } },
  });
  const resolver = dnsResolver({ servers: [server.address] });
  const reason = { not: "an error" };
  const stop = new AbortController();
  const pending = resolver.resolve("a.test", stop.signal);
  setTimeout(() => stop.abort(reason), 50);
  assertStrictEquals(await pending.catch((error: unknown) => error), reason);
  const asked = server.asked.length;
  assertStrictEquals(
    await resolver.resolve("a.test", stop.signal).catch((error: unknown) => error),
    reason,
  );
  assertEquals(server.asked.length, asked);
});

test("dnsResolver() refuses bad options with an error that says what would do", () => {
  const make = (options: unknown) => () => dnsResolver(options as never);
  assertThrows(make({ server: "192.0.2.53" }), TypeError, "Unknown option \"server\"");
  assertThrows(make({ servers: [] }), TypeError, "at least one IP address");
  assertThrows(make({ servers: "192.0.2.53" }), TypeError, "at least one IP address, got string");
  assertThrows(make({ servers: ["dns.test"] }), TypeError, "not an IP address");
  assertThrows(make({ servers: ["192.0.2.53:0"] }), RangeError, "port");
  assertThrows(make({ families: [] }), TypeError, "list of 4, 6 or both, got []");
  assertThrows(make({ families: [4, 4] }), TypeError, "got [4, 4]");
  assertThrows(make({ families: [5] }), TypeError, "got [5]");
  assertThrows(make({ families: 4 }), TypeError, "got 4");
});

test("A pool finds a host's machines over DNS", async () => {
  await using server = await startDnsServer({
    "a.test": { A: { addresses: ["192.0.2.7"] }, AAAA: { addresses: ["2001:db8::7"] } },
  });
  await using pool = createPool({
    dialer: memoryDialer(),
    resolver: dnsResolver({ servers: [server.address] }),
  });
  await pool.warm("a.test:8443", { connections: 2 });
  assertEquals([...pool.manager.getHostMapping()], [
    ["a.test:8443", ["192.0.2.7:8443", "[2001:db8::7]:8443"]],
  ]);
});
