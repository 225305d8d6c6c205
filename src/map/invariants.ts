/**
 * What must hold of the two maps at every step.
 *
 * @module
 */

import type { LinkedList } from "../core/list.ts";
import type { Accountant } from "./accountant.ts";
import type { Connection } from "./connection.ts";
import type { Lane } from "./lane.ts";

/** The inside of a connection manager. */
export interface Maps {
  /** Address to its connections. */
  readonly connections: ReadonlyMap<string, ReadonlySet<Connection>>;
  /** Host to TLS profile to its lane. */
  readonly hosts: ReadonlyMap<string, ReadonlyMap<string, Lane>>;
  /** Every idle connection. */
  readonly idle: LinkedList<Connection>;
  /** How many connections there are said to be. */
  readonly count: number;
  /** Who counts them. */
  readonly accountant: Accountant;
}

/**
 * Holds the maps against each other.
 *
 * @throws {Error} Something does not add up; the message says what
 */
export function assertInvariants(maps: Maps): void {
  const mapped = checkAddresses(maps);
  checkHosts(maps, mapped);
  const idle = new Set(maps.idle);
  for (const connection of mapped) {
    const isIdle = connection.state === "idle";
    require(isIdle === idle.has(connection), () => `${name(connection)} is not rightly idle`);
    require(isIdle === (connection.leases === 0), () => `${name(connection)} has wrong leases`);
  }
  require(idle.size === maps.idle.size, () => "an idle connection stands twice");
  for (const connection of idle) {
    require(mapped.has(connection), () => `${name(connection)} is idle but not mapped`);
  }
}

function checkAddresses(maps: Maps): Set<Connection> {
  const { accountant } = maps;
  const mapped = new Set<Connection>();
  for (const [address, bucket] of maps.connections) {
    require(bucket.size > 0, () => `address ${address} is empty`);
    require(bucket.size <= accountant.ofAddress(address), () => `address ${address} is uncounted`);
    require(
      accountant.ofAddress(address) <= accountant.limits.maxConnectionsPerIp,
      () => `address ${address} is over its limit`,
    );
    for (const connection of bucket) {
      require(connection.address === address, () => `${name(connection)} stands at ${address}`);
      require(connection.state !== "closed", () => `${name(connection)} is mapped but closed`);
      mapped.add(connection);
    }
  }
  require(mapped.size === maps.count, () => `${mapped.size} are mapped, ${maps.count} counted`);
  require(
    mapped.size <= accountant.total && accountant.total <= accountant.limits.maxConnections,
    () => `${mapped.size} are mapped, ${accountant.total} accounted for`,
  );
  return mapped;
}

function checkHosts(maps: Maps, mapped: ReadonlySet<Connection>): void {
  const { accountant } = maps;
  let placed = 0;
  for (const [host, lanes] of maps.hosts) {
    require(lanes.size > 0, () => `host ${host} is empty`);
    let ofHost = 0;
    for (const lane of lanes.values()) {
      require(lane.cells.size > 0, () => `a lane of host ${host} is empty`);
      for (const [address, cell] of lane.cells) {
        require(cell.connections.size > 0, () => `host ${host} has nothing at ${address}`);
        for (const connection of cell.connections) {
          require(mapped.has(connection), () => `${name(connection)} is in its host only`);
          require(
            connection.host === host && connection.address === address
              && connection.tlsProfile === lane.tlsProfile,
            () => `${name(connection)} stands in host ${host} at ${address}`,
          );
          const stack = connection.stackNode.list;
          require(
            stack === undefined || stack === (connection.leases === 0 ? cell.idle : cell.partial),
            () => `${name(connection)} is on a wrong stack`,
          );
        }
        const idle = [...cell.connections].filter(({ leases }) => leases === 0).length;
        require(cell.idle.size === idle, () => `host ${host} at ${address} has a wrong idle stack`);
        require(
          cell.readyIndex >= 0 === cell.idle.size + cell.partial.size > 0,
          () => `host ${host} at ${address} is not rightly ready`,
        );
        ofHost += cell.connections.size;
      }
    }
    require(ofHost <= accountant.ofHost(host), () => `host ${host} is uncounted`);
    require(
      accountant.ofHost(host) <= accountant.limits.maxConnectionsPerHost,
      () => `host ${host} is over its limit`,
    );
    placed += ofHost;
  }
  require(placed === mapped.size, () => `${mapped.size} have an address, ${placed} a host`);
}

function require(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(`Invariant broken: ${message()}`);
}

function name({ id, host, address, state }: Connection): string {
  return `connection ${id} (${host} at ${address}, ${state})`;
}
