/**
 * A connection: a socket with its identity, state and figures.
 *
 * @module
 */

import { type Address, type Host, parseAddress, parseHost } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import type { SocketSink, TlsInfo, TlsSocket } from "../core/dialer.ts";
import type { Relay } from "../core/tunnel.ts";

/**
 * The state of a connection: ready, in use, in use for the last time, or done. From `idle` to
 * `leased` and back; from both to `draining`; from all to `closed`.
 */
export type ConnectionState = "idle" | "leased" | "draining" | "closed";

/**
 * How soon after its handshake a connection must end to count as never meant to serve, in
 * milliseconds.
 */
const AT_ONCE_MS = 1_000;

/** What a connection is made of. */
export interface ConnectionInit {
  /** The host that the socket was verified for. A parsed one is taken as it is. */
  readonly host: string | Host;
  /**
   * The address that the socket is connected to. A text without a port has the host's port; a
   * parsed address is taken as it is.
   */
  readonly address: string | Address;
  /** The live socket. The connection owns it from now on. */
  readonly socket: TlsSocket;
  /**
   * The name of the TLS profile that the socket was made with.
   *
   * @default {"default"}
   */
  readonly tlsProfile?: string;
  /** The proxy that is asked for each URL over it, if it leads to one. */
  readonly relay?: Relay | undefined;
  /**
   * How many leases it carries at once: more than one needs a multiplexed protocol.
   *
   * @default {1}
   */
  readonly capacity?: number;
  /** The clock for its times and its jitter. */
  readonly clock?: Clock;
}

/** A connection's figures at one moment. Times are in milliseconds since 1970. */
export interface ConnectionStats {
  /** Its number, unique in the program. */
  readonly id: number;
  /** The host it was verified for, in canonical text. */
  readonly host: string;
  /** The address it is connected to, in canonical text. */
  readonly address: string;
  /** The TLS profile it was made with. */
  readonly tlsProfile: string;
  /** Where it stands. */
  readonly state: ConnectionState;
  /** Whether it may be leased. */
  readonly healthy: boolean;
  /** When it was made. */
  readonly createdAt: number;
  /** When a lease on it last began or ended. */
  readonly lastUsedAt: number;
  /** When its manager last looked whether it is fit for a lease; null if it never did. */
  readonly lastCheckedAt: number | null;
  /** How many leases it has had. */
  readonly requestCount: number;
  /** How many of them failed. */
  readonly errorCount: number;
  /** How many leases it carries now. */
  readonly leases: number;
  /** How many leases it carries at once. */
  readonly capacity: number;
  /** Whether its leases are streams of a protocol that carries many at once, as HTTP/2. */
  readonly multiplexed: boolean;
  /** The protocol that it goes on in after an upgrade, such as `websocket`; null without one. */
  readonly upgraded: string | null;
  /** What is known of its TLS session. */
  readonly tls: TlsInfo;
}

/** Where a connection counts itself in the maps: its endpoint. */
export interface ConnectionPlace {
  /** Leases under way. */
  leased: number;
  /** Leases that began, ever. */
  picks: number;
  /** Bytes received and sent, ever, inside TLS. */
  bytesIn: number;
  bytesOut: number;
  /** Connections in use. */
  busy: number;
  /** Connections in use for the last time. */
  draining: number;
  /** Connections that are marked unhealthy, and still held. */
  unhealthy: number;
  /** Connections whose leases are streams. */
  multiplexed: number;
  /** Whether it has failures that its next success forgives. */
  readonly failing: boolean;
  /** After how long without a byte of an answer its silence is out of the ordinary. */
  readonly patienceMs: number;
  /** Whether its server was seen to keep a connection after its first answer. */
  readonly keepsOpen: boolean;
  /**
   * When an answer last began that was not complete at once, in the clock's milliseconds; 0: never.
   */
  heardAt: number;
  /** Adds to the leases that its connections can carry at once. */
  addSlots(slots: number): void;
}

/** What is notified of events on a connection's socket outside any lease: its manager. */
export interface ConnectionOwner {
  /** The peer sent bytes although nothing was asked. */
  onUnsolicited(connection: Connection): void;
  /** Called once, when it has ended. `here` says whether it was ended on this side. */
  onClosed(connection: Connection, error: Error | undefined, here: boolean): void;
  /** Its capacity has changed. */
  onCapacity(connection: Connection): void;
  /** It can carry fewer leases than before: it is unhealthy, drained, or its protocol says so. */
  onLoss(connection: Connection): void;
}

/** A protocol that stays on a connection, with or without a lease. */
export interface Resident extends SocketSink {
  /** The connection is about to be closed in good order: the last chance to write. */
  onClosing(): void;
}

/** How many different jitters there are. */
const JITTERS = 65_536;

/** Rare fields of a connection, made when needed, because there may be very many connections. */
class Rarities {
  relay: Relay | undefined = undefined;
  upgraded: string | null = null;
  errorCount = 0;
  resident: Resident | undefined = undefined;
  multiplexed = false;
  keepsSink = false;
  unserved = false;
  endedHere = false;
  isDone = false;
  closed: Promise<void> | undefined = undefined;
  resolveClosed: (() => void) | undefined = undefined;
}

/**
 * A TLS socket to one address, verified for one host.
 *
 * Its manager moves it from state to state; a lease is the right to use it.
 */
export class Connection implements SocketSink {
  static #count = 0;

  /** Its number, unique in the program. */
  readonly id: number = ++Connection.#count;
  /** The host it was verified for, in canonical text. */
  readonly host: string;
  /** The TLS profile it was made with. */
  readonly tlsProfile: string;
  /** The socket. Bytes go through a lease; what is written past one is nobody's request. */
  readonly socket: TlsSocket;
  /** When it was made. */
  readonly createdAt: number;
  /** When a lease on it last began or ended. */
  lastUsedAt: number;
  /** When its manager last looked whether it is fit for a lease, if ever. */
  lastCheckedAt: number | null = null;
  /**
   * The endpoint that it belongs to, once it is in the maps, which set it: see `endpointOf`.
   *
   * @internal
   */
  endpoint: ConnectionPlace | undefined = undefined;
  /** State of the protocol that is spoken on it. */
  session: unknown = undefined;
  /**
   * Whether its peer has answered on it, and not that it is too busy.
   *
   * @internal
   */
  answered = false;
  /** How many leases it has had. */
  requestCount = 0;

  readonly #address: Address;
  #state: ConnectionState = "idle";
  #healthy = true;
  #capacity: number;
  #slots: number;
  #leases = 0;
  /** How many of the leases do not keep the program alive. */
  #quiet = 0;
  // These are small whole numbers, which take no extra memory.
  #idleBeforeMs = 0;
  /** How far the wall's clock was ahead when it was last used. */
  #wallAheadMs: number;
  #serverIdleMs: number | undefined;
  #jitter: number;
  #owner: ConnectionOwner | undefined;
  #sink: SocketSink | undefined;
  #isHeard = false;
  #rarities: Rarities | undefined;

  /**
   * Takes over a socket, and reads it from now on.
   *
   * @throws {TypeError | RangeError} The host, the address or the capacity is not valid
   */
  constructor(init: ConnectionInit) {
    const { capacity = 1, clock = systemClock } = init;
    const host = typeof init.host === "string" ? parseHost(init.host) : init.host;
    const address = typeof init.address === "string"
      ? parseAddress(init.address, host.port)
      : init.address;
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`capacity must be a whole number of at least 1, got ${capacity}`);
    }
    this.host = host.text;
    this.#address = address;
    this.tlsProfile = init.tlsProfile ?? "default";
    this.#capacity = this.#slots = capacity;
    if (init.relay) this.#rare.relay = init.relay;
    this.socket = init.socket;
    this.#jitter = Math.floor(clock.random() * JITTERS);
    this.createdAt = this.lastUsedAt = clock.now();
    this.#wallAheadMs = wholeMs(clock.wallNow() - this.createdAt);
    this.socket.unref();
    this.socket.attach(this);
  }

  /** The address it is connected to, in canonical text. */
  get address(): string {
    return this.#address.text;
  }

  /** The IP address alone. */
  get ip(): string {
    return this.#address.ip;
  }

  /** The TCP port. */
  get port(): number {
    return this.#address.port;
  }

  /** The proxy that is asked for each URL over it, if it leads to one. */
  get relay(): Relay | undefined {
    return this.#rarities?.relay;
  }

  /** The protocol that it goes on in after an upgrade, for as long as its caller likes; or null. */
  get upgraded(): string | null {
    return this.#rarities?.upgraded ?? null;
  }

  /** Says which that is. */
  set upgraded(protocol: string | null) {
    this.#rare.upgraded = protocol;
  }

  /** How many of its leases failed. */
  get errorCount(): number {
    return this.#rarities?.errorCount ?? 0;
  }

  /** Says how many failed. */
  set errorCount(count: number) {
    this.#rare.errorCount = count;
  }

  /** Resolves when the socket is done; never rejects. */
  get closed(): Promise<void> {
    const rare = this.#rare;
    rare.closed ??= rare.isDone
      ? Promise.resolve()
      : new Promise((resolve) => rare.resolveClosed = resolve);
    return rare.closed;
  }

  /** Where it stands. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether it may be leased. What says no once ends with its last lease. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Says whether it may be leased. */
  set healthy(healthy: boolean) {
    if (this.#healthy === healthy) return;
    this.#healthy = healthy;
    if (this.held && this.endpoint) this.endpoint.unhealthy += healthy ? -1 : 1;
    this.#countSlots();
  }

  /** A number from 0 to 1, a whole number of 65,536ths, drawn once, that spreads lifetimes. */
  get jitter(): number {
    return this.#jitter / JITTERS;
  }

  /** How long its server is known to keep it while unused, in milliseconds; `Infinity` at first. */
  get serverIdleMs(): number {
    return this.#serverIdleMs ?? Infinity;
  }

  /** Says how long that is. */
  set serverIdleMs(ms: number) {
    this.#serverIdleMs = ms;
  }

  /** Whether it was ended on this side, and not by its peer. */
  get endedHere(): boolean {
    return this.#rarities?.endedHere ?? false;
  }

  /** How many leases it carries at once. */
  get capacity(): number {
    return this.#capacity;
  }

  /**
   * Sets how many leases it carries at once, as its protocol says. A lower number ends no lease,
   * and with 0 none begins for now.
   */
  set capacity(capacity: number) {
    if (this.#capacity === capacity) return;
    this.#capacity = capacity;
    this.#countSlots();
    this.#owner?.onCapacity(this);
  }

  /** Whether its leases are streams of a protocol that carries many at once. */
  get multiplexed(): boolean {
    return this.#rarities?.multiplexed ?? false;
  }

  /** How many leases it can carry at once as it stands: none if it is in use for the last time. */
  get slots(): number {
    return this.#slots;
  }

  /** How many leases it carries now. */
  get leases(): number {
    return this.#leases;
  }

  /**
   * Whether its peer ended it right after its handshake and a moment ago, before it ever served, or
   * made us end it by speaking out of turn.
   */
  endedAtOnce(now: number): boolean {
    return this.#rarities?.unserved === true && now - this.createdAt < AT_ONCE_MS;
  }

  /** How long it had been unused when its present lease, or its last one, began, in milliseconds. */
  get idleBeforeMs(): number {
    return this.#idleBeforeMs;
  }

  /** Whether one more lease may begin. */
  get available(): boolean {
    return this.#healthy && this.#leases < this.#capacity
      && (this.#state === "idle" || this.#state === "leased");
  }

  /**
   * How long it has been unused, in milliseconds: by the clock that only moves forward, or by the
   * wall clock if that says longer, as after the machine slept.
   */
  unusedMs(now: number, wallNow: number): number {
    return Math.max(now - this.lastUsedAt, wallNow - this.#wallAheadMs - this.lastUsedAt);
  }

  /** Its figures now: plain data. */
  stats(): ConnectionStats {
    return {
      id: this.id,
      host: this.host,
      address: this.address,
      tlsProfile: this.tlsProfile,
      state: this.#state,
      healthy: this.#healthy,
      createdAt: this.createdAt,
      lastUsedAt: this.lastUsedAt,
      lastCheckedAt: this.lastCheckedAt,
      requestCount: this.requestCount,
      errorCount: this.errorCount,
      leases: this.#leases,
      capacity: this.capacity,
      multiplexed: this.multiplexed,
      upgraded: this.upgraded,
      tls: this.socket.info,
    };
  }

  /** Writes to the peer, as its socket does, and counts what is sent. */
  write(bytes: Uint8Array): boolean {
    if (this.endpoint) this.endpoint.bytesOut += bytes.length;
    return this.socket.write(bytes);
  }

  /** Whether a manager holds it. */
  get held(): boolean {
    return this.#owner !== undefined;
  }

  /** Sets what is notified of events outside a lease. For its manager to call. */
  setOwner(owner: ConnectionOwner | undefined): void {
    this.#owner = owner;
  }

  /** Sets who takes what the peer sends. For the lease to call. */
  setSink(sink: SocketSink | undefined): void {
    this.#sink = sink;
  }

  /**
   * Sets who takes what the peer sends from now on, with or without a lease: the session of a
   * protocol that carries many streams, and speaks between them.
   */
  keepSink(sink: SocketSink): void {
    this.#sink = sink;
    this.#rare.keepsSink = true;
  }

  /**
   * Sets who takes what the peer sends while no lease does: a protocol that sends unasked. Without
   * one, a peer that does so ends the connection.
   */
  setResident(sink: Resident): void {
    const rare = this.#rare;
    rare.resident = sink;
    if (!rare.multiplexed && this.held && this.endpoint) this.endpoint.multiplexed++;
    rare.multiplexed = true;
  }

  /** Begins a lease. For its manager to call. */
  beginLease(now: number): void {
    if (!this.available) throw new Error(`Connection ${this.id} is ${this.#state}: no lease`);
    if (this.#leases === this.#quiet) this.socket.ref();
    if (this.#leases++ === 0) {
      this.#move("leased");
      this.#idleBeforeMs = wholeMs(now - this.lastUsedAt);
    }
    this.requestCount++;
    this.lastUsedAt = now;
    const { endpoint } = this;
    if (endpoint) {
      endpoint.leased++;
      endpoint.picks++;
    }
  }

  /** Lets the program end although one of its leases is under way. For the lease to call. */
  letGo(): void {
    this.#quiet++;
    this.#unrefIfQuiet();
  }

  /**
   * Reverts `letGo`. For the lease to call.
   *
   * @param ends Whether the lease ends this moment, and need not keep the program alive
   */
  hold(ends: boolean): void {
    if (!ends && this.#leases === this.#quiet && this.#state !== "closed") this.socket.ref();
    this.#quiet--;
  }

  /** Ends a lease; a draining connection stays so. For its manager to call. */
  endLease(now: number, wallNow: number): void {
    if (this.#leases === 0) throw new Error(`Connection ${this.id} has no lease to end`);
    this.lastUsedAt = now;
    this.#wallAheadMs = wholeMs(wallNow - now);
    if (this.endpoint) this.endpoint.leased--;
    if (--this.#leases === 0) {
      if (!this.#rarities?.keepsSink) this.#sink = undefined;
      if (this.#state === "leased") this.#move("idle");
    }
    this.#unrefIfQuiet();
  }

  get #rare(): Rarities {
    return this.#rarities ??= new Rarities();
  }

  #unrefIfQuiet(): void {
    if (this.#leases === this.#quiet && this.#state !== "closed") this.socket.unref();
  }

  /** Lets no further lease begin. For its manager to call: see `ConnectionManager.drain()`. */
  drain(): void {
    if (this.#state !== "closed") this.#move("draining");
  }

  /** Ends it with FIN, after what is written and the protocol's last words. Harmless to repeat. */
  close(): void {
    if (this.#state !== "closed") this.#rarities?.resident?.onClosing();
    this.#end(undefined, true);
    this.socket.close();
  }

  /** Ends it at once. Harmless to repeat. */
  destroy(error?: Error): void {
    this.#end(error, true);
    this.socket.destroy(error);
  }

  #onUnsolicited(): void {
    this.healthy = false;
    if (this.requestCount === 0) this.#rare.unserved = true;
    if (this.#owner) this.#owner.onUnsolicited(this);
    else this.destroy();
  }

  /** Changes its state, and what its endpoint counts. */
  #move(state: ConnectionState): void {
    const { endpoint } = this;
    if (endpoint) {
      if (this.#state === "leased") endpoint.busy--;
      else if (this.#state === "draining") endpoint.draining--;
      if (state === "leased") endpoint.busy++;
      else if (state === "draining") endpoint.draining++;
    }
    this.#state = state;
    this.#countSlots();
  }

  #countSlots(): void {
    const isOpen = this.#healthy && (this.#state === "idle" || this.#state === "leased");
    const slots = isOpen ? this.#capacity : 0;
    if (slots === this.#slots) return;
    // The maps count it when it is added and when it leaves.
    if (this.#owner) this.endpoint?.addSlots(slots - this.#slots);
    const isLoss = slots < this.#slots;
    this.#slots = slots;
    if (isLoss) this.#owner?.onLoss(this);
  }

  #end(error: Error | undefined, here: boolean): void {
    if (here && this.#state !== "closed") this.#rare.endedHere = true;
    this.#move("closed");
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.onClosed(this, error, here);
  }

  /**
   * Passes on what the peer sent. For its socket to call.
   *
   * @internal
   */
  onData(bytes: Uint8Array): void {
    this.#isHeard = true;
    if (this.endpoint) this.endpoint.bytesIn += bytes.length;
    const sink = this.#sink ?? this.#rarities?.resident;
    if (sink) sink.onData(bytes);
    else this.#onUnsolicited();
  }

  /**
   * Passes on that the socket takes more. For its socket to call.
   *
   * @internal
   */
  onDrain(): void {
    (this.#sink ?? this.#rarities?.resident)?.onDrain();
  }

  /**
   * Ends it with its socket. For its socket to call, once.
   *
   * @internal
   */
  onClose(error?: Error): void {
    const sink = this.#sink ?? this.#rarities?.resident;
    const rare = this.#rare;
    this.#sink = rare.resident = undefined;
    // A first lease that is still under way has not served.
    const isFresh = this.requestCount === this.#leases && !this.#isHeard;
    rare.unserved = this.#state !== "closed" && isFresh;
    this.#end(error, false);
    rare.isDone = true;
    rare.resolveClosed?.();
    sink?.onClose(error);
  }
}

function wholeMs(ms: number): number {
  // Minus zero is not a small integer.
  return Math.floor(ms) || 0;
}
