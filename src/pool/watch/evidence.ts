/**
 * What is remembered of a pool's work, for a diagnosis to use.
 *
 * @module
 */

import type { Connection } from "../../map/connection.ts";

/** What happened around a dial. */
export interface DialScene {
  /** The time, in milliseconds. */
  readonly now: number;
  /** Leases that ever began. */
  readonly leases: number;
  /** Connections that there are. */
  readonly connections: number;
}

/** More was dialled than used. */
export interface DialStorm {
  /** Dials that began within the window. */
  readonly dials: number;
  /** Leases that began meanwhile. */
  readonly leases: number;
  /** The host that most of them went to. */
  readonly host: string;
}

/** A second in which there were dials, and how things stood before the first of them. */
interface Second {
  readonly number: number;
  readonly leases: number;
  readonly connections: number;
  readonly hosts: Map<string, number>;
}

/** Over what time dials are counted, in milliseconds. */
const WINDOW_MS = 10_000;

/** How many dials must have been useless, and how many there must be for each lease. */
const STORM = { dials: 20, perLease: 2 };

/** The dials of the last ten seconds. */
export class DialWindow {
  #seconds: Second[] = [];

  /** Notes a dial that begins. */
  note(host: string, { connections, leases, now }: DialScene): void {
    const number = Math.floor(now / 1_000);
    let second = this.#seconds.at(-1);
    if (second?.number !== number) {
      this.#forget(now);
      this.#seconds.push(second = { number, leases, connections, hosts: new Map() });
    }
    second.hosts.set(host, (second.hosts.get(host) ?? 0) + 1);
  }

  /**
   * Whether dials were out of proportion: many more than leases, most of them over, and not as many
   * more connections.
   */
  storm(scene: DialScene, dialing: number): DialStorm | undefined {
    this.#forget(scene.now);
    const first = this.#seconds[0];
    if (!first) return undefined;
    const hosts = new Map<string, number>();
    let dials = 0;
    for (const second of this.#seconds) {
      for (const [host, count] of second.hosts) {
        hosts.set(host, (hosts.get(host) ?? 0) + count);
        dials += count;
      }
    }
    const leases = scene.leases - first.leases;
    const wasted = dials - dialing - Math.max(0, scene.connections - first.connections);
    if (wasted < STORM.dials || wasted <= STORM.perLease * leases) return undefined;
    const [host = ""] = [...hosts].reduce((most, other) => other[1] > most[1] ? other : most);
    return { dials, leases, host };
  }

  #forget(now: number): void {
    const from = Math.floor((now - WINDOW_MS) / 1_000);
    this.#seconds = this.#seconds.filter(({ number }) => number > from);
  }
}

/** The ejections of an address of a host. */
export interface Ejections {
  readonly host: string;
  readonly address: string;
  /** When they were, in the clock's milliseconds. */
  readonly times: number[];
}

/** What a diagnosis uses, besides what can be seen at any time. */
export class Evidence {
  /** The recent dials. */
  readonly dials: DialWindow = new DialWindow();
  /** The ejections of each address of a host. */
  readonly ejections: Map<string, Ejections> = new Map();
  readonly #traces = new WeakMap<Connection, { readonly at: number; readonly trace: Error }>();

  /** Notes where the lease was acquired that a connection has now. */
  noteTrace(connection: Connection, trace: Error): void {
    this.#traces.set(connection, { at: connection.lastUsedAt, trace });
  }

  /** Notes that an address of a host was ejected. */
  noteEjection(host: string, address: string, now: number): void {
    const key = `${host} ${address}`;
    let ejections = this.ejections.get(key);
    if (!ejections) this.ejections.set(key, ejections = { host, address, times: [] });
    ejections.times.push(now);
  }

  /** The stack of where a connection's lease was acquired, where that is remembered. */
  stackOf(connection: Connection): string | undefined {
    const noted = this.#traces.get(connection);
    // That was another lease.
    if (noted?.at !== connection.lastUsedAt) return undefined;
    return noted.trace.stack?.replace(/^Error: .*\n/, "");
  }
}
