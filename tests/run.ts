/**
 * Runs the one suite on each of the runtimes that are named, and adds up.
 *
 *     node --import tsx tests/run.ts [deno] [bun] [node] [files or folders]
 *
 * @module
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import process from "node:process";
import { endTogether, root, run } from "./support/programs.ts";
import { type Counts, type Failure, type TestRuntime, testRuntimes } from "./support/runtimes.ts";

interface Outcome extends Counts {
  readonly runtime: string;
  /** The tests that failed, as far as the runtime names them, and the files in which they did. */
  readonly failures: readonly Failure[];
  readonly failedFiles: readonly (readonly string[])[];
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

/** For how long a runtime may run at the most, in milliseconds: far longer than it takes. */
const mostMs = 1_200_000;

/**
 * Runs the suite on some runtimes, two side by side where there is a processor for each: most of the
 * time tests wait. What failed is run again when all are through.
 */
async function runSuites(names: readonly string[], files: readonly string[]): Promise<Outcome[]> {
  const waiting = [...names];
  const outcomes = new Map<string, Outcome>();
  const runLane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const runtime = testRuntimes[name]!;
      const version = await run(runtime.program, ["--version"]);
      const runtimeName = `${name} ${/\d+\.\d+\.\d+/.exec(version.output)?.[0] ?? "?"}`;
      // What the first one prints is shown as it comes, and that of the others when they are through.
      const isFirst = name === names[0];
      if (isFirst) console.log(`\n== ${runtimeName}`);
      const { output, outcome } = await runFiles(runtimeName, runtime, files, isFirst);
      if (!isFirst) process.stdout.write(`\n== ${runtimeName}\n${output}`);
      outcomes.set(name, outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, runLane));
  const final: Outcome[] = [];
  for (const name of names) {
    final.push(await runAgain(outcomes.get(name)!, testRuntimes[name]!, files));
  }
  return final;
}

/** Runs files that failed once more, each by itself. */
async function runAgain(
  outcome: Outcome,
  runtime: TestRuntime,
  files: readonly string[],
): Promise<Outcome> {
  const { runtime: runtimeName } = outcome;
  const failed = new Set(outcome.failedFiles.flat());
  const isNamed = outcome.trouble === undefined && outcome.failures.length === outcome.failed
    && [...failed].every((file) => files.includes(file));
  const isMany = outcome.failedFiles.length > filesRunAgain;
  if (!isNamed || isMany || files.length === 1) return outcome;
  const failedAgain = new Set<string>();
  const passedAgain = new Set<string>();
  for (const file of failed) {
    console.log(`\n== ${runtimeName}, ${file} by itself`);
    const { outcome: again, output } = await runFiles(runtimeName, runtime, [file], true);
    if (again.failures.length !== again.failed) return outcome;
    for (const { name } of again.failures) failedAgain.add(name);
    for (const name of runtime.passes(output)) passedAgain.add(name);
  }
  // What was skipped the second time, or was a whole file that broke off, has not passed.
  const flaky = outcome.failures.filter(({ name }) =>
    passedAgain.has(name) && !failedAgain.has(name)
  );
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
  show: boolean,
): Promise<{ readonly outcome: Outcome; readonly output: string }> {
  const { broken, code, output } = await run(runtime.program, runtime.arguments(files), {
    show,
    timeoutMs: mostMs,
  });
  const counts = runtime.count(output) ?? { passed: 0, failed: 0, skipped: 0, skips: [] };
  const outcome = {
    ...counts,
    runtime: runtimeName,
    failures: counts.failed > 0 ? runtime.failures(output) : [],
    failedFiles: counts.failed > 0 ? runtime.failedFiles(output) : [],
    flaky: [],
  };
  const trouble = broken
    ?? (counts.passed + counts.failed + counts.skipped === 0
      ? "it told of no test"
      : code !== 0 && counts.failed === 0
      ? `it ended with code ${code}`
      : undefined);
  if (trouble === undefined) return { outcome, output };
  // Whatever else happened, this runtime did not pass.
  return { outcome: { ...outcome, failed: Math.max(counts.failed, 1), trouble }, output };
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
  const outcomes = await runSuites(names, files);
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
