/**
 * Decides what is dialled, and when: for those who wait, and for what is to be kept warm.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { AccessDeniedError } from "../../core/errors.ts";
import type { Events } from "../../core/events.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { PoolEvents } from "../events.ts";
import type { Dial, HostQueue } from "../lease/queue.ts";
import { makeRoom } from "../lease/room.ts";
import { FULL, Starved, waitsSince } from "../lease/starved.ts";
import type { Waiter } from "../lease/waiter.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import { chooseDial, type DialChoice } from "./dial_choice.ts";
import { blamesOptions, type Dials } from "./dials.ts";
import { noneAdmitted, silent, unavailable } from "./explanations.ts";
import type { Membership } from "./membership.ts";
import { nextToSpread } from "./spread.ts";
import { countFresh, dialToWarm, freshUntil } from "./warm_plan.ts";

/** What the scheduler works with, all of it the pool's. */
export interface SchedulerParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly events: Events<PoolEvents>;
  /** Carries out the dials. */
  readonly dials: Dials;
  /** Gives what is ready to those who wait; if they are desperate, of whatever endpoint. */
  readonly serve: (queue: HostQueue, desperate?: boolean) => void;
  /** Says which addresses may be used. */
  readonly admission: Admission;
  /** Knows which endpoints are a host's. */
  readonly membership: Membership;
  /** Ends a caller's wait with a reason. */
  readonly refuse: (queue: HostQueue, waiter: Waiter, reason: unknown) => void;
  /** Has checks give up the room in which a queue's callers could have a connection. */
  readonly giveWay: (queue: HostQueue) => void;
}

/** The shortest and the longest pause before a queue is looked at again, in milliseconds. */
const RECHECK_MS = { min: 5, max: 1_000 };

/**
 * Dials on behalf of queues. A queue that something has happened to is woken, and looked at on the
 * next microtask: never in the midst of a change, and once however much has happened.
 */
export class DialScheduler {
  readonly #parts: SchedulerParts;
  readonly #clock: Clock;
  readonly #awake = new Set<HostQueue>();
  /** Queues that found no room. */
  readonly #starved = new Starved();
  /** Where room has come since they were looked at. */
  readonly #roomy = new Set<string>();
  readonly #rechecks = new Map<HostQueue, { readonly timer: Timer; readonly at: number }>();
  #scheduled = false;
  #closed = false;

  /** Makes a scheduler that has nothing to do. */
  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
  }

  /** Who besides a queue has waited longest for room that one of its connections takes, if anybody. */
  firstStarved(queue: HostQueue, { address, host }: Connection): HostQueue | undefined {
    // Asked at each release, and hardly ever is there any.
    if (this.#starved.size === 0) return undefined;
    return this.#starved.first([FULL.pool, host, address], queue)?.queue;
  }

  /** Has a queue looked at soon. */
  wake(queue: HostQueue): void {
    if (this.#closed) return;
    this.#awake.add(queue);
    this.#schedule();
  }

  /** Has those looked at that found no room: a connection there has become idle, or has ended. */
  roomCame(host: string, address: string): void {
    this.#offer(FULL.pool, host, address);
  }

  /** The same where a dial is over. */
  dialEnded(host: string, address: string): void {
    this.#offer(FULL.dials, FULL.warming, FULL.pool, host, address);
  }

  /**
   * Dials an address of a host in use that lacks a connection: load can only be spread over
   * connections that there are, and an address that failed is tried again without any caller waiting
   * for it. Called once in so many leases, so that it costs little.
   */
  spread(queue: HostQueue): void {
    const { lane } = queue;
    queue.putOffSpread();
    if (this.#closed || !this.#parts.dials.mayBegin(queue)) return;
    const next = nextToSpread(
      lane,
      this.#clock.now(),
      (endpoint) => this.#hasRoom(queue, endpoint),
    );
    if (next) this.#parts.dials.begin(queue, next);
  }

  /**
   * Sees to it that a connection of a host that is kept warm is replaced before its server ends it,
   * now that it has come back from a lease: what its server told may be new.
   */
  watchEnd(queue: HostQueue, connection: Connection): void {
    if (this.#closed) return;
    const endsAt = this.#parts.manager.endsAt(connection);
    this.#recheckAt(queue, freshUntil(queue, connection, endsAt));
  }

  /** Forgets a queue that is no longer used. */
  forget(queue: HostQueue): void {
    this.#awake.delete(queue);
    this.#starved.delete(queue);
    this.#rechecks.get(queue)?.timer.cancel();
    this.#rechecks.delete(queue);
  }

  /** Begins no further dial. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#rechecks.values()) timer.cancel();
    this.#rechecks.clear();
  }

  /**
   * How each address that a waiter would have has failed, where each has, or has not answered for
   * so long that nobody should count on it.
   */
  allFailed(
    queue: HostQueue,
    waiter: Waiter,
    waitedMs: number,
  ): ReadonlyMap<string, unknown> | undefined {
    if (this.#mayComeBack(queue, waiter)) return undefined;
    const failures = new Map<string, unknown>();
    for (const endpoint of waiter.candidates(queue.lane)) {
      const { text } = endpoint.address;
      const failure = waiter.failures.get(text) ?? endpoint.lastError
        ?? (queue.isSlow(endpoint) ? silent(queue, text, waitedMs) : undefined);
      if (failure === undefined) return undefined;
      failures.set(text, failure);
    }
    return failures.size > 0 ? failures : undefined;
  }

  #offer(...keys: readonly string[]): void {
    if (this.#closed || this.#starved.size === 0) return;
    for (const key of keys) this.#roomy.add(key);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    this.#giveRoom();
    const queues = [...this.#awake].sort((a, b) => waitsSince(a) - waitsSince(b));
    this.#awake.clear();
    for (const queue of queues) if (!this.#closed) this.#look(queue);
  }

  /** Has those dial who stand where room has come: whoever has waited longest first. */
  #giveRoom(): void {
    const { dials } = this.#parts;
    const roomy = new Set(this.#roomy);
    this.#roomy.clear();
    for (;;) {
      const first = this.#starved.first(roomy);
      if (!first || this.#closed) return;
      const { key, queue } = first;
      const { begun } = dials;
      this.#awake.delete(queue);
      this.#look(queue, true);
      // What is not enough for the head of a line is not enough for anybody behind it.
      if (dials.begun === begun && this.#starved.keysOf(queue).has(key)) roomy.delete(key);
    }
  }

  /** @param inTurn Whether it stood in line: then it has one dial, and stands there again. */
  #look(queue: HostQueue, inTurn = false): void {
    const { dials, membership, serve } = this.#parts;
    const { gone, known } = membership.update(queue);
    this.#letGo(gone);
    serve(queue);
    // A host that is let go may have warm-ups still, whose callers must hear of it.
    const isWarmed = queue.warm.connections > 0 || queue.warm.warmUps.size > 0;
    if (queue.waiters.size === 0 && !isWarmed) {
      this.#starved.delete(queue);
      return;
    }
    if (!known) this.#lookUp(queue);
    // Fewer than half are good, or serve at all, and those are as busy as can be: any will do.
    const { panic, servingCount } = queue.lane;
    if ((panic || servingCount === 0) && this.#isOverrun(queue)) serve(queue, true);
    const { begun } = dials;
    const full = new Set<string>();
    this.#dialForWaiters(queue, full, inTurn);
    if (known && isWarmed) this.#dialToWarm(queue, full);
    this.#starved.put(queue, full, dials.begun > begun);
    if (queue.waiters.size === 0) return;
    // Where connections do not come back, only time tells that more are needed.
    const pauseMs = queue.lane.connectionCount === 0
      ? RECHECK_MS.max
      : Math.max(RECHECK_MS.min, Math.min(queue.dialMs, RECHECK_MS.max));
    this.#recheckAt(queue, this.#clock.now() + pauseMs);
  }

  /** Follows what the resolver says of a queue's host now. */
  addressesChanged(queue: HostQueue): void {
    const { membership } = this.#parts;
    const { gone, known } = membership.update(queue);
    this.#letGo(known ? gone : membership.forgetAll(queue));
    this.wake(queue);
  }

  /** Follows what may be used from now on. */
  admissionChanged(queues: Iterable<HostQueue>): void {
    for (const queue of queues) {
      this.#letGo(this.#parts.membership.readmit(queue));
      this.wake(queue);
    }
    this.#parts.dials.stopDenied();
  }

  /** Lets the connections of dials to endpoints that have gone go as soon as they come. */
  #letGo(gone: readonly Endpoint[]): void {
    if (gone.length > 0) this.#parts.dials.disown(({ endpoint }) => gone.includes(endpoint));
  }

  #lookUp(queue: HostQueue): void {
    this.#parts.directory.lookUp(queue.host).then(
      () => this.wake(queue),
      (error: unknown) => {
        for (const waiter of queue.waiters) {
          if (!waiter.filter?.pinned) this.#parts.refuse(queue, waiter, error);
        }
        // Those who named their machine can do without. Who comes later waits for what is told then.
        const told = queue.toldAddresses;
        queue.toldAddresses ??= [];
        const full = new Set<string>();
        this.#dialForWaiters(queue, full);
        this.#starved.put(queue, full);
        queue.toldAddresses = told;
        queue.warm.refuse(error);
      },
    );
  }

  /**
   * Whether a host's good machines neither serve those who wait soon, nor can be dialled. To wait
   * for one of them for a moment costs less than to be failed by another one.
   */
  #isOverrun(queue: HostQueue): boolean {
    const { lane } = queue;
    if (queue.promisingDials().length > 0) return false;
    const waitMs = queue.expectedWaitMs(lane.servingCount, this.#clock.now());
    if (waitMs <= this.#parts.options.dialStaggerMs) return false;
    for (const endpoint of lane.good) {
      if (!queue.isSlow(endpoint) && this.#hasRoom(queue, endpoint)) return false;
    }
    return true;
  }

  /** Dials for those who wait, and adds to what is full that which hinders it. */
  #dialForWaiters(queue: HostQueue, full: Set<string>, inTurn = false): void {
    const { begun } = this.#parts.dials;
    let wanted = queue.wantedDials(queue.lane.servingCount, this.#clock.now());
    const promised = queue.promisingDials();
    for (const waiter of queue.waiters) {
      // A caller who will not have every address cannot rely on what comes back for all.
      if (wanted <= 0 && !waiter.filter) continue;
      const covering = promised.findIndex(({ endpoint }) => waiter.accepts(endpoint.address.text));
      wanted--;
      if (covering >= 0) {
        promised.splice(covering, 1);
        continue;
      }
      if (inTurn && this.#parts.dials.begun > begun) {
        for (const key of this.#starved.keysOf(queue)) full.add(key);
        return;
      }
      if (!this.#dialFor(queue, waiter, full)) return;
    }
  }

  /** Begins a dial for a waiter, where one may help; false where there is no room for any. */
  #dialFor(queue: HostQueue, waiter: Waiter, full: Set<string>): boolean {
    const { dials, giveWay, manager } = this.#parts;
    if (!dials.mayBegin(queue)) {
      // Where it is its own dials that are many, the end of one of them wakes it.
      if (dials.areFull) full.add(FULL.dials);
      return false;
    }
    if (!queue.toldAddresses && waiter.filter?.only === undefined) return true;
    const candidates = waiter.filter?.pinned ? waiter.candidates(queue.lane) : [];
    const denied = candidates.filter(({ address }) => this.#isDenied(address));
    if (denied.length > 0 && denied.length === candidates.length) {
      this.#refuseNone(queue, waiter, denied.map(({ address }) => address));
      return true;
    }
    let choice: DialChoice;
    try {
      choice = chooseDial(queue, waiter, {
        now: this.#clock.now(),
        random: () => this.#clock.random(),
        hasRoom: (endpoint) => this.#hasRoom(queue, endpoint),
        mayComeBack: this.#mayComeBack(queue, waiter),
      });
    } catch (error) {
      // The user's balancer threw: nobody but this waiter hears of it.
      this.#parts.refuse(queue, waiter, error);
      return true;
    }
    if ("waitUntil" in choice) {
      if (choice.waitUntil < Infinity) this.#recheckAt(queue, choice.waitUntil);
      else if (waiter.candidates(queue.lane).length === 0) {
        const known = queue.toldAddresses ?? [];
        this.#refuseNone(queue, waiter, known.filter(({ text }) => waiter.wants(text)));
      }
      return true;
    }
    const endpoint = "dial" in choice
      ? choice.dial
      : choice.crowded.find((endpoint) => makeRoom(manager, queue, waiter, endpoint));
    if (endpoint) {
      dials.begin(queue, endpoint);
      return true;
    }
    if ("crowded" in choice) {
      for (const { address } of choice.crowded) full.add(this.#fullFor(queue, address.text));
    }
    giveWay(queue);
    return false;
  }

  /** Which of the things that may be full hinders a dial. */
  #fullFor({ host }: HostQueue, address: string): string {
    const scope = this.#parts.manager.accountant.blockedBy(host.text, address);
    return scope === "ip" ? address : scope === "host" ? host.text : FULL.pool;
  }

  #isDenied(address: Address): boolean {
    return this.#parts.admission.deniedBy(address) !== undefined;
  }

  /** Ends the wait of a caller for whom there is no address, none of these being admitted. */
  #refuseNone(queue: HostQueue, waiter: Waiter, addresses: readonly Address[]): void {
    const { admission, refuse } = this.#parts;
    refuse(queue, waiter, noneAdmitted(queue, addresses, admission));
  }

  /** Says why a warm-up ended with nothing open and nothing failed. */
  #noneToWarm(queue: HostQueue): Error {
    const told = queue.toldAddresses ?? [];
    const allDenied = told.every((address) => this.#isDenied(address));
    return noneAdmitted(queue, allDenied ? told : [], this.#parts.admission);
  }

  #hasRoom({ host }: HostQueue, { address }: Endpoint): boolean {
    return this.#parts.manager.accountant.blockedBy(host.text, address.text) === undefined;
  }

  /** Whether a connection that a waiter would take is in use, and may be given back. */
  #mayComeBack({ lane }: HostQueue, waiter: Waiter): boolean {
    if (!waiter.filter) return lane.servingCount > 0;
    for (const { address, connections } of lane.endpoints.values()) {
      if (connections.size > 0 && waiter.accepts(address.text)) return true;
    }
    return false;
  }

  /** Dials what is missing of a warm target, and ends the waits for it that need not go on. */
  #dialToWarm(queue: HostQueue, full: Set<string>): void {
    const { dials, events, manager } = this.#parts;
    const now = this.#clock.now();
    const census = countFresh(queue, now, (connection) => manager.endsAt(connection));
    const { counts, open } = census;
    const mayDial = (endpoint: Endpoint) =>
      dials.mayBegin(queue) && !queue.isSlow(endpoint) && endpoint.dueAt <= now
      && this.#hasRoom(queue, endpoint);
    const warmth = { target: queue.warm.connections, counts, mayDial };
    const short = dialToWarm(warmth, (endpoint) => dials.begin(queue, endpoint));
    const due = short > 0 ? nextDue(counts.keys(), now) : Infinity;
    const next = Math.min(due, census.freshUntil);
    if (next < Infinity) this.#recheckAt(queue, next);
    // Too many dials are under way: it goes on when one of them has ended.
    const crowded = short > 0 && !dials.mayBegin(queue);
    if (crowded && dials.areFull) full.add(FULL.warming);
    const { warmUps } = queue.warm;
    for (const warmUp of warmUps) {
      const { target } = warmUp;
      const done = Math.min(open, target);
      if (warmUp.progress(done) && events.wants("warm")) {
        events.emit("warm", { host: queue.host.text, done, total: target });
      }
      const goesOn = crowded || queue.dials.size > 0 || (due < Infinity && warmUp.retry(due));
      if (open < target && goesOn) continue;
      warmUps.delete(warmUp);
      warmUp.settle(open, () => this.#noneToWarm(queue));
    }
  }

  /** Tells those who wait how a dial that they may have hoped for has failed. */
  dialFailed({ endpoint, number, queue }: Dial, error: unknown): void {
    if (blamesOptions(error)) {
      // No other address would do better.
      for (const waiter of queue.waiters) this.#parts.refuse(queue, waiter, error);
      queue.warm.refuse(error);
      return;
    }
    const address = endpoint.address.text;
    const retryAt = endpoint.dueAt || null;
    queue.warm.failed({ address, error, retryAt });
    // It was not tried: who waits goes elsewhere, or is told when there is nowhere to go.
    if (error instanceof AccessDeniedError) return;
    for (const waiter of queue.waiters) {
      if (!waiter.accepts(address) || number <= waiter.lastDialBefore) continue;
      this.#failedFor(waiter, queue, endpoint, error);
    }
  }

  #failedFor(waiter: Waiter, queue: HostQueue, endpoint: Endpoint, error: unknown): void {
    const { lane } = queue;
    waiter.failures.set(endpoint.address.text, error);
    const isFailed = ({ address }: Endpoint) => waiter.failures.has(address.text);
    if (!waiter.filter && waiter.failures.size < lane.memberCount) return;
    do if (!waiter.candidates(lane).every(isFailed)) return; while (waiter.filter?.widen());
    waiter.lastDialBefore = this.#parts.dials.begun;
    if (this.#mayComeBack(queue, waiter)) {
      waiter.rounds++;
      waiter.failures.clear();
      return;
    }
    if (waiter.rounds++ < this.#parts.options.maxRetries) {
      waiter.failures.clear();
      return;
    }
    this.#parts.refuse(queue, waiter, unavailable(queue, waiter.failures));
  }

  #recheckAt(queue: HostQueue, at: number): void {
    const earlier = this.#rechecks.get(queue);
    if (earlier && earlier.at <= at) return;
    earlier?.timer.cancel();
    const timer = this.#clock.setTimer(() => {
      this.#rechecks.delete(queue);
      this.wake(queue);
    }, at - this.#clock.now());
    this.#rechecks.set(queue, { timer, at });
  }
}

/** When the first of the failed endpoints is due again; Infinity where none has failed. */
function nextDue(endpoints: Iterable<Endpoint>, now: number): number {
  let next = Infinity;
  for (const { dueAt } of endpoints) if (dueAt > now) next = Math.min(next, dueAt);
  return next;
}
