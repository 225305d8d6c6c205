/**
 * What a pool does at intervals: it drops what is idle, old, or no longer used.
 *
 * @module
 */

import { inNextTurn, type Timer } from "../core/clock.ts";
import type { Steps } from "../core/steps.ts";
import type { AddressHealth } from "../hosts/health.ts";
import type { Rests } from "../hosts/rests.ts";
import type { ConnectionManager } from "../map/manager.ts";
import type { Membership } from "./dial/membership.ts";
import type { DialScheduler } from "./dial/scheduler.ts";
import type { HostQueue } from "./host/host_queue.ts";
import type { HostQueues } from "./host/host_queues.ts";
import type { ResolvedPoolOptions } from "./options.ts";
import type { Diagnosis } from "./watch/diagnosis.ts";
import type { Prober } from "./watch/prober.ts";
import type { Reporter } from "./watch/reporter.ts";

/** What is looked after. */
export interface UpkeepParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly health: AddressHealth;
  readonly rests: Rests;
  readonly membership: Membership;
  readonly queues: HostQueues;
  readonly scheduler: DialScheduler;
  readonly prober: Prober;
  readonly diagnosis: Diagnosis;
  readonly reporter: Reporter;
}

/** How long it works in one turn, in milliseconds, before others get theirs. */
const TURN_MS = 5;

/**
 * Cleans up a pool every `cleanupIntervalMs`, until it is closed. If there is much to do, it gives
 * others their turns meanwhile.
 */
export class Upkeep {
  readonly #parts: UpkeepParts;
  #timer: Timer;
  #closed = false;

  /** Begins to. */
  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.#timer = this.#again();
  }

  /** Stops. */
  close(): void {
    this.#closed = true;
    this.#timer.cancel();
  }

  #again(): Timer {
    const { cleanupIntervalMs, clock } = this.#parts.options;
    return clock.setTimer(() => this.#goOn(this.#look()), cleanupIntervalMs);
  }

  /** Goes on with a look until others should have a turn, or it ends. */
  #goOn(look: Steps): void {
    if (this.#closed) return;
    const { clock } = this.#parts.options;
    const until = clock.now() + TURN_MS;
    while (!look.next().done) {
      if (clock.now() < until) continue;
      inNextTurn(clock, () => this.#goOn(look));
      return;
    }
    this.#timer = this.#again();
  }

  *#look(): Steps {
    const { diagnosis, health, manager, queues, reporter, rests } = this.#parts;
    yield* manager.cleanup();
    yield* health.forgetOld();
    rests.forgetOld();
    for (const finding of yield* diagnosis.lookForNew()) {
      reporter.events.emit(finding.what, finding);
    }
    for (const queue of queues) {
      this.#lookAt(queue);
      yield;
    }
    reporter.figures.keepOnly((host) => queues.ofHost(host).length > 0);
  }

  #lookAt(queue: HostQueue): void {
    const { health, membership, prober, queues, scheduler } = this.#parts;
    scheduler.followAddresses(queue);
    membership.forgetGone(queue);
    if (queue.warm.connections > 0) scheduler.wake(queue);
    else if (queue.isUnused && !prober.needs(queue)) {
      scheduler.forget(queue);
      for (const endpoint of queue.lane.endpoints.values()) health.leave(endpoint);
      queues.forget(queue);
    }
  }
}
