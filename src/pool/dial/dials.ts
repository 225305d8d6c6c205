/**
 * Carries dials out: counts them, ends them in time, and adds their connections to the maps.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import { named } from "../../core/check.ts";
import { type Clock, setDeadline } from "../../core/clock.ts";
import {
  type Dialer,
  requireHonoured,
  type TlsOptions,
  type TlsSocket,
} from "../../core/dialer.ts";
import {
  AccessDeniedError,
  ClosedError,
  DialError,
  ProxyError,
  UnsupportedOptionError,
} from "../../core/errors.ts";
import { RwLock } from "../../core/lock.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { FailureKind } from "../../hosts/verdict.ts";
import { Connection } from "../../map/connection.ts";
import { type Endpoint, endpointOf } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import { silent } from "../host/explanations.ts";
import type { Dial, HostQueue } from "../host/host_queue.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Reporter } from "../watch/reporter.ts";
import { denialOf } from "./membership.ts";
import { Pace } from "./pace.ts";

/** What dials work with. */
export interface DialsParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  /** Says which addresses may be used. */
  readonly admission: Admission;
  readonly health: AddressHealth;
  readonly reporter: Reporter;
  /** Gets a fresh connection ready for its first lease. */
  readonly prepare: (connection: Connection) => void;
}

/** What others act on when a dial is slow, or over. */
export interface DialEvents {
  /** Nobody should count on a queue's dial any more: it is slow, or unwanted. */
  onDoubt(queue: HostQueue): void;
  /** A dial has become a connection. */
  onReady(queue: HostQueue): void;
  /** A dial has failed. */
  onFailure(dial: Dial, error: unknown): void;
  /** A dial or a check is over, well or not, and with it the room that it took. */
  onEnd(queue: HostQueue, address: Address): void;
  /** Enough had begun for others to wait: these may begin now. */
  onPace(): void;
}

/** The dials on their way. What is dialled, and when, is the scheduler's to say. */
export class Dials {
  /** Each dial and check holds it shared. Whoever holds it alone knows that none is under way. */
  readonly gate: RwLock;
  /** How many were begun. */
  begun = 0;
  readonly #parts: DialsParts;
  readonly #clock: Clock;
  readonly #dials = new Set<Dial>();
  /** How many there are for each host, with whichever TLS options. */
  readonly #ofHosts = new Map<string, number>();
  readonly #pace: Pace;
  #events: DialEvents | undefined;
  /** The dialer with TLS, once it is loaded. */
  #dialer: Dialer | undefined;
  #closed = false;

  /** Makes it; nothing is being dialled. */
  constructor(parts: DialsParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
    this.gate = new RwLock(this.#clock);
    const { dialer } = parts.options;
    if (!("then" in dialer)) this.#dialer = dialer;
    this.#pace = new Pace(this.#clock, () => this.#events?.onPace());
  }

  /** Sets the listener for what becomes of dials. */
  listen(events: DialEvents): void {
    this.#events = events;
  }

  /**
   * Refuses TLS options that the dialer cannot use. One that is not loaded yet may know less.
   *
   * @throws {TypeError | RangeError | UnsupportedOptionError} An option cannot be used
   */
  checkTls(tls: TlsOptions): void {
    if (this.#dialer) requireHonoured(this.#dialer, tls);
    this.#check(tls);
  }

  /**
   * Refuses client certificates that cannot be used. The first dial reads the other options, which
   * take longer.
   *
   * @throws {TypeError} Names the option
   */
  checkCertificates(): void {
    const { hosts, tls } = this.#parts.options;
    const check = ({ ciphers, clientCertificate }: TlsOptions = {}) => {
      // The ciphers may say how weak a key may be.
      if (clientCertificate) this.#check({ ciphers, clientCertificate });
    };
    check(tls);
    for (const [host, { tls }] of hosts) named(`hosts["${host}"]`, () => check(tls));
  }

  #check(tls: TlsOptions): void {
    const dialer = this.#dialer ?? this.#parts.options.dialer as Partial<Dialer>;
    dialer.checkTls?.(tls);
  }

  /** Whether as many are under way as may be, or as many have begun as should by now. */
  get areFull(): boolean {
    return this.#dials.size >= this.#parts.options.maxConcurrentDials || this.#pace.isSpent;
  }

  /** Whether one more may be under way for a queue. */
  mayBegin({ host }: HostQueue): boolean {
    const ofHost = this.#ofHosts.get(host.text) ?? 0;
    return !this.areFull && ofHost < this.#parts.options.maxConcurrentDialsPerHost;
  }

  /**
   * Begins one, for which there must be room.
   *
   * @param timeoutMs How long it may take, in milliseconds; less than a caller's where nobody waits
   */
  begin(
    queue: HostQueue,
    endpoint: Endpoint,
    timeoutMs: number = this.#parts.options.connectTimeoutMs,
  ): void {
    const { manager, reporter } = this.#parts;
    manager.accountant.add(queue.host.text, endpoint.address.text);
    endpoint.dialing++;
    queue.lane.noteChoice(endpoint);
    const dial: Dial = {
      number: ++this.begun,
      queue,
      endpoint,
      startedAt: this.#clock.now(),
      timeoutMs,
      stop: new AbortController(),
      slow: false,
      unwanted: false,
    };
    queue.addDial(dial);
    this.#dials.add(dial);
    this.#count(queue, 1);
    this.#pace.begun(dial.startedAt);
    reporter.dials(dial, manager.getConnectionCount());
    void this.#run(dial);
  }

  /** Has dials under way close their connections as soon as they are open. */
  disown(concerns: (dial: Dial) => boolean): void {
    for (const dial of this.#dials) {
      if (!concerns(dial)) continue;
      dial.unwanted = true;
      this.#events?.onDoubt(dial.queue);
    }
  }

  /** Stops dials under way, which says nothing about their addresses. */
  stop(concerns: (dial: Dial) => boolean): void {
    for (const dial of this.#dials) {
      if (!concerns(dial)) continue;
      dial.unwanted = true;
      dial.stop.abort(new ClosedError("dial"));
    }
  }

  /** Stops dials to addresses that may no longer be used. */
  stopDenied(): void {
    for (const { endpoint: { address }, queue, stop } of this.#dials) {
      const denied = this.#denial(queue, address);
      if (denied) stop.abort(denied);
    }
  }

  /** Adds a fresh connection, which is already counted, to the maps, and reports it. */
  welcome(queue: HostQueue, connection: Connection): void {
    const { host } = queue;
    const { manager, options, prepare, reporter } = this.#parts;
    manager.addConnection(connection, true);
    // A connection that was asked for alone speaks what its caller wants.
    if (queue.tls.isShared || connection.socket.info.alpn !== "h2") prepare(connection);
    const endpoint = endpointOf(connection);
    if (endpoint) {
      queue.noteStreams(endpoint, connection.capacity);
      // A session that is resumed shows none.
      endpoint.certificateEndsAt = connection.socket.info.certificateEndsAt
        ?? endpoint.certificateEndsAt;
    }
    // A member that no option lists came from a resolver.
    const resolved = endpoint?.member === true && !host.isLiteral
      && !options.hosts.get(host.text)?.addresses;
    reporter.opened(connection, resolved);
  }

  /** Reports that a dial or a check is over, and with it the room that it took. */
  end(queue: HostQueue, address: Address): void {
    this.#events?.onEnd(queue, address);
  }

  /** Stops those under way; none may be begun any more. */
  close(reason: Error): void {
    this.#closed = true;
    this.#pace.close();
    for (const dial of this.#dials) dial.stop.abort(reason);
  }

  async #run(dial: Dial): Promise<void> {
    const { options } = this.#parts;
    const { endpoint, queue } = dial;
    const { address } = endpoint;
    const guard = this.gate.tryShared(`the dial of ${queue.host.text} at ${address.text}`);
    const timeout = setDeadline(
      this.#clock,
      () => dial.stop.abort(timedOut(dial, options)),
      dial.timeoutMs,
    );
    const stagger = this.#clock.setTimer(() => {
      // It may have ended in this very turn.
      if (!this.#dials.has(dial)) return;
      dial.slow = true;
      endpoint.slowDials++;
      this.#events?.onDoubt(queue);
    }, options.dialStaggerMs);
    try {
      await this.#open(dial);
    } catch (error) {
      this.#fail(dial, error);
    } finally {
      timeout.cancel();
      stagger.cancel();
      this.#pace.ended();
      this.end(queue, address);
      guard?.release();
    }
  }

  async #open(dial: Dial): Promise<void> {
    const { health, manager, options } = this.#parts;
    const { endpoint, queue } = dial;
    const { address } = endpoint;
    const { host, tls } = queue;
    let counted = true;
    try {
      const dialer = await (tls.isPlain ? options.plainDialer : options.dialer);
      if (!dialer) throw new TypeError("The pool has no plainDialer");
      if (!tls.isPlain) this.#dialer = dialer;
      // It may have been stopped meanwhile, and not every dialer looks.
      dial.stop.signal.throwIfAborted();
      const socket = await queue.dial(dialer, queue.dialTarget(address), dial.stop.signal);
      if (dial.unwanted || this.#closed || this.#denial(queue, address)) {
        socket.close();
        return;
      }
      requireProtocol(queue, address, socket);
      const now = this.#clock.now();
      queue.demand.noteDial(now - dial.startedAt);
      // Until there is an answer to go by, the TCP handshake says how far away it is.
      if (endpoint.picks === 0) endpoint.noteLatency(socket.info.tcpMs, now);
      health.reached(endpoint);
      const connection = new Connection({
        host,
        address,
        socket,
        tlsProfile: tls.name,
        relay: queue.route?.relayAt(address.text),
        clock: this.#clock,
      });
      counted = false;
      this.#remove(dial);
      this.welcome(queue, connection);
      this.#events?.onReady(queue);
    } finally {
      if (counted) manager.accountant.remove(host.text, address.text);
      this.#remove(dial);
    }
  }

  #remove(dial: Dial): void {
    if (!this.#dials.delete(dial)) return;
    const { endpoint, queue } = dial;
    this.#parts.reporter.figures.dialing--;
    this.#count(queue, -1);
    queue.removeDial(dial);
    endpoint.dialing--;
    if (dial.slow) endpoint.slowDials--;
    queue.lane.noteLoad(endpoint);
  }

  #count({ host: { text } }: HostQueue, change: 1 | -1): void {
    const count = (this.#ofHosts.get(text) ?? 0) + change;
    if (count > 0) this.#ofHosts.set(text, count);
    else this.#ofHosts.delete(text);
  }

  #fail(dial: Dial, error: unknown): void {
    if (this.#closed || dial.stop.signal.reason instanceof ClosedError) return;
    const { health, options: { connectTimeoutMs }, reporter } = this.#parts;
    if (!blamesOptions(error) && !(error instanceof AccessDeniedError)) {
      health.failed(dial.endpoint, failureKindOf(error), error);
    }
    reporter.dialFailed(dial, error);
    // Callers would have waited longer for it, and may still.
    const isEarly = dial.stop.signal.aborted && dial.timeoutMs < connectTimeoutMs;
    if (isEarly && (error === dial.stop.signal.reason || error instanceof ProxyError)) return;
    this.#events?.onFailure(dial, error);
  }

  /** Why an address may not be used now, if it may not. */
  #denial(queue: HostQueue, address: Address): AccessDeniedError | undefined {
    const rule = denialOf(this.#parts.admission, queue, address);
    if (rule === undefined) return undefined;
    return new AccessDeniedError(queue.host.text, [{ address: address.text, rule }]);
  }
}

/** Whether the options are at fault: nothing was dialled, which says nothing about the address. */
export function blamesOptions(error: unknown): boolean {
  return error instanceof UnsupportedOptionError || error instanceof TypeError;
}

/** Refuses a socket if the one protocol that is wanted was not negotiated. */
function requireProtocol({ host, tls }: HostQueue, address: Address, socket: TlsSocket): void {
  const { protocol } = tls;
  if (protocol === undefined || tls.isPlain || socket.info.alpn === protocol) return;
  socket.destroy();
  const fields = {
    host: host.text,
    address: address.text,
    phase: "tls",
    failure: "handshake",
  } as const;
  throw new DialError(fields, `the server does not speak ${protocol} (protocols)`);
}

/** What failed, where a dial has. */
export function failureKindOf(error: unknown): FailureKind {
  if (error instanceof ProxyError) return "proxy";
  return error instanceof DialError ? error.failure : "other";
}

function timedOut(dial: Dial, { connectTimeoutMs }: ResolvedPoolOptions): DialError {
  const { endpoint, queue, timeoutMs } = dial;
  const why = timeoutMs < connectTimeoutMs ? "" : " (connectTimeoutMs)";
  return silent(queue, endpoint.address.text, timeoutMs, why);
}
