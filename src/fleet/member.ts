/**
 * One pool's part in a fleet: it renews what the pool has, away from any request, and passes on what
 * members tell.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";
import type { FleetEvent, FleetMember, FleetPeer, FleetSite, FleetStats } from "./fleet.ts";
import { Permits, type PermitTimes } from "./permits.ts";
import type { FleetStore, MemberLink, StoreLink, SyncRequest } from "./store.ts";
import {
  distrusted,
  type HeardVerdict,
  isDoubtful,
  isWorthTelling,
  leavesTrialsTo,
} from "./verdicts.ts";
import { read, type VerdictWord, type Word, write } from "./words.ts";

/** How a member takes part. */
export interface MemberOptions extends PermitTimes {
  /** The fleet's name. */
  readonly name: string;
  /** How many members must have ejected an address before it is doubted here. */
  readonly quorum: number;
}

/** How long is waited before the store is connected to again, in milliseconds, at random up to that. */
const RETRY_MS = { first: 100, most: 1_000 };

/** How soon more permits are asked for, in milliseconds, where the last answer gave none. */
const LACK_MS = { first: 10, most: 1_000 };

/** How often everything is claimed, changed or not, in milliseconds: the store forgets after a day. */
const CLAIM_ALL_MS = 600_000;

/** The longest that a verdict holds for others, in milliseconds. */
const VERDICT_MS = 300_000;

/** How many verdicts and members are remembered. */
const MAX_HEARD = 5_000;

/** A member that speaks with a store. It never keeps the program alive, or a request waiting. */
export class StoreMember implements FleetMember {
  /** What may be dialled. */
  readonly permits: Permits;
  readonly #clock: Clock;
  readonly #store: FleetStore;
  readonly #options: MemberOptions;
  readonly #name: string;
  readonly #since: number;
  #site: FleetSite | undefined;
  #link: StoreLink | undefined;
  /** The connection before this one: the store sees the member by it until this one has answered. */
  #oldLink: StoreLink | undefined;
  #connecting: AbortController | undefined;
  #syncing = false;
  #seq = 0;
  #epoch = "";
  #members = 0;
  #suspects: readonly MemberLink[] = [];
  #state: FleetStats["state"] = "joining";
  #stateSince: number;
  #error: unknown;
  #beat: Timer | undefined;
  #retry: Timer | undefined;
  #asking: Timer | undefined;
  #askAt = Infinity;
  #attempts = 0;
  #lackMs = LACK_MS.first;
  #claimedAllAt = 0;
  readonly #hintedAt = new Map<string, number>();
  readonly #verdicts = new Map<string, HeardVerdict>();
  /** What was told to the others, by host and address, and until when it holds. */
  readonly #own = new Map<string, number>();
  readonly #peers = new Map<string, FleetPeer & { readonly until: number }>();
  #requests = 0;
  #failures = 0;
  #hints = 0;
  #foreign = 0;
  #closed = false;

  /** Makes a member that does nothing yet. */
  constructor(clock: Clock, store: FleetStore, options: MemberOptions) {
    this.#clock = clock;
    this.#store = store;
    this.#options = options;
    this.permits = new Permits(clock, options);
    this.#since = clock.wallNow();
    this.#stateSince = clock.now();
    const word = () => Math.floor(clock.random() * 2 ** 32).toString(36).padStart(7, "0");
    this.#name = `${word()}${word()}`;
  }

  /** Begins to speak with the store. */
  start(site: FleetSite): void {
    this.#site = site;
    this.permits.listen({
      onLack: () => this.#ask(this.#lackMs),
      onCleared: (key) => {
        site.onRoom(key);
        if (this.permits.owes(key)) this.#ask(LACK_MS.first);
      },
    });
    this.#schedule();
    void this.#connect();
  }

  /** Tells the others that an address was ejected, where they do not know it. */
  condemn(host: string, address: string, reason: string, forMs: number): void {
    const key = `${host} ${address}`;
    const told = [...this.#verdicts.values()].filter((verdict) =>
      verdict.host === host && verdict.address === address && verdict.until > this.#clock.now()
    );
    const now = this.#clock.now();
    const holdsMs = Math.min(forMs, VERDICT_MS);
    const isTold = (this.#own.get(key) ?? 0) >= now + holdsMs;
    if (isTold || !isWorthTelling(told.length, this.#options.quorum)) return;
    this.#own.set(key, now + holdsMs);
    const at = this.#clock.wallNow();
    const text = write({
      kind: "bad",
      member: this.#name,
      host,
      address,
      reason,
      forMs: holdsMs,
      at,
    });
    this.#tell((link) =>
      Promise.all([link.hint(text), link.put("verdicts", `${key} ${this.#name}`, text, holdsMs)])
    );
  }

  /** Tells the others that an address is well of which they were told that it fails. */
  reached(host: string, address: string): void {
    if (this.#own.has(`${host} ${address}`)) this.acquit(host, address);
  }

  /** Tells the others that an address is well. */
  acquit(host: string, address: string): void {
    const key = `${host} ${address}`;
    const isOwn = this.#own.delete(key);
    const text = write({ kind: "well", member: this.#name, host, address });
    this.#tell((link) =>
      Promise.all([
        link.hint(text),
        isOwn ? link.remove("verdicts", `${key} ${this.#name}`) : undefined,
      ])
    );
  }

  /** Blocks an address for every member. */
  block(ip: string, options: { readonly forMs?: number; readonly reason?: string } = {}): void {
    const { forMs = 0, reason = "" } = options;
    const isForEver = forMs === 0 || forMs === Infinity;
    const until = isForEver ? 0 : this.#clock.wallNow() + forMs;
    const text = write({ kind: "block", ip, reason, until });
    this.#tell((link) =>
      Promise.all([
        link.put("blocks", ip, text, isForEver ? 31_536_000_000 : forMs),
        link.hint(text),
      ])
    );
  }

  /** Ends a block for every member. */
  unblock(ip: string): void {
    const text = write({ kind: "unblock", ip, reason: "", until: 0 });
    this.#tell((link) => Promise.all([link.remove("blocks", ip), link.hint(text)]));
  }

  /** What is known of the fleet. */
  stats(): FleetStats {
    const now = this.#clock.now();
    return {
      name: this.#options.name,
      member: this.#name,
      store: this.#store.name,
      state: this.#state,
      stateSince: this.#stateSince,
      error: this.#error === undefined ? null : messageOf(this.#error),
      members: this.#members,
      peers: [...this.#peers.values()].filter(({ until }) => until > now)
        .map(({ connections, leased, member, since }) => ({ member, since, connections, leased })),
      caps: Array.from(this.permits.figures(), ({ cap, count, key, used }) => ({
        key,
        cap,
        used,
        permits: count,
      })),
      verdicts: [...this.#verdicts.values()].filter(({ until }) => until > now),
      requests: this.#requests,
      failures: this.#failures,
      hints: this.#hints,
      foreign: this.#foreign,
    };
  }

  /** Gives everything back, if the store answers in time. The pool's connections must be closed. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of [this.#beat, this.#retry, this.#asking]) timer?.cancel();
    this.permits.close();
    this.#connecting?.abort(new Error("The member has left"));
    try {
      await this.#link?.leave(this.#name);
      await this.#link?.remove("members", this.#name);
    } catch {
      // The store finds out by itself.
    }
    this.#link?.close();
    this.#oldLink?.close();
  }

  /** Renews what there is, time and again, and looks whether it still holds. */
  #schedule(): void {
    const pauseMs = this.#options.leaseMs / 3 * (0.8 + 0.4 * this.#clock.random());
    this.#beat = this.#clock.setTimer(() => {
      this.permits.tick();
      this.#shrink();
      this.#schedule();
      this.#forgetOld();
      if (this.#clock.now() - this.#claimedAllAt > CLAIM_ALL_MS) this.permits.claimAll();
      void this.#sync();
      this.#tellOfItself();
      // A lease may end between two beats, or a process stand still.
      if (this.permits.alone) this.#standAlone();
    }, pauseMs);
  }

  #shrink(): void {
    if (this.permits.overdrawn().length > 0) this.#site?.onShrink();
  }

  async #connect(): Promise<void> {
    if (this.#closed || this.#connecting) return;
    const at = this.permits.moment();
    const stop = this.#connecting = new AbortController();
    let link: StoreLink | undefined;
    const events = {
      onHint: (text: string) => this.#hear(text),
      onLost: (error: unknown) => {
        if (link && this.#link === link) this.#lose(error, this.permits.moment());
      },
    };
    try {
      link = await this.#store.connect(events, stop.signal);
    } catch (error) {
      this.#connecting = undefined;
      this.#failed(error, at);
      return;
    }
    this.#connecting = undefined;
    if (this.#closed) {
      link.close();
      return;
    }
    this.#link = link;
    this.permits.claimAll();
    this.#claimedAllAt = this.#clock.now();
    await this.#sync();
    if (this.#link === link) await this.#readAll(link);
  }

  /** Takes, renews and gives back permits. One request is under way at a time. */
  async #sync(): Promise<void> {
    const link = this.#link;
    if (!link || this.#closed) return;
    if (this.#syncing) {
      this.#ask(LACK_MS.first);
      return;
    }
    this.#syncing = true;
    const sentAt = this.permits.moment();
    const request: SyncRequest = {
      member: this.#name,
      link: link.link,
      seq: ++this.#seq,
      epoch: this.#epoch,
      claims: this.permits.claims(),
      ended: this.#suspects,
      goneAfterMs: this.#options.goneAfterMs,
    };
    this.#suspects = [];
    try {
      this.#requests++;
      const reply = await link.sync(request);
      if (this.#closed || this.#link !== link || reply.late) return;
      if (reply.unknown && this.#epoch === reply.epoch) this.permits.claimAll();
      this.#epoch = reply.epoch;
      this.#members = reply.members;
      this.#oldLink?.close();
      this.#oldLink = undefined;
      const { grown, lacking, shrunk } = this.permits.answered(reply, sentAt);
      this.#join();
      if (grown.length > 0) this.#lackMs = LACK_MS.first;
      else if (lacking.length > 0) this.#lackMs = Math.min(2 * this.#lackMs, LACK_MS.most);
      for (const key of grown) this.#site?.onRoom(key);
      if (shrunk.length > 0) this.#site?.onShrink();
      this.#askOthers(link, lacking);
      if (reply.silent.length > 0) await this.#lookAfter(link, reply.silent);
    } catch (error) {
      if (this.#link === link) this.#lose(error, sentAt);
    } finally {
      this.#syncing = false;
    }
  }

  /** Asks soon, and once however often that is wanted. */
  #ask(inMs: number): void {
    const at = this.#clock.now() + inMs;
    if (this.#closed || at >= this.#askAt) return;
    this.#asking?.cancel();
    this.#askAt = at;
    this.#asking = this.#clock.setTimer(() => {
      this.#askAt = Infinity;
      void this.#sync();
    }, inMs);
  }

  /** Has those give some back who have more than their due. */
  #askOthers(link: StoreLink, lacking: readonly string[]): void {
    const now = this.#clock.now();
    for (const key of lacking) {
      if (now - (this.#hintedAt.get(key) ?? -Infinity) < LACK_MS.most) continue;
      this.#hintedAt.set(key, now);
      link.hint(write({ kind: "lack", key })).catch(() => {});
    }
  }

  /** Looks whether the store has the connections still of members that are silent. */
  async #lookAfter(link: StoreLink, silent: readonly MemberLink[]): Promise<void> {
    const ended = new Set(await link.ended(silent.map(({ link }) => link)));
    this.#suspects = silent.filter(({ link }) => ended.has(link));
    if (this.#suspects.length > 0) this.#ask(LACK_MS.first);
  }

  #lose(error: unknown, sentAt: ReturnType<Permits["moment"]>): void {
    // It may be seen by the store yet, and is all that the store sees of this member.
    this.#oldLink?.close();
    this.#oldLink = this.#link;
    this.#link = undefined;
    this.permits.claimAll();
    this.#failed(error, sentAt);
  }

  #failed(error: unknown, sentAt: ReturnType<Permits["moment"]>): void {
    if (this.#closed) return;
    this.#failures++;
    this.permits.failed(sentAt);
    this.#error = error;
    if (this.#state === "joining") this.#standAlone();
    const most = Math.min(RETRY_MS.first * 2 ** this.#attempts++, RETRY_MS.most);
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimer(
      () => void this.#connect(),
      most * (0.5 + 0.5 * this.#clock.random()),
    );
  }

  #standAlone(): void {
    if (this.#state === "alone") return;
    this.#setState("alone");
    this.#shrink();
    for (const { key } of this.permits.figures()) this.#site?.onRoom(key);
  }

  #join(): void {
    this.#attempts = 0;
    this.#error = undefined;
    if (this.#state !== "joined") this.#setState("joined");
  }

  #setState(state: FleetEvent["state"]): void {
    this.#state = state;
    this.#stateSince = this.#clock.now();
    const error = this.#error;
    this.#site?.onLink({
      state,
      store: this.#store.name,
      members: this.#members,
      ...(state === "alone" && error !== undefined ? { error } : {}),
    });
  }

  /** Tells the store something, if it can be told now. It is advice: nobody waits for it. */
  #tell(tell: (link: StoreLink) => Promise<unknown>): void {
    const link = this.#link;
    if (!link || this.#closed) return;
    this.#requests++;
    tell(link).catch((error: unknown) => {
      if (this.#link === link) this.#lose(error, this.permits.moment());
    });
  }

  #tellOfItself(): void {
    const { connections, leased } = this.#site?.load() ?? { connections: 0, leased: 0 };
    const own = { kind: "member", member: this.#name, since: this.#since } as const;
    const text = write({ ...own, connections, leased });
    this.#tell((link) => link.put("members", this.#name, text, this.#options.goneAfterMs));
  }

  async #readAll(link: StoreLink): Promise<void> {
    try {
      this.#tellOfItself();
      for (const section of ["verdicts", "blocks", "members"]) {
        const { entries, skipped } = await link.read(section);
        this.#foreign += skipped;
        for (const { value } of entries) this.#take(read(value));
      }
    } catch (error) {
      if (this.#link === link) this.#lose(error, this.permits.moment());
    }
  }

  #hear(text: string): void {
    if (this.#closed) return;
    this.#hints++;
    this.#take(read(text));
  }

  #take(word: Word | undefined): void {
    if (!word) {
      this.#foreign++;
      return;
    }
    switch (word.kind) {
      case "bad":
        if (word.member !== this.#name) this.#believe(word);
        return;
      case "well":
        if (word.member === this.#name) return;
        this.#verdicts.delete(`${word.host} ${word.address} ${word.member}`);
        this.#site?.onWell(word.host, word.address);
        return;
      case "block": {
        const forMs = word.until === 0 ? undefined : word.until - this.#clock.wallNow();
        if (forMs !== undefined && forMs < 1) return;
        const reason = word.reason === "" ? {} : { reason: word.reason };
        this.#site?.onBlock(word.ip, { ...(forMs === undefined ? {} : { forMs }), ...reason });
        return;
      }
      case "unblock":
        this.#site?.onUnblock(word.ip);
        return;
      case "lack":
        // Not all at once.
        if (this.permits.reclaim(word.key)) this.#ask(LACK_MS.first * (1 + this.#clock.random()));
        return;
      case "member": {
        if (this.#peers.size >= MAX_HEARD) return;
        const until = this.#clock.now() + this.#options.goneAfterMs;
        this.#peers.set(word.member, { ...word, until });
      }
    }
  }

  #believe({ address, at, forMs, host, member, reason }: VerdictWord): void {
    const now = this.#clock.now();
    // What is read later holds for what is left; clocks differ, so never for longer than was said.
    const passedMs = Math.min(Math.max(0, this.#clock.wallNow() - at), forMs);
    const until = now + Math.min(forMs - passedMs, VERDICT_MS);
    if (until <= now || this.#verdicts.size >= MAX_HEARD) return;
    const verdict = { member, host, address, reason, at: now - passedMs, until };
    this.#verdicts.set(`${host} ${address} ${member}`, verdict);
    const own = this.#site?.experience(host, address);
    if (!own) return;
    const verdicts = [...this.#verdicts.values()];
    const rules = {
      now,
      quorum: this.#options.quorum,
      distrusted: distrusted(verdicts, this.#site?.known() ?? new Set()),
    };
    const about = verdicts.filter((other) => other.host === host && other.address === address);
    const hasTold = (this.#own.get(`${host} ${address}`) ?? 0) > now;
    if (isDoubtful(about, own, rules)) this.#site?.onDoubt(verdict);
    else if (isDoubtful(about, { ...own, failing: false }, rules)) {
      if (leavesTrialsTo(verdict, this.#name, hasTold)) this.#site?.onLeave(verdict);
    }
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#verdicts) if (until <= now) this.#verdicts.delete(key);
    for (const [key, until] of this.#own) if (until <= now) this.#own.delete(key);
    for (const [name, { until }] of this.#peers) if (until <= now) this.#peers.delete(name);
    for (const [key, at] of this.#hintedAt) if (now - at > LACK_MS.most) this.#hintedAt.delete(key);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
