/**
 * What is remembered about failures of endpoints and of their machines.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { Steps } from "../core/steps.ts";
import type { Endpoint } from "../map/endpoint.ts";
import { MAX_PAUSE_MS, Streak } from "./streak.ts";
import type { FailureKind, Verdict } from "./verdict.ts";

/** How many requests at once a machine must be silent to, to be in doubt. */
const SILENT_TO = 3;

/** An address: what fails below TLS, and silence, count for every host there. */
export class Machine {
  readonly streak: Streak = new Streak();
  readonly endpoints: Set<Endpoint> = new Set();
  /** Requests that it was silent to, in a row, and when the last one was noted. */
  silences = 0;
  silentAt = 0;

  /** Whether it is in doubt because of its silence, which a handshake does not end. */
  get silent(): boolean {
    return this.silences >= SILENT_TO;
  }

  /** When it last gave a whole answer. */
  get answeredAt(): number {
    let at = 0;
    for (const endpoint of this.endpoints) at = Math.max(at, endpoint.answeredAt);
    return at;
  }

  /** When it last sent anything of an answer. */
  get heardAt(): number {
    let at = 0;
    for (const { answeredAt, heardAt } of this.endpoints) at = Math.max(at, answeredAt, heardAt);
    return at;
  }
}

/** What is remembered of an endpoint. */
export class HealthRecord {
  readonly machine: Machine;
  readonly streak: Streak = new Streak();
  readonly failures: { [Kind in FailureKind]?: number } = {};
  verdict: Verdict | null = null;
  lastCheckedAt: number | null = null;
  lastFailedAt = 0;
  /** When it last failed in another way than by a dial. */
  lastBrokenAt = 0;
  /** When a dial last failed. */
  dialFailedAt = 0;
  /** When it last said that it is too busy on a connection that it had answered on. */
  busyAt = 0;
  /** When a handshake was last made. */
  reachedAt = 0;
  /** Whether only an answer shows that it works: a handshake is not enough. */
  wantsAnswer = false;
  /** Whether its one failure is hearsay from another pool. */
  hearsay = false;
  /** Whether one caller may try it as soon as a handshake succeeds: its connections broke. */
  mayAsk = false;
  ejections = 0;
  ejectedUntil = 0;
  ejectedFor: string | null = null;
  windowFrom = 0;
  windowPicks = 0;
  windowFailures = 0;
  #asks: Streak | undefined;

  /** Begins without failures. */
  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** How often callers' trials failed, and when the next one may be made. */
  get asks(): Streak {
    return this.#asks ??= new Streak();
  }

  /** How many failures there were in a row, including the address's own. */
  get consecutiveFailures(): number {
    return Math.max(this.streak.failures, this.machine.streak.failures);
  }

  /** When a caller may try it, in the clock's milliseconds. */
  get dueAt(): number {
    return Math.max(this.streak.dueAt, this.machine.streak.dueAt);
  }
}

/** The records of all endpoints, and of the machines that they share. */
export class HealthRecords {
  readonly #clock: Clock;
  readonly #records = new Map<Endpoint, HealthRecord>();
  readonly #machines = new Map<string, Machine>();
  /** The addresses of machines that nobody uses, but whose failures are remembered. */
  readonly #left = new Set<string>();

  /** Begins without any. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The record of an endpoint, if there is one. */
  find(endpoint: Endpoint): HealthRecord | undefined {
    return this.#records.get(endpoint);
  }

  /** The record of an endpoint, which is made if there is none. */
  of(endpoint: Endpoint): HealthRecord {
    let record = this.#records.get(endpoint);
    if (record) return record;
    const { text } = endpoint.address;
    let machine = this.#machines.get(text);
    if (!machine) this.#machines.set(text, machine = new Machine());
    machine.endpoints.add(endpoint);
    this.#left.delete(text);
    this.#records.set(endpoint, record = new HealthRecord(machine));
    return record;
  }

  /**
   * Forgets an endpoint; what is known of its machine stays while it is of any use.
   *
   * @returns Whether it was the last one on its machine
   */
  leave(endpoint: Endpoint): boolean {
    const record = this.#records.get(endpoint);
    if (!record) return false;
    this.#records.delete(endpoint);
    const { endpoints, streak } = record.machine;
    endpoints.delete(endpoint);
    if (endpoints.size > 0) return false;
    const { text } = endpoint.address;
    if (streak.failures === 0) this.#machines.delete(text);
    else this.#left.add(text);
    return true;
  }

  /** Forgets machines that nobody has used for long, so that they do not pile up; one in a step. */
  *forgetOld(): Steps {
    const now = this.#clock.now();
    for (const address of this.#left) {
      const dueAt = this.#machines.get(address)?.streak.dueAt ?? 0;
      if (now > dueAt + MAX_PAUSE_MS) {
        this.#left.delete(address);
        this.#machines.delete(address);
      }
      // Last in a step: before the next one somebody may use the machine again.
      yield;
    }
  }

  /** How many connections an address has, those of all hosts: all, or those that have served. */
  openAt(address: string, thatServed = false): number {
    let open = 0;
    for (const { connections } of this.#machines.get(address)?.endpoints ?? []) {
      if (!thatServed) open += connections.size;
      else for (const { answered } of connections) if (answered) open++;
    }
    return open;
  }
}
