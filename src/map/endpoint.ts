/**
 * One host at one address with one TLS profile: its connections, and what is known of it that helps
 * to choose.
 *
 * @module
 */

import { type Address, parseAddress } from "../core/address.ts";
import { Histogram } from "../core/histogram.ts";
import { LinkedList, ListNode } from "../core/list.ts";
import type { Connection, ConnectionPlace } from "./connection.ts";

/** A connection's place in the maps. */
export class Entry {
  /** The connection. */
  readonly connection: Connection;
  /** The endpoint it belongs to. */
  readonly endpoint: Endpoint;
  /** Its place on a stack of its endpoint, or on none. */
  readonly stackNode: ListNode<Entry> = new ListNode<Entry>(this);
  /** Its place among all idle connections, or in none. */
  readonly idleNode: ListNode<Entry> = new ListNode<Entry>(this);

  /** Made by the maps. */
  constructor(connection: Connection, endpoint: Endpoint) {
    this.connection = connection;
    this.endpoint = endpoint;
  }
}

/**
 * How an endpoint stands with those who choose. A closed set.
 *
 * - `good`: the balancer chooses among these
 * - `doubtful`: it failed recently; used if there is no good one, and for a trial
 * - `ejected`: it failed too often; left alone, unless too few are good
 * - `gone`: the host no longer has it, or it may not be used; only callers who name it get it
 */
export type Standing = "good" | "doubtful" | "ejected" | "gone";

/** What an endpoint reports its changes to, and belongs to: its lane. */
export interface EndpointOwner {
  /** The host. */
  readonly host: string;
  /** The name of the TLS profile. */
  readonly tlsProfile: string;
  /** How many connections there are to all of its endpoints. */
  readonly connectionCount: number;
  /** Whether it is kept although it has no connections. */
  readonly kept: boolean;
  /** Whether its balancer is called even if there is nothing to choose. */
  readonly isAsked: boolean;
  /** Whether one more endpoint may be ejected. */
  readonly mayEject: boolean;
  /** Whether one more good endpoint may be doubted on hearsay, or left alone. */
  readonly mayDoubt: boolean;
  /** Its endpoints, by their addresses. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** How many addresses the host has. */
  readonly memberCount: number;
  /** Whether any of the host's addresses is good. */
  readonly hasGood: boolean;
  /** How often an endpoint was chosen. */
  readonly choices: number;
  /** Adds to the leases that its connections can carry at once. */
  addSlots(slots: number): void;
  /** Notes that an endpoint was chosen, for a lease or a dial. */
  noteChoice(endpoint: Endpoint): void;
  /** Notes that an endpoint's load has changed. */
  noteLoad(endpoint: Endpoint): void;
  /** Notes whether an endpoint has a connection to lease, after its stacks have changed. */
  noteReady(endpoint: Endpoint): void;
  /** Notes how an endpoint stands from now on, and when it is due for a trial. */
  setStanding(endpoint: Endpoint, standing: Standing, dueAt?: number): void;
  /** Notes whether an endpoint is left alone because it asked for that, whatever its standing. */
  setResting(endpoint: Endpoint, resting: boolean): void;
  /** Notes that an endpoint's trial is over, whatever its outcome. */
  endTrial(endpoint: Endpoint): void;
  /** Lets no caller's lease be an endpoint's trial before a time, in the clock's milliseconds. */
  hold(endpoint: Endpoint, until: number): void;
}

/** How fast an observed latency is forgotten, in milliseconds: by two thirds in this time. */
const LATENCY_DECAY_MS = 10_000;

/** Two bytes for each of 120 buckets: there may be many endpoints. */
const LATENCIES = { relativeError: 0.125, remember: 1_024 };

/** The first answers are all recorded; of the others a few are enough, and cost nothing. */
const SAMPLE = { all: 512, oneIn: 17 };

/**
 * When a server's silence is out of the ordinary: after `times` the 99th percentile of what it
 * takes, looked at after `every` samples; never before `leastMs`; and after `firstMs`
 * while fewer than `samples` were seen.
 */
const PATIENCE = { times: 1.25, every: 16, leastMs: 20, firstMs: 1_000, samples: 32 };

/** The share of its load that a new or returning address starts with. */
const FIRST_SHARE = 0.1;

/** A server that hangs up within this time, in milliseconds, does so because it has answered. */
const AT_ONCE_MS = 50;

/**
 * The shortest idle time after which a hang-up says something about the server, in milliseconds.
 */
const LEAST_IDLE_MS = 1_000;

/** How far apart two idle times may be to agree: a share of the longer, or milliseconds. */
const AGREEMENT = { share: 0.1, ms: 250 };

/** How far apart two hang-ups must be to be two: a share of the idle time, and milliseconds. */
const APART = { share: 0.25, ms: 250 };

/** How much less than its server keeps it a connection is trusted, in milliseconds. */
const IDLE_MARGIN_MS = 2_000;

/** How long what was learned of a server holds, in milliseconds. */
const LEARNED_FOR_MS = 600_000;

/** The connections of one host with one TLS profile at one address, and the figures of these. */
export class Endpoint implements ConnectionPlace {
  /** The lane it belongs to. */
  readonly lane: EndpointOwner;
  /** The address. */
  readonly address: Address;
  /** Every connection, in order of arrival. */
  readonly connections: Set<Connection> = new Set();
  /** The idle ones: the one used last at the front. */
  readonly idle: LinkedList<Entry> = new LinkedList();
  /** Those in use that can carry more leases (never one of capacity 1). */
  readonly partial: LinkedList<Entry> = new LinkedList();
  /** Whether the host is known to have the address now. */
  member = false;
  /** Whether its lane has forgotten it: then only leases that have not ended still know it. */
  forgotten = false;
  /** How it stands. Changed by its lane. */
  standing: Standing = "good";
  /** Since when it has this standing, in the clock's milliseconds. Changed by its lane. */
  standingSince = 0;
  /** Whether callers go elsewhere, because it said to come back later. Changed by its lane. */
  resting = false;
  /**
   * Whether callers go elsewhere, because its weight is 0 and others have one. Changed by its lane.
   */
  spare = false;
  /** Whether it has failures that its next success forgives. */
  failing = false;
  /** Its last failure, while it has failures. */
  lastError: unknown = undefined;
  /** When a dial there last failed, for whichever host, in the clock's milliseconds; 0: never. */
  dialFailedAt = 0;
  /** When it may be tried again after failures, in the clock's milliseconds. */
  dueAt = 0;
  /** Whether a lease is under way that decides whether it is back. Changed by its lane. */
  onTrial = false;
  /** Its weight, beside the others of its host. Changed by its lane. */
  weight = 1;
  /** The name that its certificate must be for, if not the host. */
  serverName: string | undefined = undefined;
  /** Whether its source says that it speaks HTTP/2; undefined if it does not say. */
  multiplexes: boolean | undefined = undefined;
  /** When it last answered as it should, in the clock's milliseconds; 0 if it never did. */
  answeredAt = 0;
  /**
   * When an answer last began that was not complete at once, in the clock's milliseconds; 0: never.
   */
  heardAt = 0;
  /** Whether its server was seen to keep a connection after its first answer. */
  keepsOpen = false;
  /** After how long without a byte of an answer its silence is out of the ordinary. */
  patienceMs: number = PATIENCE.firstMs;
  /** How many fresh connections in a row ended at once, with none that served in between. */
  hangUps = 0;
  /** Leases under way. */
  leased = 0;
  /** Connections in use. */
  busy = 0;
  /** Connections in use for the last time. */
  draining = 0;
  /** Connections that are marked unhealthy, and still held. */
  unhealthy = 0;
  /** Connections whose leases are streams. */
  multiplexed = 0;
  /** How many leases its connections can carry at once. */
  slots = 0;
  /** How many a connection there carried at once recently; 0 if unknown. */
  streams = 0;
  /** Whether another pool has said so. */
  streamsHeard = false;
  /** Dials under way. */
  dialing = 0;
  /** How many of them have taken so long that nobody should count on them. */
  slowDials = 0;
  /** Leases that began, ever. */
  picks = 0;
  /** Bytes received and sent, ever, inside TLS. */
  bytesIn = 0;
  bytesOut = 0;
  /** Answers by the first digit of their status; undefined if there was none yet. */
  statuses: number[] | undefined = undefined;
  /** How often it was ejected, ever. */
  ejections = 0;
  /**
   * When the first certificate of the chain that was verified last expires, in milliseconds since
   * 1970; undefined if the runtime does not say.
   */
  certificateEndsAt: number | undefined = undefined;
  /** The number, among its lane's choices, of the last time it was chosen. */
  lastChoice = 0;
  /**
   * When a caller's lease may first be its trial, even if it is due before; until then checks try
   * it.
   */
  heldUntil = 0;
  /** Its places in the pickers: among the ready ones, and among the good ones; or -1. */
  readonly places: [ready: number, good: number] = [-1, -1];
  /** How long a sample of its recent answers took; undefined before the first. */
  latencies: Histogram | undefined = undefined;
  #latencyMs = 0;
  #latencyAt = 0;
  #slowStartAt = 0;
  #slowStartMs = 0;
  #hangUp: { readonly idleMs: number; readonly at: number } | undefined;
  #learnedIdleMs = Infinity;
  #learnedUntil = 0;
  #heardIdleMs = Infinity;
  #heardUntil = 0;
  #answers = 0;
  #samples = 0;

  /** Made by its lane. */
  constructor(lane: EndpointOwner, address: Address | string) {
    this.lane = lane;
    this.address = typeof address === "string" ? parseAddress(address) : address;
  }

  /** Counts leases that its connections can carry at once, besides those counted already. */
  addSlots(slots: number): void {
    this.slots += slots;
    this.lane.addSlots(slots);
  }

  /** Whether it has a connection to lease. */
  get ready(): boolean {
    return this.idle.size > 0 || this.partial.size > 0;
  }

  /** Whether the balancer chooses it among the others. */
  get chosen(): boolean {
    return this.standing === "good" && !this.resting && !this.spare;
  }

  /** When a lease may be its trial, in the clock's milliseconds. */
  get trialAt(): number {
    return Math.max(this.dueAt, this.heldUntil);
  }

  /** The connection to lease next: a shared one before an idle one, the hottest idle one first. */
  get next(): Entry | undefined {
    return (this.partial.front ?? this.idle.front)?.value;
  }

  /** Whether a dial there has taken so long that nobody should count on it. */
  get isSlow(): boolean {
    return this.slowDials > 0;
  }

  /** Its load now: leases, and dials that will become some. */
  get load(): number {
    return this.leased + this.dialing;
  }

  /**
   * Notes how long its server took, in milliseconds. A slower answer than before counts at once,
   * faster ones little by little (after the "peak EWMA" of Twitter's Finagle).
   */
  noteLatency(ms: number, now: number): void {
    if (ms < this.#latencyMs) {
      const kept = decay(now - this.#latencyAt);
      this.#latencyMs = this.#latencyMs * kept + ms * (1 - kept);
    } else this.#latencyMs = ms;
    this.#latencyAt = now;
  }

  /** Notes an answer's status. */
  noteStatus(status: number): void {
    this.statuses ??= [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    this.statuses[(status / 100) | 0]!++;
  }

  /** Notes how long an answer took, in milliseconds. */
  noteAnswer(ms: number, now: number): void {
    this.noteLatency(ms, now);
    const answers = this.#answers++;
    if (answers < SAMPLE.all || answers % SAMPLE.oneIn === 0) this.#sample(ms);
  }

  #sample(ms: number): void {
    const latencies = this.latencies ??= new Histogram(LATENCIES);
    latencies.record(ms);
    if (++this.#samples < PATIENCE.samples || this.#samples % PATIENCE.every !== 0) return;
    this.patienceMs = Math.max(PATIENCE.leastMs, PATIENCE.times * latencies.percentile(99)!);
  }

  /** How long its server is expected to take, in milliseconds; 0 if nothing is known. */
  latencyMs(now: number): number {
    return this.#latencyMs * decay(now - this.#latencyAt);
  }

  /**
   * Notes that its server hung up, in good order, on a connection that had been idle for `idleMs`
   * milliseconds. Two in a row that agree, and came at different moments, show how long it keeps
   * one: a server that restarts hangs up on all at once, whatever their idle times.
   */
  noteHangUp(idleMs: number, now: number): void {
    if (idleMs < AT_ONCE_MS) this.keepsOpen = false;
    if (idleMs < LEAST_IDLE_MS) return;
    const last = this.#hangUp;
    const agrees = last !== undefined && Math.abs(idleMs - last.idleMs)
        <= Math.max(AGREEMENT.share * Math.max(idleMs, last.idleMs), AGREEMENT.ms);
    // One at the same moment does not count as a second, and what comes after both is compared with the first.
    if (agrees && now - last.at < Math.max(APART.share * idleMs, APART.ms)) return;
    this.#hangUp = { idleMs, at: now };
    if (!agrees) return;
    const keptMs = Math.min(idleMs, last.idleMs);
    this.#learnedIdleMs = Math.max(keptMs - IDLE_MARGIN_MS, keptMs / 2);
    this.#learnedUntil = now + LEARNED_FOR_MS;
  }

  /**
   * How long an unused connection can be trusted, in milliseconds: by what its server was seen to
   * do, or else by what other pools have seen.
   */
  trustedIdleMs(now: number): number {
    if (now < this.#learnedUntil) return this.#learnedIdleMs;
    return now < this.#heardUntil ? this.#heardIdleMs : Infinity;
  }

  /** The same, by what was seen here only; 0 if nothing was. */
  ownIdleMs(now: number): number {
    return now < this.#learnedUntil ? this.#learnedIdleMs : 0;
  }

  /** Notes the same by what other pools have seen, which holds until a time. */
  hearIdle(ms: number, until: number): void {
    this.#heardIdleMs = ms;
    this.#heardUntil = until;
  }

  /** Lets its load grow from a tenth to all of its share, over a time in milliseconds. */
  startSlowly(now: number, ms: number): void {
    this.#slowStartAt = now;
    this.#slowStartMs = ms;
  }

  /** How much of its share of the load it gets now, from a tenth to 1. */
  share(now: number): number {
    if (this.#slowStartMs === 0) return 1;
    const passed = (now - this.#slowStartAt) / this.#slowStartMs;
    if (passed < 1) return FIRST_SHARE + (1 - FIRST_SHARE) * Math.max(0, passed);
    this.#slowStartMs = 0;
    return 1;
  }
}

/** The endpoint that a connection belongs to; undefined if it never was in any maps. */
export function endpointOf({ endpoint }: Connection): Endpoint | undefined {
  return endpoint instanceof Endpoint ? endpoint : undefined;
}

/** How much something still counts that was seen `elapsedMs` milliseconds ago. */
function decay(elapsedMs: number): number {
  if (elapsedMs <= 0) return 1;
  // For so short a time a straight line is good enough, and costs less.
  return elapsedMs < LATENCY_DECAY_MS / 100
    ? 1 - elapsedMs / LATENCY_DECAY_MS
    : Math.exp(-elapsedMs / LATENCY_DECAY_MS);
}
