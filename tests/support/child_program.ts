/**
 * A program of these tests, or an example, in a child process of the runtime that the tests run on.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { detectRuntime } from "../../adapters/detect.ts";
import { root } from "./programs.ts";

/** A program that runs. */
export interface ChildProgram extends AsyncDisposable {
  /** The next line that it prints. */
  line(): Promise<string>;
  /** The next line that it prints on its standard error. */
  errorLine(): Promise<string>;
  /** Asks it to end; resolves when it has. Deno's own parent tells no exit code after that. */
  end(signal?: "SIGTERM" | "SIGINT"): Promise<unknown>;
}

const COMMANDS = { deno: ["run", "--allow-all"], bun: ["run"], node: ["--import", "tsx"] };

/** Starts a program, by its path from the root. */
export function startChild(
  file: string,
  args: readonly string[] = [],
  environment: { readonly [name: string]: string } = {},
): ChildProgram {
  const child = spawn(process.execPath, [...COMMANDS[detectRuntime()], file, ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const printed = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const complained = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const next = async (lines: AsyncIterator<string>) => {
    const { done, value } = await lines.next();
    if (!done) return value;
    throw new Error(`${file} ended with ${await ended}: ${errors}`);
  };
  return {
    line: () => next(printed),
    errorLine: () => next(complained),
    end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
