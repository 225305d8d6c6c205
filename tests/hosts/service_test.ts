import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ConnectionPool, parseHost } from "../../mod.ts";
import { ResolveError } from "../../src/core/errors.ts";
import type { Resolution, ResolvedAddress, Resolver, SrvRecord } from "../../src/hosts/resolver.ts";
import { resolveService } from "../../src/hosts/service.ts";

const never = new AbortController().signal;
const service = { name: "_api._tcp.test", verifyTarget: false };

/** A resolver with such records, and an address for each target that it knows. */
function resolverOf(
  records: readonly SrvRecord[],
  targets: { readonly [name: string]: Resolution } = {},
): Resolver {
  return {
    name: "scripted",
    resolve: (name) =>
      targets[name]
        ? Promise.resolve(targets[name])
        : Promise.reject(new ResolveError(name, "unknown")),
    resolveSrv: () => Promise.resolve({ records, ttlMs: 60_000 }),
  };
}

const record = (target: string, priority: number, weight: number, port = 8443): SrvRecord => ({
  target,
  priority,
  weight,
  port,
});

test("SVCB records are looked up by a resolver that can, with the host's port", async () => {
  const svcb = { type: "SVCB", name: "_api.test", verifyTarget: false } as const;
  const asked: unknown[] = [];
  const resolver: Resolver = {
    ...resolverOf([]),
    resolveSvcb: (name, _signal, port) => {
      asked.push([name, port]);
      return Promise.resolve({ addresses: ["192.0.2.1"] });
    },
  };
  assertEquals((await resolveService(resolver, svcb, never, 8443)).addresses, ["192.0.2.1"]);
  assertEquals(asked, [["_api.test", 8443]]);
  await assertRejects(
    () => resolveService(resolverOf([]), svcb, never),
    ResolveError,
    "can look up no SVCB records: it has no resolveSvcb()",
  );
});

test("SRV records give each address its target's port, priority and part of the weight", async () => {
  const resolver = resolverOf([record("a.test", 1, 6), record("b.test", 2, 5, 443)], {
    "a.test": { addresses: ["192.0.2.1", "2001:db8::1"], ttlMs: 30_000 },
    "b.test": { addresses: ["192.0.2.2:7"], ttlMs: 90_000 },
  });
  assertEquals(await resolveService(resolver, service, never), {
    addresses: [
      { address: "192.0.2.1:8443", priority: 1, weight: 3 },
      { address: "[2001:db8::1]:8443", priority: 1, weight: 3 },
      { address: "192.0.2.2:443", priority: 2, weight: 5 },
    ],
    ttlMs: 30_000,
  });
});

test("SRV records without a weight share one part of it, as RFC 2782 draws them", async () => {
  const addresses = Object.fromEntries(
    ["a.test", "b.test", "c.test"].map((name, i) => [name, { addresses: [`192.0.2.${i + 1}`] }]),
  );
  const weights = async (...records: SrvRecord[]) => {
    const found = await resolveService(resolverOf(records, addresses), service, never);
    return found.addresses.map((item) => (item as ResolvedAddress).weight);
  };
  assertEquals(
    await weights(record("a.test", 0, 9), record("b.test", 0, 0), record("c.test", 0, 0)),
    [9, 0.5, 0.5],
  );
  assertEquals(await weights(record("a.test", 0, 0), record("b.test", 1, 0)), [1, 1]);
});

test("A target that has no address now, or a part of them, makes the answer a part", async () => {
  const addresses = ["192.0.2.1"];
  for (const partial of [true, undefined, false]) {
    const targets = { "a.test": { addresses, ...partial !== undefined && { partial } } };
    const resolver = resolverOf([record("a.test", 1, 1)], targets);
    const found = await resolveService(resolver, service, never);
    assertEquals([found.partial, found.addresses.length], [partial || undefined, 1]);
  }
  const resolver = resolverOf([record("a.test", 1, 1), record("gone.test", 1, 1)], {
    "a.test": { addresses },
  });
  const found = await resolveService(resolver, service, never);
  assertEquals([found.partial, found.addresses.length], [true, 1]);
});

test("Where neither SRV records nor targets tell for how long they hold, the answer tells nothing", async () => {
  const resolver: Resolver = {
    ...resolverOf([], { "a.test": { addresses: ["192.0.2.1"] } }),
    resolveSrv: () => Promise.resolve({ records: [record("a.test", 0, 1)] }),
  };
  const found = await resolveService(resolver, service, never);
  assertEquals(found, { addresses: [{ address: "192.0.2.1:8443", priority: 0, weight: 1 }] });
});

test("SRV records that lead nowhere are an error that says so", async () => {
  const fails = (resolver: Resolver, detail: string) =>
    assertRejects(() => resolveService(resolver, service, never), ResolveError, detail);
  await fails(resolverOf([]), "gave none for a list of SRV records");
  await fails(resolverOf([record(".", 0, 0, 0)]), "says that there is no such service");
  await fails(resolverOf([record("gone.test", 0, 0)]), "none of its targets has an address");
  await fails({ name: "plain", resolve: () => Promise.reject(new Error()) }, "no resolveSrv()");
});

test("The signal's reason ends the search for targets untouched", async () => {
  const stop = new AbortController();
  const reason = { not: "an error" };
  const resolver: Resolver = {
    ...resolverOf([record("a.test", 0, 0)]),
    resolve: () => {
      stop.abort(reason);
      return Promise.reject(new Error("ended"));
    },
  };
  const error = await resolveService(resolver, service, stop.signal).catch((e: unknown) => e);
  assertStrictEquals(error, reason);
});

test("parseHost() reads the name of SRV records, and the host that they are for", () => {
  assertEquals(parseHost("srv:_API._tcp.Example"), {
    text: "srv:_api._tcp.example",
    name: "example",
    port: 443,
    isLiteral: false,
    srv: "_api._tcp.example",
  });
  assertEquals(parseHost("srv:web.service.consul").name, "web.service.consul");
  for (const text of ["srv:_api._tcp.example:8443", "srv:192.0.2.1", "srv:_api._tcp"]) {
    assertThrows(() => parseHost(text), TypeError, "names no SRV records");
  }
  assertThrows(() => parseHost("srv:"), TypeError, "must be a text that is not empty");
});

test("A pool refuses bad SRV options with an error that says what would do", () => {
  const make = (options: object, resolver: Resolver = resolverOf([])) => () =>
    new ConnectionPool({ dialer: memoryDialer(), resolver, hosts: { "a.test": options } });
  assertThrows(
    make({ srv: "_api._tcp.test:1" }),
    TypeError,
    "hosts[\"a.test\"].srv must be a name",
  );
  assertThrows(make({ srv: "192.0.2.1" }), TypeError, "hosts[\"a.test\"].srv must be a name");
  assertThrows(make({ srv: 5 }), TypeError, "hosts[\"a.test\"].srv: The host must be a text");
  assertThrows(
    make({ srv: "_api._tcp.test", addresses: ["192.0.2.1"] }),
    TypeError,
    "has both addresses and srv",
  );
  assertThrows(make({ verifySrvTarget: true }), TypeError, "verifySrvTarget needs");
  assertThrows(
    make({ srv: "_api._tcp.test", verifySrvTarget: 1 }),
    TypeError,
    "must be true or false, got 1",
  );
  const { resolveSrv: _, ...plain } = resolverOf([]);
  assertThrows(make({ srv: "_api._tcp.test" }, plain), TypeError, "can look up no SRV records");
});

test("A pool refuses a bad svcb with an error that names it, and says what would do", () => {
  const resolver: Resolver = {
    ...resolverOf([]),
    resolveSvcb: () => Promise.resolve({ addresses: ["192.0.2.1"] }),
  };
  const make = (options: object, host = "a.test", over: Resolver = resolver) => () =>
    new ConnectionPool({ dialer: memoryDialer(), resolver: over, hosts: { [host]: options } });
  const name = "hosts[\"a.test\"].svcb";
  for (const svcb of ["_api.test:1", "192.0.2.1", "srv:_api._tcp.test"]) {
    const says = `${name} must be a name such as _api.example, without a port, got "${svcb}"`;
    assertThrows(make({ svcb }), TypeError, says);
  }
  for (const svcb of [5, null, "", {}]) assertThrows(make({ svcb }), TypeError, `${name}: `);
  const svcb = "_api.test";
  assertThrows(make({ svcb, addresses: ["192.0.2.1"] }), TypeError, "has both addresses and svcb");
  for (const other of [svcb, ""]) {
    const both = { srv: "_api._tcp.test", svcb: other };
    assertThrows(make(both), TypeError, "has both svcb and srv");
  }
  assertThrows(make({ svcb, verifySrvTarget: true }), TypeError, "verifySrvTarget needs");
  assertThrows(make({ svcb }, "192.0.2.1"), TypeError, "it takes no svcb");
  const cannot = make({ svcb }, "a.test", resolverOf([]));
  assertThrows(cannot, TypeError, "can look up no SVCB records");
});
