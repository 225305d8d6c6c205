/**
 * The fuzzer's command line.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { readNumber, readSeed, textOf } from "../support/words.ts";
import { fuzz, type FuzzTarget, look } from "./fuzzer.ts";
import { watch } from "./watchdog.ts";

/** What a run is told. */
interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly hangMs: number;
}

async function run(target: FuzzTarget, { hangMs, seconds, seed }: RunOptions): Promise<boolean> {
  const { name } = target;
  const file = path.join(tmpdir(), `hotconn-fuzz-${name}-${seed}-${process.pid}.json`);
  const again = `Again: npm run fuzz -- ${name} --input ${file}\n`
    + `The whole run: npm run fuzz -- ${name} --seed ${seed}`;
  console.log(`${name}: begins with seed ${seed}`);
  const watchdog = watch(file, hangMs, again);
  const result = await fuzz(target, { seed, seconds, onInput: (input) => watchdog.look(input) });
  await watchdog.end();
  const { executions, failure, kinds } = result;
  const rate = Math.round(executions / result.seconds);
  console.log(
    `${name}: ${executions} executions in ${result.seconds.toFixed(1)} s (${rate} a second), `
      + `${kinds} kinds, seed ${seed}`,
  );
  if (!failure) return true;
  writeFileSync(file, JSON.stringify(failure.input));
  console.error(`${name}: FAILED\n${textOf(failure.error)}`);
  console.error(`The input, as short as it goes: ${JSON.stringify(failure.input)}`);
  console.error(`It is saved in ${file}\n${again}`);
  return false;
}

async function repeat(target: FuzzTarget, file: string): Promise<boolean> {
  const input: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof input !== "string") throw new TypeError(`${file} must hold one text, as JSON`);
  try {
    console.log(`${target.name}: holds: ${await look(target, input)}`);
    return true;
  } catch (error) {
    console.error(`${target.name}: FAILED\n${textOf(error)}`);
    return false;
  }
}

async function fuzzChosen(
  targets: readonly FuzzTarget[],
  words: readonly string[],
  hangMs: number,
): Promise<boolean> {
  const { positionals: [name], values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      input: { type: "string" },
      seconds: { type: "string" },
      seed: { type: "string" },
    },
  });
  const chosen = targets.filter((target) => name === "all" || name === target.name);
  const seconds = readNumber("--seconds", values.seconds) ?? Infinity;
  const seed = readSeed(values.seed);
  const known = ["all", ...targets.map((target) => target.name)].join(", ");
  if (chosen.length === 0) throw new TypeError(`Say what to fuzz: ${known}`);
  let isWell = true;
  for (const target of chosen) {
    isWell = (values.input === undefined
      ? await run(target, { seed, seconds, hangMs })
      : await repeat(target, values.input)) && isWell;
  }
  return isWell;
}

/**
 * Does what it is told, and sets the exit code: 1 where an input went wrong, 2 where the words make
 * no sense.
 *
 * @param hangMs How long an input may take before the program is ended, in milliseconds
 */
export async function fuzzProgram(
  targets: readonly FuzzTarget[],
  words: readonly string[],
  hangMs = 15_000,
): Promise<void> {
  try {
    if (!await fuzzChosen(targets, words, hangMs)) process.exitCode = 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}
