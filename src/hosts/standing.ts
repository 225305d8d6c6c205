/**
 * The standing of endpoints, by what is remembered of them: good, doubtful, or ejected for a while.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { Endpoint, Standing } from "../map/endpoint.ts";
import type { HealthRecord, HealthRecords } from "./health_record.ts";

/** When endpoints are ejected, and for how long. */
export interface HealthOptions {
  /** After how many failures in a row. */
  readonly ejectAfterFailures: number;
  /** Above what share of failures, of ten leases or more in ten seconds. */
  readonly ejectAboveFailureRate: number;
  /** For how long at first, in milliseconds; twice as long the second time, and so on. */
  readonly ejectionMs: number;
  /** For how long at the most, in milliseconds. */
  readonly maxEjectionMs: number;
  /** How long the load of a new or returning one takes to grow to its share, in milliseconds. */
  readonly slowStartMs: number;
}

/** What is notified of how endpoints stand. */
export interface HealthEvents {
  /** An endpoint's standing has changed: another one may have to be used. */
  onStanding(endpoint: Endpoint): void;
  /** An endpoint was ejected. */
  onEject(endpoint: Endpoint, reason: string, forMs: number): void;
  /** An ejected endpoint is back. */
  onReadmit(endpoint: Endpoint): void;
}

/** What others act on. */
export interface HealthListener {
  /** An endpoint has failed: a background dial may find out when it works again. */
  onFailing(endpoint: Endpoint): void;
}

/** The time over which the failure rate is taken, in milliseconds, and how many leases it needs. */
export const WINDOW = { ms: 10_000, leases: 10 };

/** Decides the standing of endpoints whenever something becomes known of them. */
export class Standings {
  readonly #clock: Clock;
  readonly #options: HealthOptions;
  readonly #events: HealthEvents;
  readonly #records: HealthRecords;
  readonly #failing = new Set<Endpoint>();
  #listener: HealthListener | undefined;

  /** Begins with nothing but good ones. */
  constructor(clock: Clock, options: HealthOptions, events: HealthEvents, records: HealthRecords) {
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
    this.#records = records;
  }

  /** Sets the listener for failures. */
  listen(listener: HealthListener): void {
    this.#listener = listener;
  }

  /** The endpoints that have failures. */
  get failing(): Iterable<Endpoint> {
    return this.#failing;
  }

  /** Forgets an endpoint. */
  leave(endpoint: Endpoint): void {
    this.#failing.delete(endpoint);
  }

  /** Updates an endpoint's standing after a success, or after something was forgiven. */
  settle(endpoint: Endpoint): void {
    const { lane } = endpoint;
    const record = this.#records.of(endpoint);
    this.#setFailing(endpoint, record.consecutiveFailures > 0);
    if (endpoint.standing === "gone") return;
    if (endpoint.failing) {
      // One that was gone for a while comes back with the standing that it had.
      const isBack = record.ejectedFor !== null && endpoint.standing !== "ejected";
      if (isBack && lane.mayEject) this.#stand(endpoint, "ejected", record.ejectedUntil);
      else if (isBack || record.ejectedFor === null) {
        record.ejectedFor = null;
        this.#stand(endpoint, "doubtful", record.dueAt);
      }
      return;
    }
    endpoint.lastError = undefined;
    const wasEjected = record.ejectedFor !== null;
    record.ejectedFor = null;
    lane.hold(endpoint, 0);
    if (wasEjected) endpoint.startSlowly(this.#clock.now(), this.#options.slowStartMs);
    this.#stand(endpoint, "good");
    if (wasEjected) this.#events.onReadmit(endpoint);
  }

  /** Updates an endpoint's standing after a failure, its own or that of another host there. */
  judge(endpoint: Endpoint, reason: string, failsTooOften = false): void {
    const { lane } = endpoint;
    const record = this.#records.of(endpoint);
    const now = this.#clock.now();
    const wasEjected = record.ejectedFor !== null;
    const failures = record.consecutiveFailures;
    this.#setFailing(endpoint, true);
    if (endpoint.standing === "gone") return;
    if (wasEjected && now < record.ejectedUntil) {
      // It may have been tried before its time.
      const { dueAt } = endpoint;
      if (dueAt < record.ejectedUntil) lane.setStanding(endpoint, "ejected", record.ejectedUntil);
      return;
    }
    const { ejectAfterFailures, ejectionMs, maxEjectionMs } = this.#options;
    const isDue = failsTooOften || failures >= ejectAfterFailures;
    if (!isDue || !(lane.mayEject || wasEjected)) {
      record.ejectedFor = null;
      this.#stand(endpoint, "doubtful", record.dueAt);
      return;
    }
    // After working for as long as it can be ejected, it starts afresh.
    if (now - record.ejectedUntil > maxEjectionMs) record.ejections = 0;
    const forMs = Math.min(ejectionMs * ++record.ejections, maxEjectionMs);
    record.ejectedUntil = now + forMs;
    record.ejectedFor = failsTooOften
      ? `${record.windowFailures} failures within ${WINDOW.ms / 1_000} s, the last: ${reason}`
      : `${failures} failures in a row, the last: ${reason}`;
    this.#stand(endpoint, "ejected", record.ejectedUntil);
    endpoint.ejections++;
    this.#events.onEject(endpoint, record.ejectedFor, forMs);
  }

  /** Forgives failures below TLS, for an endpoint and for others at its address. */
  forgive({ machine }: HealthRecord): void {
    machine.streak.clear();
    for (const endpoint of machine.endpoints) this.settle(endpoint);
  }

  /** Sends callers elsewhere than to a failed endpoint, until it is due. */
  doubt(endpoint: Endpoint): void {
    this.#setFailing(endpoint, true);
    this.#stand(endpoint, "doubtful", this.#records.of(endpoint).dueAt);
  }

  /** Notifies the listener about an endpoint again. */
  recall(endpoint: Endpoint): void {
    this.#listener?.onFailing(endpoint);
  }

  /** Counts a failure, and says whether they are too great a share of its leases. */
  failsTooOften({ picks }: Endpoint, record: HealthRecord, now: number): boolean {
    if (now - record.windowFrom > WINDOW.ms) {
      record.windowFrom = now;
      // The lease that has just failed is among them.
      record.windowPicks = picks - 1;
      record.windowFailures = 0;
    }
    record.windowFailures++;
    const leases = Math.max(picks - record.windowPicks, record.windowFailures);
    return leases >= WINDOW.leases
      && record.windowFailures / leases > this.#options.ejectAboveFailureRate;
  }

  #stand(endpoint: Endpoint, standing: Standing, dueAt?: number): void {
    const was = endpoint.standing;
    endpoint.lane.setStanding(endpoint, standing, dueAt);
    if (was !== standing) this.#events.onStanding(endpoint);
  }

  /** Notes whether an endpoint has failures. */
  #setFailing(endpoint: Endpoint, failing: boolean): void {
    endpoint.failing = failing;
    if (!failing) {
      this.#failing.delete(endpoint);
      return;
    }
    this.#failing.add(endpoint);
    this.#listener?.onFailing(endpoint);
  }
}
