import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import test from "node:test";
import { ResolveError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";

const never = new AbortController().signal;

test("staticResolver() knows a host by every spelling of its name, and nothing else", async () => {
  const resolver = staticResolver({ "BÜCHER.test.:8443": ["192.0.2.1", "192.0.2.2:9443"] });
  assertEquals(resolver.name, "static");
  const found = await resolver.resolve("xn--bcher-kva.test", never);
  assertEquals(found, { addresses: ["192.0.2.1", "192.0.2.2:9443"] });
  await assertRejects(
    () => resolver.resolve("a.test", never),
    ResolveError,
    "the list has only xn--bcher-kva.test",
  );
});

test("staticResolver() names a few of its hosts in an error, however many it has", async () => {
  const names = Array.from({ length: 200 }, (_, index) => `h${index}.test`);
  const resolver = staticResolver(Object.fromEntries(names.map((name) => [name, ["192.0.2.1"]])));
  const error = await assertRejects(() => resolver.resolve("a.test", never), ResolveError);
  assertStringIncludes(error.message, "h6.test, h7.test, and 192 more");
});

test("staticResolver() refuses what it could not keep apart, and what is no list of addresses", () => {
  const bad: readonly (readonly [hosts: unknown, part: string])[] = [
    [
      { "a.test": ["192.0.2.1"], "A.test:8443": ["192.0.2.2"] },
      "Host A.test:8443 is given twice: a resolver is asked for a.test, whatever the port",
    ],
    [null, "staticResolver() needs an object of hosts, got null"],
    [{ "a.test": [] }, "Host a.test needs a list of at least one address, got an empty one"],
    [{ "a.test": "192.0.2.1" }, "Host a.test needs a list of at least one address, got string"],
    [{ "a.test": ["b.test"] }, "\"b.test\" is not an IP address"],
    [{ "a b": ["192.0.2.1"] }, "neither a host name nor an IP address"],
  ];
  for (const [hosts, part] of bad) {
    assertThrows(() => staticResolver(hosts as { [host: string]: string[] }), TypeError, part);
  }
});
