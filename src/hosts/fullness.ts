/**
 * Which machines take no more connections than they have, although they work well.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { DialError, DialFailure } from "../core/errors.ts";
import type { Endpoint } from "../map/endpoint.ts";
import type { Ceilings } from "./ceilings.ts";
import type { HealthRecords } from "./health_record.ts";
import type { Standings } from "./standing.ts";

/**
 * How long an answer, or a handshake, on another connection shows that a machine works, and takes
 * no more connections, when a dial failed in this way, in milliseconds. Silence says less than a
 * refusal.
 */
const FULL_MS: { readonly [Failure in DialFailure]?: number } = {
  refused: 10_000,
  reset: 10_000,
  closed: 10_000,
  timeout: 1_000,
};

/** How long an answer, or a lack of one, shows how busy a machine is, in milliseconds. */
const BUSY_MS = 10_000;

/** Tells a full machine from a failing one, and remembers how many connections it takes. */
export class Fullness {
  readonly #clock: Clock;
  readonly #records: HealthRecords;
  readonly #standings: Standings;
  readonly #ceilings: Ceilings;

  /** Judges by these records, and restores the standing of machines that only seemed to fail. */
  constructor(clock: Clock, records: HealthRecords, standings: Standings, ceilings: Ceilings) {
    this.#clock = clock;
    this.#records = records;
    this.#standings = standings;
    this.#ceilings = ceilings;
  }

  /**
   * Whether a machine answers on other connections, so that a failed dial means that it takes no
   * more. What fails in TLS is compared with the host's own connections only.
   *
   * @param byHandshake Whether a handshake will do for an answer
   */
  isFull(endpoint: Endpoint, { failure, phase }: DialError, byHandshake: boolean): boolean {
    const withinMs = FULL_MS[failure];
    if (withinMs === undefined) return false;
    const from = this.#clock.now() - withinMs;
    const others = phase === "tcp" ? this.#records.of(endpoint).machine.endpoints : [endpoint];
    for (const other of others) {
      const { lastBrokenAt, reachedAt } = this.#records.of(other);
      const at = Math.max(other.answeredAt, byHandshake ? reachedAt : 0);
      if (other.connections.size > 0 && at >= from && at > lastBrokenAt) return true;
    }
    return false;
  }

  /**
   * Whether a connection whose server is too busy for it is one more than the server takes: this
   * one was never answered otherwise, and others are; or may be, if none of them has had time.
   */
  isTooMuch(endpoint: Endpoint, answered: boolean): "yes" | "perhaps" | "no" {
    const record = this.#records.of(endpoint);
    const now = this.#clock.now();
    // A machine too busy for those it serves is too busy for all.
    if (answered) record.busyAt = now;
    const from = now - BUSY_MS;
    if (record.busyAt >= from || endpoint.connections.size < 2) return "no";
    if (endpoint.answeredAt >= Math.max(from, record.lastBrokenAt)) return "yes";
    return endpoint.answeredAt < from ? "perhaps" : "no";
  }

  /**
   * Notes that a machine has as many connections as it takes, which is not a failure.
   *
   * @param afterwards Whether it tells so only when they are open: what has not served is in doubt
   */
  takesNoMore(endpoint: Endpoint, afterwards: boolean): void {
    const { text } = endpoint.address;
    this.#ceilings.refused(text, this.#records.openAt(text, afterwards));
    if (!endpoint.failing) return;
    const record = this.#records.of(endpoint);
    // Dials that failed before it was known that others are answered failed for the same reason.
    if (endpoint.dialFailedAt === 0) return;
    record.streak.clear();
    record.wantsAnswer = false;
    for (const endpoint of record.machine.endpoints) {
      endpoint.dialFailedAt = this.#records.of(endpoint).dialFailedAt = 0;
    }
    this.#standings.forgive(record);
  }
}
