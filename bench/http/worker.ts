/**
 * Starts processes with a client in them, each on its runtime.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn, type StdioOptions } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BenchTarget } from "./client.ts";
import type { Answer, Order } from "./worker_main.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const main = fileURLToPath(new URL("worker_main.ts", import.meta.url));

/** The version of Node that requests are measured on. It runs TypeScript as it stands. */
const NODE = "node@24";

/** A runtime that clients run on. */
export interface BenchRuntime {
  readonly name: "node" | "deno" | "bun";
  readonly version: string;
  readonly command: readonly [file: string, ...args: string[]];
}

/** Finds a runtime. */
export function findRuntime(name: BenchRuntime["name"]): BenchRuntime {
  if (name === "node") {
    const script = "console.log(process.execPath + ' ' + process.version)";
    const args = ["--yes", `--package=${NODE}`, "node", "-e", script];
    const [file, version] = output("npx", args).split(" ");
    return { name, version: `Node ${version!.slice(1)}`, command: [file!, "--no-warnings"] };
  }
  const file = `${root}node_modules/.bin/${name}`;
  if (name === "deno") {
    const version = output(file, ["--version"]).match(/^deno (\S+)/)?.[1];
    return { name, version: `Deno ${version}`, command: [file, "run", "--allow-all"] };
  }
  return { name, version: `Bun ${output(file, ["--version"])}`, command: [file, "run"] };
}

function output(file: string, args: string[]): string {
  const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
  return execFileSync(file, args, { cwd: root, encoding: "utf8", stdio }).trim();
}

/** A process with one client. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(
    runtime: BenchRuntime,
    client: string,
    target: BenchTarget,
    caFile: string,
    cpu: number,
  ) {
    const args = [...runtime.command, main, runtime.name, client, JSON.stringify(target)];
    this.#child = spawn("taskset", ["--cpu-list", String(cpu), ...args], {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
      // The runtimes' own clients find the authority here.
      env: { ...process.env, DENO_CERT: caFile, NODE_EXTRA_CA_CERTS: caFile, NO_COLOR: "1" },
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Gives an order, and waits for the answer. */
  async tell(order: Order): Promise<Answer> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value } = await this.#lines.next();
    if (value === undefined) return { error: "its process ended" };
    return JSON.parse(value as string) as Answer;
  }

  /** Ends the process. */
  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
