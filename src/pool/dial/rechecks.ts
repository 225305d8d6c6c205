/**
 * When to look at queues again although nothing happens to them.
 *
 * @module
 */

import type { Clock, Timer } from "../../core/clock.ts";
import type { HostQueue } from "../host/host_queue.ts";

/** At most one timer for each queue, for the earliest of its times. */
export class Rechecks {
  readonly #clock: Clock;
  readonly #onTime: (queue: HostQueue) => void;
  readonly #pending = new Map<HostQueue, { readonly timer: Timer; readonly at: number }>();

  /** Begins without any. */
  constructor(clock: Clock, onTime: (queue: HostQueue) => void) {
    this.#clock = clock;
    this.#onTime = onTime;
  }

  /** Looks at a queue again at a time, in the clock's milliseconds, or before. */
  at(queue: HostQueue, at: number): void {
    const earlier = this.#pending.get(queue);
    if (earlier && earlier.at <= at) return;
    earlier?.timer.cancel();
    const timer = this.#clock.setTimer(() => {
      this.#pending.delete(queue);
      this.#onTime(queue);
    }, at - this.#clock.now());
    this.#pending.set(queue, { timer, at });
  }

  /** Forgets a queue. */
  forget(queue: HostQueue): void {
    this.#pending.get(queue)?.timer.cancel();
    this.#pending.delete(queue);
  }

  /** Forgets all. */
  close(): void {
    for (const { timer } of this.#pending.values()) timer.cancel();
    this.#pending.clear();
  }
}
