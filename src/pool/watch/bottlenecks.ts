/**
 * Which limit keeps callers waiting, and who has what they wait for.
 *
 * @module
 */

import { listed } from "../../core/check.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { PoolFigures } from "./figures.ts";
import { type Finding, showMs } from "./findings.ts";

/** What is looked at, all of it the pool's. */
export interface BottlenecksParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly figures: PoolFigures;
}

/** A limit that is reached, in sentences. */
interface Bottleneck {
  /** What is at it: a host, the pool, some addresses, or the dials. */
  readonly at: string;
  readonly reached: string;
  /** Who has the connections. */
  readonly holders: string;
  readonly advice: string;
}

/** Those who wait for the same. */
interface Starving {
  readonly bottleneck: Bottleneck;
  readonly hosts: Set<string>;
  waiting: number;
  /** Since when the first of them waits, in the clock's milliseconds. */
  since: number;
}

/** How long a caller must wait before a limit is blamed, in milliseconds. */
export const STARVING_MS = 1_000;

/** How many of those who hold what others wait for are named. */
const NAMED = 3;

/** Looks for what keeps callers waiting, for as long as one diagnosis takes. */
export class Bottlenecks {
  readonly #parts: BottlenecksParts;
  readonly #manager: ConnectionManager;
  /** By what is at its limit. */
  readonly #starving = new Map<string, Starving>();
  /** Who has leased most of all connections: found out once, however many hosts starve. */
  #most: string | undefined;

  /** Looks at a pool. */
  constructor(parts: BottlenecksParts) {
    this.#parts = parts;
    this.#manager = parts.manager;
  }

  /** Notes a host whose callers have waited for long, if a limit is in the way. */
  note(queue: HostQueue, now: number): void {
    const { host: { text: host }, waiters: { since, size } } = queue;
    // If nobody waits, this is negative.
    const bottleneck = now - since >= STARVING_MS ? this.#of(queue) : undefined;
    if (!bottleneck) return;
    const { at } = bottleneck;
    let starving = this.#starving.get(at);
    if (!starving) {
      this.#starving.set(at, starving = { bottleneck, hosts: new Set(), waiting: 0, since });
    }
    starving.hosts.add(host);
    starving.waiting += size;
    starving.since = Math.min(starving.since, since);
  }

  /** What was noted, with what is at its limit: hosts that wait for the same are told together. */
  *findings(now: number): Iterable<readonly [at: string, finding: Finding]> {
    for (const [at, { bottleneck, hosts, since, waiting }] of this.#starving) {
      const [host = ""] = hosts;
      const isOne = hosts.size === 1;
      const where = isOne
        ? `a connection to ${host}`
        : `connections to ${hosts.size} hosts (${listed([...hosts], (host) => host, ", ")})`;
      yield [at, {
        severity: "critical",
        what: "starving",
        ...isOne && { host },
        message: `${waiting} wait for ${where}, the first for ${showMs(now - since)}: `
          + `${bottleneck.reached}. ${bottleneck.holders}`,
        advice: bottleneck.advice,
      }];
    }
  }

  /** Which limit keeps a host from having one more connection, and who has those that there are. */
  #of({ dials, host: { text: host }, lane }: HostQueue): Bottleneck | undefined {
    const { figures: { dialing }, options } = this.#parts;
    const { accountant } = this.#manager;
    const { maxConnections, maxConnectionsPerIp } = accountant.limits;
    const count = accountant.ofHost(host);
    const most = accountant.limitOf(host);
    if (count >= most) {
      const isOwn = most !== accountant.limits.maxConnectionsPerHost;
      const ownLimit = isOwn ? "maxConnections of the host" : "maxConnectionsPerHost";
      return {
        at: `host ${host}`,
        reached: `it has ${counted(count)}, its limit (${ownLimit})`,
        holders: `Leased: ${this.#busyOf(host)}.`,
        advice: "Raise the limit, make requests shorter, or look for leases that do not end.",
      };
    }
    if (accountant.total >= maxConnections) {
      return {
        at: "pool",
        reached: `the pool has ${counted(accountant.total)}, its limit (maxConnections)`,
        holders: this.#most ??= this.#holders(),
        advice: "Raise the limit, or lower that of the hosts that hold most of them.",
      };
    }
    const members: string[] = [];
    for (const { address, member } of lane.endpoints.values()) {
      if (member) members.push(address.text);
    }
    const isFull = members.length > 0
      && members.every((address) => accountant.ofAddress(address) >= maxConnectionsPerIp);
    if (isFull) {
      return {
        at: `addresses ${members.sort().join(" ")}`,
        reached: `every address has ${counted(maxConnectionsPerIp)}, the limit `
          + "(maxConnectionsPerIp)",
        holders: this.#holdersAt(members),
        advice: "Raise the limit, or give the host more addresses.",
      };
    }
    const isTaken = members.length > 0
      && members.every((address) => accountant.blockedBy(host, address) === "ip");
    if (isTaken) {
      return {
        at: `addresses ${members.sort().join(" ")}`,
        reached: "every address has as many connections as its machine accepts",
        holders: this.#holdersAt(members),
        advice: "Let its servers accept more connections, or give the host more addresses.",
      };
    }
    const { maxConcurrentDials, maxConcurrentDialsPerHost } = options;
    if (dials.size > 0 || dialing < maxConcurrentDials) return undefined;
    return {
      at: "dials",
      reached: `${dialing} dials are under way, the limit (maxConcurrentDials)`,
      holders: "None of them goes there.",
      advice: "Find out which dials never succeed, raise the limit, or lower "
        + `maxConcurrentDialsPerHost, which is ${maxConcurrentDialsPerHost}.`,
    };
  }

  #busyOf(host: string): number {
    let busy = 0;
    for (const { endpoints } of this.#manager.hosts.lanesOf(host)) {
      for (const endpoint of endpoints.values()) busy += endpoint.busy + endpoint.draining;
    }
    return busy;
  }

  /** Which hosts have leased most of all connections. */
  #holders(): string {
    const counts = new Map<string, number>();
    for (const { endpoints, host } of this.#manager.hosts.lanes()) {
      let leased = 0;
      for (const { busy, draining } of endpoints.values()) leased += busy + draining;
      if (leased > 0) counts.set(host, (counts.get(host) ?? 0) + leased);
    }
    return tellMost(counts);
  }

  /** Which hosts have leased most of those to some addresses. */
  #holdersAt(addresses: readonly string[]): string {
    const counts = new Map<string, number>();
    for (const address of addresses) {
      for (const { host, leases } of this.#manager.getConnections(address)) {
        if (leases > 0) counts.set(host, (counts.get(host) ?? 0) + 1);
      }
    }
    return tellMost(counts);
  }
}

/** A number of connections, in words. */
export function counted(connections: number): string {
  return `${connections} ${connections === 1 ? "connection" : "connections"}`;
}

function tellMost(counts: ReadonlyMap<string, number>): string {
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, NAMED);
  if (most.length === 0) return "None of them is leased.";
  return `Most are leased to ${most.map(([host, count]) => `${host} (${count})`).join(", ")}.`;
}
