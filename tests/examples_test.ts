import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import test from "node:test";
import { RUN_ARGUMENTS, startChild } from "./support/child_program.ts";
import { ok } from "./support/http_scene.ts";
import { type Origin, type OriginReport, startRemoteOrigin } from "./support/origin_process.ts";
import type { Scripts } from "./support/origin_script.ts";
import { createAuthority, type LeafRequest } from "./support/pki.ts";
import { run, type RunResult } from "./support/programs.ts";

const ca = await createAuthority();
const leaf = async (request: LeafRequest) => ({ ...await ca.issue(request) });
const goodLeaf = await leaf({ names: ["a.test", "b.test"] });

const folder = mkdtempSync(path.join(tmpdir(), "hotconn-examples-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const caFile = path.join(folder, "ca.pem");
writeFileSync(caFile, ca.cert);

/** What an example finds around it. */
interface Setting {
  readonly [name: string]: string;
}

function runExample(name: string, words: readonly string[], setting: Setting): Promise<RunResult> {
  return run(process.execPath, [...RUN_ARGUMENTS, `examples/${name}.ts`, ...words], {
    environment: { CA_FILE: caFile, ...setting },
    timeoutMs: 45_000,
  });
}

function scripted(scripts: Scripts, address: string, more = {}): Promise<Origin> {
  return startRemoteOrigin({
    certificates: [goodLeaf],
    addresses: [address],
    behaviour: { kind: "script", scripts },
    ...more,
  });
}

const addressOf = ({ addresses, port }: Origin) => `${addresses[0]}:${port}`;

/** That there was a rest before each request but the first. */
function assertRests({ log }: OriginReport, pauseMs: number): void {
  const times = log.map(({ at }) => at);
  for (const [index, at] of times.slice(1).entries()) {
    // On its way one may take longer than the next.
    const restMs = at - times[index]!;
    assert(restMs > pauseMs / 2, `${restMs} ms`);
  }
}

const page = (...links: readonly string[]) => [{
  send: ok(links.map((link) => `<a href="${link}">x</a>`).join("\n"), [
    "content-type: text/html; charset=utf-8",
  ]),
}];

test("an example that is not told what to do says how it is run, and ends with 2", async () => {
  for (const name of ["crawler", "webhook", "prober", "sdk", "gateway/serve"]) {
    const { code, output, stdout } = await runExample(name, [], {});
    assertEquals([code, stdout], [2, ""], name);
    assertStringIncludes(output, `${name.replace("gateway/", "")}.ts URL`);
  }
});

test("the crawler asks a host's machines in turn, one connection each, and rests between", async () => {
  const pages: Scripts = {
    "/": page("/1", "2#part", "https://elsewhere.test/", "mailto:x"),
    "/1": page("/3", "/"),
    "/2": page("/3"),
    "/3": page("/4"),
    "/4": [{ send: ok("not a page <a href=\"/5\">") }],
  };
  await using first = await scripted(pages, "127.0.0.2");
  await using second = await scripted(pages, "127.0.0.3");
  const { code, output, stdout } = await runExample("crawler", ["https://a.test/"], {
    ADDRESSES: `a.test=${addressOf(first)},${addressOf(second)}`,
    PAUSE_MS: "600",
  });
  assertEquals(code, 0, output);
  const [machines, ...visits] = stdout.trim().split("\n");
  assertEquals(machines, `a.test has 2 machines: ${addressOf(first)}, ${addressOf(second)}`);
  assertEquals(visits, [
    `200 ${addressOf(first)} https://a.test/ 2 new links`,
    `200 ${addressOf(second)} https://a.test/1 1 new links`,
    `200 ${addressOf(first)} https://a.test/2 0 new links`,
    `200 ${addressOf(second)} https://a.test/3 1 new links`,
    `200 ${addressOf(first)} https://a.test/4 0 new links`,
  ]);
  const reports = [await first.report(), await second.report()];
  assertEquals(reports.map(({ requests, accepted }) => [requests, accepted]), [[3, 1], [2, 1]]);
  for (const report of reports) assertRests(report, 600);
});

test("the crawler takes a page to the next machine when one is gone, and shares rests among hosts", async () => {
  await using well = await scripted({ "/": page("/2"), "*": page() }, "127.0.0.3");
  const { code, output, stdout } = await runExample(
    "crawler",
    ["https://a.test/", "https://b.test/leaf"],
    {
      ADDRESSES: `a.test=${addressOf(well)},127.0.0.4:1 b.test=${addressOf(well)}`,
      PAUSE_MS: "600",
    },
  );
  assertEquals(code, 0, output);
  assertStringIncludes(stdout, `200 ${addressOf(well)} https://a.test/ 1 new links`);
  assertStringIncludes(stdout, `200 ${addressOf(well)} https://b.test/leaf 0 new links`);
  assertStringIncludes(stdout, "--- 127.0.0.4:1 https://a.test/2: ");
  assertStringIncludes(stdout, `200 ${addressOf(well)} https://a.test/2 0 new links`);
  const report = await well.report();
  assertEquals(report.requests, 3);
  assertRests(report, 600);
});

test("the webhook sender goes on to the next machine with the same key, and reports it", async () => {
  await using busy = await scripted({ "*": [{ send: ok("", [], "503 Busy") }] }, "127.0.0.2");
  await using well = await scripted({ "*": [{ send: ok() }] }, "127.0.0.3");
  const { code, output, stdout } = await runExample(
    "webhook",
    ["https://a.test/in", "paid", "shipped", "sent"],
    { ADDRESSES: `a.test=127.0.0.4:1,${addressOf(busy)},${addressOf(well)}` },
  );
  assertEquals(code, 0, output);
  const reports = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(reports.map(({ delivered, event, status }) => [event, delivered, status]), [
    ["paid", true, 200],
    ["shipped", true, 200],
    ["sent", true, 200],
  ]);
  for (const { tried } of reports) assertEquals(tried.at(-1), addressOf(well));
  const tried = new Set<string>(reports.flatMap(({ tried }) => tried));
  assert(tried.has(addressOf(busy)), stdout);
  const keyOf = (head: string) => /^idempotency-key: (\S+)/im.exec(head)![1]!;
  const { log } = await well.report();
  assertEquals(log.map(({ head }) => keyOf(head)), reports.map(({ key }) => key));
  const keys = new Set(log.map(({ head }) => keyOf(head)));
  assertEquals(keys.size, 3);
  for (const { head } of (await busy.report()).log) assert(keys.has(keyOf(head)));
  assertMatch(log[0]!.bodyStart, /^\{"event":"paid","sentAt":"/);
});

test("the webhook sender ends at its deadline, and says that the event may have arrived", async () => {
  await using mute = await scripted({ "*": [] }, "127.0.0.2");
  // A slow machine needs longer to come as far as the request.
  for (let deadlineMs = 300; deadlineMs < 10_000; deadlineMs *= 3) {
    const { code, output, stdout } = await runExample("webhook", ["https://a.test/in", "paid"], {
      ADDRESSES: `a.test=${addressOf(mute)}`,
      DEADLINE_MS: `${deadlineMs}`,
    });
    assertEquals(code, 1, output);
    const { delivered, error, maybeActedOn, ms, status, tried } = JSON.parse(stdout);
    assertEquals([delivered, status], [false, null]);
    assert(ms >= deadlineMs && ms < deadlineMs + 5_000, `${ms} ms`);
    if ((await mute.report()).requests === 0) continue;
    assertEquals([maybeActedOn, tried], [true, [addressOf(mute)]]);
    assertStringIncludes(error, "timeout");
    return;
  }
  throw new Error("No request came in time");
});

test("the prober tells of each machine what it answers, how fast, and of its certificate", async () => {
  const answer: Scripts = { "/healthz": [{ waitMs: 50 }, { send: ok("fine") }] };
  await using well = await scripted(answer, "127.0.0.2");
  await using ill = await scripted({ "*": [{ send: ok("", [], "500 Ill") }] }, "127.0.0.3");
  const expired = { ...await ca.issueExpired({ names: ["a.test"] }) };
  await using old = await scripted(answer, "127.0.0.4", { certificates: [expired] });
  const other = await leaf({ names: ["other.test"] });
  await using wrong = await scripted(answer, "127.0.0.5", { certificates: [other] });
  const machines = [well, ill, old, wrong].map(addressOf);
  const { code, output, stdout } = await runExample("prober", ["https://a.test/healthz"], {
    ADDRESSES: `a.test=${[...machines, "127.0.0.6:1"].join(",")}`,
  });
  assertEquals(code, 1, output);
  const [head, ...rows] = stdout.trim().split("\n").map((line) => line.split(/ {2,}/));
  assertEquals(head, ["address", "verdict", "handshake ms", "first byte ms", "certificate"]);
  assertEquals(rows.map(([address, verdict]) => [address, verdict]), [
    [machines[0], "200 OK"],
    [machines[1], "500 Ill"],
    [machines[2], "tls: certificate"],
    [machines[3], "tls: certificate"],
    ["127.0.0.6:1", "tcp: refused"],
  ]);
  const [good, , expiredRow, wrongRow, refused] = rows as [string[], string[], ...string[][]];
  assert(Number(good[2]) > 0 && Number(good[3]) >= 45, stdout);
  assertEquals([good[4], refused![4]], ["good", "not seen"]);
  assertMatch(expiredRow![4]!, /expired/i);
  assertMatch(wrongRow![4]!, /not for a\.test|name/i);
});

test("the prober ends well when every machine is well", async () => {
  await using well = await scripted({ "*": [{ send: ok() }] }, "127.0.0.2");
  const { code, output } = await runExample("prober", ["https://a.test/"], {
    ADDRESSES: `a.test=${addressOf(well)}`,
  });
  assertEquals(code, 0, output);
});

test("the SDK's calls go over the pool's hot connections", async () => {
  const item = JSON.stringify({ id: "7", title: "A seventh thing" });
  await using origin = await scripted({
    "/items": [{ wait: "body" }, { send: ok(item, ["content-type: application/json"]) }],
    "/items/7": [{ send: ok(item, ["content-type: application/json"]) }],
    "*": [{ send: ok("There is none", [], "404 Not Found") }],
  }, "127.0.0.2");
  const { code, output, stdout } = await runExample("sdk", ["https://a.test/"], {
    ADDRESSES: `a.test=${addressOf(origin)}`,
  });
  assertEquals(code, 0, output);
  assertEquals(stdout, `${item}\n${item}\nThe service answered 404: There is none\n`);
  assertStringIncludes(output, "200 from 127.0.0.2");
  assertStringIncludes(output, "404 from 127.0.0.2");
  const { accepted, log } = await origin.report();
  assertEquals([accepted, log.map(({ method, path }) => `${method} ${path}`)], [2, [
    "POST /items",
    "GET /items/7",
    "GET /items/no%20such%20thing",
  ]]);
});

/** The gateway, running. */
interface Gateway extends AsyncDisposable {
  readonly url: string;
}

async function startGateway(upstream: string, setting: Setting): Promise<Gateway> {
  const environment = { CA_FILE: caFile, PORT: "0", WARM: "2", ...setting };
  const child = startChild("examples/gateway/serve.ts", [upstream], environment);
  const line = await child.line();
  return {
    url: /^http:\/\/127\.0\.0\.1:\d+/.exec(line)![0],
    [Symbol.asyncDispose]: () => child.end(),
  };
}

/** Asks for a path as it stands: not every runtime's fetch leaves its slashes alone. */
async function askRaw(url: string, path: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nhost: gateway.test\r\nconnection: close\r\n\r\n`);
  let answer = "";
  for await (const bytes of socket) answer += bytes;
  return answer;
}

test("the gateway hands requests and answers on, without what is for one hop", async () => {
  await using origin = await scripted({
    "/base/things?x=1": [
      { wait: "body" },
      { send: ok("made", ["x-a: 1", "connection: x-hop", "x-hop: 1"], "201 Created") },
    ],
    "/base//elsewhere.test/": [{ send: ok("still here") }],
    "/base/none": [{ send: "HTTP/1.1 204 None\r\n\r\n" }],
    "/base/big": [{ send: "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" }, {
      pattern: 1_000_000,
    }],
  }, "127.0.0.2");
  await using gateway = await startGateway("https://a.test/base/", {
    ADDRESSES: `a.test=127.0.0.3:1,${addressOf(origin)}`,
  });
  const made = await fetch(`${gateway.url}/things?x=1`, {
    method: "POST",
    body: "a thing",
    headers: { "x-forwarded-for": "192.0.2.1", "x-own": "2" },
  });
  assertEquals([made.status, await made.text()], [201, "made"]);
  assertEquals([made.headers.get("x-a"), made.headers.get("x-hop")], ["1", null]);
  assertStringIncludes(await askRaw(gateway.url, "//elsewhere.test/"), "still here");
  assertEquals((await fetch(`${gateway.url}/none`)).status, 204);
  assertEquals((await (await fetch(`${gateway.url}/big`)).arrayBuffer()).byteLength, 1_000_000);
  const health = await (await fetch(`${gateway.url}/gateway/health`)).json();
  assert(health.connections >= 1);
  const { log } = await origin.report();
  const { bodyStart, head } = log[0]!;
  assertEquals(bodyStart, "a thing");
  assertMatch(head, /^host: a\.test$/im);
  assertMatch(head, /^x-own: 2$/im);
  assertMatch(head, /^x-forwarded-proto: http$/im);
  assert(!/^x-forwarded-for|^connection/im.test(head), head);
});

test("the gateway says 502 when its upstream is gone, 504 when it is late, and no more", async () => {
  await using origin = await scripted({
    "/late": [],
    "/gone": [{ do: "end" }],
    "*": [{ send: ok() }],
  }, "127.0.0.2");
  await using gateway = await startGateway("https://a.test/", {
    ADDRESSES: `a.test=${addressOf(origin)}`,
    TIMEOUT_MS: "300",
  });
  const late = await fetch(`${gateway.url}/late`);
  assertEquals([late.status, await late.text()], [504, "The upstream is late"]);
  const gone = await fetch(`${gateway.url}/gone`, { method: "POST", body: "x" });
  assertEquals([gone.status, await gone.text()], [502, "The upstream is gone"]);
});

test("the gateway starts while its upstream is down, and says 502 meanwhile", async () => {
  const origin = await scripted({ "*": [{ send: ok() }] }, "127.0.0.2");
  const address = addressOf(origin);
  await origin[Symbol.asyncDispose]();
  await using gateway = await startGateway("https://a.test/", { ADDRESSES: `a.test=${address}` });
  const gone = await fetch(`${gateway.url}/`);
  assertEquals([gone.status, await gone.text()], [502, "The upstream is gone"]);
});

test("the gateway shows its pool to who has the token, and hands nothing of it on", async () => {
  await using origin = await scripted({ "*": [{ send: ok("upstream") }] }, "127.0.0.2");
  const token = crypto.randomUUID();
  await using gateway = await startGateway("https://a.test/", {
    ADDRESSES: `a.test=${addressOf(origin)}`,
    ADMIN_TOKEN: token,
  });
  const path = `${gateway.url}/gateway/admin/api/pools/default/stats`;
  const ask = async (headers: { readonly [name: string]: string }) => {
    const response = await fetch(path, { headers });
    return [response.status, await response.json()];
  };
  assertEquals((await ask({}))[0], 401);
  const [status, { connections }] = await ask({ authorization: `Bearer ${token}` });
  assertEquals([status, connections], [200, 2]);
  const missing = await fetch(`${gateway.url}/gateway/elsewhere`);
  assertEquals([missing.status, (await missing.text()).includes("upstream")], [404, false]);
  assertEquals((await origin.report()).requests, 0);
});
