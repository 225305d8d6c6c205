import { assert, assertEquals, assertThrows } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { VERSION } from "../../src/core/version.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { MetricText } from "../../src/metrics/metric_text.ts";
import { openMetrics } from "../../src/metrics/open_metrics.ts";
import { readDocument } from "../support/documents.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { parseOpenMetrics } from "../support/open_metrics.ts";
import { pass } from "../support/pass.ts";
import { findProgram } from "../support/services.ts";

const promtool = findProgram("promtool");
const skip = promtool ? false : "promtool is not installed";

/** A text that has something of everything. */
async function fullText(format: "openMetrics" | "text" = "openMetrics"): Promise<string> {
  await using pool = memoryHttp(({ path }) => answer(path === "/" ? "200 OK" : "404 Not Found"));
  for (const url of ["https://a.test/", "https://a.test/x", "https://b.test/"]) {
    await (await pool.request(url)).text();
  }
  pool.manager.removeConnection("192.0.2.1");
  pool.block("192.0.2.9");
  await (await pool.request("https://a.test/")).text();
  return openMetrics({ "first \"one\"\\\n": pool, second: pool }, {
    addresses: true,
    created: true,
    format,
  });
}

/** Gives promtool a text, and what it says of it. */
function ask(
  text: string,
  args: (file: string, folder: string) => string[],
  input?: string,
): string {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-metrics-"));
  try {
    const file = path.join(folder, "metrics.txt");
    writeFileSync(file, text);
    const { status, stderr, stdout } = spawnSync(promtool!, args(file, folder), {
      input: input ?? "",
      encoding: "utf8",
    });
    return status === 0 ? "" : `${stdout}${stderr}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("openMetrics() tells connections, requests and times of each pool and host", async () => {
  await using pool = memoryHttp(({ path }) => answer(path === "/" ? "200 OK" : "503 Busy"), {
    protocols: ["http/1.1"],
  });
  await (await pool.request("https://a.test/")).text();
  await (await pool.request("https://b.test/x")).text();
  const lease = await pool.acquire("b.test");
  const families = parseOpenMetrics(openMetrics(pool));
  lease.release();
  const get = (family: string, sample: string) => families.get(family)?.samples.get(sample);
  const connections = (host: string, state: string) =>
    get(
      "hotconn_connections",
      `hotconn_connections{pool="default",host="${host}",state="${state}"}`,
    );
  assertEquals([connections("a.test", "idle"), connections("a.test", "leased")], [1, 0]);
  assertEquals([connections("b.test", "idle"), connections("b.test", "leased")], [0, 1]);
  const outcome = "hotconn_requests_total{pool=\"default\",host=\"b.test\",outcome=\"success\"}";
  assertEquals(get("hotconn_requests", outcome), 1);
  const status = "hotconn_responses_total{pool=\"default\",host=\"b.test\",status_class=\"5xx\"}";
  assertEquals(get("hotconn_responses", status), 1);
  const reused = "hotconn_leases_total{pool=\"default\",reused=\"true\"}";
  assertEquals(get("hotconn_leases", reused), 1);
  const times = families.get("hotconn_request_duration_seconds")!;
  assertEquals([times.type, times.unit], ["histogram", "seconds"]);
  assertEquals(times.samples.get("hotconn_request_duration_seconds_count{pool=\"default\"}"), 2);
  assert(!openMetrics(pool).includes("192.0.2.1"), "Addresses are told unasked");
  assert(!openMetrics(pool).includes("_created"), "Times of creation are told unasked");
});

test("openMetrics() tells so many hosts by name, and all others together", async () => {
  await using pool = memoryHttp(() => answer("200 OK"));
  for (const host of ["a.test", "a.test", "b.test"]) {
    await (await pool.request(`https://${host}/`)).text();
  }
  for (const maxHosts of [0, 1, 2]) {
    const text = openMetrics(pool, { maxHosts });
    const { samples } = parseOpenMetrics(text).get("hotconn_requests")!;
    const told = new Map<string, number>();
    for (const [key, count] of samples) {
      if (key.includes("success")) told.set(/host="([^"]+)"/.exec(key)![1]!, count);
    }
    const named = [["a.test", 2], ["b.test", 1]].slice(0, maxHosts);
    const rest = 3 - named.reduce((sum, [, count]) => sum + Number(count), 0);
    assertEquals([...told], rest > 0 ? [...named, ["other", rest]] : named);
    assertEquals(text.includes("host=\"b.test\""), maxHosts === 2);
    const { samples: open } = parseOpenMetrics(text).get("hotconn_connections")!;
    assertEquals([...open.values()].reduce((sum, count) => sum + count), 2);
  }
  const wrong: readonly (readonly [pools: unknown, message: string])[] = [
    [null, "needs a pool, or an object with pools by name, got null"],
    [[pool], "needs a pool, or an object with pools by name, got an array"],
    [new Map([["a", pool]]), "needs a pool, or an object with pools by name, got object"],
    [pool.stats(), "needs a pool as \"at\", got 1"],
    [{ shop: undefined }, "needs a pool as \"shop\", got undefined"],
    [{ shop: { a: pool } }, "needs a pool as \"shop\", got object"],
  ];
  for (const [pools, message] of wrong) {
    assertThrows(() => openMetrics(pools as typeof pool), TypeError, message);
  }
  assertThrows(() => openMetrics(pool, { maxHosts: -1 }), RangeError, "maxHosts");
});

test("openMetrics() gives nobody the counts of a host that was forgotten", async () => {
  const clock = new ManualClock();
  await using pool = memoryHttp(() => answer("200 OK"), {
    clock,
    idleTimeoutMs: 1_000,
    cleanupIntervalMs: 1_000,
  });
  const hosts = () =>
    new Set([...openMetrics(pool).matchAll(/host="([^"]+)"/g)].map(([, host]) => host));
  for (const host of ["a.test", "b.test"]) {
    await (await pool.request(`https://${host}/`)).text();
  }
  assertEquals(hosts(), new Set(["a.test", "b.test"]));
  await pass({ clock, pool }, 300_000, 1_000);
  assertEquals([Object.keys(pool.stats().hosts), pool.stats().requests.successes], [[], 2]);
  assertEquals(hosts(), new Set());
});

test("openMetrics() lets what others share only grow, by what they do, as hosts go and get names", async () => {
  const clock = new ManualClock();
  const names = ["a.test", "b.test", "c.test"];
  await using pool = memoryHttp(() => answer("200 OK"), {
    clock,
    resolver: staticResolver(Object.fromEntries(names.map((name) => [name, ["192.0.2.1"]]))),
    idleTimeoutMs: 1_000,
    cleanupIntervalMs: 1_000,
  });
  const told = () => {
    const { samples } = parseOpenMetrics(openMetrics(pool, { maxHosts: 1 })).get(
      "hotconn_requests",
    )!;
    const counts = [...samples].filter(([key]) => key.includes("success"));
    return Object.fromEntries(
      counts.map(([key, count]) => [/host="([^"]+)"/.exec(key)![1], count]),
    );
  };
  const use = async (host: string, times: number) => {
    while (times-- > 0) await (await pool.request(`https://${host}/`)).text();
  };
  await use("a.test", 5);
  await use("b.test", 2);
  assertEquals(told(), { "a.test": 5, "other": 2 });
  // The first is forgotten, and the second one gets its name.
  const lease = await pool.acquire("b.test");
  await pass({ clock, pool }, 300_000, 1_000);
  lease.release();
  assertEquals(told(), { "b.test": 2 });
  await use("c.test", 1);
  assertEquals(told(), { "b.test": 2, "other": 3 });
  await use("c.test", 4);
  await use("b.test", 1);
  assertEquals(told(), { "b.test": 3, "other": 7 });
});

test("openMetrics() tells a host that is named other with the others, and no series twice", async () => {
  const names = ["other", "a.test", "b.test"];
  const resolver = staticResolver(Object.fromEntries(names.map((name) => [name, ["192.0.2.1"]])));
  await using pool = memoryHttp(() => answer("200 OK"), { resolver });
  for (const host of names) {
    await (await pool.request(`https://${host}/`)).text();
  }
  for (const [maxHosts, others] of [[3, 1], [2, 1], [1, 2]] as const) {
    const families = parseOpenMetrics(openMetrics(pool, { maxHosts, addresses: true }));
    const open = families.get("hotconn_connections")!.samples;
    assertEquals(
      open.get("hotconn_connections{pool=\"default\",host=\"other\",state=\"idle\"}"),
      others,
    );
  }
});

test("openMetrics() of pools that did nothing is well formed too", async () => {
  await using it = memoryPool();
  parseOpenMetrics(openMetrics(it.pool, { addresses: true, created: true }));
  assertEquals(parseOpenMetrics(openMetrics({})).get("hotconn_dials")?.samples.size, 0);
});

test("openMetrics() keeps to the format, whatever a pool is named", async () => {
  const families = parseOpenMetrics(await fullText());
  const keys = [...families.get("hotconn_dials")!.samples.keys()];
  assertEquals(keys[0], "hotconn_dials_total{pool=\"first \\\"one\\\"\\\\\\n\"}");
  const latency = families.get("hotconn_address_latency_p99_seconds")!;
  assert(latency.samples.size > 0);
});

test("what does not keep to the format is refused", () => {
  const broken = [
    "# TYPE a gauge\na 1\n",
    "a 1\n# EOF\n",
    "# TYPE a gauge\na_total 1\n# EOF\n",
    "# TYPE a counter\na_total -1\n# EOF\n",
    "# TYPE a gauge\na{b=\"c\"d\"} 1\n# EOF\n",
    "# TYPE a gauge\na 1\na 1\n# EOF\n",
    "# TYPE a gauge\n# TYPE b gauge\nb 1\n# TYPE a gauge\n# EOF\n",
    "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n",
    "# TYPE a histogram\na_bucket{le=\"1.0\"} 1\na_sum 1\na_count 1\n# EOF\n",
    "# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\n# EOF\n",
  ];
  for (const text of broken) assertThrows(() => parseOpenMetrics(text), Error, "", text);
  const text = new MetricText();
  text.family({ name: "a", type: "gauge", help: "b" });
  text.sample("", { c: "d", e: undefined }, Infinity);
  assertEquals(text.end(), "# TYPE a gauge\n# HELP a b\na{c=\"d\"} +Inf\n# EOF\n");
});

test("Prometheus reads openMetrics() by its own parser", { skip }, async () => {
  const text = await fullText();
  // It takes a history in: each sample wants a time.
  const dated = text.replace(/^(?!#).+$/gm, "$& 1700000000");
  const args = (file: string, folder: string) => [
    "tsdb",
    "create-blocks-from",
    "openmetrics",
    file,
    path.join(folder, "data"),
  ];
  assertEquals(ask(dated, args), "");
  assert(ask(dated.replace("# EOF\n", ""), args) !== "", "Nothing is refused");
});

test("Prometheus' own check finds nothing to better in openMetrics()", { skip }, async () => {
  const older = await fullText("text");
  assert(!older.includes("# EOF") && !older.includes("# UNIT") && !older.includes("_created"));
  const args = () => ["check", "metrics"];
  assertEquals(ask("", args, older), "");
  assert(ask("", args, older.replace(/^# HELP .*\n/gm, "")) !== "", "Nothing is refused");
});

test("openMetrics() tells limits, failures, latencies and certificates, and what others share", async () => {
  await using pool = memoryHttp(({ path }) => answer(path === "/" ? "200 OK" : "500 Oh"), {
    maxConnectionsPerIp: Infinity,
    hosts: { "b.test": { maxConnections: 3 } },
  });
  for (const host of ["a.test", "b.test"]) await (await pool.request(`https://${host}/`)).text();
  const text = openMetrics(pool, { maxHosts: 1 });
  parseOpenMetrics(text);
  const has = (line: string) => assert(text.includes(`${line}\n`), `${line}\n\n${text}`);
  has("hotconn_build_info{version=\"" + VERSION + "\"} 1");
  has("hotconn_limit_connections{pool=\"default\",scope=\"total\"} 256");
  assert(!text.includes("scope=\"address\""), "A limit is told that there is not");
  has("hotconn_host_limit_connections{pool=\"default\",host=\"a.test\"} 64");
  has("hotconn_ejections_total{pool=\"default\",host=\"a.test\"} 0");
  has("hotconn_resolver_failures_total{pool=\"default\",host=\"a.test\"} 0");
  for (const host of ["a.test", "other"]) {
    has(`hotconn_host_request_duration_seconds_count{pool="default",host="${host}"} 1`);
  }
  assert(!text.includes("hotconn_certificate_expiry_timestamp_seconds{"));
});

test("the version that metrics tell is the package's", () => {
  assertEquals(JSON.parse(readDocument("package.json")).version, VERSION);
});
