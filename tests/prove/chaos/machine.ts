/**
 * A machine of the chaos, as it is told what to do.
 *
 * @module
 */

import process from "node:process";
import { NodeProgram } from "../../support/node_program.ts";
import type { MachineFault } from "./faults.ts";
import type { MachineInput, MachineOrder, MachineReport } from "./machine_main.ts";

/** An HTTPS server in its own process. */
export class Machine {
  readonly #input: MachineInput;
  readonly #asked: string[] = [];
  #program: NodeProgram | undefined;
  #port = 0;
  #order: Promise<unknown> = Promise.resolve();

  constructor(input: MachineInput) {
    this.#input = input;
  }

  /** Its address, with its port. */
  get address(): string {
    return `${this.#input.address}:${this.#port}`;
  }

  /** Starts its process; at the port that it had before, if any. */
  async start(): Promise<void> {
    const input: MachineInput = { ...this.#input, port: this.#port };
    const program = this.#program = new NodeProgram("../prove/chaos/machine_main.ts", input);
    this.#port = (await this.#next(program)).port;
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
    process.kill(this.#program!.pid, isPaused ? "SIGSTOP" : "SIGCONT");
  }

  /** Kills its process: the system closes its sockets. */
  async kill(): Promise<void> {
    const program = this.#program;
    if (!program) return;
    // What it was asked is not to be lost with it.
    await this.#tell({ report: true });
    this.#program = undefined;
    await program.kill();
  }

  #tell(order: MachineOrder): Promise<MachineReport> {
    const answered = this.#order.then(() => {
      this.#program!.tell(order);
      return this.#next(this.#program!);
    });
    this.#order = answered.catch(() => {});
    return answered;
  }

  async #next(program: NodeProgram): Promise<MachineReport> {
    const report = await program.next() as MachineReport;
    this.#asked.push(...report.asked);
    return report;
  }
}
