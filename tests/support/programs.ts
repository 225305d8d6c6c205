/**
 * Starts other programs for the test runner, the gate and the tests of the demo.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The folder that everything runs in. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** How a program is run. */
export interface RunOptions {
  /** Whether what it prints is shown as it comes. */
  readonly show?: boolean;
  /** After how many milliseconds it is ended, with all that it started. */
  readonly timeoutMs?: number;
  /** The folder that it runs in. @default {the root} */
  readonly folder?: string;
  /** Variables of its environment, besides this program's own. */
  readonly environment?: { readonly [name: string]: string };
}

/** What came of a program. */
export interface RunResult {
  /** Its exit code; null where it was ended. */
  readonly code: number | null;
  /** What it printed, on both of its outputs. */
  readonly output: string;
  /** What it printed on its standard output. */
  readonly stdout: string;
  /** Why it did not end by itself, if so. */
  readonly broken?: string;
}

const running = new Set<ChildProcess>();

/** Runs a program to its end. Never rejects. */
export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { environment = {}, folder = root, show = false, timeoutMs = 600_000 } = options;
  return new Promise((resolve) => {
    // A group of its own: what it started can be ended with it.
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...ownEnvironment(), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    running.add(child);
    let output = "";
    let stdout = "";
    let broken: string | undefined;
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (name === "stdout") stdout += text;
        if (show) process.stdout.write(text);
      });
    }
    const timer = setTimeout(() => {
      broken = `it had not ended after ${timeoutMs / 1000} s`;
      kill(child);
    }, timeoutMs);
    child.on("error", (error) => {
      broken = error.message;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      broken ??= signal ? `it was ended by ${signal}` : undefined;
      resolve({ code, output, stdout, ...broken !== undefined && { broken } });
    });
  });
}

/** Ends with this program what it started, when somebody interrupts it. */
export function endTogether(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      for (const child of running) kill(child);
      process.exit(1);
    });
  }
}

function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** The packages' programs and this very Node go first. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _color, NODE_TEST_CONTEXT: _context, PATH = "", ...rest } = process.env;
  const folders = [path.join(root, "node_modules", ".bin")];
  if (process.versions["bun"] === undefined && process.versions["deno"] === undefined) {
    folders.push(path.dirname(process.execPath));
  }
  return {
    ...rest,
    PATH: [...folders, PATH].join(path.delimiter),
    NO_COLOR: "1",
    DENO_NO_PROMPT: "1",
    DENO_NO_UPDATE_CHECK: "1",
  };
}
