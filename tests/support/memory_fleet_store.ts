/**
 * A fleet's store in memory.
 *
 * @module
 */

import { callAll } from "../../src/core/call_all.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import {
  type FleetStore,
  STORE_LIMITS,
  type StoredSection,
  type StoreEvents,
  type StoreLink,
  type SyncReply,
  type SyncRequest,
} from "../../src/fleet/store.ts";
import { PermitLedger } from "./permit_ledger.ts";

interface Entry {
  readonly value: string;
  readonly until: number;
}

/** A {@linkcode FleetStore} in memory, which a test can stop, restart and empty. */
export class MemoryFleetStore implements FleetStore {
  /** What it is called in messages. */
  readonly name: string = "memory";
  /** How many calls it has carried out. */
  calls = 0;
  readonly #clock: Clock;
  readonly #links = new Map<string, MemoryLink>();
  #sections = new Map<string, Map<string, Entry>>();
  #ledger = new PermitLedger();
  #epoch = 1;
  #startedAt = -Infinity;
  #numbers = 0;
  #down = false;

  /** Makes an empty store, which has been running for long. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Opens a connection. */
  async connect(events: StoreEvents, signal: AbortSignal): Promise<StoreLink> {
    signal.throwIfAborted();
    if (this.#down) throw new Error("The store is stopped");
    await null;
    const link = new MemoryLink(this, `${this.#epoch}.${++this.#numbers}`, events);
    this.#links.set(link.link, link);
    return link;
  }

  /** Stops it: its connections end, and none can be opened. */
  stop(): void {
    this.#down = true;
    const links = [...this.#links.values()];
    this.#links.clear();
    callAll(links.map((link) => () => link.lose(new Error("The store was stopped"))));
  }

  /** Starts it again, perhaps without its data. */
  start(emptied = false): void {
    this.#down = false;
    this.#epoch++;
    this.#startedAt = this.#clock.now();
    if (!emptied) return;
    this.#ledger = new PermitLedger();
    this.#sections = new Map();
  }

  /** How many permits of a key are given out. */
  granted(key: string): number {
    return this.#ledger.granted(key);
  }

  /** @internal */
  put(section: string, key: string, value: string, ttlMs: number): void {
    this.calls++;
    let entries = this.#sections.get(section);
    if (!entries) this.#sections.set(section, entries = new Map());
    entries.set(key, { value, until: this.#clock.now() + ttlMs });
  }

  /** @internal */
  remove(section: string, key: string): void {
    this.calls++;
    this.#sections.get(section)?.delete(key);
  }

  /** @internal */
  read(section: string): StoredSection {
    this.calls++;
    const now = this.#clock.now();
    const entries = this.#sections.get(section) ?? new Map<string, Entry>();
    for (const [key, { until }] of entries) if (until <= now) entries.delete(key);
    const fitting = Array.from(entries, ([key, { value }]) => ({ key, value }))
      .filter(({ value }) => value.length <= STORE_LIMITS.valueChars)
      .slice(0, STORE_LIMITS.entries);
    return { entries: fitting, skipped: entries.size - fitting.length };
  }

  /** @internal */
  hint(text: string): void {
    this.calls++;
    callAll([...this.#links.values()].map((link) => () => link.hear(text)));
  }

  /** @internal */
  sync(request: SyncRequest): SyncReply {
    this.calls++;
    const now = this.#clock.now();
    this.#ledger.begin(`${this.#epoch}`, now, now - this.#startedAt, request.goneAfterMs);
    return this.#ledger.sync(request, now);
  }

  /** @internal */
  leave(member: string): void {
    this.calls++;
    this.#ledger.leave(member);
  }

  /** @internal */
  has(link: string): boolean {
    return this.#links.has(link);
  }

  /** @internal */
  forget(link: string): void {
    this.#links.delete(link);
  }
}

class MemoryLink implements StoreLink {
  readonly link: string;
  readonly #store: MemoryFleetStore;
  readonly #events: StoreEvents;

  constructor(store: MemoryFleetStore, link: string, events: StoreEvents) {
    this.#store = store;
    this.link = link;
    this.#events = events;
  }

  hear(text: string): void {
    this.#events.onHint(text);
  }

  lose(error: Error): void {
    this.#events.onLost(error);
  }

  put(section: string, key: string, value: string, ttlMs: number): Promise<void> {
    return this.#call(() => this.#store.put(section, key, value, ttlMs));
  }

  remove(section: string, key: string): Promise<void> {
    return this.#call(() => this.#store.remove(section, key));
  }

  read(section: string): Promise<StoredSection> {
    return this.#call(() => this.#store.read(section));
  }

  hint(text: string): Promise<void> {
    return this.#call(() => this.#store.hint(text));
  }

  sync(request: SyncRequest): Promise<SyncReply> {
    return this.#call(() => this.#store.sync(request));
  }

  leave(member: string): Promise<void> {
    return this.#call(() => this.#store.leave(member));
  }

  ended(links: readonly string[]): Promise<string[]> {
    return this.#call(() => links.filter((link) => !this.#store.has(link)));
  }

  close(): void {
    this.#store.forget(this.link);
  }

  async #call<T>(run: () => T): Promise<T> {
    await null;
    if (!this.#store.has(this.link)) throw new Error("The connection to the store has ended");
    return run();
  }
}
