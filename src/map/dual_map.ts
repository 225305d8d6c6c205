/**
 * The two maps and the stacks of what is ready: structure only, no policy and no I/O.
 *
 * @module
 */

import { type Clock, systemClock } from "../core/clock.ts";
import { LinkedList } from "../core/list.ts";
import type { Accountant } from "./accountant.ts";
import type { Connection } from "./connection.ts";
import { type Endpoint, Entry } from "./endpoint.ts";
import { assertInvariants } from "./invariants.ts";
import { Lane, type Traffic } from "./lane.ts";
import type { MakePicker } from "./picker.ts";

/** The lanes of hosts, as a part of the maps. */
export type LaneMap = Pick<DualMap, "closeLane" | "lanes" | "lanesOf" | "openLane" | "past">;

/**
 * Holds every connection by address and by host, and changes both in one step. Every operation on
 * one connection is O(1).
 */
export class DualMap {
  /** Every idle connection, the one used last at the front. */
  readonly idle: LinkedList<Entry> = new LinkedList();
  /** The bytes of endpoints that are gone. */
  readonly past: Traffic = { bytesIn: 0, bytesOut: 0 };
  /** By the connections' numbers, in order of arrival. */
  readonly #entries = new Map<number, Entry>();
  readonly #addresses = new Map<string, Set<Connection>>();
  readonly #hosts = new Map<string, Map<string, Lane>>();
  readonly #clock: Clock;

  /** Makes empty ones. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** How many connections it holds. */
  get size(): number {
    return this.#entries.size;
  }

  /** A connection's place; undefined if it is not held. */
  entry(connection: Connection): Entry | undefined {
    const entry = this.#entries.get(connection.id);
    return entry?.connection === connection ? entry : undefined;
  }

  /** Every connection, in order of arrival. */
  *connections(): Generator<Connection, undefined> {
    for (const { connection } of this.#entries.values()) yield connection;
  }

  /** The connection of a number; undefined if it is not held. */
  byId(id: number): Connection | undefined {
    return this.#entries.get(id)?.connection;
  }

  /** The lanes of all hosts. */
  *lanes(): Generator<Lane> {
    for (const lanes of this.#hosts.values()) yield* lanes.values();
  }

  /** The lanes of a host. */
  lanesOf(host: string): Iterable<Lane> {
    return this.#hosts.get(host)?.values() ?? [];
  }

  /** The connections at an address, in order of arrival. */
  at(address: string): ReadonlySet<Connection> | undefined {
    return this.#addresses.get(address);
  }

  /** A host's connections, address by address. */
  ofHost(host: string): Connection[] {
    const found: Connection[] = [];
    for (const lane of this.lanesOf(host)) {
      for (const { connections } of lane.endpoints.values()) found.push(...connections);
    }
    return found;
  }

  /** A host's lane; undefined if it has no connection with that TLS profile, and none is kept. */
  lane(host: string, tlsProfile: string): Lane | undefined {
    return this.#hosts.get(host)?.get(tlsProfile);
  }

  /** A host's lane, which stays until `closeLane`. */
  openLane(host: string, tlsProfile: string, makePicker?: MakePicker): Lane {
    const lanes = this.#lanesFor(host);
    let lane = lanes.get(tlsProfile);
    if (!lane?.kept) {
      const earlier = lane;
      lane = this.#makeLane(lanes, host, tlsProfile, makePicker);
      lane.kept = true;
      for (const endpoint of earlier?.endpoints.values() ?? []) {
        for (const connection of endpoint.connections) this.#place(connection, lane);
        earlier?.forget(endpoint);
      }
    }
    return lane;
  }

  /** Lets a lane be forgotten as soon as it has no connections. */
  closeLane(lane: Lane): void {
    lane.kept = false;
    this.#tidy(lane, lane.endpoints.values());
  }

  /** Each host with its addresses in order of arrival: a copy. */
  hostMapping(): Map<string, string[]> {
    const mapping = new Map<string, string[]>();
    for (const [host, lanes] of this.#hosts) {
      const addresses = new Set<string>();
      for (const lane of lanes.values()) {
        for (const [address, { connections }] of lane.endpoints) {
          if (connections.size > 0) addresses.add(address);
        }
      }
      if (addresses.size > 0) mapping.set(host, [...addresses]);
    }
    return mapping;
  }

  /** Adds a connection, idle. */
  add(connection: Connection): void {
    const { address, host, tlsProfile } = connection;
    let bucket = this.#addresses.get(address);
    if (!bucket) this.#addresses.set(address, bucket = new Set());
    bucket.add(connection);
    const lanes = this.#lanesFor(host);
    this.#place(connection, lanes.get(tlsProfile) ?? this.#makeLane(lanes, host, tlsProfile));
  }

  /** Removes a connection, and what it leaves empty. False if it was not held. */
  remove(connection: Connection): boolean {
    const entry = this.entry(connection);
    if (!entry) return false;
    const { address, host, tlsProfile } = connection;
    const { endpoint } = entry;
    const lane = this.lane(host, tlsProfile)!;
    this.unstack(entry);
    this.#entries.delete(connection.id);
    if (!connection.healthy) endpoint.unhealthy--;
    if (connection.multiplexed) endpoint.multiplexed--;
    endpoint.connections.delete(connection);
    lane.connectionCount--;
    endpoint.addSlots(-connection.slots);
    this.#tidy(lane, [endpoint]);
    const bucket = this.#addresses.get(address);
    bucket?.delete(connection);
    if (bucket?.size === 0) this.#addresses.delete(address);
    return true;
  }

  #makeLane(
    lanes: Map<string, Lane>,
    host: string,
    tlsProfile: string,
    makePicker?: MakePicker,
  ): Lane {
    const lane = new Lane(host, tlsProfile, makePicker, this.past, this.#clock);
    lanes.set(tlsProfile, lane);
    return lane;
  }

  #lanesFor(host: string): Map<string, Lane> {
    let lanes = this.#hosts.get(host);
    if (!lanes) this.#hosts.set(host, lanes = new Map());
    return lanes;
  }

  /** Forgets endpoints of a lane, the lane and its host, if nothing is left of them. */
  #tidy(lane: Lane, endpoints: Iterable<Endpoint>): void {
    if (lane.kept) return;
    for (const endpoint of endpoints) if (endpoint.connections.size === 0) lane.forget(endpoint);
    if (lane.endpoints.size > 0) return;
    const lanes = this.#hosts.get(lane.host);
    if (lanes?.get(lane.tlsProfile) === lane) lanes.delete(lane.tlsProfile);
    if (lanes?.size === 0) this.#hosts.delete(lane.host);
  }

  #place(connection: Connection, lane: Lane): void {
    const earlier = this.entry(connection);
    const endpoint = lane.endpoint(connection.address);
    const entry = new Entry(connection, endpoint);
    if (earlier) this.unstack(earlier);
    endpoint.connections.add(connection);
    endpoint.leased += connection.leases;
    if (connection.state === "leased") endpoint.busy++;
    else if (connection.state === "draining") endpoint.draining++;
    if (!connection.healthy) endpoint.unhealthy++;
    if (connection.multiplexed) endpoint.multiplexed++;
    lane.connectionCount++;
    endpoint.addSlots(connection.slots);
    connection.endpoint = endpoint;
    this.#entries.set(connection.id, entry);
    this.restack(entry);
  }

  /** Takes a connection off every stack, so that nobody can lease it. */
  unstack(entry: Entry): void {
    entry.stackNode.list?.remove(entry.stackNode);
    this.idle.remove(entry.idleNode);
    entry.endpoint.lane.noteReady(entry.endpoint);
  }

  /** Puts a connection on top of the stack where it now belongs, or on none. */
  restack(entry: Entry): void {
    const { connection, endpoint, idleNode, stackNode } = entry;
    stackNode.list?.remove(stackNode);
    this.idle.remove(idleNode);
    const { capacity, leases, state } = connection;
    // What nobody uses is idle, even if it accepts no stream for now: it may make room, and age.
    if (state === "idle") this.idle.pushFront(idleNode);
    if (leases < capacity && (state === "idle" || state === "leased")) {
      (leases === 0 ? endpoint.idle : endpoint.partial).pushFront(stackNode);
    }
    endpoint.lane.noteReady(endpoint);
  }

  /**
   * Compares the maps with each other and with the counts.
   *
   * @throws {Error} Something does not add up; the message says what
   */
  checkInvariants(accountant: Accountant): void {
    assertInvariants({
      addresses: this.#addresses,
      hosts: this.#hosts,
      entries: this.#entries,
      idle: this.idle,
      accountant,
    });
  }
}
