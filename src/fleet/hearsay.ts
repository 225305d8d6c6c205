/**
 * What members say about failing addresses: what this one sends, and how it takes what others send.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { FleetSite } from "./fleet.ts";
import type { StoreLine } from "./line.ts";
import {
  distrusted,
  type HeardVerdict,
  isDoubtful,
  isWorthTelling,
  leavesTrialsTo,
} from "./verdicts.ts";
import { type VerdictWord, type WellWord, write } from "./words.ts";

/** The longest that a verdict holds for others, in milliseconds. */
const VERDICT_MS = 300_000;

/** How many verdicts are remembered. */
const MAX_HEARD = 5_000;

/** The store's section for verdicts. */
export const VERDICTS = "verdicts";

/** Sends verdicts to the fleet, and takes those of others. */
export class Hearsay {
  readonly #clock: Clock;
  readonly #line: StoreLine;
  readonly #name: string;
  readonly #quorum: number;
  readonly #heard = new Map<string, HeardVerdict>();
  /**
   * What was sent to the others and not taken back, by host and address, and until when it holds.
   */
  readonly #own = new Map<string, number>();

  /** Begins without any. */
  constructor(clock: Clock, line: StoreLine, name: string, quorum: number) {
    this.#clock = clock;
    this.#line = line;
    this.#name = name;
    this.#quorum = quorum;
  }

  /** The verdicts of others that hold. */
  get verdicts(): HeardVerdict[] {
    const now = this.#clock.now();
    return [...this.#heard.values()].filter(({ until }) => until > now);
  }

  /**
   * Tells the others that an address fails, if they do not know. If others have said so and are
   * trying it again, it is left to them.
   */
  condemn(host: string, address: string, reason: string, forMs: number, site: FleetSite): void {
    const key = `${host} ${address}`;
    const now = this.#clock.now();
    const holdsMs = Math.min(forMs, VERDICT_MS);
    if ((this.#own.get(key) ?? 0) >= now + holdsMs) return;
    const others = this.#about(host, address).filter((verdict) =>
      leavesTrialsTo(verdict, this.#name, this.#own.has(key))
    );
    if (!isWorthTelling(others.length, this.#quorum)) {
      for (const verdict of others) site.onLeave(verdict);
      return;
    }
    this.#own.set(key, now + holdsMs);
    const at = this.#clock.wallNow();
    const place = { kind: "bad", member: this.#name, host, address } as const;
    const text = write({ ...place, reason, forMs: holdsMs, at });
    void this.#line.tell((link) =>
      Promise.all([link.hint(text), link.put(VERDICTS, `${key} ${this.#name}`, text, holdsMs)])
    );
  }

  /** Tells the others that an address works again, if they were told that it fails. */
  reached(host: string, address: string): void {
    if (this.#own.has(`${host} ${address}`)) this.acquit(host, address);
  }

  /** Tells the others that an address is well. */
  acquit(host: string, address: string): void {
    const key = `${host} ${address}`;
    const isOwn = this.#own.delete(key);
    const text = write({ kind: "well", member: this.#name, host, address });
    void this.#line.tell((link) =>
      Promise.all([
        link.hint(text),
        isOwn ? link.remove(VERDICTS, `${key} ${this.#name}`) : undefined,
      ])
    );
  }

  /** Takes a verdict, or the end of one. */
  take(word: VerdictWord | WellWord, site: FleetSite): void {
    if (word.member === this.#name) return;
    if (word.kind === "bad") {
      this.#believe(word, site);
      return;
    }
    this.#heard.delete(`${word.host} ${word.address} ${word.member}`);
    site.onWell(word.host, word.address);
  }

  /** Forgets what no longer holds. */
  forgetOld(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#heard) if (until <= now) this.#heard.delete(key);
    // The others may still leave it alone: they should learn when it is well.
    for (const [key, until] of this.#own) if (until + VERDICT_MS <= now) this.#own.delete(key);
  }

  #about(host: string, address: string): HeardVerdict[] {
    return this.verdicts.filter((verdict) => verdict.host === host && verdict.address === address);
  }

  #believe({ address, at, forMs, host, member, reason }: VerdictWord, site: FleetSite): void {
    const now = this.#clock.now();
    // What is read later holds for what is left; clocks differ, so never for longer than was said.
    const passedMs = Math.min(Math.max(0, this.#clock.wallNow() - at), forMs);
    const until = now + Math.min(forMs - passedMs, VERDICT_MS);
    const key = `${host} ${address} ${member}`;
    if (until <= now || (this.#heard.size >= MAX_HEARD && !this.#heard.has(key))) return;
    const verdict = { member, host, address, reason, at: now - passedMs, until };
    this.#heard.set(key, verdict);
    const own = site.experience(host, address);
    if (!own) return;
    const rules = {
      now,
      quorum: this.#quorum,
      distrusted: distrusted(this.#heard.values(), site.known()),
    };
    const about = this.#about(host, address);
    const hasTold = (this.#own.get(`${host} ${address}`) ?? 0) > now;
    if (isDoubtful(about, own, rules)) site.onDoubt(verdict);
    else if (isDoubtful(about, { ...own, failing: false }, rules)) {
      if (leavesTrialsTo(verdict, this.#name, hasTold)) site.onLeave(verdict);
    }
  }
}
