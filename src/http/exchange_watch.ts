/**
 * When a request was sent and answered, its deadlines, and what watches them.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { DueWheel, Expiry } from "../core/due_wheel.ts";
import type { HttpRules } from "./http_options.ts";

/** When to look again at a request past its deadline that has not ended, in milliseconds. */
const LOOK_AGAIN_MS = 50;

/**
 * An answer that is read this long after the deadline counts as too late, in milliseconds. If the
 * program stood still for less, what arrived in time is still taken.
 */
const LATE_MS = 1_000;

/** The owner of the times. Each method is called when one of them has come. */
export interface Timed {
  readonly times: ExchangeTimes;
  /** Whether it has come to its end. */
  readonly over: boolean;
  /** Called at its deadline. */
  timeOut(): void;
  /** Called when no first byte has come in time. */
  doubt(): void;
  /** Called when its machine has been silent for longer than is likely. */
  overdue(): void;
  /** Called when nobody has read its body, or read on, for too long. */
  drop(): void;
}

/** The times of one exchange, in the clock's milliseconds, and its place on the wheel. */
export class ExchangeTimes extends Expiry<Timed> {
  /** When it began; NaN if it never had a connection, nor waited for one. */
  startedAt: number = NaN;
  /** When it was sent last. */
  sentAt = 0;
  /** When the head of the response came. */
  headAt = 0;
  /** Its deadline. */
  deadline: number = Infinity;
  /** By when the first byte must have come; `Infinity` if no connection is in doubt. */
  firstByteBy: number = Infinity;
  /** When its machine has been silent for longer than is likely; `Infinity` if nobody waits. */
  overdueAt: number = Infinity;
  /** When the head was handed to somebody who has not touched the body, or `Infinity`. */
  untouchedSince: number = Infinity;
  /** Since when what has arrived waits for somebody who has begun to read, or `Infinity`. */
  unreadSince: number = Infinity;
  /** The deadline by the clock on the wall, which goes on while the machine sleeps. */
  #wallDeadline: number = Infinity;

  /** Sets its deadline. */
  limit(timeoutMs: number, now: number, wallNow: number): void {
    this.begin(now);
    this.deadline = now + timeoutMs;
    this.#wallDeadline = wallNow + timeoutMs;
  }

  /** Notes that it begins, unless it has begun. */
  begin(now: number): void {
    if (Number.isNaN(this.startedAt)) this.startedAt = now;
  }

  /** Stops waiting for a byte. */
  stopWaiting(): void {
    this.firstByteBy = this.overdueAt = Infinity;
  }

  /** Stops waiting for anything. */
  end(): void {
    this.stopWaiting();
    this.untouchedSince = this.unreadSince = Infinity;
  }

  /** Whether its deadline was long ago: the program was stopped, or the machine slept. */
  isLate(clock: Pick<Clock, "now" | "wallNow">): boolean {
    return this.deadline < Infinity && (clock.now() > this.deadline + LATE_MS
      || clock.wallNow() > this.#wallDeadline + LATE_MS);
  }

  /** How long it took until the connection was there, in milliseconds. */
  get queueMs(): number {
    return this.sentAt - this.startedAt;
  }

  /** How long it took from there to the head of the response, in milliseconds. */
  get firstByteMs(): number {
    return this.headAt - this.sentAt;
  }
}

/** Looks at each exchange when the next of its times is over. */
export class ExchangeWatch {
  readonly #rules: HttpRules;
  readonly #wheel: DueWheel<Timed>;

  /** Begins with none. */
  constructor(clock: Clock, rules: HttpRules) {
    this.#rules = rules;
    this.#wheel = new DueWheel(clock, (exchange, now) => this.#look(exchange, now));
  }

  /** Looks at an exchange from now on: its times have changed. */
  watch(times: ExchangeTimes): void {
    const { deadline, firstByteBy, overdueAt } = times;
    const dueAt = Math.min(deadline, firstByteBy, overdueAt, this.#leakAt(times));
    if (dueAt === Infinity) this.#wheel.remove(times);
    else this.#wheel.put(times, dueAt);
  }

  /** Stops looking at an exchange: it is over. */
  remove(times: ExchangeTimes): void {
    this.#wheel.remove(times);
  }

  /** Stops looking at all of them. */
  close(): void {
    this.#wheel.close();
  }

  /** When its body has been left alone for too long. */
  #leakAt({ unreadSince, untouchedSince }: ExchangeTimes): number {
    const { bodyIdleTimeoutMs, leakTimeoutMs } = this.#rules;
    return Math.min(untouchedSince + leakTimeoutMs, unreadSince + bodyIdleTimeoutMs);
  }

  #look(exchange: Timed, now: number): void {
    if (exchange.over) return;
    const { times } = exchange;
    if (times.deadline <= now) exchange.timeOut();
    else if (times.firstByteBy <= now) exchange.doubt();
    else if (times.overdueAt <= now) exchange.overdue();
    else if (this.#leakAt(times) <= now) exchange.drop();
    if (exchange.over || times.list) return;
    if (times.deadline <= now) this.#wheel.put(times, now + LOOK_AGAIN_MS);
    else this.watch(times);
  }
}
