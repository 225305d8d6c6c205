/**
 * What an operator orders of all members: blocks, their ends, and drains.
 *
 * @module
 */

import { addressKey, parseHost } from "../core/address.ts";
import { checkNumber } from "../core/check.ts";
import type { Clock } from "../core/clock.ts";
import type { FleetSite } from "./fleet.ts";
import type { StoreLine } from "./line.ts";
import type { StoreLink } from "./store.ts";
import { type BlockWord, type DrainWord, type Word, write } from "./words.ts";

/** The sections of the store that orders stand in. */
export const ORDERS: readonly string[] = ["blocks", "drains"];

/** For how long a block stands that has no end, in milliseconds: a year. */
const FOR_EVER_MS = 31_536_000_000;

/** For how long it is known that a block was ended, in milliseconds: to members that were away. */
const ENDED_MS = 604_800_000;

/** For how long a drain is told to members that were away, in milliseconds. */
const DRAIN_MS = 300_000;

/** How many orders are remembered. */
const MAX_ORDERS = 10_000;

interface Order<Told> {
  readonly word: Told;
  /** Whether the store has it. */
  told: boolean;
}

/**
 * Carries orders out here at once, tells the others, and tells them again where the store has lost
 * them, or was away. What the store has counts, whoever put it there.
 */
export class Orders {
  readonly #clock: Clock;
  readonly #line: StoreLine;
  readonly #since: number;
  readonly #blocks = new Map<string, Order<BlockWord>>();
  readonly #drains = new Map<string, Order<DrainWord>>();

  /** Begins without any. `since` is when the member began, in milliseconds since 1970. */
  constructor(clock: Clock, line: StoreLine, since: number) {
    this.#clock = clock;
    this.#line = line;
    this.#since = since;
  }

  /** Blocks an address for every member. */
  async block(
    site: FleetSite,
    ip: string,
    { forMs = Infinity, reason = "" }: { readonly forMs?: number; readonly reason?: string } = {},
  ): Promise<boolean> {
    checkNumber("forMs", forMs, { min: 1 });
    const until = forMs === Infinity ? 0 : this.#clock.wallNow() + forMs;
    const word: BlockWord = { kind: "block", ip: addressKey(ip), reason, until };
    this.#carryOut(word, site);
    return await this.#tellBlock(word);
  }

  /** Ends a block for every member. */
  async unblock(site: FleetSite, ip: string): Promise<boolean> {
    const until = this.#clock.wallNow() + ENDED_MS;
    const word: BlockWord = { kind: "unblock", ip: addressKey(ip), reason: "", until };
    this.#carryOut(word, site);
    return await this.#tellBlock(word);
  }

  /** Drains a host or an address in every member. */
  async drain(site: FleetSite, target: string): Promise<boolean> {
    const at = this.#clock.wallNow();
    const id = Math.floor(this.#clock.random() * 2 ** 48).toString(36);
    const word: DrainWord = { kind: "drain", target: parseHost(target).text, id, at };
    this.#carryOut(word, site);
    return await this.#tellDrain(word);
  }

  /** Takes an order that was heard or read. */
  take(word: BlockWord | DrainWord, site: FleetSite): void {
    const known = word.kind === "drain" ? this.#drains.get(word.id) : this.#blocks.get(word.ip);
    if (known && isSame(known.word, word)) known.told = true;
    else if (known && !known.told) return;
    else if (word.kind === "drain" && word.at < this.#since) return;
    // What was lifted before is nothing that was blocked here since.
    else if (word.kind === "unblock" && !known && word.until - ENDED_MS < this.#since) return;
    else this.#carryOut(word, site, true);
  }

  /** Tells the store once more what it does not have. @param read What it was found to have */
  retell(read: readonly (BlockWord | DrainWord)[]): void {
    this.#forgetOld();
    const blocks = new Set(read.flatMap((word) => word.kind === "drain" ? [] : [word.ip]));
    const drains = new Set(read.flatMap((word) => word.kind === "drain" ? [word.id] : []));
    for (const [ip, { told, word }] of this.#blocks) {
      if (!told || !blocks.has(ip)) void this.#tellBlock(word);
    }
    for (const [id, { told, word }] of this.#drains) {
      if (!told || !drains.has(id)) void this.#tellDrain(word);
    }
  }

  #carryOut(word: BlockWord | DrainWord, site: FleetSite, told = false): void {
    this.#forgetOld();
    if (word.kind === "drain") {
      if (this.#drains.size >= MAX_ORDERS) return;
      site.onDrain(word.target);
      this.#drains.set(word.id, { word, told });
      return;
    }
    if (this.#blocks.size >= MAX_ORDERS && !this.#blocks.has(word.ip)) return;
    if (word.kind === "unblock") site.onUnblock(word.ip);
    else {
      const forMs = word.until === 0 ? undefined : word.until - this.#clock.wallNow();
      if (forMs !== undefined && forMs < 1) return;
      const { reason } = word;
      site.onBlock(word.ip, {
        ...(forMs === undefined ? {} : { forMs }),
        ...(reason === "" ? {} : { reason }),
      });
    }
    this.#blocks.set(word.ip, { word, told });
  }

  async #tellBlock(word: BlockWord): Promise<boolean> {
    const holdsMs = word.until === 0 ? FOR_EVER_MS : word.until - this.#clock.wallNow();
    if (holdsMs <= 0) return true;
    return await this.#tell(
      word,
      this.#blocks.get(word.ip),
      (link, text) => link.put("blocks", word.ip, text, holdsMs),
    );
  }

  async #tellDrain(word: DrainWord): Promise<boolean> {
    return await this.#tell(
      word,
      this.#drains.get(word.id),
      (link, text) => link.put("drains", word.id, text, DRAIN_MS),
    );
  }

  async #tell<Told extends BlockWord | DrainWord>(
    word: Told,
    order: Order<Told> | undefined,
    put: (link: StoreLink, text: string) => Promise<void>,
  ): Promise<boolean> {
    const text = write(word);
    const told = await this.#line.tell((link) => Promise.all([put(link, text), link.hint(text)]));
    if (told && order?.word === word) order.told = true;
    return told;
  }

  #forgetOld(): void {
    const now = this.#clock.wallNow();
    for (const [id, { word }] of this.#drains) {
      if (now - word.at > DRAIN_MS) this.#drains.delete(id);
    }
    for (const [ip, { word }] of this.#blocks) {
      if (word.until !== 0 && word.until <= now) this.#blocks.delete(ip);
    }
  }
}

/** Whether it is an order. */
export function isOrder(word: Word): word is BlockWord | DrainWord {
  return word.kind === "block" || word.kind === "unblock" || word.kind === "drain";
}

function isSame(one: BlockWord | DrainWord, other: BlockWord | DrainWord): boolean {
  return write(one) === write(other);
}
