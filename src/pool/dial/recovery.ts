/**
 * Finds out when machines that failed are well again, by dials that nobody waits for.
 *
 * @module
 */

import type { Clock, Timer } from "../../core/clock.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { HealthListener } from "../../hosts/standing.ts";
import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { HostQueues } from "../host/host_queues.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Dials } from "./dials.ts";

/** How far apart its dials are at the least, in milliseconds: a hundred dead machines are no storm. */
const APART_MS = 200;

/** How many of its dials are under way at the most: callers want to dial as well. */
const AT_ONCE = 4;

/** After how long it looks again at what it could not dial, in milliseconds. */
const LOOK_AGAIN_MS = 2_000;

/** How long a connection was idle that may end for a machine that comes back, in milliseconds. */
const UNUSED_MS = 1_000;

/**
 * How long its dials may take, in milliseconds, or how many times as long as others took. If a
 * machine was silent, a new dial finds out sooner than one that waits on.
 */
const TIMEOUT = { ms: 2_000, dials: 4 };

/**
 * Dials the failed machines of hosts in use: soon at first, then every two seconds or so. If that
 * succeeds, the connection is like any other, and the machine is back. It has one timer, and none
 * if nothing has failed.
 */
export class Recovery implements HealthListener {
  readonly #options: ResolvedPoolOptions;
  readonly #clock: Clock;
  readonly #health: AddressHealth;
  readonly #queues: HostQueues;
  readonly #dials: Dials;
  readonly #manager: ConnectionManager;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #lastAt = -Infinity;
  /** Whether something was due, and could not be dialled. */
  #lacksRoom = false;
  #closed = false;

  /** Makes it, and listens for failures. */
  constructor(
    options: ResolvedPoolOptions,
    health: AddressHealth,
    queues: HostQueues,
    dials: Dials,
    manager: ConnectionManager,
  ) {
    this.#options = options;
    this.#clock = options.clock;
    this.#health = health;
    this.#queues = queues;
    this.#dials = dials;
    this.#manager = manager;
    health.listen(this);
  }

  /** Schedules a dial of an endpoint. */
  onFailing(endpoint: Endpoint): void {
    this.#lookAt(this.#health.tryAt(endpoint));
  }

  /** Looks again at what there was no room to dial. */
  roomCame(): void {
    if (this.#lacksRoom) this.#lookAt(this.#clock.now());
  }

  /** Stops dialling. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #lookAt(at: number): void {
    if (this.#closed || at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(() => this.#look(), at - this.#clock.now());
  }

  #look(): void {
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    if (now < this.#lastAt + APART_MS) {
      this.#lookAt(this.#lastAt + APART_MS);
      return;
    }
    const due: Endpoint[] = [];
    let next = Infinity;
    let underWay = 0;
    for (const endpoint of this.#health.failing) {
      if (endpoint.dialing > 0) underWay++;
      const at = this.#health.tryAt(endpoint);
      if (at <= now) due.push(endpoint);
      else next = Math.min(next, at);
    }
    // Those who waited longest are first; what cannot be dialled now is looked at again.
    due.sort((a, b) => this.#health.tryAt(a) - this.#health.tryAt(b));
    const index = underWay < AT_ONCE ? due.findIndex((endpoint) => this.#dial(endpoint, now)) : -1;
    this.#lacksRoom = index < 0 && due.length > 0;
    if (index >= 0 && due.length > 1) next = now + APART_MS;
    else if (this.#lacksRoom) next = Math.min(next, now + LOOK_AGAIN_MS);
    this.#lookAt(next);
  }

  /** Begins a dial if one may begin; returns whether it has. */
  #dial(endpoint: Endpoint, now: number): boolean {
    const { dialing, lane, member } = endpoint;
    const queue = this.#queues.find(lane.host, lane.tlsProfile);
    const mayDial = queue && member && dialing === 0 && this.#health.isToBeTried(endpoint)
      && this.#dials.mayBegin(queue)
      && queue.isInUse(now, this.#options.idleTimeoutMs)
      && this.#hasRoom(queue, endpoint, now);
    if (!mayDial) return false;
    this.#health.tries(endpoint);
    this.#lastAt = now;
    this.#dials.begin(queue, endpoint, this.#timeoutMs(queue));
    return true;
  }

  /**
   * Whether there is room for one more connection; ends one of the host that nobody needs to make
   * some.
   */
  #hasRoom(queue: HostQueue, { address, lane }: Endpoint, now: number): boolean {
    const { accountant } = this.#manager;
    const scope = accountant.blockedBy(lane.host, address.text);
    if (scope === undefined || scope === "ip") return scope === undefined;
    if (queue.lane.connectionCount <= queue.warm.connections) return false;
    let coldest: Connection | undefined;
    for (const { connections, idle } of queue.lane.good) {
      const connection = idle.back?.value.connection;
      if (!connection || connections.size < 2) continue;
      if (!coldest || connection.lastUsedAt < coldest.lastUsedAt) coldest = connection;
    }
    if (!coldest || now - coldest.lastUsedAt < UNUSED_MS) return false;
    this.#manager.removeConnection(coldest, "room");
    return accountant.blockedBy(lane.host, address.text) === undefined;
  }

  #timeoutMs({ demand: { dialMs } }: HostQueue): number {
    return Math.min(this.#options.connectTimeoutMs, Math.max(TIMEOUT.ms, TIMEOUT.dials * dialMs));
  }
}
