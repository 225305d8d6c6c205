/**
 * What an admin router serves: its pools, their events, and the audit trail.
 *
 * @module
 */

import type { ConnectionPool } from "../../src/pool/pool.ts";
import { EventLog } from "./event_log.ts";
import { isAvailable, poolAtGlance } from "./figures.ts";
import { History } from "./history.ts";
import type { AuditEntry, CheckedOptions } from "./options.ts";
import { PoolWatch } from "./pool_watch.ts";
import { Refusal } from "./refusal.ts";

/** A pool that is served. */
export interface ServedPool {
  readonly pool: ConnectionPool;
  readonly events: EventLog;
  readonly history: History;
  readonly watch: PoolWatch;
}

/** How long a look holds, in milliseconds: anybody may ask, as often as they like. */
const HOLDS_MS = 1_000;

/** A value that is computed once for all who ask within a second. */
class Held<T> {
  readonly #look: () => T;
  #last: { readonly found: T; readonly at: number } | undefined;

  constructor(look: () => T) {
    this.#look = look;
  }

  at(now: number): T {
    if (!this.#last || now - this.#last.at >= HOLDS_MS) {
      this.#last = { found: this.#look(), at: now };
    }
    return this.#last.found;
  }
}

/** Everything that is served. */
export class AdminState {
  readonly options: CheckedOptions;
  readonly pools: ReadonlyMap<string, ServedPool>;
  readonly #health = new Held(() => this.#look());
  readonly #overview = new Held((): readonly object[] =>
    Array.from(this.pools, ([name, { watch }]) => poolAtGlance(name, watch.look()))
  );

  /** Begins to listen to the pools. */
  constructor(pools: ReadonlyMap<string, ConnectionPool>, options: CheckedOptions) {
    const { clock, eventHistory: size, signal } = options;
    this.options = options;
    this.pools = new Map(
      Array.from(pools, ([name, pool]) => {
        const watch = new PoolWatch({ pool, clock, signal });
        const events = new EventLog({ pool, watch, clock, size, signal });
        const onSample = (sample: object) => events.tell("sample", sample);
        const history = new History({ pool, watch, onSample });
        return [name, { pool, events, history, watch }];
      }),
    );
  }

  /**
   * A pool by its name.
   *
   * @throws {Refusal} There is none
   */
  pool(name: string): ServedPool {
    const served = this.pools.get(name);
    if (served) return served;
    throw new Refusal(404, `There is no such pool: there is ${[...this.pools.keys()].join(", ")}`);
  }

  /**
   * Reports what somebody did: to the program, and to those who follow the pool. What `audit`
   * throws is thrown at the program's top, as by a listener of a pool: the answer is about the
   * action.
   */
  tell(entry: AuditEntry): void {
    const { audit } = this.options;
    // Callers without a right must not be able to push out what is kept for the others.
    if (entry.who !== "") this.pools.get(entry.pool)?.events.record("audit", entry);
    if (audit) queueMicrotask(() => audit(entry));
  }

  /** All pools at a glance. */
  overview(): readonly object[] {
    return this.#overview.at(this.options.clock.now());
  }

  /** Whether every required host has a good address. */
  isHealthy(): boolean {
    return this.#health.at(this.options.clock.now());
  }

  #look(): boolean {
    for (const [name, hosts] of this.options.requiredHosts) {
      const stats = this.pools.get(name)?.pool.stats();
      if (!stats || !hosts.every((host) => isAvailable(stats, host))) return false;
    }
    return true;
  }
}
