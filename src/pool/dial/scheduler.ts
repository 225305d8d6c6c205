/**
 * Decides what to dial, and when: for callers who wait, and for hosts that are kept warm.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import { type Clock, inNextTurn } from "../../core/clock.ts";
import { AccessDeniedError } from "../../core/errors.ts";
import type { CeilingEvents } from "../../hosts/ceilings.ts";
import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { AddressFilter } from "../host/address_filter.ts";
import type { Dial, HostQueue } from "../host/host_queue.ts";
import type { DeskEvents, LeaseDesk } from "../lease/lease_desk.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Reporter } from "../watch/reporter.ts";
import type { Coalescing, Loan } from "./coalescing.ts";
import { nextToSpread } from "./dial_choice.ts";
import { blamesOptions, type DialEvents, type Dials } from "./dials.ts";
import { Disappointed } from "./disappointed.ts";
import type { Membership } from "./membership.ts";
import { Rechecks } from "./rechecks.ts";
import { dialsTo, FULL, hasRoom, isOverdue, Starved, waitsSince } from "./room.ts";
import { WaiterDials } from "./waiter_dials.ts";
import { freshUntil, Warmth } from "./warmth.ts";

/** What the scheduler works with. */
export interface SchedulerParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  /** Gives what is ready to those who wait. */
  readonly desk: LeaseDesk;
  /** Carries out the dials. */
  readonly dials: Dials;
  /** Knows which endpoints are a host's, and may be used. */
  readonly membership: Membership;
  /** Finds connections of other hosts that a host may use, too. */
  readonly coalescing: Coalescing;
  readonly reporter: Reporter;
}

/** What others act on. */
export interface SchedulerEvents {
  /** A queue's callers find no room, and checks may have some. */
  onCrowded(queue: HostQueue): void;
}

/** The shortest and the longest pause before a queue is looked at again, in milliseconds. */
const RECHECK_MS = { min: 5, max: 1_000 };

/**
 * How long looks may take in all before the next one waits a turn, in milliseconds: very many
 * queues may be awake.
 */
const TURN_MS = 10;

/**
 * How long the callers of a host wait before it takes the place of another that has only one
 * connection more, in milliseconds.
 */
const PLACE_MS = 1_000;

/**
 * Dials on behalf of queues. When something happens to a queue, it is woken, and looked at on the
 * next microtask: never in the middle of a change, and once however much has happened.
 */
export class DialScheduler implements CeilingEvents, DeskEvents, DialEvents {
  readonly #parts: SchedulerParts;
  readonly #clock: Clock;
  readonly #awake = new Set<HostQueue>();
  /** Queues that found no room, in lines. */
  readonly #starved = new Starved();
  /** Where room has come since they were looked at. */
  readonly #roomy = new Set<string>();
  readonly #waiterDials: WaiterDials;
  readonly #warmth: Warmth;
  readonly #disappointed: Disappointed;
  readonly #rechecks: Rechecks;
  /** Those that were looked at for a caller in this turn, and whether they are to be after it. */
  readonly #ofTurn = new Map<HostQueue, boolean>();
  #scheduled = false;
  /** How long looks have taken since one last waited a turn. */
  #lookedMs = 0;
  #closed = false;
  #events: SchedulerEvents | undefined;

  /** Makes a scheduler with nothing to do yet, and listens to the desk and the dials. */
  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
    this.#rechecks = new Rechecks(this.#clock, (queue) => this.wake(queue));
    const { desk, dials, manager, membership, options, reporter } = parts;
    this.#waiterDials = new WaiterDials(options.clock, manager, desk, dials, membership);
    this.#warmth = new Warmth(manager, dials, membership, reporter);
    this.#disappointed = new Disappointed(options, desk, dials);
    desk.listen(this);
    dials.listen(this);
  }

  /** Sets the listener for what is found here. */
  listen(events: SchedulerEvents): void {
    this.#events = events;
  }

  /** Looks at a queue soon. */
  wake(queue: HostQueue): void {
    if (this.#closed || queue.forgotten) return;
    this.#awake.add(queue);
    this.#schedule();
  }

  /** Looks at queues that found no room: a connection has become idle there, or has ended. */
  roomCame(host: string, address: string): void {
    this.#offer(FULL.pool, host, address);
  }

  /** Looks at queues that would share a connection of another host, which was full. */
  placeCame(connection: Connection): void {
    for (const queue of this.#parts.coalescing.hopefulFor(connection)) this.wake(queue);
  }

  /** Looks at queues that found a machine full: it takes more now, or may be tried. */
  onRoom(address: string): void {
    this.#offer(address);
  }

  /** Looks at a queue with a new caller, unless others of it stand in line for the same. */
  onWait(queue: HostQueue, filter: AddressFilter | undefined): void {
    const isStarved = this.#starved.keysOf(queue).size > 0;
    if (isStarved && !filter) return;
    // Callers come one by one: after the first one of a turn, those without wishes are looked at together.
    const isFirst = !this.#ofTurn.has(queue);
    if (isFirst || !filter) this.#noteInTurn(queue, !isFirst);
    if (isFirst || filter) this.wake(queue);
  }

  /**
   * Looks at a queue that counted on a dial: once in a turn, since many may turn out slow together.
   */
  onDoubt(queue: HostQueue): void {
    this.#noteInTurn(queue, true);
  }

  #noteInTurn(queue: HostQueue, again: boolean): void {
    if (this.#ofTurn.size === 0) inNextTurn(this.#clock, () => this.#endTurn());
    this.#ofTurn.set(queue, again);
  }

  #endTurn(): void {
    for (const [queue, again] of this.#ofTurn) if (again) this.wake(queue);
    this.#ofTurn.clear();
  }

  /** Serves those who wait. */
  onReady(queue: HostQueue): void {
    this.#parts.desk.serve(queue);
  }

  /** Looks at queues that found no room: a dial or a check is over. */
  onEnd(queue: HostQueue, address: Address): void {
    this.wake(queue);
    const { text } = queue.host;
    this.#offer(FULL.dials, FULL.warming, FULL.pool, dialsTo(queue), text, address.text);
  }

  /** Looks at queues whose dials were put off. */
  onPace(): void {
    this.#offer(FULL.dials, FULL.warming);
  }

  /**
   * Plans to replace a connection of a warm host before its server ends it: the server may just
   * have said how long it keeps it. And ends it for callers who wait for room at another machine,
   * or on another host, if they came first and have fewer connections: a busy host would keep its
   * own for ever.
   */
  onReturn(queue: HostQueue, connection: Connection): void {
    if (this.#closed) return;
    this.placeCame(connection);
    const { manager } = this.#parts;
    if (queue.warm.connections > 0 && connection.serverIdleMs < Infinity) {
      this.#rechecks.at(queue, freshUntil(queue, connection, manager.checkout.endsAt(connection)));
    }
    // There is hardly ever another in line.
    const isStarved = this.#starved.keysOf(queue).size > 0;
    if (isStarved && isOverdue(queue, connection, manager)) {
      this.#letLeave(queue, connection);
      return;
    }
    const others = this.#starved.size - (isStarved ? 1 : 0);
    if (others === 0) return;
    const { address, host } = connection;
    const starved = this.#starved.first([FULL.pool, host, address], queue)?.queue;
    if (!starved) return;
    // With no callers here it is idle now, and one of the coldest idle ones makes room.
    if (queue.waiters.size === 0) {
      this.roomCame(host, address);
      return;
    }
    const { accountant } = manager;
    const [theirs, ours] = [accountant.ofHost(starved.host.text), accountant.ofHost(host)];
    if (starved.waiters.since >= queue.waiters.since || theirs >= ours) return;
    // With one more, the other would be the poorer: they would change places for ever, by dialling.
    const isTurn = theirs > 0 && theirs + 1 === ours;
    if (isTurn && this.#parts.options.clock.now() - starved.waiters.since < PLACE_MS) return;
    this.#letLeave(queue, connection);
  }

  /**
   * Ends a connection to make room. If others have leases on it, it ends with the last, and only
   * one at a time does.
   */
  #letLeave(queue: HostQueue, connection: Connection): void {
    if (connection.leases > 0 && isLeaving(queue)) return;
    this.#parts.manager.drain(connection, "room");
  }

  /**
   * Dials a good address that lacks a connection, of a host in use: load can only be spread over
   * existing connections. Called once in many leases, so that it costs little.
   */
  onManyLeases(queue: HostQueue): void {
    const { lane } = queue;
    queue.putOffSpread();
    if (this.#closed || !this.#parts.dials.mayBegin(queue)) return;
    const next = nextToSpread(
      lane,
      this.#clock.now(),
      (endpoint) => hasRoom(this.#parts.manager, queue, endpoint),
    );
    if (next) this.#parts.dials.begin(queue, next);
  }

  /** Forgets a queue that is no longer used. */
  forget(queue: HostQueue): void {
    this.#awake.delete(queue);
    this.#ofTurn.delete(queue);
    this.#starved.delete(queue);
    this.#rechecks.forget(queue);
  }

  /** Stops beginning dials. */
  close(): void {
    this.#closed = true;
    this.#rechecks.close();
  }

  #offer(...keys: readonly string[]): void {
    if (this.#closed) return;
    // Nobody waits for the rest, and while no dial may begin, it would only add up.
    for (const key of keys) if (this.#starved.has(key)) this.#roomy.add(key);
    if (this.#roomy.size > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (!this.#isLate) queueMicrotask(() => this.#run());
    else {
      inNextTurn(this.#clock, () => {
        this.#lookedMs = 0;
        this.#run();
      });
    }
  }

  /** Whether looks have taken so long that the next one waits a turn. */
  get #isLate(): boolean {
    return this.#lookedMs >= TURN_MS;
  }

  #run(): void {
    this.#scheduled = false;
    this.#giveRoom();
    const queues = [...this.#awake].sort((a, b) => waitsSince(a) - waitsSince(b));
    this.#awake.clear();
    for (const queue of queues) {
      if (this.#closed) return;
      if (this.#isLate) this.#awake.add(queue);
      else this.#look(queue);
    }
    if (this.#isLate) this.#schedule();
  }

  /** Dials for those in line if there is room now, the longest wait first. */
  #giveRoom(): void {
    const { dials } = this.#parts;
    const roomy = new Set(this.#roomy);
    this.#roomy.clear();
    for (;;) {
      const first = this.#starved.first(roomy);
      if (!first || this.#closed) return;
      // Until a dial may begin, all stay where they stand, and what came stays theirs.
      if (this.#isLate || dials.areFull) {
        for (const key of roomy) this.#roomy.add(key);
        return;
      }
      const { key, queue } = first;
      const { begun } = dials;
      this.#awake.delete(queue);
      this.#look(queue, true);
      // If there is not enough for the head of a line, there is not enough for anybody behind it.
      if (dials.begun === begun && this.#starved.keysOf(queue).has(key)) roomy.delete(key);
    }
  }

  /** @param inTurn Whether it stood in line: then it gets one dial, and stands there again. */
  #look(queue: HostQueue, inTurn = false): void {
    const from = this.#clock.now();
    this.#lookAt(queue, inTurn);
    this.#lookedMs += this.#clock.now() - from;
  }

  #lookAt(queue: HostQueue, inTurn: boolean): void {
    const { desk, dials } = this.#parts;
    const known = this.followAddresses(queue);
    desk.serve(queue);
    this.#borrow(queue);
    const isWarmed = queue.warm.isWanted;
    if (queue.waiters.size === 0 && !isWarmed) {
      this.#starved.delete(queue);
      return;
    }
    if (!known) this.#lookUp(queue);
    // If fewer than half are good, or none serves, and those are as busy as can be, any will do.
    const { isServing, panic } = queue.lane;
    if ((panic || !isServing) && this.#isOverrun(queue)) desk.serve(queue, true);
    const { begun } = dials;
    const full = this.#dialForWaiters(queue, inTurn);
    if (known && isWarmed) {
      const { lookAt, isCrowded } = this.#warmth.look(queue);
      if (lookAt < Infinity) this.#rechecks.at(queue, lookAt);
      if (isCrowded) full.add(dials.areFull ? FULL.warming : dialsTo(queue));
    }
    // That no dial may begin for now says nothing of the room that it stands in line for.
    const held = this.#starved.keysOf(queue);
    const stays = full.has(FULL.dials) && held.size > 0;
    this.#starved.put(queue, stays ? held : full, dials.begun > begun);
    if (queue.waiters.size === 0) return;
    // If connections do not come back, only time shows that more are needed.
    const pauseMs = queue.lane.connectionCount === 0
      ? RECHECK_MS.max
      : Math.max(RECHECK_MS.min, Math.min(queue.demand.dialMs, RECHECK_MS.max));
    this.#rechecks.at(queue, this.#clock.now() + pauseMs);
  }

  /** Dials for those who wait. Returns what is full and keeps them from a dial. */
  #dialForWaiters(queue: HostQueue, inTurn: boolean): Set<string> {
    const held = inTurn ? this.#starved.keysOf(queue) : undefined;
    const { full, isCrowded, lookAt } = this.#waiterDials.look(queue, held);
    if (lookAt < Infinity) this.#rechecks.at(queue, lookAt);
    if (isCrowded) this.#events?.onCrowded(queue);
    return full;
  }

  /** Serves those who wait over connections of other hosts, if allowed. */
  #borrow(queue: HostQueue): void {
    const { coalescing, desk } = this.#parts;
    while (queue.waiters.takesAny) {
      let loan: Loan | undefined;
      try {
        loan = coalescing.take(queue);
      } catch (error) {
        // The user's balancer threw, and only the first caller is told.
        const { front } = queue.waiters;
        if (front) desk.refuse(front, error);
        continue;
      }
      if (!loan) return;
      desk.lend(queue, loan.lender, loan.connection);
    }
  }

  /**
   * Updates which of its host's addresses a queue uses: if those of one priority fail, or work
   * again, these are different ones. Returns whether any are known.
   */
  followAddresses(queue: HostQueue): boolean {
    // A lease of it may end long after.
    if (queue.forgotten) return false;
    const { gone, known } = this.#parts.membership.update(queue);
    this.#letGo(gone);
    return known;
  }

  /** Applies what the resolver now says about a queue's host. */
  addressesChanged(queue: HostQueue): void {
    const { membership } = this.#parts;
    const { gone, known } = membership.update(queue);
    this.#letGo(known ? gone : membership.forgetAll(queue));
    this.wake(queue);
  }

  /** Applies the rules and blocks that hold from now on. */
  admissionChanged(queues: Iterable<HostQueue>): void {
    for (const queue of queues) {
      this.#letGo(this.#parts.membership.readmit(queue));
      this.wake(queue);
    }
    this.#parts.dials.stopDenied();
  }

  /** Has dials to endpoints that are gone close their connections as soon as they are open. */
  #letGo(gone: readonly Endpoint[]): void {
    if (gone.length > 0) this.#parts.dials.disown(({ endpoint }) => gone.includes(endpoint));
  }

  #lookUp(queue: HostQueue): void {
    this.#parts.membership.lookUp(queue).then(
      () => this.wake(queue),
      (error: unknown) => {
        for (const waiter of queue.waiters) {
          if (!waiter.filter?.pinned) this.#parts.desk.refuse(waiter, error);
        }
        // Those who named their machine need no answer. Later callers wait for the next one.
        const told = queue.toldAddresses;
        queue.toldAddresses ??= [];
        this.#starved.put(queue, this.#dialForWaiters(queue, false));
        queue.toldAddresses = told;
        queue.warm.refuse(error);
      },
    );
  }

  /**
   * Whether a host's good machines will not soon serve those who wait, and cannot be dialled.
   * Waiting for one of them for a moment costs less than failing at another one.
   */
  #isOverrun(queue: HostQueue): boolean {
    const { lane } = queue;
    if (queue.promisingDials().some(({ endpoint }) => endpoint.chosen)) return false;
    const waitMs = queue.demand.expectedWaitMs(lane.servingSlots, this.#clock.now());
    if (waitMs <= this.#parts.options.dialStaggerMs) return false;
    for (const endpoint of lane.good) {
      if (!endpoint.isSlow && hasRoom(this.#parts.manager, queue, endpoint)) return false;
    }
    return true;
  }

  /** Handles a failed dial that callers may have counted on. */
  onFailure({ endpoint, number, queue }: Dial, error: unknown): void {
    if (blamesOptions(error)) {
      // No other address would do better.
      for (const waiter of queue.waiters) this.#parts.desk.refuse(waiter, error);
      queue.warm.refuse(error);
      return;
    }
    this.#tellFailure(queue, endpoint, error, number);
  }

  /** Handles a connection that ended right after its handshake, which is no better. */
  onHangUp(queue: HostQueue, endpoint: Endpoint): void {
    this.#tellFailure(queue, endpoint, endpoint.lastError, Infinity);
  }

  #tellFailure(queue: HostQueue, endpoint: Endpoint, error: unknown, number: number): void {
    const address = endpoint.address.text;
    const retryAt = endpoint.dueAt || null;
    queue.warm.failed({ address, error, retryAt });
    this.followAddresses(queue);
    // They may all have been replaced, long before the resolver would be asked again.
    this.#parts.membership.doubt(queue);
    // It was not tried: callers go elsewhere, or are refused once there is nowhere to go.
    if (!(error instanceof AccessDeniedError)) {
      this.#disappointed.tell(queue, endpoint, error, number);
    }
  }
}

/** Whether a connection of the queue will end with its last lease. */
function isLeaving({ lane }: HostQueue): boolean {
  for (const { draining } of lane.endpoints.values()) if (draining > 0) return true;
  return false;
}
