/**
 * Origins in a child process that runs Node, whatever runtime the tests run on: what they tell is
 * one implementation's view of the wire, and the client under test has its process to itself.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Action, Condition, Origin, OriginOptions, OriginReport } from "./origin_types.ts";

export type * from "./origin_types.ts";

/** A call to an origin process. */
export type OriginCall =
  & { readonly id: number; readonly origin: number }
  & (
    | { readonly method: "open"; readonly options: OriginOptions }
    | { readonly method: "report" | "stop" | "start" | "dispose" }
    | { readonly method: "until"; readonly condition: Condition }
    | { readonly method: "act"; readonly action: Action; readonly connectionId?: number }
  );

/** The answer to a call. */
export interface OriginReply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** What a call says besides its number and its origin's. */
type Request = DistributiveOmit<OriginCall, "id" | "origin">;

interface Settlers {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

let shared: OriginProcess | undefined;

/**
 * Starts an origin in a child process, which this process shares among all of its origins: starting
 * one more costs a millisecond or two. The child ends with this process.
 *
 * @example
 * ```ts ignore
 * await using origin = await startRemoteOrigin({ certificates: [leaf] });
 * ```
 */
export async function startRemoteOrigin(options: OriginOptions = {}): Promise<Origin> {
  shared ??= new OriginProcess();
  return await shared.open(options);
}

/** An origin with a process to itself, that can die and come back. */
export interface OwnOrigin extends Origin {
  /** Kills the process: the system closes its sockets. */
  kill(): Promise<void>;
  /** Starts another process, with the same addresses and port. */
  restart(): Promise<void>;
}

/** Starts an origin in its own child process. The child ends with this process. */
export async function startOwnOrigin(options: OriginOptions = {}): Promise<OwnOrigin> {
  let child = new OriginProcess();
  let origin = await child.open(options);
  const { addresses, port } = origin;
  return {
    addresses,
    port,
    report: () => origin.report(),
    until: (condition) => origin.until(condition),
    act: (action, connectionId) => origin.act(action, connectionId),
    stop: () => origin.stop(),
    start: () => origin.start(),
    kill: () => child.kill(),
    restart: async () => {
      child = new OriginProcess();
      origin = await child.open({ ...options, port });
    },
    [Symbol.asyncDispose]: async () => {
      try {
        await origin[Symbol.asyncDispose]();
      } finally {
        await child.kill();
      }
    },
  };
}

class OriginProcess {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Settlers>();
  #lastCall = 0;
  #lastOrigin = 0;
  readonly #exit: Promise<unknown>;

  constructor() {
    const main = fileURLToPath(new URL("origin_main.ts", import.meta.url));
    const child = spawn("node", ["--import", "tsx", main], {
      cwd: fileURLToPath(new URL("../../", import.meta.url)),
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.#settle(JSON.parse(line)));
    this.#exit = once(child, "exit").catch(() => {});
    child.on("exit", (code) => this.#fail(new Error(`The origin process ended with ${code}`)));
    child.on("error", (error) => this.#fail(error));
    process.on("exit", () => child.kill());
    this.#child = child;
    this.#hold(false);
  }

  async open(options: OriginOptions): Promise<Origin> {
    const origin = ++this.#lastOrigin;
    const call = (request: Request) => this.#call(origin, request);
    const { port, addresses } = await call({ method: "open", options }) as Origin;
    return {
      port,
      addresses,
      report: () => call({ method: "report" }) as Promise<OriginReport>,
      until: (condition) => call({ method: "until", condition }) as Promise<OriginReport>,
      act: async (action, connectionId) => {
        await call({ method: "act", action, ...connectionId !== undefined && { connectionId } });
      },
      stop: async () => {
        await call({ method: "stop" });
      },
      start: async () => {
        await call({ method: "start" });
      },
      [Symbol.asyncDispose]: async () => {
        await call({ method: "dispose" });
      },
    };
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#hold(true);
    process.kill(this.#child.pid!, "SIGKILL");
    await this.#exit;
  }

  #call(origin: number, request: Request): Promise<unknown> {
    const id = ++this.#lastCall;
    this.#hold(true);
    this.#child.stdin!.write(`${JSON.stringify({ ...request, id, origin })}\n`);
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  #settle(reply: OriginReply): void {
    const settlers = this.#calls.get(reply.id);
    this.#calls.delete(reply.id);
    if (this.#calls.size === 0) this.#hold(false);
    if (reply.error === undefined) settlers?.resolve(reply.result);
    else settlers?.reject(new Error(reply.error));
  }

  #fail(error: Error): void {
    if (shared === this) shared = undefined;
    for (const settlers of this.#calls.values()) settlers.reject(error);
    this.#calls.clear();
  }

  // The child keeps this process alive only while an answer is awaited.
  #hold(alive: boolean): void {
    const { stdin, stdout } = this.#child;
    for (const end of [this.#child, stdin, stdout]) {
      const handle = end as { ref?(): void; unref?(): void } | null;
      if (alive) handle?.ref?.();
      else handle?.unref?.();
    }
  }
}
