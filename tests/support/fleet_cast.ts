/**
 * Processes of a fleet: machines that count, and members on mixed runtimes.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { root } from "./programs.ts";
import { findProgram, pause } from "./services.ts";

/** The runtimes that members run on, in turn: those that are installed beside Node. */
const RUNTIMES: readonly (readonly string[])[] = [
  ["node", "--import", "tsx"],
  ["deno", "run", "--no-lock", "--no-check", "--allow-all"],
  ["bun", "run"],
  ["node", "--import", "tsx"],
];

/** A process that tells how it is, a line of JSON at a time. */
export class CastProcess<Told> implements AsyncDisposable {
  /** What it told last. */
  told: Told | undefined;
  /** What it complained of. */
  errors = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #ended = false;

  /** Starts it. */
  constructor(words: readonly string[], file: string, input: unknown) {
    const [program = "node", ...args] = words;
    this.#child = spawn(program, [...args, file, JSON.stringify(input)], {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.on("error", (error) => this.errors += String(error));
    this.#child.stderr!.on("data", (bytes) => this.errors = `${this.errors}${bytes}`.slice(-4_000));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      if (line.startsWith("{") || line.startsWith("[")) this.told = JSON.parse(line) as Told;
    });
    this.#exit = once(this.#child, "exit").catch(() => {}).then(() => this.#ended = true);
  }

  /** Sends it a signal. */
  signal(name: NodeJS.Signals): void {
    if (!this.#ended) process.kill(this.#child.pid!, name);
  }

  /** Tells it a line. */
  say(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#exit;
  }

  /** Asks it to end, and waits until it has. */
  async end(): Promise<void> {
    this.signal("SIGTERM");
    await this.#exit;
  }

  /** Kills it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** What a machine tells: its connections, and the most that it ever had. */
export type MachineTold = readonly { readonly open: number; readonly most: number }[];

/** What a member tells. */
export interface MemberTold {
  readonly requests: number;
  readonly failures: number;
  readonly lastFailure: string;
  readonly dialErrors: number;
  /** When the last ten dials failed, by the wall clock. */
  readonly dialErrorsAt: readonly number[];
  readonly state: string;
  readonly members: number;
  readonly connections: number;
  /** Since when an address is not good, or good again, by the wall clock, and why not. */
  readonly bad: { readonly [address: string]: number };
  readonly good: { readonly [address: string]: number };
  readonly why: { readonly [address: string]: string };
  readonly p99: number;
}

/** Starts machines. */
export function startMachines(input: object): CastProcess<MachineTold> {
  return new CastProcess(["node", "--import", "tsx"], "tests/support/counting_main.ts", input);
}

/** Starts a member, on one runtime or another by its number. */
export function startMember(number: number, input: object): CastProcess<MemberTold> {
  const words = RUNTIMES[number % RUNTIMES.length]!;
  const isThere = findProgram(words[0]!) !== undefined;
  return new CastProcess(
    isThere ? words : RUNTIMES[0]!,
    "tests/support/fleet_member_main.ts",
    input,
  );
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come true in time: ${what}`);
    await pause(10);
  }
}
