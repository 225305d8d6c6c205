/**
 * What a view shows: the pool and the tally at one moment, machine by machine and host by host.
 *
 * @module
 */

import { type ConnectionPool, systemClock } from "../../mod.ts";
import type { Tally } from "./tally.ts";

/** The connections of one host on one machine, or of several together. */
export interface Cell {
  readonly idle: number;
  readonly leased: number;
  readonly dialing: number;
}

/** One machine. */
export interface Machine {
  readonly name: string;
  /** By host; undefined where the host does not have this machine. */
  readonly cells: readonly (Cell | undefined)[];
  /** All of its connections. */
  readonly connections: number;
  readonly state: string;
  readonly failed: boolean;
  /** How many requests it answered a second, of late. */
  readonly perSecond: number;
}

/** One moment. */
export interface Snapshot {
  readonly hosts: readonly { readonly name: string; readonly all: Cell }[];
  readonly machines: readonly Machine[];
  readonly waiting: number;
  readonly handshakes: number;
  /** How many times a request was sent again, on another connection. */
  readonly repeated: number;
}

/** How much of the last pace is kept at each look, for a look every 200 ms. */
const INERTIA = 0.8;

/** Looks at a pool time and again. */
export class Observer {
  readonly #pool: ConnectionPool;
  readonly #tally: Tally;
  readonly #nameOf: (address: string) => string;
  readonly #paces = new Map<string, { answered: number; perSecond: number }>();
  #lookedAtMs = 0;

  /** @param nameOf Gives the name to show for an address */
  constructor(pool: ConnectionPool, tally: Tally, nameOf: (address: string) => string) {
    this.#pool = pool;
    this.#tally = tally;
    this.#nameOf = nameOf;
  }

  /** Looks. */
  look(): Snapshot {
    const stats = this.#pool.stats();
    const hosts = Object.entries(stats.hosts);
    const addresses = [...new Set(hosts.flatMap(([, host]) => Object.keys(host.addresses)))];
    const elapsedMs = this.#tally.elapsedMs;
    const seconds = (elapsedMs - this.#lookedAtMs) / 1_000;
    this.#lookedAtMs = elapsedMs;
    const machines = addresses.map((address) => {
      const cells = hosts.map(([, host]) => host.addresses[address]);
      const retryAt = Math.max(...cells.map((cell) => cell?.retryAt ?? 0));
      const connections = cells.reduce((sum, cell) => sum + (cell?.connections ?? 0), 0);
      const failed = retryAt > 0;
      return {
        name: this.#nameOf(address),
        cells,
        connections,
        failed,
        state: failed ? describeFailure(retryAt) : connections > 0 ? "ready" : "no connection",
        perSecond: this.#pace(address, seconds),
      };
    });
    machines.sort((a, b) => a.name < b.name ? -1 : 1);
    return {
      hosts: hosts.map(([name, all]) => ({ name, all })),
      machines,
      waiting: stats.waiting,
      handshakes: stats.dials - stats.dialErrors - stats.dialing,
      repeated: stats.requests.retries,
    };
  }

  #pace(address: string, seconds: number): number {
    const answered = this.#tally.answeredBy(address);
    const last = this.#paces.get(address) ?? { answered: 0, perSecond: 0 };
    const now = seconds > 0 ? (answered - last.answered) / seconds : last.perSecond;
    const inertia = INERTIA ** (seconds / 0.2);
    const perSecond = last.perSecond * inertia + now * (1 - inertia);
    this.#paces.set(address, { answered, perSecond });
    return perSecond;
  }
}

function describeFailure(retryAt: number): string {
  const seconds = Math.max(0, retryAt - systemClock.now()) / 1_000;
  return `failed, ${seconds.toFixed(1)} s`;
}
