/**
 * A program of these tests in a child process that runs Node, whatever runtime the tests run on.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/**
 * Starts a program that stands beside this file, and gives what it says first, a line of JSON. It
 * is told its input as a line of JSON, must end when that ends, and does not keep this process
 * alive.
 */
export async function startNodeProgram(file: string, input: unknown): Promise<unknown> {
  const child = spawn("node", [
    "--import",
    "tsx",
    fileURLToPath(new URL(file, import.meta.url)),
  ], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdio: ["pipe", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill());
  child.stdin.write(`${JSON.stringify(input)}\n`);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  for (const end of [child, child.stdin, child.stdout]) {
    (end as { unref?(): void }).unref?.();
  }
  return JSON.parse(line);
}

/** The other side: reads the input, and ends this process when there is no more. */
export async function readInput(): Promise<unknown> {
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit());
  return JSON.parse(await new Promise<string>((resolve) => lines.once("line", resolve)));
}

/** The other side: says that it is ready. */
export function sayReady(output: unknown): void {
  process.stdout.write(`${JSON.stringify(output)}\n`);
}
