/**
 * A fleet without a network, step by step: members with permits, machines that count, a store that
 * is lost, restarted and emptied, and messages that come late or never.
 *
 * @module
 */

import { ManualClock } from "../../src/core/clock.ts";
import { type Moment, Permits, type PermitTimes } from "../../src/fleet/permits.ts";
import type { SyncReply, SyncRequest } from "../../src/fleet/store.ts";
import { PermitLedger } from "../support/permit_ledger.ts";
import { Random } from "../support/random.ts";

/** What a world is made of. */
export interface WorldOptions {
  readonly seed: number;
  readonly members: number;
  readonly keys: number;
  readonly cap: number;
  /** How many keys a member uses. */
  readonly keysEach: number;
  /** What members do that are cut off. */
  readonly alone: PermitTimes["alone"];
  /** Whether messages are lost, or come seconds late. */
  readonly lossy?: boolean;
}

/** A member, and what the test knows of it. */
export interface WorldMember {
  name: string;
  permits: Permits;
  keys: readonly string[];
  /** Open sockets by key, as the machines see them, and how many are wanted. */
  sockets: Map<string, number>;
  demand: Map<string, number>;
  link: string;
  /** Its connections that the store may have still: the one before is closed when another answers. */
  links: Set<string>;
  epoch: string;
  seq: number;
  dueAt: number;
  sent:
    | { readonly request: SyncRequest; readonly at: Moment; readonly deadline: number }
    | undefined;
  toldAt: Map<string, number>;
  pausedUntil: number;
  cutUntil: number;
  dead: boolean;
}

interface Message {
  readonly at: number;
  readonly deliver: () => void;
}

const TIMES = { leaseMs: 1_000, goneAfterMs: 6_000 };
const STEP_MS = 50;
const TIMEOUT_MS = 200;

/** Steps a fleet through time, and throws where a machine counts more than its cap. */
export class PermitWorld {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly members: WorldMember[] = [];
  /** Connections at each machine. */
  readonly counts: Map<string, number> = new Map<string, number>();
  /** How many requests and hints the store had, and how many claims were in them. */
  requests = 0;
  claims = 0;
  hints = 0;
  readonly #users = new Map<string, Set<WorldMember>>();
  readonly #options: WorldOptions;
  readonly #links = new Set<string>();
  #ledger = new PermitLedger();
  #storeDownUntil = 0;
  #epoch = 0;
  #names = 0;
  #messages: Message[] = [];
  readonly #suspects = new Map<WorldMember, SyncReply["silent"]>();

  /** Makes a fleet that has nothing yet. */
  constructor(options: WorldOptions) {
    this.#options = options;
    this.clock = new ManualClock(options.seed);
    this.random = new Random(options.seed ^ 0x5bd1e995);
    this.#ledger.begin("0", this.#now, Infinity, TIMES.goneAfterMs);
    for (let index = 0; index < options.members; index++) this.members.push(this.#newMember());
  }

  get #now(): number {
    return this.clock.now();
  }

  /** Has every member that lives want so many connections to each of its keys. */
  demand(connections: () => number): void {
    for (const { demand, keys } of this.members) {
      for (const key of keys) demand.set(key, connections());
    }
  }

  /** How many members the store has not answered for a lease. */
  get aloneCount(): number {
    return this.members.filter(({ permits }) => permits.alone).length;
  }

  /** Lets so much time pass. */
  run(ms: number): void {
    for (const end = this.#now + ms; this.#now < end;) {
      this.clock.advance(STEP_MS);
      const due = this.#messages.filter(({ at }) => at <= this.#now);
      this.#messages = this.#messages.filter(({ at }) => at > this.#now);
      for (const { deliver } of due) deliver();
      for (const member of this.members) this.#step(member);
    }
  }

  /** Kills a member: its sockets are closed, the store sees it, and another one takes its place. */
  kill(index: number): void {
    const member = this.members[index]!;
    member.dead = true;
    for (const key of member.keys) this.#users.get(key)?.delete(member);
    for (const [key, open] of member.sockets) this.#count(key, -open);
    for (const link of member.links) this.#links.delete(link);
    this.members[index] = this.#newMember(member.keys);
  }

  /** Stops a member's process for a time: its sockets stay. */
  pause(index: number, ms: number): void {
    const member = this.members[index]!;
    // One that stands still stays seen by its connection: without, nothing could tell it from a dead one.
    const isSeen = [...member.links].some((link) => this.#links.has(link));
    if (isSeen && member.epoch === `${this.#epoch}`) member.pausedUntil = this.#now + ms;
  }

  /** Keeps a member from the store for a time. What is `seen` ends its connection for the store. */
  cut(index: number, ms: number, seen: boolean): void {
    const member = this.members[index]!;
    const { alone } = this.#options;
    member.cutUntil = this.#now + (alone === "share" ? this.#limited(member, ms) : ms);
    if (seen) { for (const link of member.links) this.#links.delete(link); }
  }

  /** Stops the store for a time, and starts it again, perhaps without its data. */
  restartStore(downMs: number, emptied: boolean): void {
    this.#storeDownUntil = this.#now + downMs;
    this.#links.clear();
    if (emptied) this.#ledger = new PermitLedger();
    this.#epoch++;
    const epoch = `${this.#epoch}`;
    const begin = () => this.#ledger.begin(epoch, this.#now, 0, TIMES.goneAfterMs);
    this.#messages.push({ at: this.#storeDownUntil, deliver: begin });
    // What stands still, or is cut off, while the store forgets who is there is back in time.
    const back = this.#storeDownUntil + TIMES.goneAfterMs / 3;
    for (const member of this.members) {
      member.pausedUntil = Math.min(member.pausedUntil, back);
      if (this.#options.alone === "share") member.cutUntil = Math.min(member.cutUntil, back);
    }
  }

  /** Stops the store for a time, and lets it go on. */
  pauseStore(ms: number): void {
    this.#storeDownUntil = this.#now + ms;
  }

  /** What the store does not see is not away for longer than the store waits for it. */
  #limited({ epoch }: WorldMember, ms: number): number {
    return epoch === `${this.#epoch}` ? ms : Math.min(ms, TIMES.goneAfterMs / 3);
  }

  #newMember(keys?: readonly string[]): WorldMember {
    const name = `m${++this.#names}`;
    const { alone, keysEach } = this.#options;
    const own = new Set<string>();
    while (!keys && own.size < keysEach) own.add(`a ${this.random.below(this.#options.keys)}`);
    const member: WorldMember = {
      name,
      permits: new Permits(this.clock, { ...TIMES, alone }),
      keys: keys ?? [...own],
      sockets: new Map(),
      demand: new Map((keys ?? []).map((key) => [key, 1])),
      link: "",
      links: new Set(),
      epoch: "",
      seq: 0,
      dueAt: this.#now + this.random.below(TIMES.leaseMs / 3),
      sent: undefined,
      toldAt: new Map(),
      pausedUntil: 0,
      cutUntil: 0,
      dead: false,
    };
    for (const key of member.keys) {
      let users = this.#users.get(key);
      if (!users) this.#users.set(key, users = new Set());
      users.add(member);
    }
    return member;
  }

  #step(member: WorldMember): void {
    if (this.#now < member.pausedUntil) return;
    const { permits, sent } = member;
    // Whatever comes first after a pause: a dial may be before the timer.
    if (this.random.chance(0.5)) permits.tick();
    this.#dial(member);
    permits.tick();
    for (const key of permits.overdrawn()) this.#shed(member, key);
    if (sent && this.#now >= sent.deadline) {
      member.sent = undefined;
      member.link = "";
      permits.failed(sent.at);
      permits.claimAll();
      member.dueAt = this.#now + this.random.below(500);
    }
    if (!member.sent && this.#now >= member.dueAt) this.#send(member);
  }

  #dial(member: WorldMember): void {
    const { cap } = this.#options;
    for (const key of member.keys) {
      const open = member.sockets.get(key) ?? 0;
      const wanted = member.demand.get(key) ?? 0;
      if (open > wanted && this.random.chance(0.3)) this.#close(member, key, 1);
      for (let more = wanted - open; more > 0; more--) {
        if (!member.permits.mayAdd(key, cap)) {
          member.dueAt = Math.min(member.dueAt, this.#now + STEP_MS);
          break;
        }
        member.permits.add(key, cap);
        member.sockets.set(key, (member.sockets.get(key) ?? 0) + 1);
        this.#count(key, 1);
      }
    }
  }

  /** Closes what is too much; a part of it is in use, and ends later. */
  #shed(member: WorldMember, key: string): void {
    const { alone } = this.#options;
    const over = member.permits.used(key) - member.permits.allowance(key, this.#options.cap);
    const inUse = alone === "share" && this.random.chance(0.5);
    this.#close(member, key, inUse ? Math.ceil(over / 2) : over);
  }

  #close(member: WorldMember, key: string, count: number): void {
    const open = member.sockets.get(key) ?? 0;
    member.sockets.set(key, open - Math.min(count, open));
    for (let closed = 0; closed < Math.min(count, open); closed++) {
      this.#count(key, -1);
      member.permits.remove(key);
    }
  }

  #send(member: WorldMember): void {
    const { permits } = member;
    const at = permits.moment();
    const deadline = this.#now + TIMEOUT_MS;
    const reachable = this.#now >= member.cutUntil;
    if (member.link === "" || !this.#links.has(member.link)) {
      // A new connection, where one can be had.
      const isUp = reachable && this.#now >= this.#storeDownUntil;
      if (!isUp) {
        permits.failed(at);
        member.dueAt = this.#now + this.random.below(500);
        return;
      }
      member.link = `${this.#epoch}/${member.name}/${member.seq}`;
      this.#links.add(member.link);
      member.links.add(member.link);
      permits.claimAll();
    }
    const request: SyncRequest = {
      member: member.name,
      link: member.link,
      seq: ++member.seq,
      epoch: member.epoch,
      claims: permits.claims(),
      ended: (this.#suspects.get(member) ?? []).filter(({ link }) => !this.#links.has(link)),
      goneAfterMs: TIMES.goneAfterMs,
    };
    this.#suspects.delete(member);
    member.sent = { request, at, deadline };
    member.dueAt = this.#now + TIMES.leaseMs / 3;
    if (!reachable || this.#isLost()) return;
    this.#post(() => this.#serve(member, request));
  }

  #serve(member: WorldMember, request: SyncRequest): void {
    if (this.#now < this.#storeDownUntil) {
      // A store that stands still carries out later what it has received; one that died does not.
      const { link } = request;
      const at = this.#storeDownUntil + 1;
      if (this.#links.has(link)) {
        this.#messages.push({ at, deliver: () => this.#serve(member, request) });
      }
      return;
    }
    if (!this.#links.has(request.link)) return;
    this.requests++;
    this.claims += request.claims.length;
    const reply = this.#ledger.sync(request, this.#now);
    if (this.#now < member.cutUntil || this.#isLost()) return;
    this.#post(() => this.#answer(member, request, reply));
  }

  #answer(member: WorldMember, request: SyncRequest, reply: SyncReply): void {
    if (member.dead) return;
    if (this.#now < member.pausedUntil) {
      const at = member.pausedUntil;
      this.#messages.push({ at, deliver: () => this.#answer(member, request, reply) });
      return;
    }
    if (member.sent?.request !== request || reply.late) return;
    const { at } = member.sent;
    member.sent = undefined;
    for (const link of member.links) {
      if (link === request.link) continue;
      this.#links.delete(link);
      member.links.delete(link);
    }
    if (reply.unknown && member.epoch === reply.epoch) member.permits.claimAll();
    member.epoch = reply.epoch;
    const { lacking, shrunk } = member.permits.answered(reply, at);
    for (const key of shrunk) this.#shed(member, key);
    if (reply.silent.length > 0) this.#suspects.set(member, reply.silent);
    for (const key of lacking) {
      // Others are told once in a while.
      if (this.#now - (member.toldAt.get(key) ?? 0) < 1_000) continue;
      member.toldAt.set(key, this.#now);
      this.hints++;
      this.#post(() => {
        for (const other of this.#users.get(key) ?? []) {
          const hears = this.#now >= other.cutUntil && this.#now >= other.pausedUntil;
          if (hears && other.permits.reclaim(key)) {
            other.dueAt = Math.min(other.dueAt, this.#now + this.random.below(100));
          }
        }
      });
    }
  }

  #post(deliver: () => void): void {
    const isSlow = this.#options.lossy === true && this.random.chance(0.05);
    const delayMs = this.random.below(isSlow ? 3_000 : STEP_MS);
    this.#messages.push({ at: this.#now + delayMs, deliver });
  }

  #isLost(): boolean {
    return this.#options.lossy === true && this.random.chance(0.01);
  }

  #count(key: string, more: number): void {
    const count = (this.counts.get(key) ?? 0) + more;
    if (count > this.#options.cap) {
      throw new Error(`${count} connections at ${key}, whose cap is ${this.#options.cap}`);
    }
    this.counts.set(key, count);
  }
}
