import { assert, assertEquals } from "@std/assert";
import { readdirSync } from "node:fs";
import test from "node:test";
import { memoryDialer } from "../adapters/memory.ts";
import * as main from "../mod.ts";
import { DEFAULT_LIMITS } from "../src/http/limits.ts";
import { resolvePoolOptions } from "../src/pool/options.ts";
import {
  anchorsOf,
  brokenLinks,
  documents,
  isThere,
  linksOf,
  optionsOf,
  pathsOf,
  readDocument,
  tableOf,
  tablesOf,
} from "./support/documents.ts";
import { layers } from "./support/house_rules.ts";
import { answer, memoryHttp } from "./support/memory_http.ts";

test("the links between documents lead somewhere", () => {
  const broken = documents().flatMap((path) => brokenLinks(path, readDocument(path)));
  assertEquals(broken, []);
});

test("a link that leads nowhere is found", () => {
  const text = [
    "# One and `two`: three?",
    "## One and `two`: three?",
    "[good](#one-and-two-three), [again](#one-and-two-three-1), [bad](#four)",
    "[file](../mod.ts) [folder](../src) [outside](https://example.com/) [gone](gone.md)",
    "[anchor](getting-started.md#install) [no anchor](getting-started.md#nowhere)",
    "[out of the house](../../x.md) `[code](a.md)`",
    "```md",
    "[in a block](b.md)",
    "```",
  ].join("\n");
  assertEquals(anchorsOf(text), ["one-and-two-three", "one-and-two-three-1"]);
  assertEquals(linksOf(text).length, 9);
  assertEquals(
    brokenLinks("docs/sample.md", text),
    ["#four", "gone.md", "getting-started.md#nowhere", "../../x.md"]
      .map((link) => `docs/sample.md links to ${link}, which is not there`),
  );
});

test("every document in docs is linked from the README, or from another one", () => {
  const linked = documents().flatMap((path) =>
    linksOf(readDocument(path)).map((link) => new URL(link, `file:///${path}`).pathname.slice(1))
  );
  const orphans = documents().filter((path) => path.startsWith("docs/") && !linked.includes(path));
  assertEquals(orphans, []);
});

test("the files and folders that documents name are there", () => {
  const missing = documents().flatMap((path) =>
    pathsOf(readDocument(path)).filter((named) => !isThere(named))
      .map((named) => `${path} names ${named}`)
  );
  assertEquals(missing, []);
  assertEquals(
    pathsOf(
      "In `src/pool/` and `mod.ts`, not in `src` or `pool.on`, but `tests/run.ts`.\n"
        + "```text\n├─ acquire   src/a.ts, src/b.ts\n```\n```ts\nimport \"src/c.ts\";\n```\n",
    ),
    ["src/pool/", "mod.ts", "tests/run.ts", "src/a.ts", "src/b.ts"],
  );
});

const limits = readDocument("docs/limits-and-timeouts.md");

/** Tables of options by their heads, and the interfaces by their files. */
const optionTables: { readonly [head: string]: { readonly [file: string]: string } } = {
  "option": { "src/pool/options.ts": "PoolOptions" },
  "HTTP option": { "src/http/http_options.ts": "HttpPoolOptions" },
  "response limit": { "src/http/limits.ts": "ResponseLimits" },
  "host option": { "src/pool/host_options.ts": "HostOptions" },
  "request option": { "src/http/request_options.ts": "RequestOptions" },
  "WebSocket option": { "src/http/websocket/web_socket_options.ts": "WebSocketOptions" },
  "lease option": {
    "src/pool/call_options.ts": "AcquireOptions",
    "src/pool/host/address_filter.ts": "AddressChoice",
  },
  "fleet option": {
    "adapters/redis.ts": "RedisFleetOptions",
    "src/pool/fleet/fleet_over.ts": "FleetOptions",
  },
  "router option": { "adapters/admin/options.ts": "AdminOptions" },
};

for (const [head, interfaces] of Object.entries(optionTables)) {
  test(`the table of ${head}s has each with its default, and no other`, () => {
    const document = head === "router option"
      ? readDocument("docs/operating.md")
      : head === "fleet option"
      ? readDocument("docs/fleet.md")
      : limits;
    const told = new Map(
      tablesOf(document, head).flat()
        .map(([option = "", fallback = ""]) => [unquoted(option), fallback]),
    );
    const options = new Map(
      Object.entries(interfaces).flatMap(([file, name]) => {
        const own = optionsOf(readDocument(file), name);
        assert(own.size > 0, name);
        return [...own];
      }),
    );
    assertEquals(
      [...told.keys()].sort(),
      [...options.keys()].sort(),
    );
    for (const [option, fallback] of options) {
      // What the code gives no default for is told in words.
      if (fallback === undefined) assert(!/\d{2}/.test(told.get(option)!), `default of ${option}`);
      else assertEquals(told.get(option), `\`${fallback}\``, option);
    }
  });
}

test("the defaults in the table are those that hold", () => {
  const resolver = main.staticResolver({ "a.test": ["192.0.2.1"] });
  const resolved = new Map<string, unknown>(
    Object.entries(resolvePoolOptions({ dialer: memoryDialer(), resolver })),
  );
  let numbers = 0;
  for (const [option = "", fallback = ""] of tablesOf(limits, "option").flat()) {
    const value = resolved.get(unquoted(option));
    if (typeof value !== "number") continue;
    numbers++;
    assertEquals(Number(unquoted(fallback).replaceAll("_", "")), value, option);
  }
  assert(numbers > 20);
  const responseLimits = tableOf(limits, "response limit").map((
    [limit = "", fallback = ""],
  ) => [unquoted(limit), Number(unquoted(fallback))]);
  assertEquals(Object.fromEntries(responseLimits), { ...DEFAULT_LIMITS });
});

test("an option and its default are read from an interface", () => {
  const text = [
    "export interface Sample extends Base {",
    "  /** One. */",
    "  readonly one: string;",
    "  /** Two. @default {\"b\"} */",
    "  readonly two?: string;",
    "  /**",
    "   * Three: an object.",
    "   *",
    "   * @default {[1, 2]}",
    "   */",
    "  readonly three?: { readonly [name: string]: number } | undefined;",
    "}",
    "export interface Other {",
    "  readonly four?: string;",
    "}",
  ].join("\n");
  assertEquals([...optionsOf(text, "Sample")], [
    ["one", undefined],
    ["two", "\"b\""],
    ["three", "[1, 2]"],
  ]);
});

test("the TLS options that documents tell of are those that there are", () => {
  const tls = tableOf(readDocument("docs/tls-and-pins.md"), "option").flatMap(namesIn);
  const options = optionsOf(readDocument("src/core/dialer.ts"), "TlsOptions");
  assertEquals(tls.sort(), [...options.keys()].sort());
});

test("the events, findings and reasons that documents tell of are those that there are", () => {
  const told = (head: string) =>
    tableOf(readDocument("docs/events-and-findings.md"), head).flatMap(namesIn).sort();
  const listed = (file: string) =>
    [...readDocument(file).matchAll(/^ \* - `(\w+)`/gm)].map(([, name]) => name!).sort();
  const findings = listed("src/pool/watch/findings.ts");
  const events = optionsOf(readDocument("src/pool/events.ts"), "PoolEvents");
  assertEquals(told("finding"), findings);
  // A finding is an event of the same name.
  assertEquals([...told("event"), ...findings].sort(), [...events.keys()].sort());
  assertEquals(told("reason"), listed("src/map/exits.ts"));
});

test("the errors, standings and balancers that documents tell of are those that there are", () => {
  const health = readDocument("docs/health.md");
  const standings = [...readDocument("src/map/endpoint.ts").matchAll(/^ \* - `(\w+)`/gm)]
    .map(([, standing]) => standing);
  assertEquals(tableOf(health, "standing").map(([name = ""]) => unquoted(name)), standings);
  const errorsPage = readDocument("docs/errors.md");
  const errors = Object.keys(main).filter((name) => name.endsWith("Error"));
  const told = tableOf(errorsPage, "error").map(([name = ""]) => unquoted(name));
  assertEquals([...told, "HotconnError"].sort(), errors.sort());
  const balancers = [...readDocument("src/hosts/balancer.ts").matchAll(/^ \* - `(\w+)`/gm)]
    .map(([, balancer]) => balancer!);
  assertEquals(
    tableOf(health, "balancer").map(([name = ""]) => unquoted(name)).sort(),
    [...balancers, "a function"].sort(),
  );
});

test("each error's code is a heading of the page on errors, and its table leads there", () => {
  const page = readDocument("docs/errors.md");
  const files = ["src/core/errors.ts", "src/http/h2/error_codes.ts", "src/http/parse_error.ts"];
  const codes = files.flatMap((file) =>
    [...readDocument(file).matchAll(/override readonly code = "(\w+)"/g)].map(([, code]) => code!)
  );
  const rows = new Map(tableOf(page, "error").map(([name = "", link = ""]) => [name, link]));
  assertEquals(rows.size, codes.length);
  const anchors = anchorsOf(page);
  for (const code of codes) {
    const anchor = code.toLowerCase();
    assert(anchors.includes(anchor), code);
    assert([...rows.values()].includes(`[\`${code}\`](#${anchor})`), code);
  }
});

test("the options that the README shows have the defaults that they have", () => {
  const rows = ["option", "HTTP option", "request option"].flatMap((head) =>
    tablesOf(limits, head).flat()
  );
  const told = tableOf(readDocument("README.md"), "option you set");
  assertEquals(told.length, 8);
  for (const [option, fallback] of told) {
    assertEquals(rows.find(([name]) => name === option)?.[1], fallback, option);
  }
});

test("the entry points that are told of are those that there are", () => {
  const { exports }: { readonly exports: object } = JSON.parse(readDocument("deno.json"));
  const told = tableOf(readDocument("docs/getting-started.md"), "import")
    .map(([name = ""]) => unquoted(name).replace("hotconn", "."));
  assertEquals(told.sort(), Object.keys(exports).sort());
});

test("the versions of runtimes that documents ask for are those that the package does", () => {
  const { engines }: { readonly engines: { readonly [name: string]: string } } = JSON.parse(
    readDocument("package.json"),
  );
  for (const path of documents()) {
    const asked = [...readDocument(path).matchAll(/\b(Bun|Deno|Node) ([\d.]+) or later/g)];
    for (const [text, name = "", version] of asked) {
      assertEquals(engines[name.toLowerCase()], `>=${version}`, `${path}: ${text}`);
    }
    if (path === "docs/getting-started.md") assertEquals(asked.length, 3);
  }
});

test("the layers that ARCHITECTURE.md lists are those that the house has", () => {
  const told = tableOf(readDocument("ARCHITECTURE.md"), "layer").map(([name = ""]) =>
    unquoted(name)
  );
  assertEquals(told, [...layers].reverse());
});

test("ARCHITECTURE.md and the README name every folder at the top", () => {
  const folders = readdirSync(new URL("../", import.meta.url), { withFileTypes: true })
    .filter((entry) =>
      entry.isDirectory() && !/^\.|^node_modules$|^dist(?:-|$)|^reference$/.test(entry.name)
    )
    .map(({ name }) => `${name}/`);
  for (const path of ["ARCHITECTURE.md", "README.md"]) {
    const named = pathsOf(readDocument(path));
    const silent = folders.filter((folder) => !named.some((name) => name.startsWith(folder)));
    assertEquals(silent, [], path);
  }
});

test("the ratios that documents tell are those that were measured", () => {
  const results = readDocument("bench/RESULTS.md");
  const measured = tableOf(results, "goal").map(([, byCpu = ""]) => byCpu).sort();
  assert(measured.length > 5);
  for (const path of ["README.md", "docs/performance.md"]) {
    const told = tableOf(readDocument(path), "against").flatMap(([, ...ratios]) => ratios);
    assertEquals(told.filter((ratio) => ratio !== "").sort(), measured, path);
  }
  const ofLongBodies = /bodies of 1 MiB the ratios are (.*)/.exec(readDocument("README.md"))?.[1];
  assertEquals(
    ofLongBodies?.match(/\d\.\d+/g),
    tableOf(results, "runtime").slice(0, 3).map(([, , ratio]) => ratio),
  );
});

test("the alerts ask for metrics that there are, with labels that they have", async () => {
  await using pool = memoryHttp(() => answer("503 Busy"));
  await (await pool.request("https://a.test/")).text();
  const samples = main.openMetrics(pool, { addresses: true }).split("\n");
  const alerts = readDocument("docs/alerts.yml");
  const asked = [...alerts.matchAll(/\b(hotconn_\w+)(?:\{(\w+)!?=("[^"]*")\})?/g)];
  assert(asked.length > 5);
  const isTold = ([, name, label, value]: RegExpExecArray) =>
    // Of some there is nothing to tell here: no certificate was shown.
    samples.some((sample) =>
      sample.startsWith(`# TYPE ${name} `)
      || (sample.startsWith(`${name}{`) && (!label || sample.includes(`${label}=${value}`)))
    );
  assertEquals(asked.filter((selector) => !isTold(selector)).map(([text]) => text), []);
});

test("each metric has a row in the page about metrics, and no other does", async () => {
  await using pool = memoryHttp(() => answer("200 OK"));
  const text = main.openMetrics(pool, { addresses: true });
  const families = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) =>
    type === "counter" ? `${name}_total` : name!
  );
  const told = [...readDocument("docs/metrics.md").matchAll(/^\| `(hotconn_\w+)`/gm)]
    .map(([, name]) => name!);
  assertEquals(told.sort(), families.sort());
});

/** The names in a row's first cell, of which there may be several. */
function namesIn([cell = ""]: readonly string[]): string[] {
  return unquoted(cell).split(", ");
}

function unquoted(cell: string): string {
  return cell.replaceAll("`", "");
}
