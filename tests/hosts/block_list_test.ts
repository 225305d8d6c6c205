import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { parseAddress } from "../../src/core/address.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { BlockList, type BlockOptions } from "../../src/hosts/block_list.ts";

const START = 1_000_000;

/** What blocks an address, in any spelling. */
function blocking(list: BlockList, text: string): string | undefined {
  return list.blocking(parseAddress(text))?.ip;
}

test("BlockList blocks nothing until it is told to", () => {
  const list = new BlockList(new ManualClock());
  assertEquals(blocking(list, "192.0.2.1"), undefined);
  assertEquals(list.nextExpiry, Infinity);
  assertEquals([list.list(), list.expire()], [[], []]);
  assertEquals(list.unblock("192.0.2.1"), undefined);
});

test("BlockList.block() of an IP address blocks all its ports, and no other IP address", () => {
  const list = new BlockList(new ManualClock());
  for (const [given, ip] of [["192.0.2.1", "192.0.2.1"], ["[2001:DB8:0::1]", "2001:db8::1"]]) {
    const block = list.block(given!);
    assertEquals(block, {
      ip: ip!,
      reason: undefined,
      since: START,
      until: Infinity,
      untilWell: false,
    });
  }
  assertEquals(blocking(list, "192.0.2.1"), "192.0.2.1");
  assertEquals(blocking(list, "192.0.2.1:8443"), "192.0.2.1");
  assertEquals(blocking(list, "::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(blocking(list, "192.0.2.2"), undefined);
  assertEquals(blocking(list, "192.0.2.11"), undefined);
  assertEquals(blocking(list, "2001:db8::1"), "2001:db8::1");
  assertEquals(blocking(list, "[2001:db8::1]:8443"), "2001:db8::1");
  assertEquals(blocking(list, "2001:db8::2"), undefined);
});

test("BlockList.block() of an address with a port blocks that port alone, 443 too", () => {
  for (const port of [1, 2, 443, 8443]) {
    for (const ip of ["192.0.2.1", "[2001:db8::1]"]) {
      const list = new BlockList(new ManualClock());
      assertEquals(list.block(`${ip}:${port}`).ip, `${ip}:${port}`);
      for (const other of [1, 2, 443, 444, 8443]) {
        const expected = other === port ? `${ip}:${port}` : undefined;
        assertEquals(blocking(list, `${ip}:${other}`), expected, `${ip}:${other}`);
      }
    }
  }
});

test("BlockList.expire() ends a block at its time by the clock, and not before", () => {
  const clock = new ManualClock();
  const list = new BlockList(clock);
  const block = list.block("192.0.2.1", { forMs: 1_000, reason: "too many errors" });
  assertEquals(block, {
    ip: "192.0.2.1",
    reason: "too many errors",
    since: START,
    until: START + 1_000,
    untilWell: false,
  });
  clock.advance(999);
  assertStrictEquals(list.blocking(parseAddress("192.0.2.1")), block);
  assertEquals(list.list(), [block]);
  assertEquals(list.expire(), []);
  clock.advance(1);
  assertEquals(list.expire(), [block]);
  assertEquals(blocking(list, "192.0.2.1"), undefined);
  assertEquals(list.list(), []);
  assertEquals(list.unblock("192.0.2.1"), undefined);
});

test("BlockList.expire() gives each block that is over once, the oldest first", () => {
  const clock = new ManualClock();
  const list = new BlockList(clock);
  list.block("192.0.2.1", { forMs: 3_000 });
  list.block("192.0.2.2", { forMs: 1_000 });
  list.block("192.0.2.3:443", { forMs: 2_000 });
  list.block("192.0.2.4");
  assertEquals(list.nextExpiry, START + 1_000);
  clock.advance(2_000);
  // It holds until who acts on its end learns of it.
  assertEquals(blocking(list, "192.0.2.2"), "192.0.2.2");
  assertEquals(list.nextExpiry, START + 1_000);
  assertEquals(list.expire().map(({ ip }) => ip), ["192.0.2.2", "192.0.2.3:443"]);
  assertEquals(blocking(list, "192.0.2.2"), undefined);
  assertEquals(list.expire(), []);
  assertEquals(list.nextExpiry, START + 3_000);
  assertEquals(list.list().map(({ ip }) => ip), ["192.0.2.1", "192.0.2.4"]);
  clock.advance(1_000);
  assertEquals(list.expire().map(({ ip }) => ip), ["192.0.2.1"]);
  assertEquals(list.nextExpiry, Infinity);
  clock.advance(1e12);
  assertEquals(blocking(list, "192.0.2.4"), "192.0.2.4");
});

test("BlockList.block() replaces an earlier block of the same, shorter or longer", () => {
  const clock = new ManualClock();
  const list = new BlockList(clock);
  list.block("192.0.2.1", { reason: "the first" });
  list.block("192.0.2.2");
  clock.advance(10);
  const second = list.block("::ffff:192.0.2.1", { forMs: 5 });
  assertEquals(second, {
    ip: "192.0.2.1",
    reason: undefined,
    since: START + 10,
    until: START + 15,
    untilWell: false,
  });
  assertEquals(list.list().map(({ ip }) => ip), ["192.0.2.2", "192.0.2.1"]);
  assertEquals(list.nextExpiry, START + 15);
  clock.advance(5);
  list.block("192.0.2.1");
  assertEquals(list.expire(), []);
  assertEquals(blocking(list, "192.0.2.1"), "192.0.2.1");
});

test("BlockList.blocking() gives the block that lasts longer, of the IP address or of its port", () => {
  const clock = new ManualClock();
  const list = new BlockList(clock);
  list.block("192.0.2.1", { forMs: 1_000 });
  list.block("192.0.2.1:443", { forMs: 2_000 });
  assertEquals(blocking(list, "192.0.2.1"), "192.0.2.1:443");
  assertEquals(blocking(list, "192.0.2.1:8443"), "192.0.2.1");
  list.block("192.0.2.1");
  assertEquals(blocking(list, "192.0.2.1"), "192.0.2.1");
  list.block("192.0.2.1", { forMs: 1_000 });
  clock.advance(1_000);
  assertEquals(blocking(list, "192.0.2.1"), "192.0.2.1:443");
  list.expire();
  assertEquals(blocking(list, "192.0.2.1:8443"), undefined);
});

test("BlockList.unblock() takes any spelling, ends that block alone, and gives it", () => {
  const list = new BlockList(new ManualClock());
  const all = list.block("192.0.2.1");
  const one = list.block("192.0.2.1:443");
  assertEquals(list.unblock("192.0.2.1:8443"), undefined);
  assertStrictEquals(list.unblock("[::ffff:192.0.2.1]"), all);
  assertEquals(list.unblock("192.0.2.1"), undefined);
  assertEquals(blocking(list, "192.0.2.1:8443"), undefined);
  assertEquals(blocking(list, "192.0.2.1"), "192.0.2.1:443");
  assertStrictEquals(list.unblock("192.0.2.1:443"), one);
  assertEquals(list.list(), []);
});

test("BlockList.block() refuses what is no IP address, and options that are not valid", () => {
  const list = new BlockList(new ManualClock());
  for (const text of ["", "example.com", "10.0.0.0/8", "127.1", "fe80::1%1"]) {
    assertThrows(() => list.block(text), TypeError);
    assertThrows(() => list.unblock(text), TypeError);
  }
  assertThrows(() => list.block("192.0.2.1:0"), RangeError, "from 1 to 65535");
  assertThrows(() => list.block(1 as unknown as string), TypeError, "must be a text");
  const bad: readonly (readonly [options: unknown, type: typeof TypeError, part: string])[] = [
    [null, TypeError, "The options of block() must be an object, got null"],
    [1_000, TypeError, "The options of block() must be an object, got 1000"],
    [
      { for: 1 },
      TypeError,
      "Unknown option \"for\" of block(): did you mean forMs? It takes forMs, reason, untilWell",
    ],
    [{ forMs: "1000" }, TypeError, "forMs must be a number of at least 1, got string"],
    [{ forMs: NaN }, TypeError, "forMs must be a number of at least 1, got NaN"],
    [{ forMs: 0 }, RangeError, "forMs must be a number of at least 1, got 0"],
    [{ forMs: -1 }, RangeError, "forMs must be a number of at least 1, got -1"],
    [{ reason: 5 }, TypeError, "reason must be a text, got 5"],
    [{ untilWell: 1 }, TypeError, "untilWell must be true or false, got 1"],
  ];
  for (const [options, type, part] of bad) {
    assertThrows(() => list.block("192.0.2.1", options as BlockOptions), type, part);
  }
  assertEquals(list.list(), []);
  const block = list.block("192.0.2.1", { forMs: undefined, reason: undefined });
  assertEquals(block.until, Infinity);
});
