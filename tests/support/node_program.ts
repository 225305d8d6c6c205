/**
 * A program of these tests in a child process that runs Node, whatever runtime the tests run on.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { root } from "./programs.ts";

/** A program that runs. It ends with this process, unless it is killed before. */
export class NodeProgram {
  readonly #file: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #failed: Promise<never>;
  readonly #kill = () => void this.#child.kill("SIGKILL");

  /** Starts a program that stands beside this file, and tells it its input, a line of JSON. */
  constructor(file: string, input: unknown) {
    this.#file = file;
    const program = fileURLToPath(new URL(file, import.meta.url));
    const child = spawn("node", ["--import", "tsx", program], {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    this.#failed = new Promise((_, reject) => child.once("error", reject));
    this.#failed.catch(() => {});
    child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    process.on("exit", this.#kill);
    this.tell(input);
  }

  /** The number of its process. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Tells it one thing more, a line of JSON. */
  tell(message: unknown): void {
    this.#child.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  /** What it says next, a line of JSON. */
  async next(): Promise<unknown> {
    const { done, value } = await Promise.race([this.#lines.next(), this.#failed]);
    if (done) throw new Error(`${this.#file} has ended`);
    return JSON.parse(value);
  }

  /** Lets this process end before it does. */
  unref(): void {
    for (const end of [this.#child, this.#child.stdin, this.#child.stdout]) {
      (end as { unref?(): void }).unref?.();
    }
  }

  /** Kills its process: the system closes its sockets. */
  async kill(): Promise<void> {
    process.off("exit", this.#kill);
    const ended = once(this.#child, "exit");
    process.kill(this.pid, "SIGKILL");
    await ended;
  }
}

/**
 * Starts a program, and gives what it says first. It must end when its input ends, and does not keep
 * this process alive.
 */
export async function startNodeProgram(file: string, input: unknown): Promise<unknown> {
  const program = new NodeProgram(file, input);
  const first = await program.next();
  program.unref();
  return first;
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
