/**
 * One pool's part in a fleet: it passes on what the pool finds out, and what other members send.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";
import type { FleetMember, FleetSite, FleetStats, FleetStatus } from "./fleet.ts";
import { Hearsay, VERDICTS } from "./hearsay.ts";
import { LESSONS, Lessons } from "./lessons.ts";
import { StoreLine } from "./line.ts";
import { isOrder, ORDERS, Orders } from "./orders.ts";
import { Permits, type PermitTimes } from "./permits.ts";
import { isOfMember, MEMBERS, Roster } from "./roster.ts";
import type { FleetStore, StoreLink } from "./store.ts";
import { read, type Word } from "./words.ts";

/** How a member takes part. */
export interface MemberOptions extends PermitTimes {
  /** The fleet's name. */
  readonly name: string;
  /** How many members must have ejected an address before it is doubted here. */
  readonly quorum: number;
}

/** A member that speaks with a store. It never keeps the program alive, or a request waiting. */
export class StoreMember implements FleetMember {
  /** What may be dialled. */
  readonly permits: Permits;
  readonly #clock: Clock;
  readonly #options: MemberOptions;
  readonly #site: FleetSite;
  readonly #name: string;
  readonly #line: StoreLine;
  readonly #hearsay: Hearsay;
  readonly #orders: Orders;
  readonly #lessons: Lessons;
  readonly #roster: Roster;
  #beat: Timer | undefined;
  #hints = 0;
  #foreign = 0;
  #closed = false;

  /** Makes a member for a pool that does nothing yet. */
  constructor(clock: Clock, store: FleetStore, options: MemberOptions, site: FleetSite) {
    this.#clock = clock;
    this.#options = options;
    this.#site = site;
    this.permits = new Permits(clock, options);
    const since = clock.wallNow();
    const word = () => Math.floor(clock.random() * 2 ** 32).toString(36).padStart(7, "0");
    const name = this.#name = `${word()}${word()}`;
    const line = this.#line = new StoreLine(clock, store, this.permits, options, name);
    this.#hearsay = new Hearsay(clock, line, name, options.quorum);
    this.#orders = new Orders(clock, line, since);
    this.#lessons = new Lessons(clock, line);
    this.#roster = new Roster(clock, line, name, since, options.goneAfterMs);
  }

  /** Begins to speak with the store. */
  start(): void {
    const site = this.#site;
    this.#schedule();
    this.#line.open({
      onOpen: () => void this.#readAll(),
      onHint: (text) => {
        this.#hints++;
        this.#take(this.#read(text));
      },
      onRoom: (keys) => site.onRoom(keys),
      onShrink: () => site.onShrink(),
      onState: (event) => site.onLink(event),
    });
  }

  /** Tells the others that an address of a host fails, or was ejected. */
  condemn(host: string, address: string, reason: string, forMs: number): void {
    this.#hearsay.condemn(host, address, reason, forMs, this.#site);
  }

  /** Tells the others that an address works again, if they were told that it fails. */
  reached(host: string, address: string): void {
    this.#hearsay.reached(host, address);
  }

  /** Tells the others that an address is well. */
  acquit(host: string, address: string): void {
    this.#hearsay.acquit(host, address);
  }

  /** Blocks an address for every member. */
  async block(
    ip: string,
    options?: { readonly forMs?: number; readonly reason?: string },
  ): Promise<boolean> {
    return await this.#orders.block(this.#site, ip, options);
  }

  /** Ends a block for every member. */
  async unblock(ip: string): Promise<boolean> {
    return await this.#orders.unblock(this.#site, ip);
  }

  /** Drains a host or an address in every member. */
  async drain(hostOrIp: string): Promise<boolean> {
    return await this.#orders.drain(this.#site, hostOrIp);
  }

  /** Sets the weight of an address for every member, or takes it off. */
  async setWeight(ip: string, weight: number | null): Promise<boolean> {
    return await this.#orders.setWeight(this.#site, ip, weight);
  }

  /** The state of this member and the fleet. */
  status(): FleetStatus {
    return {
      name: this.#options.name,
      member: this.#name,
      ...this.#line.stats(),
      hints: this.#hints,
      foreign: this.#foreign,
    };
  }

  /** What is known of the fleet. */
  stats(): FleetStats {
    return {
      ...this.status(),
      ...this.#roster.sum(this.#site),
      caps: Array.from(this.permits.figures(), ({ cap, count, key, used }) => ({
        key,
        cap,
        used,
        permits: count,
      })),
      verdicts: this.#hearsay.verdicts,
    };
  }

  /** Asks the store for the members, unless that was done just now. */
  async look(): Promise<FleetStats> {
    if (this.#line.isOpen && this.#roster.isDue()) {
      await this.#line.tell(async (link) => {
        this.#roster.take((await this.#readSection(link, MEMBERS)).filter(isOfMember));
      });
    }
    return this.stats();
  }

  /** Gives everything back, if the store answers in time. The pool's connections must be closed. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#beat?.cancel();
    this.permits.close();
    await this.#line.close((link) => this.#roster.leave(link));
  }

  /** Renews the permits regularly, and sends what is new. */
  #schedule(): void {
    const pauseMs = this.#options.leaseMs / 3 * (0.8 + 0.4 * this.#clock.random());
    this.#beat = this.#clock.setTimer(() => {
      this.permits.tick();
      if (this.permits.overdrawn().length > 0) this.#site.onShrink();
      this.#schedule();
      this.#hearsay.forgetOld();
      this.#line.beat();
      this.#roster.tell(this.#site);
      this.#lessons.tell(this.#site);
    }, pauseMs);
  }

  /** Reads what the others put there before, or while this member was away. */
  async #readAll(): Promise<void> {
    this.#roster.tell(this.#site);
    await this.#line.tell(async (link) => {
      for (const section of [VERDICTS, LESSONS]) {
        for (const word of await this.#readSection(link, section)) this.#take(word);
      }
      const orders = [];
      for (const section of ORDERS) orders.push(...await this.#readSection(link, section));
      for (const word of orders) this.#take(word);
      this.#orders.retell(orders.filter(isOrder));
    });
  }

  async #readSection(link: StoreLink, section: string): Promise<Word[]> {
    const { entries, skipped } = await link.read(section);
    this.#foreign += skipped;
    return entries.flatMap(({ value }) => this.#read(value) ?? []);
  }

  #read(text: string): Word | undefined {
    const word = read(text);
    if (!word) this.#foreign++;
    return word;
  }

  #take(word: Word | undefined): void {
    switch (word?.kind) {
      case "bad":
      case "well":
        this.#hearsay.take(word, this.#site);
        return;
      case "block":
      case "unblock":
      case "weight":
      case "drain":
        this.#orders.take(word, this.#site);
        return;
      case "lesson":
        this.#lessons.take(word, this.#site);
        return;
      case "lack":
        this.#line.heardLack(word.key);
        // Not all at once.
        if (this.permits.reclaim(word.key)) this.#line.askInTurn();
    }
  }
}
