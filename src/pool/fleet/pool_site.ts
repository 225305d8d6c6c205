/**
 * What a pool does on its fleet's word, and what it tells its fleet.
 *
 * @module
 */

import { parseAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { DialError } from "../../core/errors.ts";
import type { FleetEvent, FleetMember, FleetSite, Lesson } from "../../fleet/fleet.ts";
import type { HeardVerdict, OwnExperience } from "../../fleet/verdicts.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import { isOwnLack } from "../../hosts/verdict.ts";
import type { Weights } from "../../hosts/weights.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { Dials } from "../dial/dials.ts";
import { drain } from "../dial/drain.ts";
import type { Membership } from "../dial/membership.ts";
import type { Recovery } from "../dial/recovery.ts";
import type { DialScheduler } from "../dial/scheduler.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { HostQueues } from "../host/host_queues.ts";
import type { Reporter } from "../watch/reporter.ts";

/** The parts of a pool that its fleet acts on. */
export interface PoolParts {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly health: AddressHealth;
  readonly admission: Admission;
  readonly weights: Weights;
  readonly queues: HostQueues;
  readonly dials: Dials;
  readonly membership: Membership;
  readonly scheduler: DialScheduler;
  readonly recovery: Recovery;
  readonly reporter: Reporter;
}

/** How long a trial may take before another pool makes one too, in milliseconds. */
const TRIAL_MS = 1_000;

/** How many lessons of others are kept for hosts that are not in use. */
const MAX_LESSONS = 5_000;

/** Passes what the pool's own health finds on to the other members. */
export function relay({ clock, health, queues, reporter }: PoolParts, member: FleetMember): void {
  const { events } = reporter;
  events.on(
    "eject",
    ({ address, forMs, host, reason }) => member.condemn(host, address, reason, forMs),
  );
  events.on("dialError", ({ address, error, host }) => {
    if (!(error instanceof DialError) || error.phase !== "tcp") return;
    if (isOwnLack(error.failure)) return;
    // How long others may rely on this pool to try it again.
    let at = Infinity;
    for (const { endpoint } of placesOf(queues, host, address)) {
      at = Math.min(at, endpoint.dueAt, health.tryAt(endpoint));
    }
    const inMs = at === Infinity ? 0 : Math.max(0, at - clock.now());
    member.condemn(host, address, error.message, inMs + TRIAL_MS);
  });
  events.on("ready", ({ address, host }) => member.reached(host, address));
  events.on("readmit", ({ address, host }) => member.acquit(host, address));
}

/** Acts in a pool for its fleet. */
export class PoolSite implements FleetSite {
  readonly #parts: PoolParts;
  /** What others have learned, by host and address, and until when it holds. */
  readonly #lessons = new Map<string, { readonly lesson: Lesson; readonly until: number }>();

  /** Makes it. */
  constructor(parts: PoolParts) {
    this.#parts = parts;
    parts.membership.listen({ onEnter: (queue, endpoint) => this.#teach(queue, endpoint) });
  }

  /** Dials for callers who wait for room there, and tries failed addresses that are due. */
  onRoom(keys: readonly string[]): void {
    const { queues, recovery, scheduler } = this.#parts;
    for (const key of keys) {
      const place = key.slice(2);
      scheduler.roomCame(place, place);
    }
    recovery.roomCame();
    for (const queue of queues) {
      if (queue.warm.connections > 0) scheduler.wake(queue);
    }
  }

  /** Ends idle connections that are too many; those in use end with their lease. */
  onShrink(): void {
    this.#parts.manager.setLimits({});
  }

  /** Treats an address as doubtful. */
  onDoubt({ address, host, reason }: HeardVerdict): void {
    for (const { endpoint } of this.#places(host, address)) {
      this.#parts.health.doubt(endpoint, reason);
    }
  }

  /** Leaves it to another pool to try an address again. */
  onLeave({ address, host, until }: HeardVerdict): void {
    for (const { endpoint } of this.#places(host, address)) {
      this.#parts.health.postpone(endpoint, until);
    }
  }

  /** Lets an address be tried at once. */
  onWell(host: string, address: string): void {
    const { health, queues, scheduler } = this.#parts;
    for (const { endpoint } of this.#places(host, address)) health.retry(endpoint);
    for (const queue of queues.ofHost(host)) scheduler.wake(queue);
  }

  /** Blocks an address here. */
  onBlock(ip: string, options: { readonly forMs?: number; readonly reason?: string }): void {
    const { admission, reporter } = this.#parts;
    reporter.events.emit("block", admission.block(ip, options));
  }

  /** Ends a block here. */
  onUnblock(ip: string): void {
    this.#parts.admission.unblock(ip);
  }

  /** Sets the weight of an address here, or takes it off. */
  onWeight(ip: string, weight: number | null): void {
    this.#parts.weights.set(ip, weight);
  }

  /** Drains a host or an address here. */
  onDrain(hostOrIp: string): void {
    const { dials, manager, queues } = this.#parts;
    void drain(hostOrIp, manager, queues, dials);
  }

  /** Takes what another pool has learned, for as long as nothing is known here. */
  onLesson(lesson: Lesson, until: number): void {
    const { address, host } = lesson;
    const key = `${host} ${address}`;
    if (this.#lessons.size >= MAX_LESSONS && !this.#lessons.has(key)) this.#forgetOld();
    if (this.#lessons.size < MAX_LESSONS) this.#lessons.set(key, { lesson, until });
    for (const { endpoint, queue } of this.#places(host, address)) this.#teach(queue, endpoint);
  }

  /** What was learned here: of each address what is known of any of its connections. */
  *learned(): Generator<Lesson> {
    const now = this.#parts.clock.now();
    for (const queue of this.#parts.queues) {
      for (const endpoint of queue.lane.endpoints.values()) {
        const idleMs = endpoint.ownIdleMs(now);
        const streams = queue.ownStreams(endpoint);
        if (idleMs === 0 && streams === 0) continue;
        yield { host: queue.host.text, address: endpoint.address.text, idleMs, streams };
      }
    }
  }

  /** Emits the event `fleet`. */
  onLink(event: FleetEvent): void {
    this.#parts.reporter.events.emit("fleet", event);
  }

  /** What was seen here of an address. */
  experience(host: string, address: string): OwnExperience | undefined {
    let own: OwnExperience | undefined;
    for (const { endpoint } of this.#places(host, address)) {
      const { answeredAt, connections, failing, keepsOpen } = endpoint;
      // A last answer may have come in the moment of its machine's end, which took the connections.
      const hasEnded = keepsOpen && connections.size === 0;
      own = {
        wellAt: Math.max(own?.wellAt ?? 0, hasEnded ? 0 : answeredAt),
        failing: failing || (own?.failing ?? false),
      };
    }
    return own;
  }

  /** The addresses of the hosts in use. */
  known(): ReadonlySet<string> {
    const known = new Set<string>();
    for (const { lane } of this.#parts.queues) {
      for (const { address, member } of lane.endpoints.values()) {
        if (member) known.add(address.text);
      }
    }
    return known;
  }

  /** How many connections the pool has, and where. */
  load(): ReturnType<FleetSite["load"]> {
    const { manager, queues } = this.#parts;
    const connections = manager.getConnectionCount();
    const places = new Map<string, [connections: number, leased: number]>();
    const add = (key: string, open: number, busy: number) => {
      const sum = places.get(key) ?? [0, 0];
      places.set(key, [sum[0] + open, sum[1] + busy]);
    };
    for (const { host, lane } of queues) {
      for (const { address, busy, connections: { size } } of lane.endpoints.values()) {
        if (size === 0) continue;
        add(`a ${address.text}`, size, busy);
        add(`h ${host.text}`, size, busy);
      }
    }
    return {
      connections,
      leased: connections - manager.idleCount,
      places: Array.from(places, ([key, sum]) => [key, ...sum] as const),
    };
  }

  #teach(queue: HostQueue, endpoint: Endpoint): void {
    const known = this.#lessons.get(`${queue.host.text} ${endpoint.address.text}`);
    if (!known || known.until <= this.#parts.clock.now()) return;
    const { idleMs, streams } = known.lesson;
    if (idleMs > 0) endpoint.hearIdle(idleMs, known.until);
    if (streams > 0) queue.hearStreams(endpoint, streams);
  }

  #forgetOld(): void {
    const now = this.#parts.clock.now();
    for (const [key, { until }] of this.#lessons) if (until <= now) this.#lessons.delete(key);
  }

  #places(host: string, address: string): Iterable<Seat> {
    return placesOf(this.#parts.queues, host, address);
  }
}

interface Seat {
  readonly queue: HostQueue;
  readonly endpoint: Endpoint;
}

/** An address of a host, once for each of its TLS profiles. */
function* placesOf(queues: HostQueues, host: string, address: string): Generator<Seat> {
  const { text } = parseAddress(address);
  for (const queue of queues.ofHost(host)) {
    const endpoint = queue.lane.endpoints.get(text);
    if (endpoint) yield { queue, endpoint };
  }
}
