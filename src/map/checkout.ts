/**
 * Takes connections out of the maps for leases, and back.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { Accountant } from "./accountant.ts";
import type { Connection } from "./connection.ts";
import type { DualMap } from "./dual_map.ts";
import { type Endpoint, endpointOf, type Entry } from "./endpoint.ts";
import type { EvictReason, Exits } from "./exits.ts";
import type { Fitness } from "./fitness.ts";
import type { Choice, Lane } from "./lane.ts";

/** Begins and ends leases on connections. Connections that are not fit for one are closed. */
export class Checkout {
  readonly #maps: DualMap;
  readonly #accountant: Accountant;
  readonly #fitness: Fitness;
  readonly #exits: Exits;
  readonly #clock: Clock;
  readonly #random = () => this.#clock.random();
  #closed = false;

  /** Makes it. */
  constructor(
    maps: DualMap,
    accountant: Accountant,
    fitness: Fitness,
    exits: Exits,
    clock: Clock,
  ) {
    this.#maps = maps;
    this.#accountant = accountant;
    this.#fitness = fitness;
    this.#exits = exits;
    this.#clock = clock;
  }

  /** Begins no more leases, and closes each connection when its lease ends. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Takes a ready connection of a lane out, from the endpoint that the lane chooses: the hottest one
   * there. Undefined if none is ready.
   */
  takeFrom(lane: Lane, choice?: Choice): Connection | undefined {
    // Called by each caller who has to wait, so it does not read the clock.
    if (this.#closed) return undefined;
    const only = choice?.only ?? (lane.ready ? undefined : choice?.named);
    if (only === undefined ? !lane.ready : !lane.readyAt(only)) return undefined;
    const now = this.#clock.now();
    const wallNow = this.#clock.wallNow();
    for (;;) {
      const endpoint = lane.pick(now, this.#random, choice);
      const entry = endpoint?.next;
      if (!entry) return undefined;
      if (this.#begin(entry, now, wallNow)) {
        lane.noteChoice(endpoint);
        return entry.connection;
      }
      lane.endTrial(endpoint);
    }
  }

  /** Takes a connection out if it is ready for a lease. */
  takeThis(connection: Connection): boolean {
    const entry = this.#maps.entry(connection);
    if (this.#closed || !entry || !connection.available) return false;
    return this.#begin(entry, this.#clock.now(), this.#clock.wallNow());
  }

  /**
   * Takes out the idle connection of an endpoint that was used longest ago, if it has at least
   * `least`. This chooses nothing for a caller, so it does not count as the lane's choice.
   */
  takeColdest(endpoint: Endpoint, least: number): Connection | undefined {
    if (this.#closed) return undefined;
    const now = this.#clock.now();
    const wallNow = this.#clock.wallNow();
    for (;;) {
      const entry = endpoint.idle.back?.value;
      if (!entry || endpoint.idle.size < least) return undefined;
      if (this.#begin(entry, now, wallNow)) {
        endpoint.lane.noteLoad(endpoint);
        return entry.connection;
      }
    }
  }

  /** Takes a connection back from a lease; false if it is not kept. */
  give(connection: Connection, reuse = true): boolean {
    const isKept = this.takeBack(connection, reuse);
    if (isKept) this.putBack(connection);
    return isKept;
  }

  /**
   * The first half of `give`: the lease has ended. If the connection is kept, the caller passes it
   * to `putBack` or `passOn`.
   */
  takeBack(connection: Connection, reuse: boolean): boolean {
    const now = this.#clock.now();
    connection.endLease(now, this.#clock.wallNow());
    const endpoint = endpointOf(connection);
    endpoint?.lane.noteLoad(endpoint);
    if (!connection.held) return false;
    const reason = this.#whyNotKept(connection, reuse, now);
    if (reason) this.#exits.drain(connection, reason);
    return reason === undefined;
  }

  /** Lets anybody lease a connection that was taken back, unless it has left the maps. */
  putBack(connection: Connection): void {
    const entry = this.#maps.entry(connection);
    if (entry) this.#maps.restack(entry);
  }

  /**
   * Leases a connection that was taken back to the next caller at once; false if callers go
   * elsewhere than to its endpoint, its balancer must be called first, or several can share it.
   */
  passOn(connection: Connection): boolean {
    const endpoint = endpointOf(connection);
    if (!endpoint?.chosen || connection.leases > 0 || !connection.available) {
      return false;
    }
    if (connection.capacity > 1 || endpoint.lane.isAsked) return false;
    connection.beginLease(connection.lastUsedAt);
    endpoint.lane.noteChoice(endpoint);
    return true;
  }

  /**
   * When a connection that is idle from now on may no longer be leased, in the clock's
   * milliseconds: the end of its lifetime, or of its server's idle time.
   */
  endsAt(connection: Connection, now: number = this.#clock.now()): number {
    return this.#fitness.endsAt(connection, now);
  }

  /** Begins a lease on a connection if it is fit; otherwise ends it, with its last lease. */
  #begin(entry: Entry, now: number, wallNow: number): boolean {
    const { connection } = entry;
    const reason = this.#fitness.unfit(connection, now, wallNow);
    if (reason) {
      this.#exits.drain(connection, reason);
      return false;
    }
    connection.beginLease(now);
    this.#maps.restack(entry);
    return true;
  }

  /** Why a connection whose lease has ended may not have another one, if so. */
  #whyNotKept(connection: Connection, reuse: boolean, now: number): EvictReason | undefined {
    if (connection.state === "draining") return this.#exits.reasonOf(connection);
    if (this.#closed) return "close";
    if (!connection.healthy) return "unhealthy";
    if (!reuse) return "used";
    if (this.#fitness.expired(connection, now)) return "lifetime";
    const { address, host } = connection;
    return this.#accountant.exceeds(host, address) ? "surplus" : undefined;
  }
}
