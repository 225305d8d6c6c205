/**
 * An address that never answers, without any privilege: see `black_hole_main.ts`.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A port of 127.0.0.1 that never answers. */
export interface BlackHole extends AsyncDisposable {
  readonly port: number;
  /** How many sockets of this machine are trying to connect to it (Linux). */
  dialling(): number;
}

/** Opens a black hole. It lives for half a minute at most. */
export async function startBlackHole(): Promise<BlackHole> {
  const main = fileURLToPath(new URL("black_hole_main.ts", import.meta.url));
  const child = spawn("node", ["--import", "tsx", main], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  const port = Number(String(line));
  return {
    port,
    dialling: () => countSynSent(port),
    [Symbol.asyncDispose]: async () => {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
  };
}

// Columns: number, local address, remote address, state; 02 is SYN_SENT (proc(5), tcp_states.h).
function countSynSent(port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8").split("\n").filter((line) => {
    const [, , address = "", state] = line.trim().split(/\s+/);
    return address.endsWith(remote) && state === "02";
  }).length;
}
