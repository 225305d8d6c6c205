/**
 * Carries dials out: counts them, ends them in time, and takes what comes of them into the maps.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { AccessDeniedError, DialError, UnsupportedOptionError } from "../../core/errors.ts";
import type { Events } from "../../core/events.ts";
import type { RwLock } from "../../core/lock.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { PoolEvents } from "../events.ts";
import type { Dial, HostQueue } from "../lease/queue.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { PoolFigures } from "../watch/figures.ts";
import { dialTarget } from "./dial_target.ts";
import { silent } from "./explanations.ts";
import { PLAIN } from "./tls_profiles.ts";

/** What dials work with, all of it the pool's. */
export interface DialsParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  /** Says which addresses may be used. */
  readonly admission: Admission;
  readonly health: AddressHealth;
  readonly events: Events<PoolEvents>;
  /** Notes how long dials took. */
  readonly figures: PoolFigures;
  /** Held shared by each dial, so that whoever has it alone knows that none is under way. */
  readonly gate: RwLock;
  /** Gets a fresh connection ready for its first lease. */
  readonly prepare: (connection: Connection) => void;
  /** Hears of each dial that begins. */
  readonly onBegin: (queue: HostQueue) => void;
  /** Hears that nobody should count on a queue's dial any more: it is slow, or unwanted. */
  readonly onDoubt: (queue: HostQueue) => void;
  /** Hears that a connection has come. */
  readonly onReady: (queue: HostQueue) => void;
  /** Hears of each dial that failed. */
  readonly onFailure: (dial: Dial, error: unknown) => void;
  /** Hears that a dial is over, well or not, and with it the room that it took. */
  readonly onEnd: (queue: HostQueue, address: Address) => void;
}

/** The dials on their way. What is dialled, and when, is the scheduler's to say. */
export class Dials {
  /** How many were begun. */
  begun = 0;
  /** How many of them failed. */
  failed = 0;
  readonly #parts: DialsParts;
  readonly #clock: Clock;
  readonly #dials = new Set<Dial>();
  #closed = false;

  /** Makes it; nothing is being dialled. */
  constructor(parts: DialsParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
  }

  /** How many are under way. */
  get size(): number {
    return this.#dials.size;
  }

  /** Whether as many are under way as may be. */
  get areFull(): boolean {
    return this.#dials.size >= this.#parts.options.maxConcurrentDials;
  }

  /** Whether one more may be under way for a queue. */
  mayBegin(queue: HostQueue): boolean {
    return !this.areFull && queue.dials.size < this.#parts.options.maxConcurrentDialsPerHost;
  }

  /** Begins one, for which there must be room. */
  begin(queue: HostQueue, endpoint: Endpoint): void {
    const { events, manager } = this.#parts;
    const host = queue.host.text;
    const address = endpoint.address.text;
    manager.accountant.add(host, address);
    endpoint.dialing++;
    queue.lane.noteChoice(endpoint);
    const dial: Dial = {
      number: ++this.begun,
      queue,
      endpoint,
      startedAt: this.#clock.now(),
      stop: new AbortController(),
      slow: false,
      unwanted: false,
    };
    queue.dials.add(dial);
    this.#dials.add(dial);
    if (events.wants("dial")) events.emit("dial", { host, address });
    this.#parts.onBegin(queue);
    void this.#run(dial);
  }

  /** Lets the connections of dials under way go as soon as they come. */
  disown(concerns: (dial: Dial) => boolean): void {
    for (const dial of this.#dials) {
      if (!concerns(dial)) continue;
      dial.unwanted = true;
      this.#parts.onDoubt(dial.queue);
    }
  }

  /** Stops those to what may not be used any more. */
  stopDenied(): void {
    for (const { endpoint: { address }, queue, stop } of this.#dials) {
      const denied = this.#denial(queue, address);
      if (denied) stop.abort(denied);
    }
  }

  /** Takes a fresh connection, which is counted, into the maps, and tells of it. */
  welcome({ host }: HostQueue, connection: Connection): void {
    const { events, figures, manager, options, prepare } = this.#parts;
    manager.addConnection(connection, true);
    prepare(connection);
    const { address, endpoint, id: connectionId, socket: { info: { tcpMs, tlsMs } } } = connection;
    // An address of the host's that nobody has written down is a resolver's.
    const resolved = endpoint?.member === true && !host.isLiteral
      && !options.hosts.get(host.text)?.addresses;
    figures.noteDial(tcpMs, tlsMs, resolved);
    if (events.wants("ready")) {
      events.emit("ready", { host: host.text, address, connectionId, tcpMs, tlsMs });
    }
  }

  /** Stops those under way; none may be begun any more. */
  close(reason: Error): void {
    this.#closed = true;
    for (const dial of this.#dials) dial.stop.abort(reason);
  }

  async #run(dial: Dial): Promise<void> {
    const { gate, onDoubt, onEnd, options } = this.#parts;
    const { endpoint: { address }, queue } = dial;
    using _guard = gate.tryShared(`the dial of ${queue.host.text} at ${address.text}`);
    const timeout = this.#clock.setTimer(
      () => dial.stop.abort(timedOut(dial, options)),
      options.connectTimeoutMs,
    );
    const stagger = this.#clock.setTimer(() => {
      dial.slow = true;
      onDoubt(queue);
    }, options.dialStaggerMs);
    try {
      await this.#open(dial);
    } catch (error) {
      this.#fail(dial, error);
    } finally {
      timeout.cancel();
      stagger.cancel();
    }
    onEnd(queue, address);
  }

  async #open(dial: Dial): Promise<void> {
    const { health, manager, onReady, options } = this.#parts;
    const { endpoint, queue } = dial;
    const { address } = endpoint;
    const { host, tls } = queue;
    let counted = true;
    try {
      const dialer = await (tls === PLAIN ? options.plainDialer : options.dialer);
      if (!dialer) throw new TypeError("The pool has no plainDialer");
      // Asked once more: the rules may have changed since the address was chosen.
      const denied = this.#denial(queue, address);
      if (denied) throw denied;
      const socket = await dialer.dial(dialTarget(queue, address), dial.stop.signal);
      if (dial.unwanted || this.#closed || this.#denial(queue, address)) {
        socket.close();
        return;
      }
      const now = this.#clock.now();
      queue.noteDial(now - dial.startedAt);
      // Until there is an answer to go by, the way there tells how far away it is.
      if (endpoint.picks === 0) endpoint.noteLatency(socket.info.tcpMs, now);
      health.reached(endpoint);
      const connection = new Connection({
        host: host.text,
        address,
        socket,
        tlsProfile: tls.name,
        clock: this.#clock,
      });
      counted = false;
      this.#remove(dial);
      this.welcome(queue, connection);
      onReady(queue);
    } finally {
      if (counted) manager.accountant.remove(host.text, address.text);
      this.#remove(dial);
    }
  }

  #remove(dial: Dial): void {
    if (!this.#dials.delete(dial)) return;
    const { endpoint, queue } = dial;
    queue.dials.delete(dial);
    endpoint.dialing--;
    queue.lane.noteLoad(endpoint);
  }

  #fail(dial: Dial, error: unknown): void {
    if (this.#closed) return;
    const { events, health, onFailure } = this.#parts;
    const { endpoint, queue } = dial;
    this.failed++;
    if (!blamesOptions(error) && !(error instanceof AccessDeniedError)) {
      health.failed(endpoint, error instanceof DialError ? error.failure : "other", error);
    }
    if (events.wants("dialError")) {
      const address = endpoint.address.text;
      events.emit("dialError", { host: queue.host.text, address, error });
    }
    onFailure(dial, error);
  }

  /** Why an address may not be used now, if it may not. */
  #denial({ host }: HostQueue, address: Address): AccessDeniedError | undefined {
    const rule = this.#parts.admission.deniedBy(address);
    if (rule === undefined) return undefined;
    return new AccessDeniedError(host.text, [{ address: address.text, rule }]);
  }
}

/** Whether the options are at fault: nothing was dialled, and it tells nothing of the address. */
export function blamesOptions(error: unknown): boolean {
  return error instanceof UnsupportedOptionError || error instanceof TypeError;
}

function timedOut({ endpoint, queue }: Dial, { connectTimeoutMs }: ResolvedPoolOptions): DialError {
  return silent(queue, endpoint.address.text, connectTimeoutMs, " (connectTimeoutMs)");
}
