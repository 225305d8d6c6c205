/**
 * A pool's figures at one moment: plain data.
 *
 * @module
 */

import type { HostDirectory } from "../hosts/directory.ts";
import type { Connection } from "../map/connection.ts";
import type { ConnectionManager, EvictReason } from "../map/manager.ts";
import type { HostQueue } from "./queue.ts";

/** The figures of one host at one address. */
export interface AddressStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Dials on their way. */
  readonly dialing: number;
  /** When it is due again after failures, in milliseconds since 1970; null where it has none. */
  readonly retryAt: number | null;
}

/** The figures of one host. */
export interface HostStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Dials on their way. */
  readonly dialing: number;
  /** Callers who wait. */
  readonly waiting: number;
  /** How many connections are to be kept open. */
  readonly warmTarget: number;
  /** The figures by address. */
  readonly addresses: { readonly [address: string]: AddressStats };
}

/** The figures of a pool. Counts named after something that happens count since it was made. */
export interface PoolStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections that have left the maps whose sockets are not done yet. */
  readonly ending: number;
  /** Dials on their way. */
  readonly dialing: number;
  /** Callers who wait. */
  readonly waiting: number;
  /** Leases that began. */
  readonly acquired: number;
  /** Leases that began on a connection that had one before. */
  readonly reused: number;
  /** Leases that ended. */
  readonly released: number;
  /** Callers whose time ran out. */
  readonly timedOut: number;
  /** Dials that began. */
  readonly dials: number;
  /** Dials that failed. */
  readonly dialErrors: number;
  /** Connections that left the maps, by reason. */
  readonly evicted: { readonly [Reason in EvictReason]?: number };
  /** The figures by host. */
  readonly hosts: { readonly [host: string]: HostStats };
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

type Counts = Mutable<Omit<HostStats, "addresses">> & {
  readonly addresses: { [address: string]: Mutable<AddressStats> };
};

/** The figures of every host that has connections, or is asked for. */
export function hostStats(
  manager: ConnectionManager,
  queues: Iterable<HostQueue>,
  directory: HostDirectory,
): { [host: string]: HostStats } {
  const hosts: { [host: string]: Counts } = {};
  for (const connection of manager.connections()) countConnection(hosts, connection);
  for (const { dials, host, lane, waiters, warmTarget } of queues) {
    const counts = hosts[host.text] ??= emptyHost();
    counts.waiting += waiters.size;
    counts.warmTarget += warmTarget;
    for (const { text } of directory.known(host) ?? []) counts.addresses[text] ??= emptyAddress();
    for (const { endpoint: { address } } of dials) {
      counts.dialing++;
      (counts.addresses[address.text] ??= emptyAddress()).dialing++;
    }
    for (const [address, stats] of Object.entries(counts.addresses)) {
      stats.retryAt = lane.endpoints.get(address)?.dueAt || null;
    }
  }
  return hosts;
}

function countConnection(
  hosts: { [host: string]: Counts },
  { address, host, state }: Connection,
): void {
  const counts = hosts[host] ??= emptyHost();
  const at = counts.addresses[address] ??= emptyAddress();
  counts.connections++;
  at.connections++;
  if (state !== "idle" && state !== "leased") return;
  counts[state]++;
  at[state]++;
}

function emptyHost(): Counts {
  return {
    connections: 0,
    idle: 0,
    leased: 0,
    dialing: 0,
    waiting: 0,
    warmTarget: 0,
    addresses: {},
  };
}

function emptyAddress(): Mutable<AddressStats> {
  return { connections: 0, idle: 0, leased: 0, dialing: 0, retryAt: null };
}
