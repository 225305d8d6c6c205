/**
 * When to look at a request under way.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { DueWheel } from "../core/due_wheel.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpRules } from "./http_options.ts";

/** When to look again for a request whose time is over, and which is not, in milliseconds. */
const LOOK_AGAIN_MS = 50;

/** Looks at each exchange when the next of its times is over. */
export class ExchangeWatch {
  readonly #rules: HttpRules;
  readonly #onLeft: (exchange: Exchange) => void;
  readonly #wheel: DueWheel<Exchange>;

  /** Begins with none. `onLeft` is called where a body was left alone for too long. */
  constructor(clock: Clock, rules: HttpRules, onLeft: (exchange: Exchange) => void) {
    this.#rules = rules;
    this.#onLeft = onLeft;
    this.#wheel = new DueWheel(clock, (exchange, now) => this.#look(exchange, now));
  }

  /** Looks at an exchange from now on: its times have changed. */
  watch(exchange: Exchange): void {
    const { deadline, firstByteBy, overdueAt } = exchange;
    const dueAt = Math.min(deadline, firstByteBy, overdueAt, this.#leakAt(exchange));
    if (dueAt === Infinity) this.#wheel.remove(exchange.expiry);
    else this.#wheel.put(exchange.expiry, dueAt);
  }

  /** Looks at an exchange no more: it is over. */
  remove(exchange: Exchange): void {
    this.#wheel.remove(exchange.expiry);
  }

  /** Looks at nothing any more. */
  close(): void {
    this.#wheel.close();
  }

  /** When its body has been left alone for too long. */
  #leakAt({ unreadSince, untouchedSince }: Exchange): number {
    const { bodyIdleTimeoutMs, leakTimeoutMs } = this.#rules;
    return Math.min(untouchedSince + leakTimeoutMs, unreadSince + bodyIdleTimeoutMs);
  }

  #look(exchange: Exchange, now: number): void {
    if (exchange.over) return;
    if (exchange.deadline <= now) exchange.timeOut();
    else if (exchange.firstByteBy <= now) exchange.doubt();
    else if (exchange.overdueAt <= now) exchange.overdue();
    else if (this.#leakAt(exchange) <= now) this.#onLeft(exchange);
    if (exchange.over || exchange.expiry.list) return;
    if (exchange.deadline <= now) this.#wheel.put(exchange.expiry, now + LOOK_AGAIN_MS);
    else this.watch(exchange);
  }
}
