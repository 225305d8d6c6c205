/**
 * One check of one address.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import { messageOf } from "../../core/check.ts";
import { type Clock, setDeadline } from "../../core/clock.ts";
import { ClosedError } from "../../core/errors.ts";
import type { Admission } from "../../hosts/admission.ts";
import { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import { CLOSE_TIMEOUT_MS } from "../../map/exits.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { Dials } from "../dial/dials.ts";
import { denialOf } from "../dial/membership.ts";
import { silent } from "../host/explanations.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { CheckAnswer, CheckOver, HealthCheck, HttpCheck } from "./health_check.ts";

/** What a check works with, all of it the pool's. */
export interface ProbeParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly admission: Admission;
  /** Takes a connection that a check has made into the maps. */
  readonly dials: Dials;
  /** Makes HTTP checks, if the pool can. */
  readonly checkOver: CheckOver | undefined;
}

/** What is checked. */
export interface ProbeTarget {
  readonly queue: HostQueue;
  readonly address: Address;
  /** Where its connections may stay; undefined if it is blocked. */
  readonly endpoint: Endpoint | undefined;
}

/** What a check found; without an error, all is well. */
export interface ProbeResult {
  readonly reason: string;
  readonly error?: unknown;
}

/** With how many idle connections an endpoint can spare one for a check. */
export const SPARE = 2;

/** A check under way. */
export class Probe {
  /** The host. */
  readonly queue: HostQueue;
  /** The address. */
  readonly address: Address;
  /** When it began, in the clock's milliseconds. */
  readonly startedAt: number;
  /** Whether it ends without a verdict. */
  dropped = false;
  /** Whether the accountant counts a connection for it that is not in the maps. */
  counted = false;
  /** Resolves when the socket that was left over is done. */
  ended: Promise<void> | undefined = undefined;
  readonly #parts: ProbeParts;
  readonly #clock: Clock;
  readonly #endpoint: Endpoint | undefined;
  readonly #check: HealthCheck;
  readonly #stop = new AbortController();
  #leftOver: Connection | undefined;

  /** Made by the prober; `run()` begins. */
  constructor(parts: ProbeParts, { address, endpoint, queue }: ProbeTarget, check: HealthCheck) {
    this.queue = queue;
    this.address = address;
    this.startedAt = parts.options.clock.now();
    this.#parts = parts;
    this.#clock = parts.options.clock;
    this.#endpoint = endpoint;
    this.#check = check;
  }

  /** Ends it at once, without a verdict. Harmless to repeat. */
  drop(): void {
    this.dropped = true;
    this.#stop.abort(new ClosedError("check"));
    this.#leftOver?.destroy();
  }

  /** Makes the check. Gives what it found out, or nothing if it could not be made; never rejects. */
  async run(): Promise<ProbeResult | undefined> {
    const { testTimeoutMs } = this.#parts.options;
    const timeout = setDeadline(
      this.#clock,
      () => {
        const silence = silent(this.queue, this.address.text, testTimeoutMs, " (testTimeoutMs)");
        this.#stop.abort(silence);
      },
      testTimeoutMs,
    );
    try {
      if (typeof this.#check === "object") return await this.#ask(this.#check);
      return this.#check === "connect" ? await this.#connect() : await this.#shakeHands();
    } catch (error) {
      if (error instanceof ClosedError) return undefined;
      return { reason: messageOf(error), error };
    } finally {
      timeout.cancel();
      this.#uncount();
    }
  }

  async #connect(): Promise<ProbeResult | undefined> {
    const connection = await this.#dial("connect");
    if (!connection) return undefined;
    this.#letGo(connection);
    return { reason: "connect" };
  }

  async #shakeHands(): Promise<ProbeResult | undefined> {
    const connection = await this.#dial("tls");
    if (!connection) return undefined;
    const isWanted = this.#endpoint?.connections.size === 0;
    if (!isWanted || !this.#keep(connection)) this.#letGo(connection);
    return { reason: "handshake" };
  }

  /**
   * Asks over an idle connection that can be spared; without one, or if it is dead, over a new one.
   */
  async #ask(check: HttpCheck): Promise<ProbeResult | undefined> {
    const answer = await this.#askOverSpare(check);
    if (answer && !answer.silent) return answer;
    const connection = await this.#dial("tls");
    if (!connection) return undefined;
    const own = await this.#askOver(connection, check, this.#stop.signal);
    // It has served, so if it ends from now on, the request is not to blame.
    connection.requestCount++;
    if (!own.reusable || !this.#keep(connection)) this.#letGo(connection);
    return own;
  }

  async #askOverSpare(check: HttpCheck): Promise<CheckAnswer | undefined> {
    const { manager, options: { testTimeoutMs } } = this.#parts;
    const connection = this.#endpoint && manager.checkout.takeColdest(this.#endpoint, SPARE);
    if (!connection) return undefined;
    // A NAT on the way may have forgotten it: leave time for another one.
    const half = new AbortController();
    const timer = setDeadline(this.#clock, () => half.abort(), testTimeoutMs / 2);
    const signal = AbortSignal.any([half.signal, this.#stop.signal]);
    const answer = await this.#askOver(connection, check, signal);
    timer.cancel();
    manager.give(connection, answer.reusable);
    return answer;
  }

  #askOver(connection: Connection, check: HttpCheck, signal: AbortSignal): Promise<CheckAnswer> {
    const { checkOver } = this.#parts;
    if (!checkOver) throw new TypeError("The pool cannot make HTTP checks");
    return checkOver(connection, check, signal);
  }

  /** Opens a connection that is in no maps; nothing if limits or rules forbid it. */
  async #dial(kind: "connect" | "tls"): Promise<Connection | undefined> {
    const { admission, manager: { accountant }, options } = this.#parts;
    const { address, queue } = this;
    const host = queue.host.text;
    const { signal } = this.#stop;
    if (signal.aborted || accountant.blockedBy(host, address.text)) return undefined;
    accountant.add(host, address.text);
    this.counted = true;
    const { isPlain } = queue.tls;
    const dialer = await (kind === "connect"
      ? options.connectDialer
      : isPlain
      ? options.plainDialer
      : options.dialer);
    if (!dialer) throw new TypeError(`The pool has no dialer for a check of kind "${kind}"`);
    const isDenied = () => this.#endpoint && denialOf(admission, queue, address) !== undefined;
    if (isDenied()) return undefined;
    const target = queue.dialTarget(address);
    const socket = await queue.dial(
      dialer,
      kind === "connect" ? { ...target, tls: {} } : target,
      signal,
    );
    const tlsProfile = queue.tls.name;
    const relay = queue.route?.relayAt(address.text);
    const connection = new Connection({
      host: queue.host,
      address,
      socket,
      tlsProfile,
      relay,
      clock: this.#clock,
    });
    if (!signal.aborted && !isDenied()) return connection;
    this.#letGo(connection);
    if (!this.dropped) signal.throwIfAborted();
    return undefined;
  }

  /** Leaves a connection to the maps; false if there is no place for it. */
  #keep(connection: Connection): boolean {
    const { dials, manager, options } = this.#parts;
    const isWelcome = this.#endpoint?.member && this.#endpoint.lane.kept && !this.dropped
      && connection.available && manager.idleCount < options.maxIdleConnections;
    if (!isWelcome) return false;
    this.counted = false;
    dials.welcome(this.queue, connection);
    return true;
  }

  #letGo(connection: Connection): void {
    this.#uncount();
    this.#leftOver = connection;
    const timer = this.#clock.setTimer(() => connection.destroy(), CLOSE_TIMEOUT_MS);
    this.ended = connection.closed.then(() => timer.cancel());
    if (this.dropped) connection.destroy();
    else connection.close();
  }

  #uncount(): void {
    if (!this.counted) return;
    this.counted = false;
    this.#parts.manager.accountant.remove(this.queue.host.text, this.address.text);
  }
}
