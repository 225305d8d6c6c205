import { assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import { run } from "./support/programs.ts";
import { testRuntimes } from "./support/runtimes.ts";
import { writeFiles } from "./support/services.ts";

const program = (file: string, ...words: readonly string[]) =>
  run("node", ["--import", "tsx", `tests/${file}.ts`, ...words], { timeoutMs: 30_000 });

test("the gate fails where its words are in no step's name", async () => {
  const { code, output } = await program("check", "tpyes");
  assertEquals(code, 1, output);
  assertStringIncludes(output, "No step has \"tpyes\" in its name: format; lint;");
});

test("the suite refuses a place that has no test, and one that is not there", async () => {
  const empty = await program("run", "node", "tests/consumers");
  assertEquals([empty.code, empty.output], [1, "There is no test in tests/consumers\n"]);
  const missing = await program("run", "node", "tests/nowhere");
  assertEquals([missing.code, missing.output], [1, "There is no file or folder tests/nowhere\n"]);
});

const FLAKY = {
  "package.json": JSON.stringify({ type: "module" }),
  "declared.ts": `import { existsSync, writeFileSync } from "node:fs";
import test from "node:test";
const flag = new URL("flag", import.meta.url);
export const declare = () => test("fails once", () => {
  if (existsSync(flag)) return;
  writeFileSync(flag, "");
  throw new Error("the first time");
});`,
  "first_test.ts": "import { declare } from './declared.ts'; declare();",
  "second_test.ts": "import test from 'node:test'; test('is well', () => {});",
};

const BROKEN = {
  "package.json": FLAKY["package.json"],
  "first_test.ts":
    "import test from 'node:test'; test(() => process.kill(process.pid, 'SIGKILL'));",
};

const SKIPPED_THEN = {
  "package.json": FLAKY["package.json"],
  "first_test.ts": `import { existsSync, writeFileSync } from "node:fs";
import test from "node:test";
const flag = new URL("flag", import.meta.url);
const skip = existsSync(flag);
writeFileSync(flag, "");
test("fails once, and is then skipped", { skip }, () => { throw new Error("the first time"); });`,
  "second_test.ts": FLAKY["second_test.ts"],
};

/** Runs test files in their own folder. */
async function runFiles(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-flaky-"));
  try {
    writeFiles(folder, files);
    return await program("run", "node", folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const skip = detectRuntime() !== "node" && "The runner runs on Node, whoever looks on";

test("a test that fails once is told as flaky, also where another file declares it", {
  skip,
}, async () => {
  const { code, output } = await runFiles(FLAKY);
  assertEquals(code, 0, output);
  assertStringIncludes(output, "  flaky: fails once (");
  assertStringIncludes(output, "2 passed, 0 failed, 0 skipped");
});

test("a file that breaks off has failed, and so has a test that is then skipped", {
  skip,
}, async () => {
  const broken = await runFiles(BROKEN);
  assertEquals(broken.code, 1, broken.output);
  assertStringIncludes(broken.output, "0 passed, 1 failed, 0 skipped");
  const skipped = await runFiles(SKIPPED_THEN);
  assertEquals(skipped.code, 1, skipped.output);
  assertStringIncludes(skipped.output, "first_test.ts by itself");
  assertStringIncludes(skipped.output, "1 passed, 1 failed, 0 skipped");
});

test("the tests that passed are read from what each runtime prints, however short they were", () => {
  const { bun, deno, node } = testRuntimes;
  assertEquals(
    deno!.passes("a: b (c) ... ok (680µs)\nlong ... ok (1m2s)\nbad ... FAILED (3ms)\n"),
    [
      "a: b (c)",
      "long",
    ],
  );
  assertEquals(bun!.passes("(pass) a: b (c) [0.21ms]\n(pass) short\n(fail) bad [3.00ms]\n"), [
    "a: b (c)",
    "short",
  ]);
  assertEquals(node!.passes("✔ a: b (c) (0.68ms)\n✖ bad (3.1ms)\n"), ["a: b (c)"]);
});
