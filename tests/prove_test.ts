import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import { run } from "./support/programs.ts";

const skip = detectRuntime() !== "node" && "The proofs are run from Node, whoever looks on";

const program = (...words: readonly string[]) =>
  run("node", ["--import", "tsx", "tests/prove/planted_main.ts", ...words], { timeoutMs: 60_000 });

test(
  "npm run prove sums each part up in a line, and fails where one does not hold",
  { skip },
  async () => {
    const { code, output } = await program(
      "all",
      "--steps",
      "7",
      "--seed",
      "5",
      "--only",
      "both of us",
    );
    assertEquals(code, 1, output);
    assertMatch(output, /^good: on its way$/m);
    assertMatch(output, /^good: held: 7 steps in \d+\.\d s, seed 5, on node \d+\.\d+\.\d+$/m);
    assertMatch(output, /^bad: BROKEN: Error: The planted fault of both of us$/m);
    assertStringIncludes(
      output,
      "bad: again: npm run prove -- bad --runtime node --seed 5 --only \"both of us\" --steps 7\n",
    );
    assertMatch(output, /^bad: BROKEN \(1\): it could not go on in .+, seed 5, on node/m);
  },
);

test("npm run prove --json prints a line of JSON for each part, on the runtime that is named", {
  skip,
}, async () => {
  const { code, stdout } = await program("good", "--json", "--steps=3", "--runtime", "bun");
  assertEquals(code, 0, stdout);
  const { part, runtime, held, steps, figures, broken } = JSON.parse(stdout);
  assertEquals({ part, runtime, held, steps, figures, broken }, {
    part: "good",
    runtime: "bun",
    held: true,
    steps: 3,
    figures: { steps: 3 },
    broken: [],
  });
});

test("npm run prove refuses what makes no sense, and says what there is", { skip }, async () => {
  const { code, output } = await program("good", "--runtime", "java");
  assertEquals(code, 2, output);
  const none = await program("none");
  assertEquals(none.code, 2, none.output);
  assertStringIncludes(none.output, "bad      does not hold");
});
