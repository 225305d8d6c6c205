import { assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import { run } from "../support/programs.ts";

const skip = detectRuntime() !== "node" && "The demo runs on Node, whoever looks on";
const demo = (words: readonly string[], environment: Record<string, string> = {}) =>
  run(process.execPath, ["--import", "tsx", "examples/fleet/main.ts", ...words], {
    environment,
    timeoutMs: 60_000,
  });

test(
  "The demo of a fleet says what it shows, and refuses what makes no sense",
  { skip },
  async () => {
    const help = await demo(["--help"]);
    assertEquals(help.code, 0, help.output);
    assertStringIncludes(help.stdout, "Redis stands still for five seconds");
    const wrong = await demo(["--sooner"]);
    assertEquals(wrong.code, 2, wrong.output);
    assertStringIncludes(wrong.output, "Try --help");
  },
);

test("The demo of a fleet says how to install Redis where it is missing", { skip }, async () => {
  const { code, output } = await demo([], { PATH: "/nonexistent" });
  assertEquals(code, 2, output);
  assertStringIncludes(output, "apt-get install redis-server");
});
