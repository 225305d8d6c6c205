/**
 * A program of these tests, or an example, in a child process of the runtime that the tests run on.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { detectRuntime, type Runtime } from "../../adapters/detect.ts";
import { root } from "./programs.ts";

/** A program that runs. */
export interface ChildProgram extends AsyncDisposable {
  /** The next line that it prints. */
  line(): Promise<string>;
  /** The next line that it prints on its standard error. */
  errorLine(): Promise<string>;
  /** Resolves to its exit code when it has ended by itself, or null where it was killed. */
  readonly ended: Promise<number | null>;
  /** Asks it to end; rejects with what it complained of where it does not end well. */
  end(): Promise<void>;
}

/** How each runtime runs a program of TypeScript: what is started, and its first arguments. */
export const RUN_PROGRAMS: {
  readonly [Name in Runtime]: { readonly program: string; readonly args: readonly string[] };
} = {
  // Types are the gate's concern.
  deno: { program: "deno", args: ["run", "--no-lock", "--no-check", "--allow-all"] },
  bun: { program: "bun", args: ["run"] },
  node: { program: "node", args: ["--import", "tsx"] },
};

/** The arguments with which this runtime runs a program of TypeScript. */
export const RUN_ARGUMENTS: readonly string[] = RUN_PROGRAMS[detectRuntime()].args;

/** Starts a program, by its path from the root. */
export function startChild(
  file: string,
  args: readonly string[] = [],
  environment: { readonly [name: string]: string } = {},
): ChildProgram {
  const child = spawn(process.execPath, [...RUN_ARGUMENTS, file, ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const printed = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const complained = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const told = (code: number | null) => new Error(`${file} ended with ${code}: ${errors}`);
  const next = async (lines: AsyncIterator<string>) => {
    const { done, value } = await lines.next();
    if (!done) return value;
    throw told(await ended);
  };
  return {
    line: () => next(printed),
    errorLine: () => next(complained),
    ended,
    async end() {
      // After a `child.kill()` Deno tells no exit code.
      process.kill(child.pid!, "SIGTERM");
      const code = await ended;
      if (code !== 0) throw told(code);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
