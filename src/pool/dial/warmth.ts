/**
 * Keeps hosts warm.
 *
 * @module
 */

import { LimitError } from "../../core/errors.ts";
import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Reporter } from "../watch/reporter.ts";
import type { Dials } from "./dials.ts";
import type { Membership } from "./membership.ts";

/**
 * A look counts all of a host's connections, whatever it was woken for. To take only a small share
 * of the time, the next look is delayed by a millisecond for each hundred of them.
 */
const COUNTED_A_MS = 100;

/** What a look at a host that is kept warm found. */
export interface WarmLook {
  /** When it is to be looked at again, in the clock's milliseconds; or `Infinity`. */
  readonly lookAt: number;
  /** Whether it would dial more, if fewer dials were on their way. */
  readonly isCrowded: boolean;
}

/** Dials what hosts lack of their warm targets. */
export class Warmth {
  readonly #manager: ConnectionManager;
  readonly #dials: Dials;
  readonly #membership: Membership;
  readonly #reporter: Reporter;

  /** Makes it; no host has been looked at. */
  constructor(
    manager: ConnectionManager,
    dials: Dials,
    membership: Membership,
    reporter: Reporter,
  ) {
    this.#manager = manager;
    this.#dials = dials;
    this.#membership = membership;
    this.#reporter = reporter;
  }

  /** Dials what is missing, and ends the waits for it that are over. */
  look(queue: HostQueue): WarmLook {
    const now = this.#reporter.now;
    const { lane, warm } = queue;
    const restsUntil = warm.lookedAt + Math.floor(lane.connectionCount / COUNTED_A_MS);
    const isAwaited = warm.warmUps.size > 0;
    if (!isAwaited && now < restsUntil) return { lookAt: restsUntil, isCrowded: false };
    const census = countFresh(
      queue,
      now,
      (connection) => this.#manager.checkout.endsAt(connection, now),
    );
    const { counts, freshUntil, open } = census;
    const { accountant } = this.#manager;
    const isWell = (endpoint: Endpoint) => !endpoint.isSlow && endpoint.dueAt <= now;
    const mayDial = (endpoint: Endpoint) =>
      this.#dials.mayBegin(queue) && isWell(endpoint)
      && accountant.blockedBy(queue.host.text, endpoint.address.text) === undefined;
    const plan = { target: warm.connections, counts, mayDial };
    const short = dialToWarm(plan, (endpoint) => this.#dials.begin(queue, endpoint));
    const due = short > 0 ? nextDue(counts.keys(), now) : Infinity;
    // Too many dials are under way: it goes on when one of them has ended.
    const isHeldBack = short > 0 && !this.#dials.mayBegin(queue);
    if (!isHeldBack) warm.lookedAt = now;
    const isAsked = short > 0
      && [...counts.keys()].some((endpoint) =>
        isWell(endpoint) && accountant.awaitsPermits(queue.host.text, endpoint.address.text)
      );
    const permittedBy = this.#settle(queue, open, isHeldBack, due, isAsked);
    return {
      lookAt: Math.min(due, freshUntil, permittedBy),
      isCrowded: isHeldBack,
    };
  }

  /**
   * Notes progress with those who wait, and ends the waits that are over.
   *
   * @returns When the first of them gives up to wait for the fleet; or `Infinity`
   */
  #settle(
    queue: HostQueue,
    open: number,
    isHeldBack: boolean,
    due: number,
    isAsked: boolean,
  ): number {
    const { events, now } = this.#reporter;
    let nextPermittedBy = Infinity;
    const { dials, host, warm } = queue;
    for (const warmUp of warm.warmUps) {
      const { target } = warmUp;
      const done = Math.min(open, target);
      if (warmUp.progress(done) && events.wants("warm")) {
        events.emit("warm", { host: host.text, done, total: target });
      }
      const permittedBy = isAsked ? warmUp.permittedBy(now) : 0;
      const goesOn = isHeldBack || dials.size > 0 || permittedBy > now
        || (due < Infinity && warmUp.retry(due));
      if (open < target && goesOn) {
        if (permittedBy > now) nextPermittedBy = Math.min(nextPermittedBy, permittedBy);
        continue;
      }
      warm.leave(warmUp);
      warmUp.settle(open, () => this.#whyNone(queue));
    }
    return nextPermittedBy;
  }

  /** Says why a warm-up ended with nothing open and nothing failed. */
  #whyNone(queue: HostQueue): Error {
    const told = queue.toldAddresses ?? [];
    const { accountant } = this.#manager;
    const { text } = queue.host;
    const capped = told.find((address) => accountant.awaitsPermits(text, address.text));
    if (capped) return new LimitError("ip", accountant.limits.maxConnectionsPerIp, capped.text);
    const allDenied = told.every((address) => this.#membership.isDenied(queue, address));
    return this.#membership.whyNone(queue, allDenied ? told : []);
  }
}

/** What is known of a host that is to be kept warm. */
interface WarmPlan {
  /** How many connections it is to have. */
  readonly target: number;
  /** Its endpoints, each with the connections there: those that are open, and promising dials. */
  readonly counts: Map<Endpoint, number>;
  /** Whether an endpoint may be dialled now, so far as limits and its failures go. */
  readonly mayDial: (endpoint: Endpoint) => boolean;
}

/**
 * Chooses endpoints to dial, one after another, and begins each dial: every one gets its share
 * of the target, and those that may be dialled do the work of those that may not.
 *
 * @returns How many connections are missing still, in all or of an address's share
 */
function dialToWarm(
  { counts, mayDial, target }: WarmPlan,
  dial: (endpoint: Endpoint) => void,
): number {
  const share = Math.floor(target / counts.size);
  let missing = target;
  for (const count of counts.values()) missing -= count;
  for (;;) {
    const next = coldest(counts, missing > 0 ? Infinity : share, mayDial);
    if (!next) break;
    missing--;
    counts.set(next, (counts.get(next) ?? 0) + 1);
    dial(next);
  }
  let short = Math.max(0, missing);
  for (const count of counts.values()) short = Math.max(short, share - count);
  return short;
}

/** The endpoint with the fewest connections, below a number, that may be dialled. */
function coldest(
  counts: ReadonlyMap<Endpoint, number>,
  below: number,
  mayDial: (endpoint: Endpoint) => boolean,
): Endpoint | undefined {
  let coldest: Endpoint | undefined;
  let fewest = below;
  for (const [endpoint, count] of counts) {
    if (count >= fewest || !mayDial(endpoint)) continue;
    coldest = endpoint;
    fewest = count;
  }
  return coldest;
}

/** What a host has that is warm. */
interface WarmCensus {
  /** Each endpoint with its connections that stay for a while, and promising dials. */
  readonly counts: Map<Endpoint, number>;
  /** How many connections are open, including those that will not stay. */
  readonly open: number;
  /** When the first of them will not stay for a while any more, in the clock's milliseconds. */
  readonly freshUntil: number;
}

/**
 * How long before its end a connection is replaced: several times what a dial takes, at least this
 * many milliseconds, and at the most a share of its time, or of its server's patience.
 */
const AHEAD = { dials: 3, ms: 1_000, share: 0.25 };

/** When a connection that ends at a time should be replaced. */
export function freshUntil(
  queue: HostQueue,
  { createdAt, serverIdleMs }: Connection,
  endsAt: number,
): number {
  const aheadMs = Math.max(AHEAD.ms, AHEAD.dials * queue.demand.dialMs);
  return endsAt - Math.min(aheadMs, Math.min(endsAt - createdAt, serverIdleMs) * AHEAD.share);
}

/**
 * Counts what is warm. A connection that is about to end, or takes nothing new, does not count any
 * more, so it is replaced while it still serves.
 */
function countFresh(
  queue: HostQueue,
  now: number,
  endsAt: (connection: Connection) => number,
): WarmCensus {
  const counts = new Map<Endpoint, number>();
  let open = 0;
  let next = Infinity;
  for (const endpoint of queue.lane.endpoints.values()) {
    if (!endpoint.member) continue;
    open += endpoint.connections.size;
    // Callers go elsewhere, so others are kept warm instead.
    if (endpoint.spare && queue.lane.hasGood) continue;
    let fresh = 0;
    for (const connection of endpoint.connections) {
      if (connection.state === "draining" || !connection.healthy) continue;
      const staleAt = freshUntil(queue, connection, endsAt(connection));
      if (staleAt <= now) continue;
      fresh++;
      next = Math.min(next, staleAt);
    }
    counts.set(endpoint, fresh);
  }
  for (const { endpoint } of queue.promisingDials()) {
    const count = counts.get(endpoint);
    if (count !== undefined) counts.set(endpoint, count + 1);
  }
  return { counts, open, freshUntil: next };
}

/** When the first of the failed endpoints is due again; Infinity where none has failed. */
function nextDue(endpoints: Iterable<Endpoint>, now: number): number {
  let next = Infinity;
  for (const { dueAt } of endpoints) if (dueAt > now) next = Math.min(next, dueAt);
  return next;
}
