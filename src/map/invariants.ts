/**
 * What must hold of the two maps at every step.
 *
 * @module
 */

import type { LinkedList } from "../core/list.ts";
import type { Accountant } from "./accountant.ts";
import type { Connection } from "./connection.ts";
import type { Entry } from "./endpoint.ts";
import type { Lane } from "./lane.ts";

/** The inside of the maps. */
export interface Maps {
  /** Address to its connections. */
  readonly addresses: ReadonlyMap<string, ReadonlySet<Connection>>;
  /** Host to TLS profile to its lane. */
  readonly hosts: ReadonlyMap<string, ReadonlyMap<string, Lane>>;
  /** Each connection's place, by its number. */
  readonly entries: ReadonlyMap<number, Entry>;
  /** Every idle connection. */
  readonly idle: LinkedList<Entry>;
  /** Who counts them. */
  readonly accountant: Accountant;
}

/**
 * Compares the maps with each other.
 *
 * @throws {Error} Something does not add up; the message says what
 */
export function assertInvariants(maps: Maps): void {
  checkAddresses(maps);
  checkHosts(maps);
  for (const { connection, endpoint, idleNode, stackNode } of maps.entries.values()) {
    const { capacity, leases, state } = connection;
    insist(state !== "closed", () => `${name(connection)} is held but closed`);
    insist(connection.held, () => `${name(connection)} is held, but would tell nobody its end`);
    const isIdle = state === "idle";
    insist(isIdle === (leases === 0), () => `${name(connection)} has wrong leases`);
    // One that was marked unhealthy stays where it was until somebody looks.
    insist(isIdle === (idleNode.list === maps.idle), () => `${name(connection)} is wrongly idle`);
    const hasRoom = (isIdle || state === "leased") && leases < capacity;
    const stack = !hasRoom ? undefined : isIdle ? endpoint.idle : endpoint.partial;
    insist(stackNode.list === stack, () => `${name(connection)} is on a wrong stack`);
  }
  for (const { connection } of maps.idle) {
    insist(maps.entries.has(connection.id), () => `${name(connection)} is idle but not held`);
  }
}

function checkAddresses({ accountant, addresses, entries }: Maps): void {
  let placed = 0;
  for (const [address, bucket] of addresses) {
    insist(bucket.size > 0, () => `address ${address} is empty`);
    insist(bucket.size <= accountant.ofAddress(address), () => `address ${address} is uncounted`);
    insist(
      accountant.mayExceed
        || accountant.ofAddress(address) <= accountant.limits.maxConnectionsPerIp,
      () => `address ${address} is over its limit`,
    );
    for (const connection of bucket) {
      insist(connection.address === address, () => `${name(connection)} stands at ${address}`);
      insist(entries.has(connection.id), () => `${name(connection)} has an address only`);
    }
    placed += bucket.size;
  }
  insist(placed === entries.size, () => `${entries.size} are held, ${placed} have an address`);
  insist(
    placed <= accountant.total
      && (accountant.mayExceed || accountant.total <= accountant.limits.maxConnections),
    () => `${placed} are held, ${accountant.total} accounted for`,
  );
}

function checkHosts({ accountant, entries, hosts }: Maps): void {
  let placed = 0;
  for (const [host, lanes] of hosts) {
    insist(lanes.size > 0, () => `host ${host} is empty`);
    let ofHost = 0;
    for (const lane of lanes.values()) {
      checkLane(lane, entries);
      ofHost += lane.connectionCount;
    }
    insist(ofHost <= accountant.ofHost(host), () => `host ${host} is uncounted`);
    insist(
      accountant.mayExceed || accountant.ofHost(host) <= accountant.limitOf(host),
      () => `host ${host} is over its limit`,
    );
    placed += ofHost;
  }
  insist(placed === entries.size, () => `${entries.size} are held, ${placed} have a host`);
}

function checkLane(lane: Lane, entries: Maps["entries"]): void {
  const { host, kept, tlsProfile } = lane;
  insist(kept || lane.endpoints.size > 0, () => `a lane of host ${host} is empty`);
  let ofLane = 0;
  let slotsOfLane = 0;
  for (const [address, endpoint] of lane.endpoints) {
    const { connections, idle, member, partial, places, standing } = endpoint;
    insist(kept || connections.size > 0, () => `host ${host} has nothing at ${address}`);
    let stacked = 0;
    let leased = 0;
    let slots = 0;
    const counts = { busy: 0, draining: 0, unhealthy: 0, multiplexed: 0 };
    for (const connection of connections) {
      const entry = entries.get(connection.id);
      insist(entry?.endpoint === endpoint, () => `${name(connection)} is misplaced`);
      if (entry?.stackNode.list) stacked++;
      leased += connection.leases;
      slots += connection.slots;
      if (connection.state === "leased") counts.busy++;
      if (connection.state === "draining") counts.draining++;
      if (!connection.healthy) counts.unhealthy++;
      if (connection.multiplexed) counts.multiplexed++;
      insist(
        connection.host === host && connection.address === address
          && connection.tlsProfile === tlsProfile,
        () => `${name(connection)} stands in host ${host} at ${address}`,
      );
    }
    const where = () => `host ${host} at ${address}`;
    insist(idle.size + partial.size === stacked, () => `${where()} has a stranger on a stack`);
    const isReady = stacked > 0 && standing !== "gone";
    insist(places[0] >= 0 === isReady, () => `${where()} is not rightly ready`);
    const isGood = member && endpoint.chosen;
    insist(places[1] >= 0 === isGood, () => `${where()} is not rightly good`);
    // A connection that has left the maps may still be leased.
    insist(endpoint.leased >= leased, () => `${where()} has wrong leases`);
    insist(endpoint.slots === slots, () => `${where()} miscounts what it can carry`);
    if (standing !== "gone") slotsOfLane += slots;
    for (const name of ["busy", "draining", "unhealthy", "multiplexed"] as const) {
      insist(endpoint[name] === counts[name], () => `${where()} miscounts what is ${name}`);
    }
    ofLane += connections.size;
  }
  insist(ofLane === lane.connectionCount, () => `host ${host} miscounts its connections`);
  const members = [...lane.endpoints.values()].filter(({ member }) => member);
  const weighing = members.filter(({ weight }) => weight > 0);
  insist(lane.usedCount === (weighing.length || members.length), () => `host ${host} misweighs`);
  for (const { address, member, spare, weight } of lane.endpoints.values()) {
    const isSpare = member && weight === 0 && weighing.length > 0;
    insist(spare === isSpare, () => `host ${host} at ${address.text} is not rightly spare`);
  }
  const strangers = [...lane.endpoints.values()].filter(({ standing }) => standing === "gone");
  insist(lane.strangerCount === strangers.length, () => `host ${host} miscounts its strangers`);
  // If all are good, or none is, the lane has counted right by itself.
  const counts = lane.good.size === 0 || lane.good.size === lane.endpoints.size;
  insist(
    !counts || lane.servingSlots === slotsOfLane,
    () => `host ${host} miscounts what it can carry`,
  );
}

function insist(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(`Invariant broken: ${message()}`);
}

function name({ id, host, address, state }: Connection): string {
  return `connection ${id} (${host} at ${address}, ${state})`;
}
