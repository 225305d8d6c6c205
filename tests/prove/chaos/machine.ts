/**
 * A machine of the chaos, as it is told what to do.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { root } from "../../support/programs.ts";
import type { MachineFault } from "./faults.ts";
import type { MachineInput, MachineOrder, MachineReport } from "./machine_main.ts";

/** An HTTPS server in a process of its own. */
export class Machine {
  readonly #input: MachineInput;
  readonly #asked: string[] = [];
  #child: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;
  #port = 0;
  #order: Promise<unknown> = Promise.resolve();

  constructor(input: MachineInput) {
    this.#input = input;
    process.on("exit", () => this.#child?.kill("SIGKILL"));
  }

  /** Its address, with its port. */
  get address(): string {
    return `${this.#input.address}:${this.#port}`;
  }

  /** Starts its process; at the port that it had before, if any. */
  async start(): Promise<void> {
    const child = spawn("node", ["--import", "tsx", "tests/prove/chaos/machine_main.ts"], {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stdin.write(`${JSON.stringify({ ...this.#input, port: this.#port })}\n`);
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#port = (await this.#next()).port;
  }

  /** Has it do something wrong, or be well again. */
  async setFault(fault: MachineFault | null): Promise<void> {
    await this.#tell({ fault });
  }

  /** How many sockets it has. */
  async sockets(): Promise<number> {
    return (await this.#tell({ report: true })).sockets;
  }

  /** What it was asked of what may not be sent twice, as far as it has told. */
  get asked(): readonly string[] {
    return this.#asked;
  }

  /** Stops its process, so that it neither answers nor hangs up; or lets it go on. */
  pause(isPaused: boolean): void {
    process.kill(this.#child!.pid!, isPaused ? "SIGSTOP" : "SIGCONT");
  }

  /** Kills its process: the system closes its sockets. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    // What it was asked is not to be lost with it.
    await this.#tell({ report: true });
    this.#child = undefined;
    const ended = once(child, "exit");
    process.kill(child.pid!, "SIGKILL");
    await ended;
  }

  #tell(order: MachineOrder): Promise<MachineReport> {
    const answered = this.#order.then(() => {
      this.#child!.stdin!.write(`${JSON.stringify(order)}\n`);
      return this.#next();
    });
    this.#order = answered.catch(() => {});
    return answered;
  }

  async #next(): Promise<MachineReport> {
    const { done, value } = await this.#lines!.next();
    if (done) throw new Error("A machine has ended");
    const report: MachineReport = JSON.parse(value);
    this.#asked.push(...report.asked);
    return report;
  }
}
