/**
 * Addresses that are blocked for a while.
 *
 * @module
 */

import { addressKey, withItsPort } from "../core/address.ts";
import { checkFlag, checkNames, checkNumber, describe } from "../core/check.ts";
import type { Clock } from "../core/clock.ts";

/** A blocked IP address, or one port of it. */
export interface Block {
  /** What is blocked: an IP address, `192.0.2.1`, or one port of it, `192.0.2.1:443`. */
  readonly ip: string;
  /** Why, if a reason was given. */
  readonly reason: string | undefined;
  /** Since when, in milliseconds since 1970 by the clock's `now()`. */
  readonly since: number;
  /** When it ends; `Infinity` if only `unblock()` ends it. */
  readonly until: number;
  /** Whether it ends as soon as a test of the address succeeds. */
  readonly untilWell: boolean;
}

/** How long to block, and why. */
export interface BlockOptions {
  /** After how many milliseconds the block ends; at least 1. @default {Infinity} */
  readonly forMs?: number | undefined;
  /** Why. */
  readonly reason?: string | undefined;
  /**
   * Whether to test the address meanwhile, every `blocklistCheckIntervalMs` for each host in use that
   * has it, and end the block when a test succeeds. With `forMs`, whichever comes first ends it.
   *
   * @default {false}
   */
  readonly untilWell?: boolean | undefined;
}

/**
 * What is blocked, and until when. A block holds until `expire()` has removed it, so that those who
 * act on its end and those who ask for it agree.
 */
export class BlockList {
  /** By IP address, or by address with its port, 443 included: oldest first. */
  readonly #blocks = new Map<string, Block>();
  readonly #clock: Clock;

  /** Makes an empty list. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Blocks an IP address, with all its ports, or one address with its port. A second call for the
   * same replaces the first.
   *
   * @param ip Such as `192.0.2.1`, `2001:db8::1`, or `192.0.2.1:443` for that port alone
   * @throws {TypeError} It is not an IP address, or an option is of the wrong type or unknown
   * @throws {RangeError} The port or `forMs` is out of its range
   */
  block(ip: string, options: BlockOptions = {}): Block {
    checkNames("block()", options, ["forMs", "reason", "untilWell"]);
    const { forMs = Infinity, reason, untilWell = false } = options;
    if (reason !== undefined && typeof reason !== "string") {
      throw new TypeError(`reason must be a text, got ${describe(reason)}`);
    }
    checkFlag("untilWell", untilWell);
    checkNumber("forMs", forMs, { min: 1 });
    const key = addressKey(ip);
    const since = this.#clock.now();
    const block = Object.freeze({ ip: key, reason, since, until: since + forMs, untilWell });
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block;
  }

  /**
   * Ends a block before its time. Blocks of an IP address and of its single ports are apart.
   *
   * @param ip What was given to {@linkcode block}, in any spelling
   * @returns The block that has ended; undefined if there was none
   * @throws {TypeError} It is not an IP address
   * @throws {RangeError} The port is out of its range
   */
  unblock(ip: string): Block | undefined {
    const key = addressKey(ip);
    const block = this.#blocks.get(key);
    this.#blocks.delete(key);
    return block;
  }

  /**
   * What blocks an address: the block of its IP address or of its port, whichever lasts longer.
   *
   * @param address Its canonical text, and its IP address alone
   */
  blocking({ text, ip }: { readonly text: string; readonly ip: string }): Block | undefined {
    const [whole, one] = this.of({ text, ip });
    return whole && one && one.until > whole.until ? one : whole;
  }

  /** The blocks of an address: that of its IP address, and that of its port. */
  of({ text, ip }: { readonly text: string; readonly ip: string }): Block[] {
    if (this.#blocks.size === 0) return [];
    const keys = [ip, withItsPort(text, ip)];
    return keys.map((key) => this.#blocks.get(key)).filter((block) => block !== undefined);
  }

  /** When the next block ends, which is past if `expire()` is due; Infinity if none does. */
  get nextExpiry(): number {
    let next = Infinity;
    for (const { until } of this.#blocks.values()) next = Math.min(next, until);
    return next;
  }

  /** Removes the blocks whose time is over, and returns them: each once, the oldest first. */
  expire(): Block[] {
    const now = this.#clock.now();
    const over = [...this.#blocks.values()].filter(({ until }) => until <= now);
    for (const { ip } of over) this.#blocks.delete(ip);
    return over;
  }

  /** What is blocked, oldest first. */
  list(): Block[] {
    return [...this.#blocks.values()];
  }
}
