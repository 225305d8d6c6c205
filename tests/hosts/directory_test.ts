import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import test from "node:test";
import { parseAddress, parseHost } from "../../src/core/address.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { ResolveError } from "../../src/core/errors.ts";
import { HostDirectory, type HostDirectoryOptions } from "../../src/hosts/directory.ts";
import type { Resolution } from "../../src/hosts/resolver.ts";
import { turns } from "../support/turns.ts";

const host = parseHost("a.test");
const one = { addresses: ["192.0.2.1"], ttlMs: 60_000 };

/** What a resolver does when it is asked; it may do anything. */
type Reply = (name: string, signal: AbortSignal) => unknown;

/** A directory over a resolver that answers as it is told, on a clock that the test moves. */
class World {
  readonly clock = new ManualClock();
  readonly changes: string[] = [];
  readonly asked: string[] = [];
  readonly directory: HostDirectory;
  reply: Reply;

  constructor(reply: Reply | Resolution, options: Partial<HostDirectoryOptions> = {}) {
    this.reply = typeof reply === "function" ? reply : () => Promise.resolve(reply);
    this.directory = new HostDirectory({
      resolver: {
        name: "scripted",
        resolve: (name, signal) => {
          this.asked.push(name);
          return this.reply(name, signal) as Promise<Resolution>;
        },
      },
      clock: this.clock,
      minTtlMs: 10_000,
      maxTtlMs: 600_000,
      defaultTtlMs: 60_000,
      staleMs: 300_000,
      timeoutMs: 5_000,
      onChange: ({ text }, { added, removed }) => {
        const texts = [
          ...added.map((address) => `+${address.text}`),
          ...removed.map((address) => `-${address.text}`),
        ];
        this.changes.push(`${text} ${texts.join(" ")}`);
      },
      ...options,
    });
  }

  answer(...addresses: string[]): void {
    this.reply = () => Promise.resolve({ addresses, ttlMs: 60_000 });
  }

  fail(): void {
    this.reply = () => Promise.reject(new Error("the resolver is ill"));
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await turns();
  }

  /** What is known of the host, in texts. */
  known(): string[] | undefined {
    return this.directory.known(host)?.map(({ text }) => text);
  }
}

test("HostDirectory asks once for many callers, and knows the answer from then on", async () => {
  const world = new World({ addresses: ["192.0.2.1", "192.0.2.2:8443", "192.0.2.1"] });
  assertEquals(world.known(), undefined);
  const answers = await Promise.all([1, 2, 3].map(() => world.directory.lookUp(host)));
  assertEquals(world.asked, ["a.test"]);
  assertEquals(answers[0]?.map(({ text }) => text), ["192.0.2.1", "192.0.2.2:8443"]);
  assertStrictEquals(world.directory.known(host), answers[0]);
  assertStrictEquals(await world.directory.lookUp(host), answers[0]);
  assertEquals(world.asked.length, 1);
});

test("HostDirectory gives addresses without a port that of the host", async () => {
  const world = new World({ addresses: ["192.0.2.1", "192.0.2.2:9443"] });
  const found = await world.directory.lookUp(parseHost("a.test:8443"));
  assertEquals(found.map(({ text }) => text), ["192.0.2.1:8443", "192.0.2.2:9443"]);
  assertEquals(world.asked, ["a.test"]);
});

test("HostDirectory never asks for an address literal, or for a host that is configured", async () => {
  const configured = [parseAddress("192.0.2.7"), parseAddress("192.0.2.8")];
  const world = new World(one, { fixed: new Map([["a.test:8443", configured]]) });
  const literal = parseHost("[2001:db8::1]:8443");
  const fixed = parseHost("A.test:8443");
  for (const [asked, expected] of [[literal, [parseAddress(literal.text)]], [fixed, configured]]) {
    assertEquals(world.directory.known(asked as never), expected as never);
    assertEquals(await world.directory.lookUp(asked as never), expected as never);
  }
  assertStrictEquals(world.directory.known(literal), world.directory.known(literal));
  assertEquals(world.directory.info(literal), undefined);
  assertEquals(world.directory.info(fixed), {
    source: "fixed",
    addresses: ["192.0.2.7", "192.0.2.8"],
    resolvedAt: null,
    expiresAt: null,
    ttlMs: null,
    stale: false,
    error: null,
    leftOut: [],
  });
  assertEquals([world.asked, world.changes, world.clock.timers], [[], [], 0]);
});

test("HostDirectory asks again in the background a little before an answer runs out", async () => {
  const ages: number[] = [];
  for (let i = 0; i < 20; i++) {
    const world = new World(one);
    for (let skip = 0; skip < i; skip++) world.clock.random();
    await world.directory.lookUp(host);
    const begun = world.clock.now();
    while (world.asked.length < 2) await world.pass(100);
    ages.push(world.clock.now() - begun);
    world.directory.close();
    assertEquals(world.clock.timers, 0);
  }
  assert(ages.every((age) => age >= 54_000 && age <= 60_000), `${ages}`);
  assert(new Set(ages).size > 10, `Hosts ask together: ${ages}`);
});

test("HostDirectory holds an answer within bounds, and by default where it does not tell", async () => {
  const cases: [told: unknown, ttlMs: number][] = [
    [undefined, 60_000],
    [0, 10_000],
    [-5, 10_000],
    [10_001, 10_001],
    [9e9, 600_000],
    [Infinity, 600_000],
    [NaN, 60_000],
    ["5", 60_000],
  ];
  for (const [ttlMs, expected] of cases) {
    const world = new World(() => Promise.resolve({ addresses: ["192.0.2.1"], ttlMs }));
    await world.directory.lookUp(host);
    const now = world.clock.now();
    assertEquals(world.directory.info(host), {
      source: "scripted",
      addresses: ["192.0.2.1"],
      resolvedAt: now,
      expiresAt: now + expected,
      ttlMs: expected,
      stale: false,
      error: null,
      leftOut: [],
    });
    await world.pass(expected * 0.9 - 1);
    assertEquals(world.asked.length, 1);
    await world.pass(expected * 0.1 + 1);
    assertEquals(world.asked.length, 2);
    world.directory.close();
  }
});

test("HostDirectory has one timer for all hosts, and asks for each when it is due", async () => {
  const ttls = { "a.test": 500_000, "b.test": 20_000, "c.test": 100_000 };
  const world = new World((name) =>
    Promise.resolve({ addresses: ["192.0.2.1"], ttlMs: ttls[name as keyof typeof ttls] })
  );
  await Promise.all(Object.keys(ttls).map((name) => world.directory.lookUp(parseHost(name))));
  assertEquals(world.clock.timers, 1);
  world.asked.length = 0;
  for (let i = 0; i < 1_000; i++) await world.pass(500);
  const count = (name: string) => world.asked.filter((asked) => asked === name).length;
  assertEquals([count("a.test"), count("c.test")], [1, 5]);
  assert(count("b.test") >= 25 && count("b.test") <= 28, `${count("b.test")}`);
  assertEquals(world.clock.timers, 1);
  world.directory.close();
  assertEquals(world.clock.timers, 0);
});

test("HostDirectory tells what has changed, and keeps its order where nothing has", async () => {
  const world = new World({ addresses: ["192.0.2.1", "192.0.2.2"], ttlMs: 60_000 });
  const first = await world.directory.lookUp(host);
  await turns();
  assertEquals(world.changes.splice(0), ["a.test +192.0.2.1 +192.0.2.2"]);
  world.answer("192.0.2.2", "192.0.2.1");
  await world.pass(60_000);
  assertEquals([world.asked.length, world.changes], [2, []]);
  assertStrictEquals(world.directory.known(host), first);
  world.answer("192.0.2.3", "192.0.2.2");
  await world.pass(60_000);
  assertEquals(world.changes.splice(0), ["a.test +192.0.2.3 -192.0.2.1"]);
  assertEquals(world.known(), ["192.0.2.3", "192.0.2.2"]);
});

test("HostDirectory takes nothing to be gone that a part of an answer leaves out, but not for ever", async () => {
  const world = new World(one);
  let count = 1;
  world.reply = () =>
    Promise.resolve({ addresses: [`192.0.2.${count++}`], ttlMs: 60_000, partial: true });
  await world.directory.lookUp(host);
  await world.pass(60_000);
  assertEquals(world.known(), ["192.0.2.2", "192.0.2.1"]);
  assertEquals(world.changes.splice(0), ["a.test +192.0.2.1", "a.test +192.0.2.2"]);
  for (let i = 0; i < 20; i++) await world.pass(60_000);
  // As long as a last good answer serves, each since it was last told: five minutes here.
  const last = count - 1;
  assertEquals(
    world.known(),
    [0, 1, 2, 3, 4].map((ago) => `192.0.2.${last - ago}`),
  );
  assertEquals(world.changes.at(-1), `a.test +192.0.2.${last} -192.0.2.${last - 5}`);
  // What is told again stays, and a whole answer is the last word.
  world.reply = () =>
    Promise.resolve({ addresses: [`192.0.2.${last}`], ttlMs: 60_000, partial: true });
  for (let i = 0; i < 10; i++) await world.pass(60_000);
  assertEquals(world.known(), [`192.0.2.${last}`]);
  world.answer("192.0.2.250");
  await world.pass(60_000);
  assertEquals(world.known(), ["192.0.2.250"]);
  world.directory.close();
});

test("HostDirectory is not hurt by who is told of changes, nor calls him in the middle of a call", async () => {
  for (
    const onChange of [
      () => {
        throw new Error("thrown");
      },
      () => Promise.reject(new Error("rejected")),
    ]
  ) {
    let told = 0;
    const world = new World(one, {
      onChange: () => {
        told++;
        return onChange() as never;
      },
    });
    await world.directory.lookUp(host);
    world.answer("192.0.2.2");
    await world.pass(60_000);
    assertEquals(world.known(), ["192.0.2.2"]);
    world.fail();
    await world.pass(60_000);
    await turns();
    const before = told;
    world.clock.advance(0);
    // The last good answer is too old by now, and a look at it drops it.
    const late = world.clock.now() + 300_000;
    world.clock.now = () => late;
    assertEquals(world.directory.known(host), undefined);
    assertEquals(told, before);
    await turns();
    assertEquals(told, before + 1);
  }
});

test("HostDirectory serves its last good answer while the resolver fails, and asks ever less often", async () => {
  const world = new World(one);
  await world.directory.lookUp(host);
  world.fail();
  await world.pass(60_000);
  const first = world.clock.now();
  const pauses: number[] = [];
  let last = first;
  while (pauses.length < 8) {
    const asked = world.asked.length;
    await world.pass(500);
    assertEquals(world.known(), ["192.0.2.1"]);
    if (world.asked.length === asked) continue;
    assertEquals(world.asked.length, asked + 1);
    pauses.push(world.clock.now() - last);
    last = world.clock.now();
  }
  // The first failure came a little before the answer ran out, by its jitter.
  assertEquals(pauses.slice(3), [8_000, 16_000, 30_000, 30_000, 30_000].slice(0, 5));
  const { error, stale, addresses } = world.directory.info(host)!;
  assertEquals([addresses, stale], [["192.0.2.1"], true]);
  assert(error?.includes("the resolver is ill"), `${error}`);
  world.answer("192.0.2.1");
  await world.pass(30_000);
  assertEquals(world.directory.info(host)?.error, null);
  assertEquals(world.directory.info(host)?.stale, false);
  assertEquals(world.changes, ["a.test +192.0.2.1"]);
  world.fail();
  await world.pass(60_000);
  const asked = world.asked.length;
  await world.pass(1_000);
  assert(world.asked.length > asked, "A good answer ends the long pauses");
  world.directory.close();
});

test("HostDirectory drops an answer that has served too long while the resolver fails", async () => {
  const world = new World(one);
  await world.directory.lookUp(host);
  const answeredAt = world.clock.now();
  world.fail();
  await world.pass(299_999);
  assertEquals(world.known(), ["192.0.2.1"]);
  await world.pass(1);
  assertEquals(world.clock.now(), answeredAt + 300_000);
  // By its timer: nobody has looked.
  assertEquals(world.changes, ["a.test +192.0.2.1", "a.test -192.0.2.1"]);
  assertEquals(world.known(), undefined);
  await assertRejects(() => world.directory.lookUp(host), ResolveError, "is ill");
  const asked = world.asked.length;
  await world.pass(600_000);
  assertEquals([world.asked.length, world.clock.timers > 1], [asked, false]);
  world.answer("192.0.2.1");
  assertEquals((await world.directory.lookUp(host)).length, 1);
  assertEquals(world.changes.slice(2), ["a.test +192.0.2.1"]);
});

test("HostDirectory lets an answer serve out its own time, however short a stale one may", async () => {
  const world = new World(one, { staleMs: 0 });
  await world.directory.lookUp(host);
  world.fail();
  await world.pass(59_999);
  assertEquals(world.asked.length > 1, true);
  assertEquals(world.known(), ["192.0.2.1"]);
  await world.pass(1);
  assertEquals(world.known(), undefined);
});

test("HostDirectory keeps a last good answer for ever where it is told so", async () => {
  const world = new World(one, { staleMs: Infinity });
  await world.directory.lookUp(host);
  world.fail();
  await world.pass(60_000);
  for (let i = 0; i < 50; i++) await world.pass(86_400_000);
  assertEquals(world.known(), ["192.0.2.1"]);
  world.directory.close();
});

test("HostDirectory remembers for a second that there is no answer", async () => {
  const world = new World(() => Promise.reject(new ResolveError("a.test", "NXDOMAIN")));
  const error = await assertRejects(() => world.directory.lookUp(host), ResolveError, "NXDOMAIN");
  await world.pass(999);
  assertStrictEquals(await world.directory.lookUp(host).catch((error: unknown) => error), error);
  assertEquals(world.asked.length, 1);
  assertEquals(world.directory.info(host), {
    source: "scripted",
    addresses: [],
    resolvedAt: null,
    expiresAt: null,
    ttlMs: null,
    stale: false,
    error: error.message,
    leftOut: [],
  });
  await world.pass(1);
  assertEquals(world.asked.length, 1);
  world.answer("192.0.2.1");
  assertEquals((await world.directory.lookUp(host)).length, 1);
});

test("HostDirectory leaves out what cannot be dialled, uses the rest, and says so", async () => {
  const world = new World(() =>
    Promise.resolve({ addresses: ["fe80::1%eth0", "192.0.2.1", null, "192.0.2.2"] })
  );
  const found = await world.directory.lookUp(host);
  assertEquals(found.map(({ text }) => text), ["192.0.2.1", "192.0.2.2"]);
  const { error, leftOut } = world.directory.info(host)!;
  assertEquals(error, null);
  assertEquals(leftOut.length, 2);
  assertStringIncludes(leftOut[0]!, "\"fe80::1%eth0\" has a zone id");
  world.answer("192.0.2.1");
  await world.pass(60_000);
  assertEquals(world.directory.info(host)?.leftOut, []);
  world.directory.close();
});

test("HostDirectory makes a ResolveError of whatever nonsense a resolver gives", async () => {
  const cases: [reply: Reply, text: string][] = [
    [() => Promise.resolve({ addresses: [] }), "gave none"],
    [() => Promise.resolve({ addresses: ["nonsense"] }), "not an IP address"],
    [() => Promise.resolve({ addresses: ["nonsense", "192.0.2.1:99999"] }), "port"],
    [() => Promise.resolve({ addresses: [null] }), "must be a text"],
    [() => Promise.resolve({ addresses: "192.0.2.1" }), "string for a list"],
    [() => Promise.resolve({}), "undefined for a list"],
    [() => Promise.resolve(["192.0.2.1"]), "undefined for a list"],
    [() => Promise.resolve(undefined), "undefined for a list"],
    [() => Promise.resolve(null), "undefined for a list"],
    [() => undefined, "undefined for a list"],
    [() => Promise.reject(undefined), "undefined"],
    [() => Promise.reject("text"), "text"],
    [() => {
      throw new RangeError("at once");
    }, "at once"],
  ];
  for (const [reply, text] of cases) {
    const world = new World(reply);
    const error = await assertRejects(() => world.directory.lookUp(host), ResolveError, text);
    assertEquals([error.host, world.known()], ["a.test", undefined]);
    assertEquals(world.clock.timers, 0);
    await world.pass(1_000);
    world.answer("192.0.2.1");
    assertEquals((await world.directory.lookUp(host)).length, 1);
    // And with an answer at hand, it harms nothing.
    world.reply = reply;
    await world.pass(60_000);
    assertEquals(world.known(), ["192.0.2.1"]);
    assertNotEquals(world.directory.info(host)?.error, null);
    world.directory.close();
  }
});

test("HostDirectory gives a resolver up that never settles, and hears nothing of it later", async () => {
  let settle = (_: Resolution) => {};
  let signal: AbortSignal | undefined;
  const world = new World((_, given) => {
    signal = given;
    return new Promise<Resolution>((resolve) => settle = resolve);
  });
  const looked = assertRejects(() => world.directory.lookUp(host), ResolveError, "within 5000 ms");
  await world.pass(4_999);
  assertEquals(signal?.aborted, false);
  await world.pass(1);
  await looked;
  assert(signal?.reason instanceof ResolveError);
  settle(one);
  await turns();
  assertEquals([world.known(), world.changes, world.clock.timers], [undefined, [], 0]);
});

test("HostDirectory asks no more for a host that is forgotten", async () => {
  const world = new World(one);
  await world.directory.lookUp(host);
  world.directory.forget("a.test");
  world.directory.forget("b.test");
  assertEquals(world.directory.info(host), undefined);
  await world.pass(1_000_000);
  assertEquals([world.known(), world.asked.length], [undefined, 1]);
  assertEquals(world.changes, ["a.test +192.0.2.1"]);
});

test("HostDirectory uses the answer for a host that was forgotten until it runs out", async () => {
  const world = new World(one);
  await world.directory.lookUp(host);
  world.directory.forget("a.test");
  await world.pass(40_000);
  assertEquals([world.known(), world.asked.length], [["192.0.2.1"], 1]);
  // It is in use again: it is asked for again in time.
  await world.pass(20_000);
  assertEquals([world.known(), world.asked.length], [["192.0.2.1"], 2]);
  world.directory.forget("a.test");
  world.answer("192.0.2.2");
  await world.pass(60_000);
  assertEquals([world.known(), world.asked.length], [undefined, 2]);
  const [found, again] = await Promise.all(
    [host, host].map((host) => world.directory.lookUp(host)),
  );
  assertEquals([found?.[0]?.text, again?.[0]?.text, world.asked.length], [
    "192.0.2.2",
    "192.0.2.2",
    3,
  ]);
  assertEquals(world.changes, ["a.test +192.0.2.1", "a.test +192.0.2.2 -192.0.2.1"]);
});

test("HostDirectory uses the last answer for a host that was forgotten while the resolver fails, unless it is too old", async () => {
  const world = new World(one);
  await world.directory.lookUp(host);
  world.directory.forget("a.test");
  world.fail();
  await world.pass(299_000);
  assertEquals((await world.directory.lookUp(host)).map(({ text }) => text), ["192.0.2.1"]);
  assertEquals(world.known(), ["192.0.2.1"]);
  world.directory.forget("a.test");
  await world.pass(2_000);
  await assertRejects(() => world.directory.lookUp(host), ResolveError, "the resolver is ill");
  // It was young enough when the resolver was asked, and is too old when that fails.
  const late = new World(one, { staleMs: 120_000 });
  await late.directory.lookUp(host);
  late.directory.forget("a.test");
  await late.pass(118_000);
  late.reply = () => new Promise(() => {});
  const asked = assertRejects(() => late.directory.lookUp(host), ResolveError, "no answer within");
  await late.pass(5_000);
  await asked;
  assertEquals(late.known(), undefined);
  late.directory.close();
});

test("HostDirectory keeps the last answers for a thousand hosts that were forgotten", async () => {
  const world = new World(one);
  const hosts = Array.from({ length: 1_001 }, (_, number) => parseHost(`h${number}.test`));
  for (const host of hosts) {
    await world.directory.lookUp(host);
    world.directory.forget(host.text);
  }
  assertEquals(world.directory.known(hosts[0]!), undefined);
  for (const host of hosts.slice(1)) assertEquals(world.directory.known(host)?.length, 1);
});

test("HostDirectory forgets a host with the last of its users", async () => {
  const world = new World(one);
  world.directory.use(host);
  world.directory.use(host);
  await world.directory.lookUp(host);
  world.directory.forget("a.test");
  assertEquals(world.known(), ["192.0.2.1"]);
  await world.pass(60_000);
  assertEquals(world.asked.length, 2);
  world.directory.forget("a.test");
  assertEquals(world.directory.info(host), undefined);
});

test("HostDirectory forgets a host that is being asked for when it has its answer, unless it is wanted again", async () => {
  for (const wanted of [false, true]) {
    let settle = (_: Resolution) => {};
    const world = new World(() => new Promise<Resolution>((resolve) => settle = resolve));
    const looked = world.directory.lookUp(host);
    world.directory.forget("a.test");
    const again = wanted ? world.directory.lookUp(host) : looked;
    await turns();
    settle(one);
    assertEquals((await looked).length, 1);
    assertEquals(await again, await looked);
    await turns();
    assertEquals(world.asked.length, 1);
    assertEquals(world.directory.info(host)?.addresses, wanted ? ["192.0.2.1"] : undefined);
    assertEquals(world.changes.length, wanted ? 1 : 0);
    world.directory.close();
  }
});

test("HostDirectory.close() ends what is under way and every timer, and keeps what is known", async () => {
  const world = new World(one);
  await world.directory.lookUp(host);
  let signal: AbortSignal | undefined;
  world.reply = (_, given) => {
    signal = given;
    return new Promise(() => {});
  };
  const other = parseHost("b.test");
  const looked = assertRejects(() => world.directory.lookUp(other), ResolveError, "closed");
  await turns();
  world.directory.close();
  assertEquals(world.clock.timers, 0);
  await looked;
  assert(signal?.aborted);
  assertEquals(world.known(), ["192.0.2.1"]);
  await assertRejects(() => world.directory.lookUp(other), ResolveError, "closed");
  world.clock.advance(100_000);
  assertEquals(world.known(), ["192.0.2.1"]);
  await turns();
  assertEquals([world.asked.length, world.clock.timers], [2, 0]);
});

test("HostDirectory does not go round where its resolver looks the same host up in it", async () => {
  const world: World = new World((_, signal) => {
    signal.throwIfAborted();
    return world.directory.lookUp(host).then(() => one);
  });
  const looked = assertRejects(() => world.directory.lookUp(host), ResolveError, "no answer");
  await world.pass(5_000);
  await looked;
  assertEquals(world.asked, ["a.test"]);
});

test("HostDirectory.doubt() has an answer asked for ahead of its time, ever more seldom", async () => {
  const world = new World({ addresses: ["192.0.2.1"], ttlMs: 600_000 });
  await world.directory.lookUp(host);
  const began = world.clock.now();
  const times: number[] = [];
  for (let asked = 1; world.clock.now() < began + 95_000;) {
    world.directory.doubt(host);
    await world.pass(100);
    if (world.asked.length > asked) times.push(Math.floor((world.clock.now() - began) / 1_000));
    asked = world.asked.length;
  }
  assertEquals(times, [1, 3, 7, 15, 31, 61, 91]);
  world.answer("192.0.2.2");
  await world.pass(30_000);
  world.directory.doubt(host);
  await world.pass(0);
  assertEquals(world.changes.at(-1), "a.test +192.0.2.2 -192.0.2.1");
  const { length } = world.asked;
  await world.pass(900);
  world.directory.doubt(host);
  assertEquals(world.asked.length, length, "An answer gets its second");
  await world.pass(100);
  world.directory.doubt(host);
  assertEquals(world.asked.length, length + 1, "Other addresses are doubted again");
  world.directory.close();
});

test("HostDirectory.doubt() leaves the pace of a resolver that fails alone, and asks for nothing unknown", async () => {
  const world = new World(one);
  world.directory.doubt(host);
  assertEquals(world.asked, []);
  await world.directory.lookUp(host);
  world.fail();
  await world.pass(5_000);
  world.directory.doubt(host);
  await world.pass(0);
  const { length } = world.asked;
  for (let i = 0; i < 9; i++) world.directory.doubt(host);
  assertEquals([length, world.asked.length], [2, 2]);
  assertEquals(world.known(), ["192.0.2.1"]);
  world.directory.close();
  world.directory.doubt(host);
  assertEquals(world.asked.length, 2);
});
