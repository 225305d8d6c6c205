/**
 * A proxy in a process of its own, which can die and come back.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { root } from "../../support/programs.ts";

/** A proxy that is asked by CONNECT. */
export class Proxy {
  #child: ChildProcess | undefined;
  #port = 0;

  constructor() {
    process.on("exit", () => this.#child?.kill("SIGKILL"));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it; at the port that it had before, if any. */
  async start(): Promise<void> {
    const child = spawn("node", ["--import", "tsx", "tests/support/connect_proxy_main.ts"], {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stdin.write(`${JSON.stringify({ port: this.#port })}\n`);
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    this.#port = JSON.parse(line).port;
  }

  /** Kills it: the system closes its sockets. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    const ended = once(child, "exit");
    process.kill(child.pid!, "SIGKILL");
    await ended;
  }
}
