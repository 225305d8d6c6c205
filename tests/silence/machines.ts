/**
 * Three machines in their own network namespaces, each of which can fall silent in four ways.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../support/pki.ts";
import { findProgram } from "../support/services.ts";

/** The host that the machines serve. */
export const HOST = "silence.test";

/** How a machine falls silent. */
export const SILENCES = [
  "its packets are dropped",
  "its process is stopped",
  "its route is removed",
  "it answers no more",
] as const;

/** One of them. */
export type Silence = (typeof SILENCES)[number];

/** Machines that serve one host. */
export interface Machines extends AsyncDisposable {
  /** Their addresses, with their ports. */
  readonly addresses: readonly string[];
  /** The authority of their certificates, PEM. */
  readonly ca: string;
  /** Has the first of them fall silent. */
  silence(how: Silence): void;
}

/** Why there can be no such machines here; undefined where there can. */
export function whyNot(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const missing = ["ip", "iptables", "node"].filter((name) => !findProgram(name));
  if (missing.length > 0) return `${missing.join(" and ")} not installed`;
  try {
    ip("netns", "delete", claimNetwork().name);
    return undefined;
  } catch {
    return "no network namespace can be made here";
  }
}

/** How many networks of four addresses the one for tests between devices has (RFC 2544). */
const NETWORKS = 2 ** 15;

/** A network of four addresses, and the namespace behind it that has its name. */
interface Network {
  readonly name: string;
  /** One of its addresses, by number. */
  address(index: number): string;
}

/** Makes a namespace for a network that no other process uses: two cannot have the same name. */
function claimNetwork(): Network {
  for (let tried = 0; tried < NETWORKS; tried++) {
    const number = (process.pid + tried) % NETWORKS;
    const name = `silence${number}`;
    try {
      ip("netns", "add", name);
    } catch (error) {
      if (`${(error as { stderr?: unknown }).stderr}`.includes("File exists")) continue;
      throw error;
    }
    const first = 4 * number;
    return {
      name,
      address: (index) =>
        `198.${18 + (first >> 16)}.${(first >> 8) & 255}.${(first & 255) + index}`,
    };
  }
  throw new Error("All networks are in use");
}

/** Starts three machines, whose answers take some 20 ms. */
export async function startMachines(): Promise<Machines> {
  const authority = await createAuthority();
  const credentials = await authority.issue({ names: [HOST] });
  const machines: Machine[] = [];
  const dispose = async () => {
    for (const machine of machines) await machine.end();
  };
  process.on("exit", () => machines.forEach((machine) => machine.remove()));
  try {
    for (let count = 0; count < 3; count++) {
      const machine = new Machine();
      machines.push(machine);
      await machine.start(JSON.stringify(credentials));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    addresses: machines.map(({ address, port }) => `${address}:${port}`),
    ca: authority.cert,
    silence: (how) => machines[0]!.silence(how),
    [Symbol.asyncDispose]: dispose,
  };
}

class Machine {
  readonly address: string;
  port = 0;
  readonly #network = claimNetwork();
  #child: ChildProcess | undefined;
  #removed = false;

  constructor() {
    this.address = this.#network.address(2);
  }

  async start(credentials: string): Promise<void> {
    const { name } = this.#network;
    const far = `${name}f`;
    ip("link", "add", name, "type", "veth", "peer", "name", far);
    ip("link", "set", far, "netns", name);
    ip("address", "add", `${this.#network.address(1)}/30`, "dev", name);
    ip("link", "set", name, "up");
    ip("-n", name, "address", "add", `${this.address}/30`, "dev", far);
    ip("-n", name, "link", "set", far, "up");
    const main = fileURLToPath(new URL("machine_main.ts", import.meta.url));
    const child = spawn(
      "ip",
      ["netns", "exec", name, "node", "--import", "tsx", main, this.address],
      {
        stdio: ["pipe", "pipe", "inherit"],
        cwd: fileURLToPath(new URL("../../", import.meta.url)),
      },
    );
    this.#child = child;
    child.stdin!.write(`${credentials}\n`);
    const [line] = await once(createInterface({ input: child.stdout! }), "line");
    this.port = Number(line);
  }

  silence(how: Silence): void {
    switch (how) {
      case "its packets are dropped":
        for (const chain of ["INPUT", "OUTPUT"]) {
          ip("netns", "exec", this.#network.name, "iptables", "-I", chain, "-j", "DROP");
        }
        break;
      case "its process is stopped":
        process.kill(this.#child!.pid!, "SIGSTOP");
        break;
      case "its route is removed":
        ip("route", "del", `${this.#network.address(0)}/30`);
        break;
      case "it answers no more":
        this.#child!.stdin!.write("mute\n");
    }
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, "exit");
      process.kill(child.pid!, "SIGKILL");
      await exit;
    }
    this.#child = undefined;
    this.remove();
  }

  /** Takes the namespace away, and the devices with it, once: others may use the name then. */
  remove(): void {
    if (this.#removed) return;
    this.#removed = true;
    if (this.#child) process.kill(this.#child.pid!, "SIGKILL");
    // A namespace stays for a while after its name has gone, and its devices with it.
    for (const what of ["link", "netns"]) {
      try {
        ip(what, "delete", this.#network.name);
      } catch {
        // It is gone, or was never there.
      }
    }
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
