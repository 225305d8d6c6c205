/**
 * Runs the one suite on each of the runtimes that are named, and adds up.
 *
 *     node --import tsx tests/run.ts [deno] [bun] [node] [files or folders]
 *
 * @module
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { endTogether, root, run } from "./support/programs.ts";
import { type Counts, type Failure, type TestRuntime, testRuntimes } from "./support/runtimes.ts";

interface Outcome extends Counts {
  readonly runtime: string;
  /** The tests that failed, as far as the runtime names them. */
  readonly failures: readonly Failure[];
  /** The tests that failed in the whole suite, and passed when their file ran again by itself. */
  readonly flaky: readonly Failure[];
  /** What went wrong besides tests that failed. */
  readonly trouble?: string;
}

/**
 * How many files that failed are run again, each by itself. A busy machine fails a test of real
 * sockets now and then; a fault of ours fails more files than these, or fails again.
 */
const filesRunAgain = 3;

async function runSuite(
  name: string,
  runtime: TestRuntime,
  files: readonly string[],
): Promise<Outcome> {
  const version = await run(runtime.program, ["--version"]);
  const runtimeName = `${name} ${/\d+\.\d+\.\d+/.exec(version.output)?.[0] ?? "?"}`;
  console.log(`\n== ${runtimeName}`);
  const outcome = await runFiles(runtimeName, runtime, files);
  const failed = new Set(outcome.failures.map(({ file }) => file));
  const isNamed = outcome.trouble === undefined && outcome.failures.length === outcome.failed
    && [...failed].every((file) => files.includes(file));
  if (!isNamed || failed.size > filesRunAgain || files.length === 1) return outcome;
  const flaky: Failure[] = [];
  for (const file of failed) {
    console.log(`\n== ${runtimeName}, ${file} by itself`);
    const again = await runFiles(runtimeName, runtime, [file]);
    if (again.failed === 0) {
      flaky.push(...outcome.failures.filter((failure) => failure.file === file));
    }
  }
  return {
    ...outcome,
    passed: outcome.passed + flaky.length,
    failed: outcome.failed - flaky.length,
    failures: outcome.failures.filter((failure) => !flaky.includes(failure)),
    flaky,
  };
}

async function runFiles(
  runtimeName: string,
  runtime: TestRuntime,
  files: readonly string[],
): Promise<Outcome> {
  const { broken, code, output } = await run(runtime.program, runtime.arguments(files), {
    show: true,
  });
  const counts = runtime.count(output) ?? { passed: 0, failed: 0, skipped: 0, skips: [] };
  const outcome = {
    ...counts,
    runtime: runtimeName,
    failures: counts.failed > 0 ? runtime.failures(output) : [],
    flaky: [],
  };
  const trouble = broken
    ?? (counts.passed + counts.failed + counts.skipped === 0
      ? "it told of no test"
      : code !== 0 && counts.failed === 0
      ? `it ended with code ${code}`
      : undefined);
  if (trouble === undefined) return outcome;
  // Whatever else happened, this runtime did not pass.
  return { ...outcome, failed: Math.max(counts.failed, 1), trouble };
}

function findTests(where: string): string[] {
  const full = path.resolve(root, where);
  if (!existsSync(full)) throw new Error(`There is no file or folder ${where}`);
  if (statSync(full).isFile()) return [path.relative(root, full)];
  return readdirSync(full, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("_test.ts"))
    .map((name) => path.relative(root, path.join(full, name)))
    .sort();
}

function sum(outcomes: readonly Outcome[]): string {
  const count = (key: "passed" | "failed" | "skipped") =>
    `${outcomes.reduce((total, outcome) => total + outcome[key], 0)} ${key}`;
  return `${count("passed")}, ${count("failed")}, ${count("skipped")}`;
}

async function main(words: readonly string[]): Promise<void> {
  const names = words.filter((word) => Object.hasOwn(testRuntimes, word));
  const places = words.filter((word) => !names.includes(word));
  if (names.length === 0) names.push(...Object.keys(testRuntimes));
  const files = (places.length > 0 ? places : ["tests"]).flatMap(findTests);
  // Given no file, the runtimes would look for some themselves.
  if (files.length === 0) throw new Error(`There is no test in ${places.join(", ")}`);
  endTogether();
  const outcomes: Outcome[] = [];
  for (const name of names) outcomes.push(await runSuite(name, testRuntimes[name]!, files));
  console.log();
  for (const outcome of outcomes) {
    console.log(`${outcome.runtime}: ${sum([outcome])}`);
    if (outcome.trouble) console.log(`  did not run well: ${outcome.trouble}`);
    for (const { file, name } of outcome.failures) console.log(`  failed: ${name} (${file})`);
    for (const { file, name } of outcome.flaky) {
      console.log(`  flaky: ${name} (${file}) failed, and passed when its file ran by itself`);
    }
    for (const skip of new Set(outcome.skips)) console.log(`  skipped: ${skip}`);
  }
  const totals = outcomes.map(({ passed, failed, skipped }) => passed + failed + skipped);
  if (new Set(totals).size > 1) {
    console.log(`Warning: the runtimes ran different numbers of tests: ${totals.join(", ")}`);
  }
  console.log(sum(outcomes));
  if (outcomes.some(({ failed }) => failed > 0)) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
