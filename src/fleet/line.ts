/**
 * A member's line to the store: it connects, renews what the pool has, away from any request, and says
 * whether the store answers.
 *
 * @module
 */

import { messageOf } from "../core/check.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { FleetEvent, FleetStats } from "./fleet.ts";
import type { Moment, Permits } from "./permits.ts";
import type { FleetStore, MemberLink, StoreLink, SyncRequest } from "./store.ts";
import { write } from "./words.ts";

/** What the line notifies. */
export interface LineEvents {
  /** The store has answered over a new connection. */
  onOpen(): void;
  /** A member told the others something. */
  onHint(text: string): void;
  /** There are permits for keys that had none left, or it is time to ask for them again. */
  onRoom(keys: readonly string[]): void;
  /** There are more connections than permits. */
  onShrink(): void;
  /** The store answers again, or has stopped answering. */
  onState(event: FleetEvent): void;
}

/**
 * How long to wait before connecting to the store again, in milliseconds, at random up to that:
 * members that have lost it together do not come back together. Never longer than half a lease.
 */
const RETRY_MS = { first: 100, most: 3_000 };

/** How soon to ask for more permits if the last answer gave none, in milliseconds. */
const LACK_MS = { first: 10, most: 1_000 };

/**
 * How often to claim everything, changed or not, in milliseconds: the store forgets after a day.
 */
const CLAIM_ALL_MS = 600_000;

/** Keeps one connection to a store, and one renewal at a time under way. */
export class StoreLine {
  readonly #clock: Clock;
  readonly #store: FleetStore;
  readonly #permits: Permits;
  readonly #times: { readonly leaseMs: number; readonly goneAfterMs: number };
  readonly #name: string;
  #events: LineEvents | undefined;
  #link: StoreLink | undefined;
  /**
   * The connection before this one: it shows the store that the member is there until this one
   * answers.
   */
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
  #retry: Timer | undefined;
  #asking: Timer | undefined;
  #offering: Timer | undefined;
  /** What is offered again next. */
  readonly #lacking = new Set<string>();
  #askAt = Infinity;
  #attempts = 0;
  #lackMs = LACK_MS.first;
  #claimedAllAt = 0;
  readonly #hintedAt = new Map<string, number>();
  #requests = 0;
  #failures = 0;
  #closed = false;

  /** Makes a line that sends nothing yet. */
  constructor(
    clock: Clock,
    store: FleetStore,
    permits: Permits,
    times: { readonly leaseMs: number; readonly goneAfterMs: number },
    name: string,
  ) {
    this.#clock = clock;
    this.#store = store;
    this.#permits = permits;
    this.#times = times;
    this.#name = name;
    this.#stateSince = clock.now();
  }

  /** Begins to speak with the store. */
  open(events: LineEvents): void {
    this.#events = events;
    this.#permits.listen({
      onLack: () => this.ask(this.#lackMs),
      onCleared: (keys) => {
        events.onRoom(keys);
        if (keys.some((key) => this.#permits.owes(key))) this.ask();
      },
    });
    void this.#connect();
  }

  /** Whether something can be sent now. */
  get isOpen(): boolean {
    return this.#link !== undefined && !this.#closed;
  }

  /** The state of the member towards its store. */
  stats(): Pick<
    FleetStats,
    "store" | "state" | "stateSince" | "error" | "members" | "requests" | "failures"
  > {
    return {
      store: this.#store.name,
      state: this.#state,
      stateSince: this.#stateSince,
      error: this.#error === undefined ? null : messageOf(this.#error),
      members: this.#members,
      requests: this.#requests,
      failures: this.#failures,
    };
  }

  /**
   * Sends the store something, if it can be sent now. It is advice: no request waits for it.
   *
   * @returns Whether all of it was told
   */
  async tell(tell: (link: StoreLink) => Promise<unknown>): Promise<boolean> {
    const link = this.#link;
    if (!link || this.#closed) return false;
    this.#requests++;
    try {
      await tell(link);
      return true;
    } catch (error) {
      if (this.#link === link) this.#lose(error, this.#permits.moment());
      return false;
    }
  }

  /** Renews the permits, and checks whether they still hold. Called several times a lease. */
  beat(): void {
    const now = this.#clock.now();
    for (const [key, at] of this.#hintedAt) if (now - at > LACK_MS.most) this.#hintedAt.delete(key);
    if (now - this.#claimedAllAt > CLAIM_ALL_MS) this.#permits.claimAll();
    void this.#sync();
    // A lease may end between two beats, or a process stand still.
    if (this.#permits.alone) this.#standAlone();
  }

  /** Renews soon, and only once however often this is called. */
  ask(inMs: number = LACK_MS.first): void {
    const at = this.#clock.now() + inMs;
    if (this.#closed || at >= this.#askAt) return;
    this.#asking?.cancel();
    this.#askAt = at;
    this.#asking = this.#clock.setTimer(() => {
      this.#askAt = Infinity;
      void this.#sync();
    }, inMs);
  }

  /** Notes that somebody has asked for permits of a key: nobody need repeat it for a while. */
  heardLack(key: string): void {
    this.#hintedAt.set(key, this.#clock.now());
  }

  /** Renews soon, but not at the same moment as others who were asked to. */
  askInTurn(): void {
    this.ask(LACK_MS.first * (1 + this.#clock.random()));
  }

  /** Gives everything back, if the store answers in time, after sending it some last words. */
  async close(farewell: (link: StoreLink) => Promise<unknown>): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of [this.#retry, this.#asking, this.#offering]) timer?.cancel();
    this.#connecting?.abort(new Error("The member has left"));
    try {
      await this.#link?.leave(this.#name);
      if (this.#link) await farewell(this.#link);
    } catch {
      // The store finds out by itself.
    }
    this.#link?.close();
    this.#oldLink?.close();
  }

  async #connect(): Promise<void> {
    if (this.#closed || this.#connecting) return;
    const at = this.#permits.moment();
    const stop = this.#connecting = new AbortController();
    let link: StoreLink | undefined;
    const events = {
      onHint: (text: string) => {
        if (!this.#closed) this.#events?.onHint(text);
      },
      onLost: (error: unknown) => {
        if (link && this.#link === link) this.#lose(error, this.#permits.moment());
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
    this.#permits.claimAll();
    this.#claimedAllAt = this.#clock.now();
    await this.#sync();
    if (this.#link === link && !this.#closed) this.#events?.onOpen();
  }

  /** Takes, renews and gives back permits. One request is under way at a time. */
  async #sync(): Promise<void> {
    const link = this.#link;
    if (!link || this.#closed) return;
    if (this.#syncing) {
      this.ask();
      return;
    }
    this.#syncing = true;
    const sentAt = this.#permits.moment();
    const request: SyncRequest = {
      member: this.#name,
      link: link.link,
      seq: ++this.#seq,
      epoch: this.#epoch,
      claims: this.#permits.claims(),
      ended: this.#suspects,
      goneAfterMs: this.#times.goneAfterMs,
    };
    this.#suspects = [];
    try {
      this.#requests++;
      const reply = await link.sync(request);
      if (this.#closed || this.#link !== link || reply.late) return;
      if (reply.unknown && this.#epoch === reply.epoch) this.#permits.claimAll();
      this.#epoch = reply.epoch;
      this.#members = reply.members;
      this.#oldLink?.close();
      this.#oldLink = undefined;
      const { grown, lacking, shrunk } = this.#permits.answered(reply, sentAt);
      this.#join();
      if (grown.length > 0) this.#lackMs = LACK_MS.first;
      else if (lacking.length > 0) this.#lackMs = Math.min(2 * this.#lackMs, LACK_MS.most);
      if (grown.length > 0) this.#events?.onRoom(grown);
      if (shrunk.length > 0) this.#events?.onShrink();
      this.#askOthers(link, lacking);
      if (lacking.length > 0) this.#offerAgain(lacking);
      if (reply.silent.length > 0) await this.#lookAfter(link, reply.silent);
    } catch (error) {
      if (this.#link === link) this.#lose(error, sentAt);
    } finally {
      this.#syncing = false;
    }
  }

  /**
   * Has those who still want what was not given ask for it again, and for more. Nobody else looks at
   * them, and a member that asks for little gets nothing while others have all.
   */
  #offerAgain(lacking: readonly string[]): void {
    // The next answer may be about other keys, and soon: it takes none away, and puts nothing off.
    for (const key of lacking) this.#lacking.add(key);
    this.#offering ??= this.#clock.setTimer(() => {
      const keys = [...this.#lacking];
      this.#lacking.clear();
      this.#events?.onRoom(keys);
      // Those who still want it say so in this very turn.
      this.#offering = this.#clock.setTimer(() => {
        this.#offering = undefined;
        for (const key of keys) this.#permits.forgetWish(key);
        if (this.#lacking.size > 0) this.#offerAgain([]);
      }, 0);
    }, this.#lackMs);
  }

  /** Asks members with more than their due to give some back. */
  #askOthers(link: StoreLink, lacking: readonly string[]): void {
    const now = this.#clock.now();
    for (const key of lacking) {
      if (now - (this.#hintedAt.get(key) ?? -Infinity) < LACK_MS.most) continue;
      this.#hintedAt.set(key, now);
      link.hint(write({ kind: "lack", key })).catch(() => {});
    }
  }

  /** Checks whether the store still has the connections of silent members. */
  async #lookAfter(link: StoreLink, silent: readonly MemberLink[]): Promise<void> {
    const ended = new Set(await link.ended(silent.map(({ link }) => link)));
    this.#suspects = silent.filter(({ link }) => ended.has(link));
    if (this.#suspects.length > 0) this.ask();
  }

  #lose(error: unknown, sentAt: Moment): void {
    // The store may still see it, and sees nothing else of this member.
    this.#oldLink?.close();
    this.#oldLink = this.#link;
    this.#link = undefined;
    this.#permits.claimAll();
    this.#failed(error, sentAt);
  }

  #failed(error: unknown, sentAt: Moment): void {
    if (this.#closed) return;
    this.#failures++;
    this.#permits.failed(sentAt);
    this.#error = error;
    if (this.#state === "joining") this.#standAlone();
    const longest = Math.min(RETRY_MS.most, this.#times.leaseMs / 2);
    const most = Math.min(RETRY_MS.first * 2 ** this.#attempts++, longest);
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimer(
      () => void this.#connect(),
      most * (0.5 + 0.5 * this.#clock.random()),
    );
  }

  #standAlone(): void {
    if (this.#state === "alone") return;
    this.#setState("alone");
    if (this.#permits.overdrawn().length > 0) this.#events?.onShrink();
    this.#events?.onRoom(Array.from(this.#permits.figures(), ({ key }) => key));
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
    this.#events?.onState({
      state,
      store: this.#store.name,
      members: this.#members,
      ...(state === "alone" && error !== undefined ? { error } : {}),
    });
  }
}
