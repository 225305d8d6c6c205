/**
 * A redis-server of this machine, in its own process, that can stand still, die and come back.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { findPort, findProgram, pause } from "./services.ts";

/** Why tests over Redis are skipped, if they are. */
export const redisMissing: string | false = findProgram("redis-server") === undefined
  && findProgram("valkey-server") === undefined && "redis-server is not installed";

/** A running redis-server. */
export interface RedisServer extends AsyncDisposable {
  /** Where it is. */
  readonly url: string;
  readonly port: number;
  /** Has it stand still, with its connections open; or go on. */
  stop(): void;
  go(): void;
  /** Kills it. */
  kill(): Promise<void>;
  /** Starts it again, on the same port: with its data where it kept any. */
  start(): Promise<void>;
  /** Sends a command as plain words, and gives the answer as it is written. */
  command(...words: readonly string[]): Promise<string>;
}

/** Starts a redis-server that keeps its data only if it is told to. */
export async function startRedis(options: { readonly keeps?: boolean } = {}): Promise<RedisServer> {
  const program = findProgram("redis-server") ?? findProgram("valkey-server");
  if (program === undefined) throw new Error("redis-server is not installed");
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-redis-"));
  const port = await findPort();
  let child: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals) => child && process.kill(child.pid!, name);
  const end = () => void signal("SIGKILL");
  process.on("exit", end);
  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop: () => void signal("SIGSTOP"),
    go: () => void signal("SIGCONT"),
    async kill() {
      const ending = child;
      if (!ending) return;
      child = undefined;
      const exit = once(ending, "exit");
      process.kill(ending.pid!, "SIGKILL");
      await exit;
    },
    async start() {
      const kept = options.keeps ? "yes" : "no";
      child = spawn(program, [
        ...["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder],
        ...["--appendonly", kept, "--appendfsync", "always"],
      ], { stdio: "ignore" });
      child.on("error", () => {});
      for (let tries = 0; tries < 800; tries++) {
        const answer = await server.command("PING").catch(() => "");
        if (answer.startsWith("+PONG")) return;
        await pause(25);
      }
      throw new Error(`redis-server does not answer on port ${port}`);
    },
    command(...words) {
      const socket = connect(port, "127.0.0.1");
      return new Promise<string>((resolve, reject) => {
        socket.on("error", reject).on("close", () => reject(new Error("It hung up")));
        socket.on("data", (bytes) => resolve(String(bytes)));
        socket.on("connect", () => {
          const parts = words.map((word) =>
            `$${new TextEncoder().encode(word).length}\r\n${word}\r\n`
          );
          socket.write(`*${words.length}\r\n${parts.join("")}`);
        });
      }).finally(() => socket.destroy());
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", end);
      if (child) signal("SIGCONT");
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
