/**
 * Programs of this machine: where they are, and a child process of one that has its own folder.
 *
 * @module
 */

import { spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";

/** Finds a program on the path, and where Debian puts servers; undefined where there is none. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? "").split(path.delimiter),
    "/usr/sbin",
    "/usr/local/sbin",
  ];
  return folders.filter((folder) => folder !== "").map((folder) => path.join(folder, name)).find(
    isExecutable,
  );
}

/** A running program that listens on a port. */
export interface Service extends AsyncDisposable {
  /** Its folder, which goes with it. */
  readonly folder: string;
  /** Sends it a signal. */
  signal(name: NodeJS.Signals): void;
  /** How many times it has said something on its standard error. */
  said(text: string): number;
}

/** How a service is started. */
export interface ServiceStart {
  /** The program's file. */
  readonly program: string;
  /** Its arguments, for the folder that it gets. */
  readonly args: (folder: string) => readonly string[];
  /** The files that it finds in its folder, by name. */
  readonly files: (folder: string) => Readonly<Record<string, string>>;
  /** The port of 127.0.0.1 on which it will listen. */
  readonly port: number;
}

/** How often it is tried whether a service answers, and how long is waited in between. */
const TRIES = 400;
const PAUSE_MS = 25;

/** Starts a service, and waits until it takes connections. */
export async function startService(start: ServiceStart): Promise<Service> {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-party-"));
  writeFiles(folder, start.files(folder));
  const child = spawn(start.program, start.args(folder), {
    stdio: ["ignore", "ignore", "pipe"],
    ...homeIn(folder),
  });
  const { port, program } = start;
  let output = "";
  child.stderr!.on("data", (bytes) => output += bytes);
  let ended = false;
  const exit = once(child, "exit").finally(() => ended = true);
  exit.catch(() => {});
  const signal = (name: NodeJS.Signals) => {
    // Deno's `child.kill()` does nothing from the second time on.
    if (!ended) process.kill(child.pid!, name);
  };
  const end = () => signal("SIGTERM");
  process.on("exit", end);
  const service: Service = {
    folder,
    signal,
    said: (text) => output.split(text).length - 1,
    async [Symbol.asyncDispose]() {
      end();
      await exit.catch(() => {});
      process.off("exit", end);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  for (let tries = 0; tries < TRIES && !ended; tries++) {
    if (await answers(port)) return service;
    await pause(PAUSE_MS);
  }
  await service[Symbol.asyncDispose]();
  throw new Error(`${program} does not listen on port ${port}: ${output}`);
}

/** Waits for some time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Writes files into a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  }
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  folder: string,
): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], ...homeIn(folder) });
  let complaints = "";
  child.stderr!.on("data", (bytes) => complaints = `${complaints}${bytes}`.slice(-4_000));
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} gave ${code}: ${complaints}`);
}

/**
 * Finds a port that is free on 127.0.0.1. It lies below those that systems give out by themselves,
 * so that nobody else is given it in the meantime.
 */
export async function findPort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(() => true, () => false);
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error("No free port was found");
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function homeIn(folder: string): SpawnOptions {
  const { env } = process;
  return {
    cwd: folder,
    env: { ...env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    return await new Promise((resolve) => {
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
