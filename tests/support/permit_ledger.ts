/**
 * The rules by which every store gives out permits, to hold the stores to.
 *
 * @module
 */

import {
  COLD_GRACE_MS,
  type MemberLink,
  type PermitClaim,
  type PermitGrant,
  reserveOf,
  type SyncReply,
  type SyncRequest,
} from "../../src/fleet/store.ts";

/** A member as the ledger knows it. */
interface MemberRecord {
  seq: number;
  link: string;
  epoch: string;
  seenAt: number;
  /** Whether its connection is known to have ended. */
  ended: boolean;
  /** Whether what it had was given up. The record stays for a while: it may come back. */
  gone: boolean;
  readonly keys: Set<string>;
}

/** What a member has of a cap: it may have `count` connections, and wants `want`. */
interface PermitBlock {
  count: number;
  want: number;
}

interface CapRecord {
  /** The sums over its blocks. */
  granted: number;
  wanted: number;
  readonly blocks: Map<string, PermitBlock>;
  /** How many were given to newcomers in the present grace, and in which one. */
  spare: number;
  spareOf: number;
}

/** How long the record of a member that is gone is kept, in milliseconds. */
const TOMBSTONE_MS = 3_600_000;

/** How many silent members are reported at once. */
const MAX_SILENT = 16;

/**
 * A member's due share of a cap's permits that may be given out: what it wants if there is enough
 * for all, else a proportional part, but at least one.
 */
function dueOf(grantable: number, want: number, wanted: number): number {
  if (want <= 0) return 0;
  return wanted <= grantable ? want : Math.max(1, Math.ceil(grantable * want / wanted));
}

/** Whether a member with more than its due should give some back: not for a few. */
function isOverdue(hold: number, due: number): boolean {
  return hold > due + Math.max(1, Math.floor(due / 4));
}

/**
 * Counts permits. A member's claim is accepted, since its sockets exist; beyond that, no more is
 * given out than the cap allows, and a silent member keeps what it has until it is gone.
 */
export class PermitLedger {
  /** By name, in the order in which they were last seen. */
  readonly #members = new Map<string, MemberRecord>();
  readonly #caps = new Map<string, CapRecord>();
  #epoch = "";
  #epochAt = 0;
  #graceUntil = 0;
  #graces = 0;
  /** How many records are of members that are gone. */
  #tombstones = 0;

  /**
   * Begins an epoch: the store was started, or has taken another one's place. Members known from
   * an earlier one may still be there.
   *
   * @param upMs For how long the store has been running, in milliseconds
   */
  begin(epoch: string, now: number, upMs: number, goneAfterMs: number): void {
    if (epoch === this.#epoch) return;
    const isCold = this.#epoch === "";
    this.#epoch = epoch;
    this.#epochAt = now;
    // A store that has been up for long and knows nobody has nobody to wait for.
    const graceMs = isCold ? Math.min(COLD_GRACE_MS, goneAfterMs) - upMs : goneAfterMs;
    this.#beginGrace(now, graceMs);
  }

  /** How many members there are that are not gone. */
  get size(): number {
    return this.#members.size - this.#tombstones;
  }

  /** How many permits of a key are given out. */
  granted(key: string): number {
    return this.#caps.get(key)?.granted ?? 0;
  }

  /** Takes, renews and gives back what a member has. */
  sync(request: SyncRequest, now: number): SyncReply {
    const { claims, ended, epoch, goneAfterMs, link, member, seq } = request;
    let record = this.#members.get(member);
    const late = record !== undefined && seq <= record.seq;
    const unknown = record === undefined;
    // A member that was known once no longer is: the store has lost its data.
    if (!record && epoch !== "") this.#beginGrace(now, goneAfterMs);
    record ??= { seq, link, epoch: "", seenAt: now, ended: false, gone: false, keys: new Set() };
    if (!late) {
      if (record.gone) this.#tombstones--;
      Object.assign(record, { seq, link, epoch: this.#epoch, seenAt: now });
      record.ended = record.gone = false;
      // The member seen last is last in the map.
      this.#members.delete(member);
      this.#members.set(member, record);
    }
    this.#noteEnded(ended);
    const silent = this.#sweep(now, goneAfterMs);
    const grants = late ? [] : claims.map((claim) => this.#claim(member, record, claim, now));
    const grace = now < this.#graceUntil;
    return { epoch: this.#epoch, late, unknown, grace, members: this.size, grants, silent };
  }

  /** Gives back everything that a member has, whose connections are closed. */
  leave(member: string): void {
    const record = this.#members.get(member);
    if (!record) return;
    if (record.gone) this.#tombstones--;
    this.#free(member, record);
    this.#members.delete(member);
  }

  #beginGrace(now: number, ms: number): void {
    if (now >= this.#graceUntil) this.#graces++;
    this.#graceUntil = Math.max(this.#graceUntil, now + ms);
  }

  #noteEnded(ended: readonly MemberLink[]): void {
    for (const { link, member } of ended) {
      const record = this.#members.get(member);
      if (record?.link === link && record.epoch === this.#epoch) record.ended = true;
    }
  }

  /** Frees what members that are gone have, and reports silent ones. */
  #sweep(now: number, goneAfterMs: number): MemberLink[] {
    const silent: MemberLink[] = [];
    for (const [member, record] of this.#members) {
      const silentMs = now - Math.max(record.seenAt, this.#epochAt);
      if (silentMs <= goneAfterMs || silent.length >= MAX_SILENT) break;
      if (record.gone) {
        if (silentMs <= TOMBSTONE_MS) continue;
        this.#members.delete(member);
        this.#tombstones--;
      } else if (record.ended || record.epoch !== this.#epoch) {
        this.#free(member, record);
        record.gone = true;
        this.#tombstones++;
      } else silent.push({ member, link: record.link });
    }
    return silent;
  }

  #free(member: string, { keys }: MemberRecord): void {
    for (const key of keys) this.#set(key, member, { count: 0, want: 0 });
    keys.clear();
  }

  #claim(
    member: string,
    record: MemberRecord,
    { cap, hold, key, want: wish }: PermitClaim,
    now: number,
  ): PermitGrant {
    const of = this.#cap(key);
    const before = of.blocks.get(member);
    const others = of.granted - (before?.count ?? 0);
    const grantable = cap - reserveOf(cap);
    const want = Math.min(wish, grantable);
    const due = dueOf(grantable, want, of.wanted - (before?.want ?? 0) + want);
    const room = Math.max(0, grantable - others);
    const count = now < this.#graceUntil
      ? hold + this.#spare(of, cap, hold, want)
      : Math.min(room, hold > due && !isOverdue(hold, due) ? hold : due);
    // Until it says that it has less, it may have as many as it claims.
    const block = { count: Math.max(hold, count), want };
    this.#set(key, member, block);
    if (block.count > 0 || want > 0) record.keys.add(key);
    else record.keys.delete(key);
    return { key, count, due };
  }

  /** A first connection for a newcomer, while nobody else is given more. */
  #spare(of: CapRecord, cap: number, hold: number, want: number): number {
    if (hold > 0 || want <= 0) return 0;
    if (of.spareOf !== this.#graces) {
      of.spareOf = this.#graces;
      of.spare = 0;
    }
    if (of.spare >= Math.floor(reserveOf(cap) / 2)) return 0;
    of.spare++;
    return 1;
  }

  #cap(key: string): CapRecord {
    let of = this.#caps.get(key);
    if (!of) {
      of = { granted: 0, wanted: 0, blocks: new Map(), spare: 0, spareOf: 0 };
      this.#caps.set(key, of);
    }
    return of;
  }

  #set(key: string, member: string, block: PermitBlock): void {
    const of = this.#cap(key);
    const before = of.blocks.get(member);
    of.granted += block.count - (before?.count ?? 0);
    of.wanted += block.want - (before?.want ?? 0);
    if (block.count > 0 || block.want > 0) of.blocks.set(member, block);
    else of.blocks.delete(member);
    if (of.blocks.size === 0) this.#caps.delete(key);
  }
}
