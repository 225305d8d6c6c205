/**
 * The runtimes that the suite runs on: how each is started, and how what it prints is read.
 *
 * @module
 */

import process from "node:process";
import { writeBatches } from "./node_batches.ts";

/** What came of a run of the suite. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The names of the tests that were skipped, with the reason where the runtime tells it. */
  readonly skips: readonly string[];
}

/** A runtime that the suite runs on. */
export interface TestRuntime {
  /** The program; looked for on the path. */
  readonly program: string;
  /** Its arguments, to run these test files. */
  arguments(files: readonly string[]): string[];
  /** Reads what it printed, without colours; undefined where it tells no result. */
  count(output: string): Counts | undefined;
  /** The tests that failed, by what it printed, each with the file that declares it. */
  failures(output: string): Failure[];
  /** The files in which tests failed, by what it printed; several together where it is one of them. */
  failedFiles(output: string): string[][];
  /** The names of the tests that passed, by what it printed. */
  passes(output: string): string[];
}

/** A test that failed. */
export interface Failure {
  /** Its file, from the project's root. */
  readonly file: string;
  readonly name: string;
}

/** How many batches of files Node runs at a time. */
const NODE_BATCHES_AT_ONCE = 2;

/** The runtimes by name. */
export const testRuntimes: { readonly [name: string]: TestRuntime } = {
  deno: {
    program: "deno",
    // Types are the gate's concern.
    arguments: (files) => ["test", "--no-lock", "--allow-all", "--no-check", ...files],
    count(output) {
      const summary = last(
        output,
        /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored)?/gm,
      );
      if (!summary) return undefined;
      const [, passed = "0", failed = "0", skipped = "0"] = summary;
      return {
        passed: Number(passed),
        failed: Number(failed),
        skipped: Number(skipped),
        skips: matches(output, /^(.+) \.\.\. ignored \(\d+\w*\)$/gm),
      };
    },
    failures: (output) =>
      failuresUnder(
        output,
        /^running \d+ tests? from \.\/(\S+)$/,
        /^ *(\S.*) \.\.\. FAILED \((?!due to)/,
      ),
    failedFiles: (output) => filesWith(testRuntimes["deno"]!.failures(output)),
    passes: (output) => matches(output, /^ *(\S.*) \.\.\. ok \(\d[^()]*\)$/gm),
  },
  bun: {
    program: "bun",
    // A path that does not begin with a dot is a filter, which may match other files too.
    arguments: (files) => ["test", "--timeout", "120000", ...files.map((file) => `./${file}`)],
    count(output) {
      if (!/^ *Ran \d+ tests? across/m.test(output)) return undefined;
      return {
        passed: number(output, /^ *(\d+) pass$/gm),
        failed: number(output, /^ *(\d+) fail$/gm),
        skipped: number(output, /^ *(\d+) skip$/gm) + number(output, /^ *(\d+) todo$/gm),
        skips: matches(output, /^\(skip\) (.+?)(?: \[[\d.]+\w+\])?$/gm),
      };
    },
    // Of a long run they are told twice, the second time without their files.
    failures: (output) =>
      failuresUnder(
        output.split(/^\d+ tests? failed:$/m)[0]!,
        /^(\S+_test\.ts):$/,
        /^\(fail\) (.+?)(?: \[[\d.]+\w+\])?$/,
      ),
    failedFiles: (output) => filesWith(testRuntimes["bun"]!.failures(output)),
    passes: (output) => matches(output, /^\(pass\) (.+?)(?: \[[\d.]+\w+\])?$/gm),
  },
  node: {
    // This very program, so that whoever chooses a version of Node gets it.
    program: process.execPath,
    arguments: (files) => [
      "--import",
      "tsx",
      "--import",
      "./tests/support/tell_failed_files.ts",
      "--test",
      `--test-concurrency=${NODE_BATCHES_AT_ONCE}`,
      // Of a whole batch, on a machine that is several times slower, too.
      "--test-timeout=900000",
      "--test-reporter=spec",
      ...writeBatches(files),
    ],
    count(output) {
      if (!last(output, /^ℹ tests (\d+)$/gm)) return undefined;
      // A batch that ran none of its tests is one test that passed, says Node. It is none.
      const empty = matches(output, /^✔ (\S+_test\.m?[jt]s) \([\d.]+ms\)$/gm).length;
      return {
        passed: number(output, /^ℹ pass (\d+)$/gm) - empty,
        failed: number(output, /^ℹ fail (\d+)$/gm)
          + number(output, /^ℹ cancelled (\d+)$/gm) + empty,
        skipped: number(output, /^ℹ skipped (\d+)$/gm) + number(output, /^ℹ todo (\d+)$/gm),
        skips: matches(output, /^﹣ (.+?) \([\d.]+ms\) # (.+)$/gm),
      };
    },
    // They are told twice, the second time with the files that declare them.
    failures: (output) =>
      failuresUnder(
        output.slice(output.lastIndexOf("\n✖ failing tests:")),
        /^test at (\S+):\d+:\d+$/,
        /^✖ (.+?)(?: \([\d.]+ms\))?$/,
      ),
    // Of a batch those that declare what failed, or all, where what they have in common declares it.
    failedFiles(output) {
      const declaring = new Set(testRuntimes["node"]!.failures(output).map(({ file }) => file));
      return matches(output, /^failed in one of (.+)$/gm).flatMap((batch) => {
        const files = batch.split(" ");
        const named = files.filter((file) => declaring.has(file));
        return named.length > 0 ? named.map((file) => [file]) : [files];
      });
    },
    passes: (output) => matches(output, /^ *✔ (.+?) \([\d.]+ms\)$/gm),
  },
};

/** The files of failures, each once and by itself. */
function filesWith(failures: readonly Failure[]): string[][] {
  return [...new Set(failures.map(({ file }) => file))].map((file) => [file]);
}

/** The failed tests of an output in which a line with a file's name stands above its tests. */
function failuresUnder(output: string, header: RegExp, failed: RegExp): Failure[] {
  const failures: Failure[] = [];
  let file: string | undefined;
  for (const line of output.split("\n")) {
    file = header.exec(line)?.[1] ?? file;
    const name = failed.exec(line)?.[1];
    if (file !== undefined && name !== undefined) failures.push({ file, name });
  }
  return failures;
}

/** The last match: what a test printed of itself comes before the runtime's own words. */
function last(output: string, pattern: RegExp): RegExpExecArray | undefined {
  return [...output.matchAll(pattern)].at(-1);
}

function number(output: string, pattern: RegExp): number {
  return Number(last(output, pattern)?.[1] ?? 0);
}

function matches(output: string, pattern: RegExp): string[] {
  return [...output.matchAll(pattern)].map(([, name = "", reason = "SKIP"]) =>
    reason === "SKIP" ? name : `${name} (${reason})`
  );
}
