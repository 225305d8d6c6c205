import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { EventLog } from "../../adapters/admin/event_log.ts";
import { eventStream } from "../../adapters/admin/event_stream.ts";
import { PoolWatch } from "../../adapters/admin/pool_watch.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { type AdminScene, adminScene, type Json } from "../support/admin_scene.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { turns } from "../support/turns.ts";

const EVENTS = "/api/pools/default/events";

function logOf(pool: ConnectionPool, clock: Clock, size: number): EventLog {
  const watch = new PoolWatch({ pool, clock, signal: undefined });
  return new EventLog({ pool, watch, clock, size, signal: undefined });
}

/** A message of an event stream. */
interface Message {
  readonly id?: number;
  readonly event?: string;
  readonly data?: Json;
  readonly comment?: string;
}

/** Reads an event stream message by message. */
class Reader implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  static async open(scene: AdminScene, query = "", headers = {}): Promise<Reader> {
    const response = await scene.ask(`${EVENTS}${query}`, { headers });
    assertEquals(response.status, 200);
    return new Reader(response.body!);
  }

  /** The next message; undefined at the end. Times to come back are passed over. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await this.#reader.read();
        if (done) return undefined;
        this.#text += this.#decoder.decode(value, { stream: true });
        continue;
      }
      const lines = this.#text.slice(0, end).split("\n");
      this.#text = this.#text.slice(end + 2);
      const message: { -readonly [Name in keyof Message]: Message[Name] } = {};
      for (const line of lines) {
        const [, field = "", value = ""] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
        if (field === "") message.comment = value;
        else if (field === "id") message.id = Number(value);
        else if (field === "data") message.data = JSON.parse(value);
        else if (field === "event") message.event = value;
      }
      if (Object.keys(message).length > 0) return message;
    }
  }

  async events(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) {
      const message = await this.next();
      assert(message, "The stream ended early");
      messages.push(message);
    }
    return messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }
}

const names = (messages: readonly Message[]) => messages.map(({ event }) => event);

test("the event stream begins with the figures, and tells what happens as it happens", async () => {
  await using scene = adminScene();
  await using reader = await Reader.open(scene);
  const [first] = await reader.events(1);
  assertEquals([first?.event, first?.id, first?.data.connections], ["stats", undefined, 0]);
  await scene.pool.warm("a.test", { connections: 1 });
  scene.pool.block("192.0.2.9", { reason: "line\nend\u2028" });
  const told = await reader.events(5);
  assert(["dial", "ready", "warm"].every((name) => names(told).includes(name)));
  const ids = told.map(({ id }) => id!);
  assertEquals(ids, ids.map((_, index) => ids[0]! + index));
  assertEquals(told.map(({ data }) => data.at), told.map(() => scene.clock.wallNow()));
});

test("figures come every two seconds, to all who want them with one look at the pool", async () => {
  await using scene = adminScene();
  await using first = await Reader.open(scene, "?events=stats");
  await using second = await Reader.open(scene, "?events=stats");
  await using other = await Reader.open(scene, "?events=audit");
  await first.next();
  await second.next();
  let looks = 0;
  const stats = scene.pool.stats.bind(scene.pool);
  scene.pool.stats = () => {
    looks++;
    return stats();
  };
  scene.clock.advance(2_000);
  assertEquals([(await first.next())?.event, (await second.next())?.event], ["stats", "stats"]);
  assertEquals(looks, 1);
  await scene.act("unblock", { ip: "192.0.2.1" }, 404);
  const audit = await other.next();
  assertEquals([audit?.event, audit?.data.action, audit?.data.who], ["audit", "unblock", "act 1"]);
});

test("leases are told to those only who ask, and are not kept", async () => {
  await using scene = adminScene();
  await using usual = await Reader.open(scene);
  await using asked = await Reader.open(scene, "?events=lease,release");
  (await scene.pool.acquire("a.test")).release();
  const told = await asked.events(2);
  assertEquals(names(told), ["lease", "release"]);
  assertEquals(told.map(({ id }) => id), [undefined, undefined]);
  scene.pool.block("192.0.2.9");
  const seen: (string | undefined)[] = [];
  while (seen.at(-1) !== "block") seen.push((await usual.next())?.event);
  assert(!seen.includes("lease") && !seen.includes("release") && !seen.includes("waiting"));
});

test("a client that comes back hears what it missed, once and in order", async () => {
  await using scene = adminScene();
  for (let n = 1; n <= 5; n++) scene.pool.block(`192.0.2.${n}`);
  await turns();
  await using all = await Reader.open(scene, "?events=block&lastEventId=0");
  const told = await all.events(5);
  assertEquals(told.map(({ data }) => data.ip), [1, 2, 3, 4, 5].map((n) => `192.0.2.${n}`));
  for (
    const [query, headers] of [
      [`&lastEventId=${told[2]!.id}`, {}],
      ["", { "last-event-id": `${told[2]!.id}` }],
      ["&lastEventId=0", { "last-event-id": `${told[2]!.id}` }],
    ] as const
  ) {
    await using again = await Reader.open(scene, `?events=block${query}`, headers);
    assertEquals(await again.events(2), told.slice(3));
  }
  await using latest = await Reader.open(scene, `?events=block&lastEventId=${told[4]!.id}`);
  scene.pool.block("192.0.2.6");
  assertEquals((await latest.next())?.data.ip, "192.0.2.6");
});

test("a client from another life of the program hears all there is", async () => {
  await using scene = adminScene();
  scene.pool.block("192.0.2.1");
  await turns();
  for (const id of ["1", "9007199254740991", `${scene.clock.wallNow() + 1_000}`]) {
    await using reader = await Reader.open(scene, "?events=block", { "last-event-id": id });
    assertEquals((await reader.next())?.data.ip, "192.0.2.1", id);
  }
});

test("numbers go on growing when the program is started again", async () => {
  await using scene = adminScene();
  scene.pool.block("192.0.2.1");
  await turns();
  await using before = await Reader.open(scene, "?events=block&lastEventId=0");
  const { id = Infinity } = await before.next() ?? {};
  await using memory = memoryPool();
  memory.clock.advance(60_000);
  const { clock, pool } = memory;
  const log = logOf(pool, clock, 10);
  pool.block("192.0.2.1");
  await turns();
  const { messages: [message = ""] } = log.since(0, new Set(["block"]));
  assert(Number(/^id: (\d+)$/m.exec(message)?.[1]) > id);
});

test("no more events are kept than may be, and who missed some is told", async () => {
  await using scene = adminScene({ eventHistory: 3 });
  for (let n = 1; n <= 5; n++) scene.pool.block(`192.0.2.${n}`);
  await turns();
  await using reader = await Reader.open(scene, "?events=block&lastEventId=0");
  const [comment, ...told] = await reader.events(4);
  assertStringIncludes(comment?.comment ?? "", "no longer kept");
  assertEquals(told.map(({ data }) => data.ip), ["192.0.2.3", "192.0.2.4", "192.0.2.5"]);
});

test("a query of events that makes no sense is 400", async () => {
  await using scene = adminScene();
  for (
    const query of [
      "?events=nothing",
      "?events=",
      "?events=lease,",
      "?events=__proto__",
      "?lastEventId=-1",
      "?lastEventId=abc",
      "?lastEventId=1e3",
      "?lastEventId=99999999999999999999999999",
      "?lastEventId=1&lastEventId=2",
      "?after=1",
    ]
  ) await scene.json(`${EVENTS}${query}`, 400);
  for (const id of ["x", "-1", "1.5", "99999999999999999999", "<script>"]) {
    const headers = { "last-event-id": id };
    const { error } = await scene.json(EVENTS, 400, { headers });
    assertStringIncludes(error.message, "lastEventId");
  }
});

test("a silent stream beats every fifteen seconds", async () => {
  await using scene = adminScene();
  await using reader = await Reader.open(scene, "?events=audit");
  for (let beat = 0; beat < 3; beat++) {
    const next = reader.next();
    await turns();
    scene.clock.advance(15_000);
    assertEquals(await next, { comment: "" });
  }
});

/** How many listen to a pool's leases. */
function countListeners(scene: AdminScene): () => number {
  let listeners = 0;
  const on = scene.pool.on.bind(scene.pool);
  scene.pool.on = (...args) => {
    const off = on(...args);
    if (args[0] !== "lease") return off;
    listeners++;
    return () => {
      listeners--;
      off();
    };
  };
  return () => listeners;
}

test("a client that goes leaves no listener and no timer behind", async () => {
  await using scene = adminScene();
  const listeners = countListeners(scene);
  const timers = scene.clock.timers;
  const cancelled = await Reader.open(scene, "?events=lease,stats");
  assertEquals(listeners(), 1);
  await cancelled[Symbol.asyncDispose]();
  assertEquals([listeners(), scene.clock.timers], [0, timers]);
  const { clock, pool } = scene;
  const log = logOf(pool, clock, 10);
  const watched = scene.clock.timers;
  const types = new Set(["lease", "stats"]);
  const open = () => new Reader(eventStream({ log, clock, types, after: undefined }));
  const [first, second] = [open(), open()];
  assertEquals(listeners(), 2);
  await first[Symbol.asyncDispose]();
  assertEquals(listeners(), 1);
  assertEquals((await second.next())?.event, "stats");
  const waiting = second.next();
  await turns();
  await second[Symbol.asyncDispose]();
  assertEquals(await waiting, undefined);
  assertEquals([listeners(), scene.clock.timers], [0, watched]);
});

test("HEAD opens no stream", async () => {
  await using scene = adminScene();
  const listeners = countListeners(scene);
  await scene.ask(`${EVENTS}?events=lease`, { method: "HEAD" });
  assertEquals(listeners(), 0);
});

test("a client that reads too slowly is let go, and told so", async () => {
  await using scene = adminScene({ eventHistory: 10 });
  const listeners = countListeners(scene);
  const timers = scene.clock.timers;
  await using slow = await Reader.open(scene, "?events=block,lease");
  const reason = "x".repeat(10_000);
  for (let n = 0; n < 120; n++) scene.pool.block("192.0.2.9", { reason });
  await turns();
  assertEquals([listeners(), scene.clock.timers], [0, timers]);
  const rest: Message[] = [];
  for (let message = await slow.next(); message; message = await slow.next()) rest.push(message);
  assertStringIncludes(rest.at(-1)?.comment ?? "", "reads too slowly");
});

test("of figures that a client has not read the latest alone is kept for it", async () => {
  await using scene = adminScene();
  await using reader = await Reader.open(scene, "?events=stats");
  for (let tick = 0; tick < 1_000; tick++) scene.clock.advance(2_000);
  const at = scene.clock.now();
  const first = await reader.next();
  assertEquals([first?.event, first?.data.at], ["stats", at]);
});

test("streams end with their pool, after its last word", async () => {
  await using scene = adminScene();
  await using reader = await Reader.open(scene, "?events=closed,audit");
  await scene.act("close", {});
  assertEquals(names(await reader.events(2)), ["audit", "closed"]);
  assertEquals(await reader.next(), undefined);
  await using late = await Reader.open(scene, "?events=closed&lastEventId=0");
  assertEquals((await late.next())?.event, "closed");
  assertEquals(await late.next(), undefined);
});

test("streams end when the router's signal aborts, and its pools are listened to no more", async () => {
  const controller = new AbortController();
  await using scene = adminScene({ signal: controller.signal });
  await using reader = await Reader.open(scene, "?events=block");
  const end = reader.next();
  await turns();
  controller.abort();
  assertEquals(await end, undefined);
  scene.pool.block("192.0.2.1");
  await turns();
  await using late = await Reader.open(scene, "?events=block&lastEventId=0");
  assertEquals(await late.next(), undefined);
});

test("no more than a hundred may follow a pool at once", async () => {
  await using scene = adminScene();
  const readers = await Promise.all(
    Array.from({ length: 100 }, () => Reader.open(scene, "?events=audit")),
  );
  assertEquals((await scene.json(EVENTS, 503)).error.code, "unavailable");
  await readers[0]![Symbol.asyncDispose]();
  await using _another = await Reader.open(scene, "?events=audit");
  for (const reader of readers) await reader[Symbol.asyncDispose]();
});

test("a stream that was let go is one of the hundred until its server is done with it", async () => {
  await using scene = adminScene();
  const readers = await Promise.all(
    Array.from({ length: 100 }, () => Reader.open(scene, "?events=block")),
  );
  const reason = "x".repeat(10_000);
  for (let n = 0; n < 120; n++) scene.pool.block("192.0.2.9", { reason });
  await turns();
  assertEquals((await scene.json(EVENTS, 503)).error.code, "unavailable");
  const [ended, cancelled, ...others] = readers;
  while (await ended!.next());
  await using _one = await Reader.open(scene, "?events=block");
  await cancelled![Symbol.asyncDispose]();
  await using _two = await Reader.open(scene, "?events=block");
  assertEquals((await scene.json(EVENTS, 503)).error.code, "unavailable");
  for (const reader of others) await reader[Symbol.asyncDispose]();
});

test("what was kept comes in parts, and the figures in the same bytes for all", async () => {
  await using memory = memoryPool();
  const { clock, pool } = memory;
  const log = logOf(pool, clock, 1_000);
  const reason = "x".repeat(1_000);
  for (let n = 0; n < 1_000; n++) pool.block("192.0.2.9", { reason });
  await turns();
  const types = new Set(["block", "stats"]);
  const read = async () => {
    const reader = eventStream({ log, clock, types, after: 0 }).getReader();
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = (await reader.read()).value!;
      if (new TextDecoder().decode(part).startsWith("event: stats")) return { part, parts, reader };
      parts.push(part);
    }
  };
  const [one, two] = [await read(), await read()];
  const text = one.parts.map((part) => new TextDecoder().decode(part)).join("");
  assertEquals(text.match(/^event: block$/gm)?.length, 1_000);
  const largest = Math.max(...one.parts.map(({ length }) => length));
  assert(largest < 70_000, `${largest} bytes at once`);
  assertStrictEquals(one.part, two.part);
  await Promise.all([one, two].map(({ reader }) => reader.cancel()));
});

test("an event's error is told by name, code and message; a URL without its secrets", async () => {
  await using scene = adminScene({}, { script: () => ({ failure: "refused" }), maxRetries: 0 });
  await using reader = await Reader.open(scene, "?events=dialError,leak");
  await scene.pool.acquire("b.test").catch(() => {});
  const message = await reader.next();
  const { code, name } = message?.data.error ?? {};
  assertEquals([name, code], ["DialError", "HOTCONN_DIAL"]);
  const tell = Reflect.get(scene.pool, "tell").bind(scene.pool);
  const url = "https://user:password@a.test/path?token=secret#part";
  tell("leak", { host: "a.test", address: "192.0.2.1", connectionId: 1, url });
  assertEquals((await reader.next())?.data.url, "https://a.test/path");
});
