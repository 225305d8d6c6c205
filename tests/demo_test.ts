import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import process from "node:process";
import test from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import { parseOptions, UsageError } from "../examples/demo/options.ts";
import { RUN_ARGUMENTS, startChild } from "./support/child_program.ts";
import { run } from "./support/programs.ts";

const runDemo = (...words: string[]) =>
  run(process.execPath, [...RUN_ARGUMENTS, "examples/demo/main.ts", ...words], {
    timeoutMs: 30_000,
  });

test("the demo reads its arguments", () => {
  assertEquals(parseOptions([]), { seconds: 15, protocol: "h2", json: false, admin: false });
  assertEquals(parseOptions(["--seconds", "2.5", "--json", "--admin"]), {
    seconds: 2.5,
    protocol: "h2",
    json: true,
    admin: true,
  });
  assertEquals(parseOptions(["--admin"])?.seconds, Infinity);
  assertEquals(parseOptions(["--help"]), undefined);
  const { url } = parseOptions(["--url", "https://example.com/a"])!;
  assertEquals(url?.href, "https://example.com/a");
});

test("the demo refuses arguments that make no sense", () => {
  for (
    const words of [
      ["--seconds"],
      ["--seconds", "1"],
      ["--seconds", "many"],
      ["--seconds", ""],
      ["--url", "http://example.com/"],
      ["--url", "example.com"],
      ["--unknown"],
      ["word"],
    ]
  ) assertThrows(() => parseOptions(words), UsageError);
});

test("the demo ends with code 2 when its arguments make no sense, and says why", async () => {
  const { code, output, stdout } = await runDemo("--seconds", "0");
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(output, "--seconds must be a number from 2 to 3600, got \"0\"");
});

test("the demo loses no request when a machine stops, and leaves no socket open", async () => {
  const { code, output, stdout } = await runDemo("--seconds", "2", "--json");
  assertEquals(code, 0, output);
  const { failures, handshakes, openSockets, requests, ...rest } = JSON.parse(stdout);
  assertEquals([failures, openSockets, rest.runtime], [0, 0, detectRuntime()]);
  assert(requests > 0 && handshakes > 0, stdout);
});

test("the demo with --admin shows its pool to who has the link, and ends all the same", async () => {
  await using child = startChild("examples/demo/main.ts", ["--seconds", "3", "--json", "--admin"]);
  const said = await child.errorLine();
  const [, url = ""] = /^Dashboard: (\S+)$/.exec(said) ?? [];
  const page = await fetch(url);
  assertStringIncludes(await page.text(), "<html");
  for (const path of ["/", "/admin/", "/api/pools"]) {
    const missed = await fetch(new URL(path, url));
    assertEquals(missed.status, 404, path);
    await missed.text();
  }
  const events = await fetch(`${url}api/pools/default/events?lastEventId=0`);
  const [pools, stream] = await Promise.all([
    fetch(`${url}api/pools`).then((response) => response.json()),
    events.text(),
  ]);
  assertEquals(pools.rights, ["read", "act"]);
  assertStringIncludes(stream, "event: ready");
  assertStringIncludes(stream, "event: closed");
  const { failures, openSockets, requests } = JSON.parse(await child.line());
  assertEquals([failures, openSockets], [0, 0]);
  assert(requests > 0);
});

test("the demo with --admin and without --seconds stays up until it is stopped", async () => {
  await using child = startChild("examples/demo/main.ts", ["--json", "--admin"]);
  const [, url = ""] = /^Dashboard: (\S+)$/.exec(await child.errorLine()) ?? [];
  await (await fetch(url)).text();
  await child.end();
  const { failures, openSockets } = JSON.parse(await child.line());
  assertEquals([failures, openSockets], [0, 0]);
});

test("the demo of a fleet tells what it does, and ends with code 2 when its arguments make no sense", async () => {
  const runFleet = (...words: string[]) =>
    run(process.execPath, [...RUN_ARGUMENTS, "examples/fleet/main.ts", ...words], {
      timeoutMs: 30_000,
    });
  const { code, stdout } = await runFleet("--help");
  assertEquals(code, 0);
  assertStringIncludes(stdout, "redis-server");
  assertEquals((await runFleet("--unknown")).code, 2);
});
