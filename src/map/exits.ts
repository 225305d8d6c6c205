/**
 * How connections leave the maps, until their sockets are done.
 *
 * @module
 */

import { type Clock, inNextTurn } from "../core/clock.ts";
import { SocketError } from "../core/errors.ts";
import type { Accountant } from "./accountant.ts";
import type { Connection } from "./connection.ts";
import type { DualMap } from "./dual_map.ts";
import { endpointOf } from "./endpoint.ts";

/**
 * Why a connection left the maps. A closed set.
 *
 * - `idle`: unused for longer than `idleTimeoutMs`, or than its server is known to keep it
 * - `lifetime`: older than `maxLifetimeMs`
 * - `unsolicited`: the peer spoke out of turn
 * - `peer`: the peer hung up
 * - `error`: its socket broke
 * - `unhealthy`: its lease ended with an error, or amid a request; or it was marked so
 * - `used`: its lease ended without leaving it fit for another
 * - `surplus`: more were idle than `maxIdleConnections`, or there were more than a lowered limit lets
 * - `room`: another host, or another address, needed its place
 * - `drain`: its host or address was drained
 * - `gone`: its host no longer has its address, or it may no longer be used
 * - `removed`: its removal was asked for
 * - `close`: everything is being closed
 */
export type EvictReason =
  | "idle"
  | "lifetime"
  | "unsolicited"
  | "peer"
  | "error"
  | "unhealthy"
  | "used"
  | "surplus"
  | "room"
  | "drain"
  | "gone"
  | "removed"
  | "close";

/** Called when a connection has left the maps, within the change. */
export type OnEvict = (connection: Connection, reason: EvictReason, error?: Error) => void;

/** How long a socket may take to end in good order, in milliseconds, before it is destroyed. */
export const CLOSE_TIMEOUT_MS = 1_000;

/** How many connections end in one turn. */
const MOST_A_TURN = 500;

/** Takes connections out of the maps, and ends them. */
export class Exits {
  readonly #maps: DualMap;
  readonly #accountant: Accountant;
  readonly #clock: Clock;
  readonly #onEvict: OnEvict | undefined;
  /** Why connections in use for the last time will end. */
  readonly #drained = new WeakMap<Connection, EvictReason>();
  /** Those that have left the maps and whose sockets are not done yet. */
  readonly #ending = new Set<Connection>();
  #onEmpty: (() => void) | undefined;

  /** Makes it. */
  constructor(maps: DualMap, accountant: Accountant, clock: Clock, onEvict: OnEvict | undefined) {
    this.#maps = maps;
    this.#accountant = accountant;
    this.#clock = clock;
    this.#onEvict = onEvict;
  }

  /** How many connections have left the maps whose sockets are not done yet. */
  get endingCount(): number {
    return this.#ending.size;
  }

  /** Lets no further lease begin on a connection, and closes it when its last one has ended. */
  drain(connection: Connection, reason: EvictReason): void {
    const entry = this.#maps.entry(connection);
    if (!entry) return;
    if (connection.leases === 0) {
      this.remove(connection, reason);
      return;
    }
    this.#maps.unstack(entry);
    connection.drain();
    // The first reason stands.
    if (!this.#drained.has(connection)) this.#drained.set(connection, reason);
  }

  /** Why a connection in use for the last time will end. */
  reasonOf(connection: Connection): EvictReason {
    return this.#drained.get(connection) ?? "drain";
  }

  /** Takes a connection out of the maps, and then ends it; false if it was not in them. */
  remove(connection: Connection, reason: EvictReason): boolean {
    if (!this.#unmap(connection)) return false;
    connection.setOwner(undefined);
    this.end(connection);
    this.#onEvict?.(connection, reason);
    return true;
  }

  /** Removes a connection that has ended by itself, or that its holder has ended. */
  ended(connection: Connection, error: Error | undefined, here: boolean): void {
    if (!this.#unmap(connection)) return;
    if (!here && !error && connection.leases === 0) {
      const now = this.#clock.now();
      endpointOf(connection)?.noteHangUp(now - connection.lastUsedAt, now);
    }
    this.#follow(connection);
    this.#onEvict?.(connection, here ? "removed" : error ? "error" : "peer", error);
  }

  /** Ends a connection: in good order if it is idle and healthy, otherwise at once. */
  end(connection: Connection): void {
    this.#follow(connection);
    if (connection.leases > 0) {
      connection.destroy(new SocketError("other", "its connection was removed while in use"));
    } else if (connection.healthy) connection.close();
    else connection.destroy();
  }

  /** Ends all connections: leased ones when their lease ends, or when the grace period is over. */
  async endAll(graceMs: number): Promise<void> {
    await this.#inSlices((connection) => this.drain(connection, "close"));
    if (this.#maps.size > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimer(resolve, graceMs, true);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    await this.#inSlices((connection) => this.remove(connection, "close"));
    const timer = this.#clock.setTimer(
      () => this.#ending.forEach((connection) => connection.destroy()),
      CLOSE_TIMEOUT_MS,
      true,
    );
    // Connections that are refused meanwhile end here too.
    while (this.#ending.size > 0) {
      await Promise.all(Array.from(this.#ending, ({ closed }) => closed));
    }
    timer.cancel();
  }

  /** Goes over all connections, in steps that do not hold up the program. */
  async #inSlices(end: (connection: Connection) => void): Promise<void> {
    let count = 0;
    for (const connection of [...this.#maps.connections()]) {
      if (++count % MOST_A_TURN === 0) {
        await new Promise<void>((resolve) => inNextTurn(this.#clock, resolve));
      }
      end(connection);
    }
  }

  #unmap(connection: Connection): boolean {
    if (!this.#maps.remove(connection)) return false;
    this.#accountant.remove(connection.host, connection.address, connection.closed);
    if (this.#maps.size === 0) this.#onEmpty?.();
    return true;
  }

  /** Holds a connection that is ending until its socket is done. */
  #follow(connection: Connection): void {
    this.#ending.add(connection);
    connection.closed.then(() => this.#ending.delete(connection));
  }
}
