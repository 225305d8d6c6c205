/**
 * A pool's figures at one moment: plain data.
 *
 * @module
 */

import type { Admission } from "../hosts/admission.ts";
import type { Block } from "../hosts/block_list.ts";
import type { HostDirectory, HostInfo } from "../hosts/directory.ts";
import { type AddressHealth, type EndpointHealth, NO_HEALTH } from "../hosts/health.ts";
import type { Connection } from "../map/connection.ts";
import type { Endpoint, Standing } from "../map/endpoint.ts";
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
  /** How it stands with those who choose. */
  readonly standing: Standing;
  /** The rule or block that keeps it from being used; null where none does. */
  readonly deniedBy: string | null;
  /** When it is due again after failures, in milliseconds since 1970; null where it has none. */
  readonly retryAt: number | null;
  /** How much it is to bear, beside the others of its host. */
  readonly weight: number;
  /** How much of that it bears by now: from a tenth to 1 while it starts slowly. */
  readonly share: number;
  /** Leases that began. */
  readonly picks: number;
  /** How long it is expected to take for an answer, in milliseconds; null where nobody knows. */
  readonly latencyMs: number | null;
  /** What is known of its failures. */
  readonly health: EndpointHealth;
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
  /** Whether fewer than half of its addresses are good, so that none is left alone. */
  readonly panic: boolean;
  /** Where its addresses come from, and for how long they hold; null where nobody has asked. */
  readonly resolution: HostInfo | null;
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
  /** What is blocked now. */
  readonly blocks: readonly Block[];
  /** The figures by host. */
  readonly hosts: { readonly [host: string]: HostStats };
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

type Counts = Mutable<Omit<HostStats, "addresses">> & {
  readonly addresses: { [address: string]: Mutable<AddressStats> };
};

/** What the figures are taken from, all of it the pool's. */
export interface StatsParts {
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly health: AddressHealth;
  readonly admission: Admission;
  readonly queues: Iterable<HostQueue>;
  /** The clock's time, in milliseconds. */
  readonly now: number;
}

/** The figures of every host that has connections, or is asked for. */
export function hostStats(parts: StatsParts): { [host: string]: HostStats } {
  // Without a prototype: `constructor` and `__proto__` are names of hosts as good as others.
  const hosts: { [host: string]: Counts } = Object.create(null);
  for (const queue of parts.queues) {
    const { dials, host, lane, toldAddresses = [], waiters, warmTarget } = queue;
    const counts = hosts[host.text] ??= emptyHost();
    counts.waiting += waiters.size;
    counts.warmTarget += warmTarget;
    counts.dialing += dials.size;
    counts.panic ||= lane.panic;
    counts.resolution ??= parts.directory.info(host) ?? null;
    // Those that are denied have no endpoint, and are shown all the same.
    for (const { text } of toldAddresses) counts.addresses[text] ??= emptyAddress();
    for (const endpoint of lane.endpoints.values()) countEndpoint(counts, endpoint, parts);
    for (const address of toldAddresses) {
      const stats = counts.addresses[address.text];
      const rule = parts.admission.deniedBy(address);
      if (stats && rule !== undefined) Object.assign(stats, { deniedBy: rule, standing: "gone" });
    }
  }
  for (const connection of parts.manager.connections()) countConnection(hosts, connection);
  return { ...hosts };
}

/** Adds an endpoint's figures: an address has one for each TLS profile of its host. */
function countEndpoint(
  counts: Counts,
  endpoint: Endpoint,
  { admission, health, now }: StatsParts,
): void {
  const { address, dialing, dueAt, picks, standing, weight } = endpoint;
  const stats = counts.addresses[address.text] ??= emptyAddress();
  stats.dialing += dialing;
  stats.picks += picks;
  // The worst of them tells most.
  if (stats.standing !== "good" && standing === "good") return;
  stats.standing = standing;
  stats.deniedBy = admission.deniedBy(address) ?? null;
  stats.retryAt = dueAt || null;
  stats.weight = weight;
  stats.share = endpoint.share(now);
  stats.latencyMs = endpoint.latencyMs(now) || null;
  stats.health = health.describe(endpoint);
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
    panic: false,
    resolution: null,
    addresses: {},
  };
}

function emptyAddress(): Mutable<AddressStats> {
  return {
    connections: 0,
    idle: 0,
    leased: 0,
    dialing: 0,
    standing: "good",
    deniedBy: null,
    retryAt: null,
    weight: 1,
    share: 1,
    picks: 0,
    latencyMs: null,
    health: NO_HEALTH,
  };
}
