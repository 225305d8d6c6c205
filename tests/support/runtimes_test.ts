import { assertEquals } from "@std/assert";
import test from "node:test";
import { testRuntimes } from "./runtimes.ts";

test("counts are read from what Deno prints", () => {
  const output = [
    "running 4 tests from ./tests/a_test.ts",
    "one ... ok (945µs)",
    "two ... ignored (0ms)",
    "",
    "FAILED | 2 passed (1 step) | 1 failed | 1 ignored (8ms)",
    "error: Test failed",
  ].join("\n");
  assertEquals(testRuntimes.deno?.count(output), {
    passed: 2,
    failed: 1,
    skipped: 1,
    skips: ["two"],
  });
});

test("counts are read from what Bun prints", () => {
  const output = [
    "tests/a_test.ts:",
    "(pass) one [7.03ms]",
    "(skip) two",
    "",
    " 12 pass",
    " 1 skip",
    " 1 fail",
    "Ran 14 tests across 1 file. [175.00ms]",
  ].join("\n");
  assertEquals(testRuntimes.bun?.count(output), {
    passed: 12,
    failed: 1,
    skipped: 1,
    skips: ["two"],
  });
});

test("counts are read from what Node prints", () => {
  const output = [
    "✔ one (0.615285ms)",
    "﹣ two (0.108621ms) # no reason to run",
    "﹣ three (0.108621ms) # SKIP",
    "✔ /somewhere/tests/empty_test.ts (199.8ms)",
    "ℹ tests 7",
    "ℹ suites 0",
    "ℹ pass 3",
    "ℹ fail 1",
    "ℹ cancelled 1",
    "ℹ skipped 2",
    "ℹ todo 0",
  ].join("\n");
  assertEquals(testRuntimes.node?.count(output), {
    passed: 2,
    failed: 3,
    skipped: 2,
    skips: ["two (no reason to run)", "three"],
  });
});

test("a run that broke off before its summary has no counts", () => {
  for (const { count } of Object.values(testRuntimes)) {
    assertEquals(
      count("one ... ok (945µs)\n(pass) two [7ms]\n✔ three (0.6ms)\nkilled\n"),
      undefined,
    );
  }
});

test("failed tests are read with their files from what each runtime prints", () => {
  const outputs: { readonly [name: string]: readonly string[] } = {
    deno: [
      "running 3 tests from ./tests/a_test.ts",
      "one ... ok (945µs)",
      "running 2 tests from ./tests/b_test.ts",
      "two: it's so ... FAILED (938µs)",
      "group ...",
      "  three ... FAILED (3ms)",
      "group ... FAILED (due to 1 failed step) (3ms)",
    ],
    bun: [
      "tests/a_test.ts:",
      "(pass) one [2.08ms]",
      "",
      "tests/b_test.ts:",
      "(fail) two: it's so [0.48ms]",
      "(fail) three",
      "tests/c_test.ts:",
      "(pass) four",
      "",
      "2 tests failed:",
      "(fail) two: it's so [0.48ms]",
      "(fail) three",
    ],
    node: [
      "✔ one (0.59ms)",
      "✖ two: it's so (0.24ms)",
      "✖ three",
      "ℹ tests 3",
      "",
      "✖ failing tests:",
      "",
      "test at tests/b_test.ts:1:51",
      "✖ two: it's so (0.24ms)",
      "  Error: x",
      "",
      "test at tests/b_test.ts:1:72",
      "✖ three",
    ],
  };
  for (const [name, lines] of Object.entries(outputs)) {
    assertEquals(testRuntimes[name]?.failures(lines.join("\n")), [
      { file: "tests/b_test.ts", name: "two: it's so" },
      { file: "tests/b_test.ts", name: "three" },
    ]);
  }
  // Node tells where a test is declared, which may be a contract that many files share.
  const lines = ["", "✖ failing tests:", "test at tests/b_test.ts:1:5", "✖ one", ""];
  const shared = ["test at tests/contract.ts:9:3", "✖ two (1.5ms)"];
  assertEquals(testRuntimes["node"]?.failures([...lines, ...shared].join("\n")), [
    { file: "tests/b_test.ts", name: "one" },
    { file: "tests/contract.ts", name: "two" },
  ]);
  // A batch of files says that one of them failed: those that declare a failed test, or any of them.
  const batch = "failed in one of tests/a_test.ts tests/b_test.ts";
  const both = "failed in one of tests/c_test.ts tests/d_test.ts";
  assertEquals(testRuntimes["node"]?.failedFiles([batch, both, ...lines].join("\n")), [
    ["tests/b_test.ts"],
    ["tests/c_test.ts", "tests/d_test.ts"],
  ]);
});
