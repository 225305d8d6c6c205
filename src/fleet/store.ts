/**
 * The interface of a fleet's store, through which pools share what they know.
 *
 * @module
 */

/** What a member claims of one cap, and wants. */
export interface PermitClaim {
  /** What is capped, such as `a 192.0.2.1` or `h example.com`. */
  readonly key: string;
  /** How many connections the whole fleet may have there. */
  readonly cap: number;
  /** How many the member may have, at the most, until it is answered. */
  readonly hold: number;
  /** How many it wants. */
  readonly want: number;
}

/** A member, and the connection that shows the store that it is there. */
export interface MemberLink {
  /** The member's name: a new one each time that a member starts. */
  readonly member: string;
  /** The store's own name for the connection. */
  readonly link: string;
}

/** One renewal of everything that a member has. */
export interface SyncRequest extends MemberLink {
  /** Grows with each request: one that arrives after a later one is not carried out. */
  readonly seq: number;
  /** The epoch of the store that last answered the member; empty if none ever did. */
  readonly epoch: string;
  /** The caps that have changed since the last answer; all of them in an epoch's first request. */
  readonly claims: readonly PermitClaim[];
  /** Members whose connections the store no longer has. */
  readonly ended: readonly MemberLink[];
  /** After how long a silence a member counts as gone, in milliseconds. */
  readonly goneAfterMs: number;
}

/** What a member may have from now on. */
export interface PermitGrant {
  /** What is capped. */
  readonly key: string;
  /** How many connections it may have there. */
  readonly count: number;
  /** How many are its due. If that is more, others have to give some back first. */
  readonly due: number;
}

/** What a store answers to a renewal. */
export interface SyncReply {
  /** The epoch: another one after the store was restarted, or another store took its place. */
  readonly epoch: string;
  /** Whether the request was older than one that was carried out already: nothing was done. */
  readonly late: boolean;
  /** Whether the member was unknown: it claims everything that it has once more. */
  readonly unknown: boolean;
  /** Whether members only claim what they have for now, and nobody is given more. */
  readonly grace: boolean;
  /** How many members there are. */
  readonly members: number;
  /** A grant for each claim. */
  readonly grants: readonly PermitGrant[];
  /** Members that have been silent for long: somebody should look whether they are there. */
  readonly silent: readonly MemberLink[];
}

/** An entry of a section. */
export interface StoredEntry {
  /** Its key within the section. */
  readonly key: string;
  /** Its value, as a member put it. */
  readonly value: string;
}

/** What was read of a section. */
export interface StoredSection {
  /** What has not expired. */
  readonly entries: readonly StoredEntry[];
  /** How many entries were left out, because they are too large or too many. */
  readonly skipped: number;
}

/** What a connection to a store notifies. */
export interface StoreEvents {
  /** A member told the others something. */
  onHint(text: string): void;
  /** The connection has ended. Called once, and not after `close()`. */
  onLost(error: unknown): void;
}

/** One connection to a store. Each call rejects if it fails or takes too long. */
export interface StoreLink {
  /** The store's own name for it: nobody has it again in the same epoch. */
  readonly link: string;
  /** Puts an entry that expires after `ttlMs` milliseconds, by the store's clock. */
  put(section: string, key: string, value: string, ttlMs: number): Promise<void>;
  /** Takes an entry out. */
  remove(section: string, key: string): Promise<void>;
  /** Reads a whole section. */
  read(section: string): Promise<StoredSection>;
  /** Sends something to every member, including this one. It may be lost. */
  hint(text: string): Promise<void>;
  /** Takes, renews and gives back permits, in one step. */
  sync(request: SyncRequest): Promise<SyncReply>;
  /** Gives everything back: the member's connections are closed. */
  leave(member: string): Promise<void>;
  /** Which of these connections the store no longer has. */
  ended(links: readonly string[]): Promise<string[]>;
  /** Ends the connection. Harmless to repeat. */
  close(): void;
}

/** Where a fleet meets. */
export interface FleetStore {
  /** Its name in messages, without any secret. */
  readonly name: string;
  /**
   * Opens a connection.
   *
   * @param signal Ends the attempt
   */
  connect(events: StoreEvents, signal: AbortSignal): Promise<StoreLink>;
}

/** How long an entry may be, in characters, and how many a section may have. */
export const STORE_LIMITS = { valueChars: 2_048, entries: 20_000 };

/** How long a store that knows nobody waits for members of an earlier epoch, in milliseconds. */
export const COLD_GRACE_MS = 3_000;

/**
 * How many connections of a cap are never given out: members that the store cannot answer may have
 * one each. It is a twentieth, and at least one where the cap is 10 or more.
 */
export function reserveOf(cap: number): number {
  return cap >= 10 ? Math.max(1, Math.floor(cap / 20)) : 0;
}
