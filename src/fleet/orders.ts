/**
 * What an operator orders of all members: blocks, weights, their ends, and drains.
 *
 * @module
 */

import { addressKey, MAX_WEIGHT, parseHost } from "../core/address.ts";
import { checkNumber } from "../core/check.ts";
import type { Clock } from "../core/clock.ts";
import type { FleetSite } from "./fleet.ts";
import type { StoreLine } from "./line.ts";
import type { StoreLink } from "./store.ts";
import { type BlockWord, type DrainWord, type WeightWord, type Word, write } from "./words.ts";

/** The store's sections for orders. */
export const ORDERS: readonly string[] = ["blocks", "weights", "drains"];

/** How long a block or a weight without an end is kept, in milliseconds: a year. */
const FOR_EVER_MS = 31_536_000_000;

/** How long the end of one is kept for members that were away, in milliseconds. */
const ENDED_MS = 604_800_000;

/** How long members that were away still get a drain, in milliseconds. */
const DRAIN_MS = 300_000;

/** How many orders are remembered. */
const MAX_ORDERS = 10_000;

/** An order that holds until another one replaces it. */
type StandingWord = BlockWord | WeightWord;

type OrderWord = StandingWord | DrainWord;

interface Order<Told> {
  readonly word: Told;
  /** Whether the store has it. */
  told: boolean;
}

/**
 * Carries out orders here at once, sends them to the others, and sends them again if the store has
 * lost them or was away. What the store has counts, whichever member put it there.
 */
export class Orders {
  readonly #clock: Clock;
  readonly #line: StoreLine;
  readonly #since: number;
  /** By their subject. */
  readonly #standing = new Map<string, Order<StandingWord>>();
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
    return await this.#order(word, site);
  }

  /** Ends a block for every member. */
  async unblock(site: FleetSite, ip: string): Promise<boolean> {
    const until = this.#clock.wallNow() + ENDED_MS;
    const word: BlockWord = { kind: "unblock", ip: addressKey(ip), reason: "", until };
    return await this.#order(word, site);
  }

  /** Sets the weight of an address for every member, or takes it off. */
  async setWeight(site: FleetSite, ip: string, weight: number | null): Promise<boolean> {
    if (weight !== null) checkNumber("weight", weight, { min: 0, max: MAX_WEIGHT });
    const until = weight === null ? this.#clock.wallNow() + ENDED_MS : 0;
    const word: WeightWord = { kind: "weight", ip: addressKey(ip), weight, until };
    return await this.#order(word, site);
  }

  /** Drains a host or an address in every member. */
  async drain(site: FleetSite, target: string): Promise<boolean> {
    const at = this.#clock.wallNow();
    const id = Math.floor(this.#clock.random() * 2 ** 48).toString(36);
    const word: DrainWord = { kind: "drain", target: parseHost(target).text, id, at };
    this.#carryOut(word, site);
    return await this.#tellDrain(word);
  }

  /** Takes an order that was received or read. */
  take(word: OrderWord, site: FleetSite): void {
    const known = word.kind === "drain"
      ? this.#drains.get(word.id)
      : this.#standing.get(keyOf(word));
    if (known && isSame(known.word, word)) known.told = true;
    else if (known && !known.told) return;
    else if (word.kind === "drain" && word.at < this.#since) return;
    // An earlier end does not affect a later order.
    else if (isEnd(word) && !known && word.until - ENDED_MS < this.#since) return;
    else this.#carryOut(word, site, true);
  }

  /** Sends the store again what it does not have. */
  retell(read: readonly OrderWord[]): void {
    this.#forgetOld();
    const standing = new Set(read.flatMap((word) => word.kind === "drain" ? [] : [keyOf(word)]));
    const drains = new Set(read.flatMap((word) => word.kind === "drain" ? [word.id] : []));
    for (const [key, { told, word }] of this.#standing) {
      if (!told || !standing.has(key)) void this.#tellStanding(word);
    }
    for (const [id, { told, word }] of this.#drains) {
      if (!told || !drains.has(id)) void this.#tellDrain(word);
    }
  }

  async #order(word: StandingWord, site: FleetSite): Promise<boolean> {
    this.#carryOut(word, site);
    return await this.#tellStanding(word);
  }

  #carryOut(word: OrderWord, site: FleetSite, told = false): void {
    this.#forgetOld();
    if (word.kind === "drain") {
      if (this.#drains.size >= MAX_ORDERS) return;
      site.onDrain(word.target);
      this.#drains.set(word.id, { word, told });
      return;
    }
    const key = keyOf(word);
    if (this.#standing.size >= MAX_ORDERS && !this.#standing.has(key)) return;
    if (word.kind === "weight") site.onWeight(word.ip, word.weight);
    else if (word.kind === "unblock") site.onUnblock(word.ip);
    else {
      const forMs = word.until === 0 ? undefined : word.until - this.#clock.wallNow();
      if (forMs !== undefined && forMs < 1) return;
      const { reason } = word;
      site.onBlock(word.ip, {
        ...(forMs === undefined ? {} : { forMs }),
        ...(reason === "" ? {} : { reason }),
      });
    }
    this.#standing.set(key, { word, told });
  }

  async #tellStanding(word: StandingWord): Promise<boolean> {
    const holdsMs = word.until === 0 ? FOR_EVER_MS : word.until - this.#clock.wallNow();
    if (holdsMs <= 0) return true;
    const section = word.kind === "weight" ? "weights" : "blocks";
    return await this.#tell(
      word,
      this.#standing.get(keyOf(word)),
      (link, text) => link.put(section, word.ip, text, holdsMs),
    );
  }

  async #tellDrain(word: DrainWord): Promise<boolean> {
    return await this.#tell(
      word,
      this.#drains.get(word.id),
      (link, text) => link.put("drains", word.id, text, DRAIN_MS),
    );
  }

  async #tell<Told extends OrderWord>(
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
    for (const [key, { word }] of this.#standing) {
      if (word.until !== 0 && word.until <= now) this.#standing.delete(key);
    }
  }
}

/** Whether it is an order. */
export function isOrder(word: Word): word is OrderWord {
  const { kind } = word;
  return kind === "block" || kind === "unblock" || kind === "weight" || kind === "drain";
}

/** The subject of an order: a later one about the same replaces it. */
function keyOf({ ip, kind }: StandingWord): string {
  return `${kind === "weight" ? kind : "block"} ${ip}`;
}

/** Whether it ends what another one began. */
function isEnd(word: OrderWord): word is StandingWord {
  return word.kind === "unblock" || (word.kind === "weight" && word.weight === null);
}

function isSame(one: OrderWord, other: OrderWord): boolean {
  return write(one) === write(other);
}
