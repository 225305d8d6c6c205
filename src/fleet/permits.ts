/**
 * What a member may have of the fleet's caps, and what it has.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";
import type { FleetPermits } from "./fleet.ts";
import { type PermitClaim, reserveOf, type SyncReply } from "./store.ts";

/** When a member's permits hold. */
export interface PermitTimes {
  /** How long permits are used without another answer from the store, in milliseconds. */
  readonly leaseMs: number;
  /** After how long a silence the store may give it to others, in milliseconds. */
  readonly goneAfterMs: number;
  /** What a member that is cut off does: it goes on with its share, or stops before that time. */
  readonly alone: "share" | "stop";
}

/** What the permits notify. */
export interface PermitEvents {
  /** A dial was wanted and not permitted. */
  onLack(): void;
  /** A connection has surely ended, and its permits are free. */
  onCleared(keys: readonly string[]): void;
}

/**
 * How long a connection that was closed here still counts, in milliseconds: the machine may not
 * have noticed. Longer for a failed dial, whose socket nobody saw close.
 */
const SEEN_MS = 50;
const UNSEEN_MS = 250;

/** One cap, as one member sees it. */
interface Cap {
  readonly key: string;
  cap: number;
  /** Connections, including those that are ending, and dials. */
  used: number;
  /** How many of them are ending. */
  leaving: number;
  /** How many it may have, as long as the lease holds. */
  count: number;
  /** The most that were used in this period, and in the last. */
  peak: number;
  lastPeak: number;
  /** The most that it was given in this period, and in the last: it is kept for as long, used or not. */
  given: number;
  lastGiven: number;
  /** How many it wants. */
  wish: number;
  /** Whether a dial was wanted and not permitted. */
  short: boolean;
  /** Whether its wish was not fulfilled, and stands until it is offered again. */
  lacks: boolean;
  dirty: boolean;
  /** What was claimed last. */
  claimed: number;
}

/** When something happened, by a clock that only moves forward and by the one on the wall. */
export interface Moment {
  readonly now: number;
  readonly wall: number;
}

/** The effect of an answer. */
export interface Answered {
  /** Keys with more permits than before. */
  readonly grown: readonly string[];
  /** Keys with more connections than permits. */
  readonly shrunk: readonly string[];
  /** Keys of which other members have to give some back. */
  readonly lacking: readonly string[];
}

/**
 * Counts connections against permits. It never asks the store: it says what changed, and is told
 * the outcome. Times are taken before a request is sent, so that a lease ends here before it can
 * end there.
 */
export class Permits implements FleetPermits {
  readonly #clock: Clock;
  readonly #times: PermitTimes;
  readonly #caps = new Map<string, Cap>();
  /** When the request was sent that the store answered last. */
  #sentAt: Moment | undefined;
  /** When it was last looked at: a longer pause than a lease means that the process stood still. */
  #seenAt: Moment;
  /** When the process was last found to have stood still, or began. */
  #resumedAt: number;
  /** Whether it has been tried since then to reach the store, well or not. */
  #checked = false;
  #members = 1;
  #events: PermitEvents | undefined;
  readonly #timers = new Set<Timer>();
  #closed = false;
  #periodAt: number;

  /** Makes it; nothing is permitted. */
  constructor(clock: Clock, times: PermitTimes) {
    this.#clock = clock;
    this.#times = times;
    this.#seenAt = this.moment();
    this.#periodAt = this.#resumedAt = clock.now();
  }

  /** Sets the listener for what is wanted, and for what has become free. */
  listen(events: PermitEvents): void {
    this.#events = events;
  }

  /** This moment. */
  moment(): Moment {
    return { now: this.#clock.now(), wall: this.#clock.wallNow() };
  }

  /** Whether the store has not answered for longer than a lease. */
  get alone(): boolean {
    return this.#silentMs() >= this.#times.leaseMs;
  }

  /** How many connections a cap lets this member have now. */
  allowance(key: string, cap: number): number {
    return this.#allowance(this.#caps.get(key), cap);
  }

  /** How many connections are counted for a key, including those that are ending. */
  used(key: string): number {
    return this.#caps.get(key)?.used ?? 0;
  }

  /** Whether one more may be dialled. If not, it notes that one is wanted. */
  mayAdd(key: string, cap: number): boolean {
    const of = this.#cap(key, cap);
    if (of.used < this.#allowance(of, cap)) return true;
    of.short = of.dirty = true;
    this.#events?.onLack();
    return false;
  }

  /** Whether there are more connections than may be. */
  exceeds(key: string, cap: number): boolean {
    const of = this.#caps.get(key);
    // What is already ending is as good as closed.
    return of !== undefined && of.used - of.leaving > this.#allowance(of, cap);
  }

  /** Counts one more. */
  add(key: string, cap: number): void {
    const of = this.#cap(key, cap);
    of.used++;
    of.peak = Math.max(of.peak, of.used);
  }

  /**
   * Counts one less as soon as its socket is closed, and a moment has passed in which the machine can
   * learn of it.
   */
  leave(keys: readonly string[], closed: Promise<void> | undefined): void {
    for (const key of keys) this.#noteLeaving(key, 1);
    if (!closed) this.#clear(keys, UNSEEN_MS);
    else void closed.then(() => this.#clear(keys, SEEN_MS));
  }

  /** Whether connections that are ending still take up permits. */
  isClearing(key: string): boolean {
    return (this.#caps.get(key)?.leaving ?? 0) > 0;
  }

  /** Ends what waits. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #clear(keys: readonly string[], ms: number): void {
    if (this.#closed) return;
    const timer = this.#clock.setTimer(() => {
      this.#timers.delete(timer);
      for (const key of keys) {
        this.#noteLeaving(key, -1);
        this.remove(key);
      }
      this.#events?.onCleared(keys);
    }, ms);
    this.#timers.add(timer);
  }

  #noteLeaving(key: string, more: number): void {
    const of = this.#caps.get(key);
    if (of) of.leaving += more;
  }

  /** Counts one less: its socket is closed. */
  remove(key: string): void {
    const of = this.#caps.get(key);
    if (!of) return;
    of.used = Math.max(0, of.used - 1);
    // Give back what was claimed only because it was still open.
    if (of.used >= of.count) of.dirty = true;
  }

  /** Whether the store has yet to learn that there are fewer connections than claimed. */
  owes(key: string): boolean {
    return this.#caps.get(key)?.dirty ?? false;
  }

  /** Notes that time goes on. Called more often than a lease is long, or the process stood still. */
  tick(): void {
    this.#look();
    const now = this.#clock.now();
    if (now - this.#periodAt < this.#times.leaseMs) return;
    this.#periodAt = now;
    for (const of of this.#caps.values()) {
      of.lastPeak = of.peak;
      of.peak = of.used;
      of.lastGiven = of.given;
      of.given = 0;
    }
  }

  /** Notes that an attempt to reach the store has failed, and when it began. */
  failed(sentAt: Moment): void {
    this.#look();
    if (sentAt.now >= this.#resumedAt) this.#checked = true;
  }

  /** Claims everything with the next request: the store that answers it may know nothing. */
  claimAll(): void {
    for (const of of this.#caps.values()) of.dirty = true;
  }

  /** Lets go of what was wished for, unless a dial is wanted again. */
  forgetWish(key: string): void {
    const of = this.#caps.get(key);
    if (of) of.lacks = false;
  }

  /** Claims a key again: others lack permits for it. */
  reclaim(key: string): boolean {
    const of = this.#caps.get(key);
    if (!of || of.count === 0) return false;
    return of.dirty = true;
  }

  /** What to claim now. What is no longer needed is given back with it, at once. */
  claims(): PermitClaim[] {
    const claims: PermitClaim[] = [];
    const { alone } = this;
    for (const of of this.#caps.values()) {
      if (of.cap === Infinity) continue;
      const want = this.#wishOf(of);
      const changed = Math.abs(want - of.claimed) > Math.max(0, Math.floor(of.claimed / 4));
      if (!of.dirty && !changed) continue;
      of.dirty = false;
      of.claimed = want;
      // Permits from before a long silence may be somebody else's by now.
      of.count = Math.min(of.count, alone ? of.used : Math.max(want, of.used));
      const hold = Math.max(of.count, of.used, this.#allowance(of, of.cap));
      claims.push({ key: of.key, cap: of.cap, hold, want });
    }
    return claims;
  }

  /** Takes an answer. It renews what it does not mention. */
  answered(reply: SyncReply, sentAt: Moment): Answered {
    const grown: string[] = [];
    const shrunk: string[] = [];
    const lacking: string[] = [];
    const wasAlone = this.alone;
    this.#look();
    if (sentAt.now >= this.#resumedAt) this.#checked = true;
    this.#sentAt = sentAt;
    this.#members = Math.max(1, reply.members);
    for (const { count: given, due, key } of reply.grants) {
      const of = this.#caps.get(key);
      if (!of) continue;
      // Whatever a store says, nobody has more than the whole cap.
      const count = Math.min(given, of.cap);
      if (count > of.count) {
        grown.push(key);
        of.given = Math.max(of.given, count);
      } else {
        of.given = Math.min(of.given, count);
        of.lastGiven = Math.min(of.lastGiven, count);
      }
      of.count = count;
      if (of.used > count) shrunk.push(key);
      of.lacks = count < due;
      if (of.lacks) lacking.push(key);
      if (of.used === 0 && count === 0 && of.wish === 0) this.#caps.delete(key);
    }
    if (wasAlone) {
      for (const { count, key, used } of this.#caps.values()) {
        if (used < count && !grown.includes(key)) grown.push(key);
      }
    }
    return { grown, shrunk, lacking };
  }

  /** Keys with more connections than are permitted now. */
  overdrawn(): string[] {
    const keys: string[] = [];
    for (const of of this.#caps.values()) {
      if (of.used - of.leaving > this.#allowance(of, of.cap)) keys.push(of.key);
    }
    return keys;
  }

  /** All caps, by key, for figures. */
  *figures(): Generator<{ key: string; cap: number; used: number; count: number }> {
    for (const { cap, count, key, used } of this.#caps.values()) yield { cap, count, key, used };
  }

  #allowance(of: Cap | undefined, cap: number): number {
    if (cap === Infinity) return Infinity;
    const count = of?.count ?? 0;
    const { alone, goneAfterMs, leaseMs } = this.#times;
    const silentMs = this.#silentMs();
    if (silentMs < leaseMs) return count;
    if (!this.#checked || this.#stoodStill()) return 0;
    if (alone === "stop" && silentMs >= goneAfterMs - leaseMs) return 0;
    const share = Math.floor((cap - reserveOf(cap)) / this.#members);
    if (count > 0) return Math.min(count, Math.max(1, share));
    if (alone === "stop" || reserveOf(cap) === 0) return 0;
    // The others have come down to their share by then; a newcomer has the reserve.
    return this.#sentAt === undefined || (share >= 1 && silentMs >= 2 * leaseMs) ? 1 : 0;
  }

  /** Checks whether the process has stood still. */
  #look(): void {
    if (this.#stoodStill()) {
      this.#checked = false;
      this.#resumedAt = this.#clock.now();
    }
    this.#seenAt = this.moment();
  }

  #silentMs(): number {
    return this.#sentAt ? this.#since(this.#sentAt) : Infinity;
  }

  #stoodStill(): boolean {
    return this.#since(this.#seenAt) >= this.#times.leaseMs;
  }

  /** While the machine sleeps, the first clock may stand still; the second may be set back. */
  #since({ now, wall }: Moment): number {
    return Math.max(this.#clock.now() - now, this.#clock.wallNow() - wall);
  }

  #wishOf(of: Cap): number {
    const peak = Math.max(of.peak, of.lastPeak);
    // A little more than was needed, so that the next dial need not wait.
    const calm = peak === 0 ? 0 : peak + Math.min(4, Math.max(1, peak >> 3));
    // An answer about other keys takes back no wish of callers who wait.
    const open = of.lacks ? of.wish : 0;
    const kept = Math.max(calm, of.given, of.lastGiven, open);
    of.wish = Math.min(of.cap, of.short ? Math.max(2 * of.wish, of.used + 1) : kept);
    of.short = false;
    return of.wish;
  }

  #cap(key: string, cap: number): Cap {
    let of = this.#caps.get(key);
    if (of) {
      of.cap = cap;
      return of;
    }
    of = {
      key,
      cap,
      used: 0,
      leaving: 0,
      count: 0,
      peak: 0,
      lastPeak: 0,
      given: 0,
      lastGiven: 0,
      wish: 0,
      short: false,
      lacks: false,
      dirty: false,
      claimed: 0,
    };
    this.#caps.set(key, of);
    return of;
  }
}
