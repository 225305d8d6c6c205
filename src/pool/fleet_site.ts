/**
 * What a pool does on its fleet's word.
 *
 * @module
 */

import { parseAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { DialError } from "../core/errors.ts";
import type { FleetEvent, FleetMember, FleetSite } from "../fleet/fleet.ts";
import type { HeardVerdict, OwnExperience } from "../fleet/verdicts.ts";
import type { Admission } from "../hosts/admission.ts";
import type { AddressHealth } from "../hosts/health.ts";
import type { Endpoint } from "../map/endpoint.ts";
import type { ConnectionManager } from "../map/manager.ts";
import type { DialScheduler } from "./dial/scheduler.ts";
import type { HostQueues } from "./host/host_queues.ts";
import type { Reporter } from "./watch/reporter.ts";

/** How long a trial may take before another pool makes one too, in milliseconds. */
const TRIAL_MS = 1_000;

/** Acts in a pool for its fleet, and tells the fleet what the pool's own health finds. */
export class PoolSite implements FleetSite {
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  readonly #health: AddressHealth;
  readonly #admission: Admission;
  readonly #queues: HostQueues;
  readonly #scheduler: DialScheduler;
  readonly #reporter: Reporter;

  /** Makes it, and has the member begin. */
  constructor(
    clock: Clock,
    member: FleetMember,
    manager: ConnectionManager,
    health: AddressHealth,
    admission: Admission,
    queues: HostQueues,
    scheduler: DialScheduler,
    reporter: Reporter,
  ) {
    this.#clock = clock;
    this.#manager = manager;
    this.#health = health;
    this.#admission = admission;
    this.#queues = queues;
    this.#scheduler = scheduler;
    this.#reporter = reporter;
    manager.accountant.share(member.permits);
    const { events } = reporter;
    events.on(
      "eject",
      ({ address, forMs, host, reason }) => member.condemn(host, address, reason, forMs),
    );
    events.on("dialError", ({ address, error, host }) => {
      if (!(error instanceof DialError) || error.phase !== "tcp") return;
      if (error.failure === "resources") return;
      member.condemn(host, address, error.message, this.#triedAgainIn(host, address));
    });
    events.on("ready", ({ address, host }) => member.reached(host, address));
    events.on("readmit", ({ address, host }) => member.acquit(host, address));
    member.start(this);
  }

  /** Has those dial who wait for room there. */
  onRoom(key: string): void {
    const place = key.slice(2);
    this.#scheduler.roomCame(place, place);
    for (const queue of this.#queues) {
      if (queue.warm.connections > 0) this.#scheduler.wake(queue);
    }
  }

  /** Ends idle connections that are too many; those in use end with their lease. */
  onShrink(): void {
    this.#manager.setLimits({});
  }

  /** Holds an address for doubtful. */
  onDoubt({ address, host, reason }: HeardVerdict): void {
    for (const endpoint of this.#endpoints(host, address)) this.#health.doubt(endpoint, reason);
  }

  /** Leaves it to another pool to try an address again. */
  onLeave({ address, host, until }: HeardVerdict): void {
    for (const endpoint of this.#endpoints(host, address)) this.#health.postpone(endpoint, until);
  }

  /** Lets an address be tried at once. */
  onWell(host: string, address: string): void {
    for (const endpoint of this.#endpoints(host, address)) this.#health.retry(endpoint);
    for (const queue of this.#queues) {
      if (queue.host.text === host) this.#scheduler.wake(queue);
    }
  }

  /** Blocks an address here. */
  onBlock(ip: string, options: { readonly forMs?: number; readonly reason?: string }): void {
    this.#reporter.events.emit("block", this.#admission.block(ip, options));
  }

  /** Ends a block here. */
  onUnblock(ip: string): void {
    this.#admission.unblock(ip);
  }

  /** Tells who listens. */
  onLink(event: FleetEvent): void {
    this.#reporter.events.emit("fleet", event);
  }

  /** What was seen here of an address. */
  experience(host: string, address: string): OwnExperience | undefined {
    let own: OwnExperience | undefined;
    for (const { answeredAt, failing } of this.#endpoints(host, address)) {
      own = {
        wellAt: Math.max(own?.wellAt ?? 0, answeredAt),
        failing: failing || (own?.failing ?? false),
      };
    }
    return own;
  }

  /** The addresses of the hosts in use. */
  known(): ReadonlySet<string> {
    const known = new Set<string>();
    for (const { lane } of this.#queues) {
      for (const { address, member } of lane.endpoints.values()) {
        if (member) known.add(address.text);
      }
    }
    return known;
  }

  /** How much the pool bears. */
  load(): { readonly connections: number; readonly leased: number } {
    const connections = this.#manager.getConnectionCount();
    return { connections, leased: connections - this.#manager.idleCount };
  }

  /** For how long others may rely on this pool to try an address again, in milliseconds. */
  #triedAgainIn(host: string, address: string): number {
    let at = Infinity;
    for (const endpoint of this.#endpoints(host, address)) {
      at = Math.min(at, endpoint.dueAt, this.#health.tryAt(endpoint));
    }
    const inMs = at === Infinity ? 0 : Math.max(0, at - this.#clock.now());
    return inMs + TRIAL_MS;
  }

  *#endpoints(host: string, address: string): Generator<Endpoint> {
    const { text } = parseAddress(address);
    for (const queue of this.#queues) {
      if (queue.host.text !== host) continue;
      const endpoint = queue.lane.endpoints.get(text);
      if (endpoint) yield endpoint;
    }
  }
}
