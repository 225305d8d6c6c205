import { assertEquals, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { run } from "./support/programs.ts";

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
