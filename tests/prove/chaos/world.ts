/**
 * Four machines, two proxies, a resolver, a store and a clock, each of which can be made to fail, and
 * a pool that is to live with it.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { createPool } from "../../../adapters/detect.ts";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import type { Resolver } from "../../../src/hosts/resolver.ts";
import type { HttpPool } from "../../../src/http/http_pool.ts";
import { fleetOver, readFleetOptions } from "../../../src/pool/fleet/fleet_over.ts";
import { MemoryFleetStore } from "../../support/memory_fleet_store.ts";
import { createAuthority } from "../../support/pki.ts";
import { findProgram } from "../../support/services.ts";
import { type Fault, MACHINE_FAULTS, type MachineFault } from "./faults.ts";
import { Machine } from "./machine.ts";
import { Proxy } from "./proxy.ts";

/** The hosts: over both protocols, over HTTP/1.1, and over proxies. */
export const HOSTS = ["both.test", "old.test", "far.test"] as const;

/** A store that was restarted gives nobody more until all have told what they have: for so long. */
const FLEET = { leaseMs: 200, goneAfterMs: 400 };

const NOBODY = "127.255.255.255:443";

/** Everything that a request meets. */
export class World {
  readonly machines: readonly Machine[];
  readonly #proxies: readonly Proxy[];
  readonly #store = new MemoryFleetStore();
  readonly #files = whyNot("EMFILE") === undefined ? new FileLimit() : undefined;
  #pool: HttpPool | undefined;
  #answer: () => readonly string[];
  #lateMs = 0;
  #wallShift = 0;

  private constructor(machines: readonly Machine[], proxies: readonly Proxy[]) {
    this.machines = machines;
    this.#proxies = proxies;
    this.#answer = () => this.#own();
  }

  /** Starts all of it. */
  static async start(): Promise<World> {
    const authority = await createAuthority();
    const good = await authority.issue({ names: [...HOSTS] });
    const foreign = await (await createAuthority()).issue({ names: [...HOSTS] });
    const machines = [1, 2, 3, 4].map((end) =>
      new Machine({ address: `127.0.3.${end}`, port: 0, good, foreign })
    );
    const proxies = [new Proxy(), new Proxy()];
    await Promise.all([...machines, ...proxies].map((child) => child.start()));
    const world = new World(machines, proxies);
    const resolver: Resolver = { name: "chaos", resolve: () => world.#resolve() };
    const clock: Clock = {
      ...systemClock,
      wallNow: () => systemClock.wallNow() + world.#wallShift,
    };
    world.#pool = createPool({
      clock,
      resolver,
      fleet: fleetOver(world.#store, readFleetOptions("a fleet", FLEET)),
      tls: { ca: [authority.cert] },
      hosts: {
        "old.test": { protocols: ["http/1.1"] },
        "far.test": { proxy: proxies.map(({ url }) => url) },
      },
      failoverStatuses: [503],
      // Half of all machines fail all the time here: as many repeats as requests.
      retryShare: 1,
      connectTimeoutMs: 1_000,
      dnsMinTtlMs: 100,
      dnsRefreshIntervalMs: 200,
      dnsTimeoutMs: 1_000,
      ejectionMs: 1_000,
      cleanupIntervalMs: 500,
    });
    return world;
  }

  get pool(): HttpPool {
    return this.#pool!;
  }

  /** Has each host answer once, while all is well. */
  async meet(): Promise<void> {
    await Promise.all(HOSTS.map(async (host) => {
      const headers = { "x-id": "0", "x-length": "2" };
      const response = await this.pool.request(`https://${host}/`, { headers });
      await response.bytes();
    }));
  }

  /** Has something go wrong, at a machine where it is a machine's. */
  async begin(fault: Fault, machine: Machine): Promise<void> {
    if (isOfMachine(fault)) return await machine.setFault(fault);
    switch (fault) {
      case "paused process":
        return machine.pause(true);
      case "restart":
        return await machine.kill();
      case "DNS lies":
        this.#answer = () => [NOBODY, ...this.#own(), "127.0.3.9:1"];
        return;
      case "DNS is late":
        this.#lateMs = 1_500;
        return;
      case "DNS swaps all":
        this.#answer = () => [this.machines[3]!.address];
        return;
      case "EMFILE":
        return await this.#files?.close();
      case "clock jump":
        this.#wallShift = this.#wallShift === 0 ? 7_200_000 : 0;
        return;
      case "proxy dies":
        return await this.#proxies[0]!.kill();
      case "store dies":
        return this.#store.stop();
    }
  }

  /** Has it end. */
  async end(fault: Fault, machine: Machine): Promise<void> {
    if (isOfMachine(fault)) return await machine.setFault(null);
    switch (fault) {
      case "paused process":
        return machine.pause(false);
      case "restart":
        return await machine.start();
      case "DNS lies":
      case "DNS swaps all":
        this.#answer = () => this.#own();
        return;
      case "DNS is late":
        this.#lateMs = 0;
        return;
      case "EMFILE":
        return await this.#files?.open();
      case "proxy dies":
        return await this.#proxies[0]!.start();
      case "store dies":
        return this.#store.start();
    }
  }

  /** How many TCP sockets this process has once its pool is closed; undefined where nobody can tell. */
  async socketsLeft(): Promise<number | undefined> {
    if (process.platform !== "linux") return undefined;
    let left = ownSockets();
    for (let tries = 0; tries < 40 && left > 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      left = ownSockets();
    }
    return left;
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    this.#files?.end();
    await Promise.all([...this.machines, ...this.#proxies].map((child) => child.kill()));
  }

  #own(): string[] {
    return this.machines.slice(0, 3).map(({ address }) => address);
  }

  async #resolve(): Promise<{ readonly addresses: readonly string[] }> {
    if (this.#lateMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#lateMs));
    return { addresses: this.#answer() };
  }
}

/** The TCP sockets of this process, of which the runtime has none of its own. */
function ownSockets(): number {
  const tcp = new Set(
    ["tcp", "tcp6"].flatMap((name) =>
      readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").slice(1).map((line) =>
        line.trim().split(/\s+/)[9]
      )
    ),
  );
  let count = 0;
  for (const file of readdirSync("/proc/self/fd")) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${file}`)) ?? [];
      if (inode !== undefined && tcp.has(inode)) count++;
    } catch {
      // It is closed by now, as that of the folder itself.
    }
  }
  return count;
}

/** Why a fault cannot be had here; undefined where it can. */
export function whyNot(fault: Fault): string | undefined {
  if (fault !== "EMFILE") return undefined;
  if (process.platform !== "linux") return "files are limited by Linux's prlimit";
  return findProgram("prlimit") ? undefined : "prlimit is not installed";
}

function isOfMachine(fault: Fault): fault is MachineFault {
  return (MACHINE_FAULTS as readonly string[]).includes(fault);
}

/** Limits this process's files from another one, which has enough itself to do so. */
class FileLimit {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    const program =
      `while read limit; do prlimit --pid ${process.pid} --nofile=$limit:; echo $?; done`;
    this.#child = spawn("sh", ["-c", program], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Lets there be no more files than there are. */
  async close(): Promise<void> {
    await this.#set(readdirSync("/proc/self/fd").length);
  }

  /** Lets there be more than the program needs. */
  async open(): Promise<void> {
    await this.#set(4_096);
  }

  /** Ends it. */
  end(): void {
    this.#child.stdin!.end();
  }

  async #set(limit: number): Promise<void> {
    this.#child.stdin!.write(`${limit}\n`);
    const { value } = await this.#lines.next();
    if (value !== "0") {
      throw new Error(`prlimit could not set ${limit} files: it ended with ${value}`);
    }
  }
}
