import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import process from "node:process";
import test from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import { parseOptions, UsageError } from "../examples/demo/options.ts";
import { run } from "./support/programs.ts";

const runtime = detectRuntime();
const command = {
  deno: ["run", "--allow-all"],
  bun: ["run"],
  node: ["--import", "tsx"],
}[runtime];

const runDemo = (...words: string[]) =>
  run(process.execPath, [...command, "examples/demo/main.ts", ...words], { timeoutMs: 30_000 });

test("the demo reads its arguments", () => {
  assertEquals(parseOptions([]), { seconds: 15, json: false });
  assertEquals(parseOptions(["--seconds", "2.5", "--json"]), { seconds: 2.5, json: true });
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
  assertEquals([failures, openSockets, rest.runtime], [0, 0, runtime]);
  assert(requests > 0 && handshakes > 0, stdout);
});
