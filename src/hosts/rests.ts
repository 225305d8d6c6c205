/**
 * Machines that say to come back later: which of them are left alone, and until when.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";
import type { Endpoint, EndpointOwner } from "../map/endpoint.ts";

/** What a machine last said about when to come back: plain data. */
export interface ToldLater {
  /** The status that it answered. */
  readonly status: number;
  /** When it said so, in milliseconds since 1970. */
  readonly since: number;
  /** Until when, by the machine, in milliseconds since 1970. The pool's limits are not applied. */
  readonly until: number;
  /**
   * Until when callers go elsewhere, in milliseconds since 1970; null if they do not, because of
   * its status, or because more than half of the host's machines say so.
   */
  readonly restsUntil: number | null;
}

/** What all machines of a host have said: times are in milliseconds since 1970. */
export interface AllTold {
  /** Since when all have. */
  readonly since: number;
  /** When the first of them may be asked again. */
  readonly until: number;
  /** What they answered. */
  readonly statuses: readonly number[];
}

/** What is reported about machines that say to come back later. */
export interface RestEvents {
  /** A machine has said to come back later, or much later than before. */
  onToldLater(endpoint: Endpoint, told: ToldLater): void;
  /**
   * A machine that was left alone has callers again.
   *
   * @param everywhere Whether none of its host's callers leave it alone any more
   */
  onRested(endpoint: Endpoint, everywhere: boolean): void;
}

/** By how much a time must be later than the last one to be news, in milliseconds. */
const NEWS_MS = 1_000;

interface Word {
  readonly status: number;
  readonly since: number;
  readonly until: number;
  /** Until when it would have callers go elsewhere; 0 if its status does not count. */
  readonly asksUntil: number;
}

/**
 * Keeps what machines have said about when to come back, and has their lanes leave them alone. If
 * more than half of a host's machines ask, none is left alone: then the host itself is overloaded,
 * and the others would get all of it.
 */
export class Rests {
  readonly #clock: Clock;
  readonly #slowStartMs: number;
  readonly #events: RestEvents;
  readonly #words = new Map<Endpoint, Word>();
  /** The timers that end the rests. */
  readonly #timers = new Map<Endpoint, Timer>();

  /**
   * Makes an empty one.
   *
   * @param slowStartMs Over what time the load of one that is back grows, in milliseconds
   */
  constructor(clock: Clock, slowStartMs: number, events: RestEvents) {
    this.#clock = clock;
    this.#slowStartMs = slowStartMs;
    this.#events = events;
  }

  /**
   * Notes that a machine has said to come back later. What it said before holds if it is for
   * longer.
   *
   * @param forMs For how long, by the machine, in milliseconds
   * @param restMs For how long it is to be left alone at the most; 0 if it is not
   * @param others The same machine, as callers of its host know it who ask for other TLS parameters
   */
  note(
    endpoint: Endpoint,
    status: number,
    forMs: number,
    restMs: number,
    others: Iterable<Endpoint> = [],
  ): void {
    if (endpoint.forgotten || forMs <= 0) return;
    const isNews = this.#keep(endpoint, status, forMs, restMs);
    for (const other of others) {
      if (!other.forgotten) this.#keep(other, status, forMs, restMs);
    }
    if (isNews) this.#events.onToldLater(endpoint, this.of(endpoint)!);
  }

  /** Returns whether it is news. */
  #keep(endpoint: Endpoint, status: number, forMs: number, restMs: number): boolean {
    const now = this.#clock.now();
    const until = now + forMs;
    const last = this.#words.get(endpoint);
    const held = last && last.until > now ? last : undefined;
    this.#words.set(endpoint, {
      status: held && held.until > until ? held.status : status,
      since: held?.since ?? now,
      until: Math.max(held?.until ?? 0, until),
      asksUntil: Math.max(held?.asksUntil ?? 0, restMs > 0 ? now + Math.min(restMs, forMs) : 0),
    });
    if (restMs > 0) this.#settle(endpoint.lane, now);
    return !held || until >= held.until + NEWS_MS;
  }

  /** Whether there is anything to know. */
  get any(): boolean {
    return this.#words.size > 0;
  }

  /** What a machine has said, if that still holds. */
  of(endpoint: Endpoint): ToldLater | undefined {
    const word = this.#words.get(endpoint);
    if (!word || word.until <= this.#clock.now()) return undefined;
    const { asksUntil, since, status, until } = word;
    return { status, since, until, restsUntil: endpoint.resting ? asksUntil : null };
  }

  /**
   * Since when all machines of a host have said to come back later, and when the first of them may be
   * asked again; undefined if one has not.
   */
  allTold(lane: { readonly endpoints: ReadonlyMap<string, Endpoint> }): AllTold | undefined {
    if (this.#words.size === 0) return undefined;
    let since = 0;
    let until = Infinity;
    const statuses = new Set<number>();
    for (const endpoint of lane.endpoints.values()) {
      if (!endpoint.member) continue;
      const told = this.of(endpoint);
      if (!told) return undefined;
      since = Math.max(since, told.since);
      until = Math.min(until, told.until);
      statuses.add(told.status);
    }
    return statuses.size > 0 ? { since, until, statuses: [...statuses].sort() } : undefined;
  }

  /**
   * When the first of some endpoints may be asked again, in the clock's milliseconds: 0 if one of
   * them has not asked to be left alone, or there is none.
   */
  until(endpoints: Iterable<Endpoint>): number {
    const now = this.#clock.now();
    let until = Infinity;
    for (const endpoint of endpoints) {
      const asksUntil = this.#words.get(endpoint)?.asksUntil ?? 0;
      if (asksUntil <= now) return 0;
      until = Math.min(until, asksUntil);
    }
    return until === Infinity ? 0 : until;
  }

  /** Forgets what no longer holds. */
  forgetOld(): void {
    const now = this.#clock.now();
    for (const [endpoint, { until }] of this.#words) {
      if (until > now && !endpoint.forgotten) continue;
      this.#words.delete(endpoint);
      if (!endpoint.forgotten) continue;
      this.#timers.get(endpoint)?.cancel();
      this.#timers.delete(endpoint);
    }
  }

  /** Ends its timers. */
  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#words.clear();
  }

  /** Leaves alone the machines that ask for it, or none if too many do. */
  #settle(lane: EndpointOwner, now: number): void {
    const asking = [...lane.endpoints.values()].filter((endpoint) =>
      endpoint.member && (this.#words.get(endpoint)?.asksUntil ?? 0) > now
    );
    const tooMany = asking.length * 2 > lane.memberCount;
    for (const endpoint of asking) {
      if (endpoint.resting && tooMany) this.#end(endpoint);
      else if (!endpoint.resting && !tooMany && lane.mayDoubt) this.#begin(endpoint);
    }
  }

  #begin(endpoint: Endpoint): void {
    endpoint.lane.setResting(endpoint, true);
    this.#look(endpoint);
  }

  /** Ends a rest that is over; one that has been extended goes on. */
  #look(endpoint: Endpoint): void {
    const now = this.#clock.now();
    const asksUntil = this.#words.get(endpoint)?.asksUntil ?? 0;
    if (asksUntil > now) {
      const timer = this.#clock.setTimer(() => this.#look(endpoint), asksUntil - now);
      this.#timers.set(endpoint, timer);
      return;
    }
    endpoint.startSlowly(now, this.#slowStartMs);
    this.#end(endpoint);
  }

  #end(endpoint: Endpoint): void {
    this.#timers.get(endpoint)?.cancel();
    this.#timers.delete(endpoint);
    endpoint.lane.setResting(endpoint, false);
    this.#events.onRested(endpoint, !this.#restsElsewhere(endpoint));
  }

  /** Whether callers with other TLS parameters still leave it alone. */
  #restsElsewhere({ address, lane }: Endpoint): boolean {
    for (const other of this.#timers.keys()) {
      if (other.lane.host === lane.host && other.address.text === address.text) return true;
    }
    return false;
  }
}
