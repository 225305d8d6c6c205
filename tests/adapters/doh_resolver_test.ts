import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type Answer as DnsAnswer, decode, type DecodedPacket, encode } from "dns-packet";
import { Buffer } from "node:buffer";
import test from "node:test";
import { dohResolver, type DohResolverOptions } from "../../adapters/doh_resolver.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { createPool, type HttpPool, type Resolver } from "../../mod.ts";
import { ResolveError } from "../../src/core/errors.ts";
import { encodeReply } from "../support/dns_server.ts";
import { DNS_MESSAGE, dohPath, dohScripts } from "../support/doh_scripts.ts";
import { withScene } from "../support/http_scene.ts";
import { type Answer, answer, memoryHttp } from "../support/memory_http.ts";

const never = new AbortController().signal;
const TYPE = { "content-type": DNS_MESSAGE };

/** The question of a request's path. */
function questionOf(path: string): DecodedPacket {
  const text = new URL(path, "https://a.test").searchParams.get("dns") ?? "";
  return decode(Buffer.from(text, "base64url"));
}

/** Asks for the IPv4 addresses of x.test where the server answers so. */
async function ask(
  serve: (path: string) => Answer,
  signal: AbortSignal = never,
): ReturnType<Resolver["resolve"]> {
  await using pool = memoryHttp(({ path }) => serve(path));
  const resolver = dohResolver({ url: "https://a.test/dns-query", pool, families: [4] });
  return await resolver.resolve("x.test", signal);
}

/** A response with such records. */
function records(answers: readonly DnsAnswer[], more: { readonly flags?: number } = {}): Answer {
  return answer("200 OK", TYPE, message(answers, more));
}

function message(answers: readonly DnsAnswer[], more: { readonly flags?: number } = {}): Buffer {
  const questions = [{ name: "x.test", type: "A" as const }];
  return encode({ type: "response", id: 0, questions, ...more, answers: [...answers] });
}

const a = (name: string, data: string, ttl = 60): DnsAnswer => ({ type: "A", name, data, ttl });
const alias = (name: string, data: string, ttl = 60): DnsAnswer => ({
  type: "CNAME",
  name,
  data,
  ttl,
});

test("dohResolver() asks for both families, with GET, a media type and the message's ID 0", async () => {
  const seen: string[] = [];
  await using pool = memoryHttp(({ headers, method, path }) => {
    const { flag_rd, id, questions: [question] = [], type } = questionOf(path);
    seen.push(`${method} ${path.split("=")[0]} ${headers.get("accept")} ${type} ${id} ${flag_rd}`);
    assertEquals([question?.name, question?.class], ["x.test", "IN"]);
    return answer(
      "200 OK",
      TYPE,
      question?.type === "A"
        ? encodeReply(0, "x.test", "A", { addresses: ["192.0.2.1", "192.0.2.2"], ttl: 300 })
        : encodeReply(0, "x.test", "AAAA", { addresses: ["2001:db8::1"], ttl: 90 }),
    );
  });
  const resolver = dohResolver({ url: "https://a.test/dns-query#part", pool });
  assertEquals(resolver.name, "doh");
  assertEquals(await resolver.resolve("x.test", never), {
    addresses: ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
    ttlMs: 90_000,
  });
  const expected = `GET /dns-query?dns ${DNS_MESSAGE} query 0 true`;
  assertEquals(seen, [expected, expected]);
});

test("dohResolver() keeps what query its URL has", async () => {
  for (
    const [url, expected] of [
      ["https://a.test/q?key=1", "/q?key=1&dns="],
      ["https://a.test/q?", "/q?dns="],
      [new URL("https://a.test"), "/?dns="],
    ] as const
  ) {
    const paths: string[] = [];
    await using pool = memoryHttp(({ path }) => {
      paths.push(path);
      return records([a("x.test", "192.0.2.1")]);
    });
    await dohResolver({ url, pool, families: [4] }).resolve("x.test", never);
    assertEquals(paths.map((path) => path.slice(0, expected.length)), [expected]);
  }
});

test("dohResolver() follows aliases inside the answer, and takes the shortest of all their times", async () => {
  const found = await ask(() =>
    records([
      a("other.test", "192.0.2.99", 1),
      a("Z.test", "192.0.2.1", 50),
      alias("x.test", "y.test", 40),
      a("z.test", "192.0.2.2", 70),
      alias("Y.TEST", "z.test", 30),
      alias("other.test", "z.test", 2),
    ])
  );
  assertEquals(found, { addresses: ["192.0.2.1", "192.0.2.2"], ttlMs: 30_000 });
});

test("dohResolver() takes no record of another name, type or class", async () => {
  const chaos: DnsAnswer = { type: "A", class: "CH", name: "x.test", data: "192.0.2.66", ttl: 1 };
  const six: DnsAnswer = { type: "AAAA", name: "x.test", data: "2001:db8::1", ttl: 1 };
  const text: DnsAnswer = { type: "TXT", name: "x.test", data: "192.0.2.67", ttl: 1 };
  const others = [chaos, six, text, a("sub.x.test", "192.0.2.68", 1)];
  assertEquals(await ask(() => records([...others, a("x.test", "192.0.2.1", 9)])), {
    addresses: ["192.0.2.1"],
    ttlMs: 9_000,
  });
  await assertRejects(() => ask(() => records(others)), ResolveError, "NODATA");
});

test("dohResolver() gives up on aliases that go round, or never end", async () => {
  const round = [alias("x.test", "y.test"), alias("y.test", "x.test")];
  await assertRejects(() => ask(() => records(round)), ResolveError, "a loop");
  const chain = (length: number) => [
    ...Array.from(
      { length },
      (_, i) => alias(i === 0 ? "x.test" : `n${i}.test`, `n${i + 1}.test`),
    ),
    a(`n${length}.test`, "192.0.2.1"),
  ];
  assertEquals((await ask(() => records(chain(16)))).addresses, ["192.0.2.1"]);
  await assertRejects(() => ask(() => records(chain(17))), ResolveError, "16 aliases");
});

test("dohResolver() names the server's own error", async () => {
  for (const [code, name] of [[1, "FORMERR"], [2, "SERVFAIL"], [3, "NXDOMAIN"], [5, "REFUSED"]]) {
    const reply = () => records([a("x.test", "192.0.2.1")], { flags: Number(code) });
    const error = await assertRejects(() => ask(reply), ResolveError, String(name));
    assertEquals(error.host, "x.test");
  }
});

test("dohResolver() holds an answer no longer than HTTP caches may, its age included", async () => {
  const cases: [headers: { readonly [name: string]: string }, ttl: number, seconds: number][] = [
    [{}, 60, 60],
    [{ "age": "20" }, 60, 40],
    [{ "age": "70" }, 60, 0],
    [{ "cache-control": "max-age=45" }, 60, 45],
    [{ "cache-control": "public, Max-Age=45", "age": "5" }, 60, 40],
    [{ "cache-control": "s-maxage=10, max-age=90" }, 60, 60],
    [{ "cache-control": "no-transform", "age": "nonsense" }, 60, 60],
    [{}, 0, 0],
    [{}, 2 ** 31, 0],
  ];
  for (const [headers, ttl, seconds] of cases) {
    const body = message([a("x.test", "192.0.2.1", ttl)]);
    const { ttlMs } = await ask(() => answer("200 OK", { ...TYPE, ...headers }, body));
    assertEquals(ttlMs, 1_000 * seconds, JSON.stringify({ headers, ttl }));
  }
});

test("dohResolver() takes nothing for an answer that is none", async () => {
  const good = message([a("x.test", "192.0.2.1")]);
  const cases: [reply: Answer, text: string][] = [
    [answer("503 Busy", TYPE, good), "status 503"],
    [answer("302 Found", { ...TYPE, location: "https://b.test/" }, good), "status 302"],
    [answer("200 OK", { "content-type": "text/html" }, good), "text/html"],
    [answer("200 OK", {}, good), "no content type"],
    [answer("200 OK", TYPE, ""), "malformed"],
    [answer("200 OK", TYPE, good.subarray(0, 11)), "malformed"],
    [answer("200 OK", TYPE, good.subarray(0, good.length - 9)), "malformed"],
    [answer("200 OK", TYPE, good.subarray(0, good.length - 1)), "malformed"],
    [answer("200 OK", TYPE, Buffer.alloc(40, 0xc0)), "malformed"],
    [answer("200 OK", TYPE, Buffer.alloc(16_385)), "more than 16384 bytes"],
    [records([a("x.test", "192.0.2.1")], { flags: 1 << 9 }), "truncated"],
    [answer("200 OK", TYPE, encodeReply(0, "y.test", "A", {})), "another question"],
    [answer("200 OK", TYPE, encodeReply(0, "x.test", "AAAA", {})), "another question"],
  ];
  for (const [reply, text] of cases) {
    await assertRejects(() => ask(() => reply), ResolveError, text);
  }
  const echo = (path: string) =>
    answer("200 OK", TYPE, Buffer.from(path.split("dns=")[1] ?? "", "base64url"));
  await assertRejects(() => ask(echo), ResolveError, "no response");
  const tooLong =
    `HTTP/1.1 200 OK\r\ncontent-type: ${DNS_MESSAGE}\r\ncontent-length: 99999999\r\n\r\n`;
  await assertRejects(() => ask(() => tooLong + "x".repeat(70_000)), ResolveError, "16384");
});

test("dohResolver() reads any answer without harm, whatever byte of it is wrong", async () => {
  const good = message([
    alias("x.test", "y.test"),
    a("y.test", "192.0.2.1"),
    a("y.test", "192.0.2.2"),
  ]);
  await using pool = memoryHttp(({ path }) => {
    const at = Number(new URL(path, "https://a.test").searchParams.get("at"));
    const bad = Uint8Array.from(good);
    bad[at >> 1] = at & 1 ? 0xff : bad[at >> 1]! ^ 0x81;
    return answer("200 OK", TYPE, bad);
  });
  let failed = 0;
  for (let at = 0; at < 2 * good.length; at++) {
    const resolver = dohResolver({ url: `https://a.test/?at=${at}`, pool, families: [4] });
    const found = await resolver.resolve("x.test", never).catch((error: unknown) => error);
    if (found instanceof Error) {
      assert(found instanceof ResolveError, `At ${at}: ${found}`);
      failed++;
    }
  }
  assert(failed > good.length / 2, `Only ${failed} failed`);
  assertEquals(pool.stats().leased, 0);
});

test("dohResolver() goes without a family that fails, and says of each why where both do", async () => {
  const four = memoryHttp(({ path }) =>
    questionOf(path).questions?.[0]?.type === "A"
      ? records([a("x.test", "192.0.2.1", 9)])
      : answer("500 Ill")
  );
  await using _four = four;
  assertEquals(await dohResolver({ url: "https://a.test/", pool: four }).resolve("x.test", never), {
    addresses: ["192.0.2.1"],
    ttlMs: 9_000,
  });
  await using none = memoryHttp(({ path }) =>
    answer(questionOf(path).questions?.[0]?.type === "A" ? "500 Ill" : "404 Gone")
  );
  await assertRejects(
    () => dohResolver({ url: "https://a.test/", pool: none }).resolve("x.test", never),
    ResolveError,
    "IPv4: the server answered with status 500; IPv6: the server answered with status 404",
  );
});

test("dohResolver() rejects with the signal's reason, and its requests end", async () => {
  const reason = { not: "an error" };
  const stop = new AbortController();
  await using pool = memoryHttp(() => {
    queueMicrotask(() => stop.abort(reason));
    return null;
  });
  const resolver = dohResolver({ url: "https://a.test/", pool });
  const fail = () => resolver.resolve("x.test", stop.signal).catch((error: unknown) => error);
  assertStrictEquals(await fail(), reason);
  const { dials } = pool.stats();
  assertStrictEquals(await fail(), reason);
  assertEquals([pool.stats().leased, pool.stats().dials], [0, dials]);
});

test("dohResolver() refuses bad options with an error that says what would do", async () => {
  await using pool = memoryHttp(() => null);
  const url = "https://192.0.2.53/dns-query";
  const make = (options: unknown) => () => dohResolver(options as DohResolverOptions);
  assertThrows(make({ url }), TypeError, "pool must be an HttpPool, got undefined");
  assertThrows(make({ pool, url: "192.0.2.53" }), TypeError, "url must be an https: URL");
  assertThrows(make({ pool, url: "http://192.0.2.53/" }), TypeError, "got http:");
  assertThrows(make({ pool, url, method: "POST" }), TypeError, "Unknown option \"method\"");
  assertThrows(make({ pool, url, families: [] }), TypeError, "families");
});

test("A hot pool finds many hosts over DNS over HTTPS, on one connection of another pool", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `n${i}.test`);
  const zone = Object.fromEntries(names.map((name, i) => [name, {
    A: { addresses: [`192.0.2.${i + 1}`] },
    AAAA: { addresses: [`2001:db8::${i + 1}`], aliases: [{ name: "alias.test", ttl: 5 }] },
  }]));
  await withScene({
    scripts: dohScripts(zone),
    pool: { maxConnectionsPerHost: 1 },
  }, async ({ origin, pool, url }) => {
    await using hot = hotPool(pool, url("/dns-query"));
    await Promise.all(names.map(async (name, i) => {
      await hot.warm(name, { connections: 2 });
      assertEquals(hot.manager.getHostMapping().get(name)?.toSorted(), [
        `192.0.2.${i + 1}`,
        `2001:db8::${(i + 1)}`,
      ]);
    }));
    const report = await origin.report();
    assertEquals([report.accepted, report.requests], [1, 40]);
  });
});

test("A hot pool goes on without the family whose answer over HTTPS is late", async () => {
  const zone = {
    "slow.test": { A: { addresses: ["192.0.2.1"] }, AAAA: { silent: true } },
  };
  await withScene({ scripts: dohScripts(zone) }, async ({ pool, url }) => {
    await using hot = hotPool(pool, url("/dns-query"));
    const lease = await hot.acquire("slow.test", { timeoutMs: 5_000 });
    assertEquals(lease.connection.address, "192.0.2.1");
    lease.release();
    await pool.close({ graceMs: 0 });
  });
});

test("A DNS server over HTTPS that never answers is given up in time", async () => {
  await withScene({ scripts: { "*": [] } }, async ({ origin, pool, url }) => {
    await using hot = hotPool(pool, url("/dns-query"), { dnsTimeoutMs: 1_000 });
    await assertRejects(
      () => hot.acquire("x.test", { timeoutMs: 20_000 }),
      ResolveError,
      "no answer within 1000 ms",
    );
    await origin.until({ openSockets: 0 });
    assert((await origin.report()).log.some(({ path }) => path === dohPath("x.test", "A")));
  });
});

function hotPool(
  names: HttpPool,
  url: string,
  more: { readonly dnsTimeoutMs?: number } = {},
): HttpPool {
  const resolver = dohResolver({ url, pool: names });
  return createPool({ dialer: memoryDialer(), resolver, ...more });
}
