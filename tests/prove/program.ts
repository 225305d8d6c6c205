/**
 * The command line of the proof.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { detectRuntime, type Runtime } from "../../adapters/detect.ts";
import { RUN_PROGRAMS } from "../support/child_program.ts";
import { ownEnvironment, root } from "../support/programs.ts";
import { readNumber, readSeed, textOf } from "../support/words.ts";
import type { Part, Proof, ProofOptions } from "./part.ts";

const RUNTIMES: readonly Runtime[] = ["deno", "bun", "node"];

interface Words {
  readonly parts: readonly Part[];
  readonly runtime: Runtime;
  readonly seed: number;
  readonly seconds: number | undefined;
  readonly steps: number | undefined;
  readonly only: string | undefined;
  readonly input: string | undefined;
  readonly json: boolean;
}

function read(parts: readonly Part[], words: readonly string[]): Words {
  const { positionals: [name, ...others], values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      input: { type: "string" },
      json: { type: "boolean", default: false },
      only: { type: "string" },
      runtime: { type: "string", default: detectRuntime() },
      seconds: { type: "string" },
      seed: { type: "string" },
      steps: { type: "string" },
    },
  });
  const chosen = parts.filter((part) => name === "all" || name === part.name);
  if (chosen.length === 0 || others.length > 0) {
    const known = parts.map((part) => `\n  ${part.name.padEnd(8)} ${part.what}`).join("");
    throw new TypeError(`Say which part to prove, or all:${known}`);
  }
  const runtime = RUNTIMES.find((runtime) => runtime === values.runtime);
  if (!runtime) {
    throw new TypeError(`--runtime must be one of ${RUNTIMES.join(", ")}, got ${values.runtime}`);
  }
  return {
    parts: chosen,
    runtime,
    seed: readSeed(values.seed),
    seconds: readNumber("--seconds", values.seconds),
    steps: readNumber("--steps", values.steps),
    only: values.only,
    input: values.input,
    json: values.json,
  };
}

/** Proves a part, and says what came of it. */
async function prove(part: Part, words: Words): Promise<boolean> {
  const { input, json, only, runtime, seed, steps = Infinity } = words;
  const { seconds = steps === Infinity ? part.seconds : Infinity } = words;
  const tell = (line: string) => (json ? console.error : console.log)(`${part.name}: ${line}`);
  const on = `${runtime} ${version(runtime)}`;
  tell(`begins with seed ${seed}, on ${on}`);
  const begunAt = performance.now();
  const proof = await tryPart(part, {
    seed,
    seconds,
    steps,
    ...only !== undefined && { only },
    ...input !== undefined && { input },
    tell,
  });
  const took = (performance.now() - begunAt) / 1_000;
  const held = proof.broken.length === 0;
  for (const broken of proof.broken) console.error(`${part.name}: BROKEN: ${broken}`);
  const again = [
    `npm run prove -- ${part.name} --runtime ${runtime} --seed ${seed}`,
    only !== undefined && `--only ${JSON.stringify(only)}`,
    input !== undefined && `--input ${JSON.stringify(input)}`,
    Number.isFinite(steps) && `--steps ${steps}`,
    Number.isFinite(seconds) && `--seconds ${seconds}`,
  ].filter((word) => word !== false).join(" ");
  if (!held) tell(`again: ${again}`);
  if (json) {
    const { broken, figures, steps: done } = proof;
    const told = { part: part.name, runtime, version: version(runtime), seed, held, again };
    console.log(JSON.stringify({ ...told, seconds: took, steps: done, figures, broken }));
  } else {
    const outcome = held ? "held" : `BROKEN (${proof.broken.length})`;
    tell(`${outcome}: ${proof.summary} in ${took.toFixed(1)} s, seed ${seed}, on ${on}`);
  }
  return held;
}

async function tryPart(part: Part, options: ProofOptions): Promise<Proof> {
  try {
    return await part.prove(options);
  } catch (error) {
    return { steps: 0, summary: "it could not go on", broken: [textOf(error)], figures: {} };
  }
}

function version(runtime: Runtime): string {
  return process.versions[runtime] ?? "?";
}

/** Runs the same program on another runtime; gives its exit code. */
function runOn(runtime: Runtime, words: readonly string[]): Promise<number> {
  const { args, program } = RUN_PROGRAMS[runtime];
  const child = spawn(program, [...args, process.argv[1]!, ...words], {
    cwd: root,
    env: ownEnvironment(),
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/**
 * Does what it is told, and sets the exit code: 1 where something did not hold, 2 where the words
 * make no sense.
 */
export async function proveProgram(
  parts: readonly Part[],
  words: readonly string[],
): Promise<void> {
  try {
    const told = read(parts, words);
    if (told.runtime !== detectRuntime()) {
      process.exitCode = await runOn(told.runtime, words);
      return;
    }
    for (const part of told.parts) if (!await prove(part, told)) process.exitCode = 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}
