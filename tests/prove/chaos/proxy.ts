/**
 * A proxy in its own process, which can die and come back.
 *
 * @module
 */

import { NodeProgram } from "../../support/node_program.ts";

/** A proxy that is asked by CONNECT. */
export class Proxy {
  #program: NodeProgram | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it; at the port that it had before, if any. */
  async start(): Promise<void> {
    const program = this.#program = new NodeProgram("connect_proxy_main.ts", { port: this.#port });
    this.#port = (await program.next() as { readonly port: number }).port;
  }

  /** Kills it: the system closes its sockets. */
  async kill(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    await program?.kill();
  }
}
