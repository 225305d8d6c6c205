/**
 * The figures of a pool, arranged as the admin router shows them.
 *
 * @module
 */

import { parseAddress, withItsPort } from "../../src/core/address.ts";
import type { Block } from "../../src/hosts/block_list.ts";
import type { AddressStats, PoolStats } from "../../src/pool/watch/stats.ts";
import type { WatchedStats } from "./pool_watch.ts";

/** One machine, with the hosts that have it. */
export interface MachineStats {
  /** The address, in canonical text. */
  readonly address: string;
  readonly ip: string;
  readonly port: number;
  /** The connections of all hosts. */
  readonly connections: number;
  readonly hosts: readonly ({ readonly host: string } & AddressStats)[];
  /** What blocks it now; null if nothing does. */
  readonly block: Block | null;
}

/** The figures by address instead of by host. */
export function byAddress({ blocks, hosts }: PoolStats): MachineStats[] {
  const machines = new Map<string, ({ readonly host: string } & AddressStats)[]>();
  for (const [host, { addresses }] of Object.entries(hosts)) {
    for (const [address, stats] of Object.entries(addresses)) {
      let there = machines.get(address);
      if (!there) machines.set(address, there = []);
      there.push({ host, ...stats });
    }
  }
  const blocked = new Map(blocks.map((block) => [block.ip, block]));
  return Array.from(machines, ([address, hosts]) => {
    const { ip, port } = parseAddress(address);
    const block = blocked.get(ip) ?? blocked.get(withItsPort(address, ip)) ?? null;
    const connections = hosts.reduce((sum, { connections }) => sum + connections, 0);
    return { address, ip, port, connections, hosts, block };
  });
}

/** Whether a host has a good address. */
export function isAvailable({ hosts }: PoolStats, host: string): boolean {
  return Object.values(hosts[host]?.addresses ?? {}).some(({ standing }) => standing === "good");
}

/** How many problems of a pool are listed beside those of others. */
const MAX_PROBLEMS = 5;

/** A pool's figures beside those of others: as much as fits into a few lines. */
export function poolAtGlance(name: string, { hosts, outlook, ...stats }: WatchedStats): object {
  const { problems, recent, worst } = outlook;
  const { at, connections, idle, leased, waiting } = stats;
  return {
    ...{ name, at, connections, idle, leased, waiting, worst },
    hosts: Object.keys(hosts).length,
    addresses: stats.allowedAddresses + stats.deniedAddresses,
    problems: problems.slice(0, MAX_PROBLEMS),
    problemCount: problems.length,
    recent: { ...recent, hosts: {}, failing: {} },
  };
}
