/**
 * Dials for those who wait.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Waiter } from "../host/waiter.ts";
import type { LeaseDesk } from "../lease/lease_desk.ts";
import { Cover } from "./cover.ts";
import { chooseDial, type DialChoice } from "./dial_choice.ts";
import type { Dials } from "./dials.ts";
import type { Membership } from "./membership.ts";
import { dialsTo, FULL, hasRoom, makeRoom } from "./room.ts";

/** What a look at a queue's waiters found. */
export interface WaiterLook {
  /** What is full, and kept a waiter from a dial: see `Starved`. */
  readonly full: Set<string>;
  /** Whether a waiter found no room for a connection at any machine. */
  isCrowded: boolean;
  /** When a machine may be tried again, in the clock's milliseconds; or `Infinity`. */
  lookAt: number;
}

/** Begins the dials that a queue's waiters need, as far as there is room. */
export class WaiterDials {
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  readonly #desk: LeaseDesk;
  readonly #dials: Dials;
  readonly #membership: Membership;

  /** Makes it. */
  constructor(
    clock: Clock,
    manager: ConnectionManager,
    desk: LeaseDesk,
    dials: Dials,
    membership: Membership,
  ) {
    this.#clock = clock;
    this.#manager = manager;
    this.#desk = desk;
    this.#dials = dials;
    this.#membership = membership;
  }

  /**
   * Dials for those who wait.
   *
   * @param held Where the queue stands in line, if this is its turn: it begins one dial and stays there
   */
  look(queue: HostQueue, held: ReadonlySet<string> | undefined): WaiterLook {
    const look: WaiterLook = { full: new Set(), isCrowded: false, lookAt: Infinity };
    const { begun } = this.#dials;
    const { choosy, lane, waiters } = queue;
    let wanted = queue.demand.wanted(lane.servingSlots, this.#clock.now());
    const cover = new Cover(queue);
    let served = 0;
    if (choosy.size === 0) {
      // Most looks find that enough is on its way, or that no more may be, and go over nobody.
      if (cover.covered >= Math.min(wanted, waiters.size)) return look;
      if (!this.#mayBegin(queue, look)) return look;
      served = cover.takeAll();
      wanted -= served;
    }
    /** The last one for whom nothing could be dialled. */
    let idle: Waiter<HostQueue> | undefined;
    /** False if no other caller can have anything dialled either. */
    const serve = (waiter: Waiter<HostQueue>): boolean => {
      if (cover.takes(waiter)) return true;
      if (held && this.#dials.begun > begun) {
        for (const key of held) look.full.add(key);
        return false;
      }
      if (idle?.isLike(waiter)) return true;
      const before = this.#dials.begun;
      const goesOn = this.#dialFor(queue, waiter, look, cover);
      // The next one like it would fare the same, unless this one was refused.
      if (this.#dials.begun > before) idle = undefined;
      else if (waiters.has(waiter)) idle = waiter;
      return goesOn;
    };
    const seen = new Set<Waiter>();
    for (const waiter of waiters.after(served)) {
      // All others can rely on the same connections.
      if (wanted-- <= 0 || cover.covered === Infinity) break;
      if (waiter.filter) seen.add(waiter);
      if (!serve(waiter)) return look;
    }
    // A caller who accepts only some addresses cannot rely on connections that come back for all.
    for (const waiter of choosy) if (!seen.has(waiter) && !serve(waiter)) break;
    return look;
  }

  /** Begins a dial for a waiter, where one may help; false if there is no room for any. */
  #dialFor(
    queue: HostQueue,
    waiter: Waiter<HostQueue>,
    look: WaiterLook,
    cover: Cover,
  ): boolean {
    if (!this.#mayBegin(queue, look)) return false;
    if (!queue.toldAddresses && waiter.filter?.only === undefined) return true;
    const candidates = waiter.filter?.pinned ? waiter.candidates(queue.lane) : [];
    const denied = candidates.filter(({ address }) => this.#membership.isDenied(queue, address));
    if (denied.length > 0 && denied.length === candidates.length) {
      this.#refuseNone(queue, waiter, denied.map(({ address }) => address));
      return true;
    }
    let choice: DialChoice;
    try {
      choice = chooseDial(queue, waiter, {
        now: this.#clock.now(),
        random: () => this.#clock.random(),
        hasRoom: (endpoint) => hasRoom(this.#manager, queue, endpoint),
        mayComeBack: waiter.mayBeServed(queue.lane),
      });
    } catch (error) {
      // The user's balancer threw, and only this waiter is told.
      this.#desk.refuse(waiter, error);
      return true;
    }
    if ("waitUntil" in choice) {
      if (choice.waitUntil < Infinity) look.lookAt = Math.min(look.lookAt, choice.waitUntil);
      else if (waiter.candidates(queue.lane).length === 0) {
        const known = queue.toldAddresses ?? [];
        this.#refuseNone(queue, waiter, known.filter(({ text }) => waiter.wants(text)));
      }
      return true;
    }
    const endpoint = "dial" in choice
      ? choice.dial
      : choice.crowded.find((endpoint) =>
        makeRoom(this.#manager, queue, waiter, endpoint, this.#clock.now())
      );
    if (endpoint) {
      this.#dials.begin(queue, endpoint);
      cover.addFor(endpoint);
      return true;
    }
    const hindrances = "crowded" in choice
      ? choice.crowded.map(({ address }) => this.#fullFor(queue, address.text))
      : [];
    for (const hindrance of hindrances) look.full.add(hindrance);
    look.isCrowded = true;
    // If single machines are full, those that other callers accept may not be.
    return waiter.filter !== undefined
      && !hindrances.some((key) => key === FULL.pool || key === queue.host.text);
  }

  /** Whether one more dial may be under way for a queue; notes what is full if not. */
  #mayBegin(queue: HostQueue, look: WaiterLook): boolean {
    if (this.#dials.mayBegin(queue)) return true;
    look.full.add(this.#dials.areFull ? FULL.dials : dialsTo(queue));
    return false;
  }

  /** Which of the limits keeps an address from being dialled. */
  #fullFor({ host }: HostQueue, address: string): string {
    const scope = this.#manager.accountant.blockedBy(host.text, address);
    return scope === "ip" ? address : scope === "host" ? host.text : FULL.pool;
  }

  /** Refuses a caller who has no address left, since none of these is allowed. */
  #refuseNone(queue: HostQueue, waiter: Waiter<HostQueue>, addresses: readonly Address[]): void {
    this.#desk.refuse(waiter, this.#membership.whyNone(queue, addresses));
  }
}
