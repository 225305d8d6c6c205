/**
 * What follows from changes of connections, addresses and rules: the events that the maps, the
 * directory and others send up, and the parts that they concern.
 *
 * @module
 */

import type { Host } from "../core/address.ts";
import type { Admission } from "../hosts/admission.ts";
import type { AddressChange } from "../hosts/directory.ts";
import type { AddressHealth } from "../hosts/health.ts";
import type { WeightChange } from "../hosts/weights.ts";
import type { Connection } from "../map/connection.ts";
import { type Endpoint, endpointOf } from "../map/endpoint.ts";
import type { EvictReason } from "../map/exits.ts";
import type { ConnectionManager } from "../map/manager.ts";
import type { Membership } from "./dial/membership.ts";
import type { DialScheduler } from "./dial/scheduler.ts";
import type { HostQueue } from "./host/host_queue.ts";
import type { HostQueues } from "./host/host_queues.ts";
import type { Prober } from "./watch/prober.ts";
import type { Reporter } from "./watch/reporter.ts";

/** The parts that changes concern. */
export interface ChangesParts {
  readonly manager: ConnectionManager;
  readonly admission: Admission;
  readonly health: AddressHealth;
  readonly membership: Membership;
  readonly queues: HostQueues;
  readonly scheduler: DialScheduler;
  readonly prober: Prober;
  readonly reporter: Reporter;
}

/** Passes each change on to the parts that it concerns. */
export class Changes {
  readonly #parts: ChangesParts;
  #closed = false;

  /** Begins to. */
  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** Stops following changes of addresses and rules. */
  close(): void {
    this.#closed = true;
  }

  /** Another number of connections is to be kept open. */
  onWarmTarget(queue: HostQueue): void {
    this.#parts.manager.setMinimum(queue.host.text, queue.warm.connections, queue.tls.name);
    this.#parts.scheduler.wake(queue);
  }

  /** A connection has left the maps: who waits may need another, and has room for it. */
  onEvict(connection: Connection, reason: EvictReason, error: Error | undefined): void {
    const { address, host } = connection;
    this.#parts.reporter.evicted(connection, reason, error);
    const queue = this.#parts.queues.find(host, connection.tlsProfile);
    const endpoint = endpointOf(connection);
    // For a leased one, the end of its lease does this.
    const endedAtOnce = connection.leases === 0 && connection.endedAtOnce(this.#parts.reporter.now);
    if (endpoint && endedAtOnce && this.#parts.health.hungUp(endpoint) === "failed" && queue) {
      this.#parts.scheduler.onHangUp(queue, endpoint);
    }
    if (queue) this.#parts.scheduler.wake(queue);
    this.#parts.scheduler.roomCame(host, address);
  }

  /** Looks at those who wait, when whatever is under way is done. */
  onRoom(connection: Connection): void {
    const queue = this.#parts.queues.find(connection.host, connection.tlsProfile);
    const endpoint = endpointOf(connection);
    if (!queue || !endpoint) return;
    queue.noteStreams(endpoint, connection.capacity);
    if (queue.waiters.size > 0) this.#parts.scheduler.wake(queue);
    this.#parts.scheduler.placeCame(connection);
  }

  /** Looks at those who may have counted on a connection that serves fewer from now on. */
  onLoss(connection: Connection): void {
    const { healthy, host, tlsProfile } = connection;
    const queue = this.#parts.queues.find(host, tlsProfile);
    // A host that is kept warm lacks it from now on, although it serves still.
    if (!healthy && queue && queue.warm.connections > 0) this.#parts.scheduler.wake(queue);
    else this.#wakeWaiting(connection);
  }

  /**
   * Serves callers again: a machine is as good as others once more; or no other one is better, and
   * what is ready there will do.
   */
  onStanding(endpoint: Endpoint): void {
    this.#wakeWaiting(endpoint.lane);
  }

  /** Serves callers again: a machine that was left alone may take them. */
  onRested(endpoint: Endpoint, everywhere: boolean): void {
    if (everywhere) this.#parts.reporter.onRested(endpoint);
    this.#wakeWaiting(endpoint.lane);
  }

  /** A host has other addresses. */
  onAddresses(host: Host, change: AddressChange): void {
    if (this.#closed) return;
    const { queues, scheduler } = this.#parts;
    // Very many hosts may change, one after another: each change looks at one host only.
    for (const queue of queues.ofHost(host.text)) {
      if (!queue.route?.resolvesThere) scheduler.addressesChanged(queue);
    }
    for (const queue of queues.resolvedThere) {
      if (queue.route?.goesOver(host.text)) scheduler.addressesChanged(queue);
    }
    this.#parts.reporter.addressesChanged(host, change);
  }

  /** Applies the rules and blocks that hold from now on. */
  onAdmission(): void {
    if (this.#closed) return;
    this.#parts.scheduler.admissionChanged(this.#parts.queues);
    this.#parts.prober.look();
    for (const connection of [...this.#parts.manager.connections()]) {
      const endpoint = endpointOf(connection);
      if (endpoint && this.#parts.admission.deniedBy(endpoint.address) !== undefined) {
        this.#parts.manager.drain(connection, "gone");
      }
    }
  }

  /** Applies a weight from now on; callers who wait may be served elsewhere. */
  onWeight(change: WeightChange): void {
    if (this.#closed) return;
    const { membership, queues, reporter, scheduler } = this.#parts;
    for (const queue of queues) {
      membership.reweigh(queue);
      if (queue.waiters.size > 0 || queue.warm.connections > 0) scheduler.wake(queue);
    }
    reporter.events.emit("weight", change);
  }

  #wakeWaiting({ host, tlsProfile }: { readonly host: string; readonly tlsProfile: string }): void {
    const queue = this.#parts.queues.find(host, tlsProfile);
    if (queue && queue.waiters.size > 0) this.#parts.scheduler.wake(queue);
  }
}
