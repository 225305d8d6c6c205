/**
 * Which addresses may be used now: the access rules, and what is blocked for a while.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { AccessList, type AccessRules, restricts } from "./access.ts";
import { type Block, BlockList, type BlockOptions } from "./block_list.ts";

/** What is notified of changes. */
export interface AdmissionEvents {
  /** Other addresses may be used than before. */
  onChange(): void;
  /** A block has ended, by its time or by a call. */
  onUnblock(ip: string): void;
}

/** How many IP addresses are remembered. */
const MAX_DENIALS = 10_000;

/** Holds access rules and blocks, and says at once when either changes. */
export class Admission {
  readonly #clock: Clock;
  readonly #events: AdmissionEvents;
  readonly #blocks: BlockList;
  #rules: AccessList;
  /** What the rules say about the IP addresses asked for: reading one again takes microseconds. */
  readonly #denials = new Map<string, string | undefined>();
  #expiry: Timer | undefined;
  #expiresAt = Infinity;
  #closed = false;

  /**
   * Begins with rules, and with nothing blocked.
   *
   * @throws {TypeError} A rule is not valid
   */
  constructor(clock: Clock, rules: AccessRules, events: AdmissionEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#blocks = new BlockList(clock);
    this.#rules = new AccessList(rules);
  }

  /** What keeps an address from being used: a rule or a block; undefined if nothing does. */
  deniedBy(address: Address): string | undefined {
    const denied = this.#ruleAgainst(address.ip);
    if (denied !== undefined) return denied;
    const block = this.#blocks.blocking(address);
    if (!block) return undefined;
    return block.reason === undefined ? "blocked" : `blocked: ${block.reason}`;
  }

  /** Whether only blocks that a test may end, this one included, deny an address. */
  mayTest(address: Address, block: Block): boolean {
    if (this.#ruleAgainst(address.ip) !== undefined) return false;
    const blocks = this.#blocks.of(address);
    return blocks.includes(block) && blocks.every(({ untilWell }) => untilWell);
  }

  /** Whether the rules deny anything at all. */
  get isRestricted(): boolean {
    return restricts(this.#rules.rules);
  }

  /** The access rules. */
  get rules(): AccessRules {
    return this.#rules.rules;
  }

  /**
   * Replaces the access rules.
   *
   * @throws {TypeError} A rule is not valid; the old ones hold
   */
  setRules(rules: AccessRules): void {
    this.#rules = new AccessList(rules);
    this.#denials.clear();
    this.#events.onChange();
  }

  /** What is blocked now, oldest first. */
  get blocks(): Block[] {
    return this.#blocks.list();
  }

  /** Ends the blocks that are over. Their timer is late if the program was busy. */
  settle(): void {
    if (this.#closed || this.#clock.now() < this.#expiresAt) return;
    for (const { ip } of this.#blocks.expire()) this.#events.onUnblock(ip);
    this.#watch();
    this.#events.onChange();
  }

  /**
   * Blocks an IP address, or one port of it: see `BlockList.block`.
   *
   * @throws {TypeError | RangeError} The address or an option is not valid
   */
  block(ip: string, options?: BlockOptions): Block {
    this.settle();
    const block = this.#blocks.block(ip, options);
    this.#watch();
    this.#events.onChange();
    return block;
  }

  /**
   * Ends a block before its time: see `BlockList.unblock`.
   *
   * @throws {TypeError | RangeError} It is not an address
   */
  unblock(ip: string): boolean {
    this.settle();
    const block = this.#blocks.unblock(ip);
    if (!block) return false;
    this.#watch();
    this.#events.onUnblock(block.ip);
    this.#events.onChange();
    return true;
  }

  /** Stops watching blocks, later ones included. */
  close(): void {
    this.#closed = true;
    this.#expiry?.cancel();
  }

  #ruleAgainst(ip: string): string | undefined {
    if (this.#denials.has(ip)) return this.#denials.get(ip);
    if (this.#denials.size >= MAX_DENIALS) this.#denials.clear();
    const rule = this.#rules.deniedBy(ip);
    this.#denials.set(ip, rule);
    return rule;
  }

  #watch(): void {
    this.#expiry?.cancel();
    this.#expiresAt = this.#blocks.nextExpiry;
    if (this.#closed || this.#expiresAt === Infinity) return;
    this.#expiry = this.#clock.setTimer(() => {
      this.settle();
      // A runtime's timer may fire a moment before its time.
      this.#watch();
    }, this.#expiresAt - this.#clock.now());
  }
}
