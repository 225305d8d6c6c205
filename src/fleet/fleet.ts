/**
 * The interface between a pool and its fleet: what the pool calls on its member, and what the
 * member calls on the pool.
 *
 * @module
 */

import type { HeardVerdict, OwnExperience } from "./verdicts.ts";

/** The value of a pool's option `fleet`, which joins for the pool. */
export interface Fleet {
  /**
   * Makes a member, and starts it. The pool that has it closes it.
   *
   * @param pool What the pool is made of
   * @internal
   */
  join(pool: object): FleetMember;
}

/** Says what may be dialled. It answers at once, from what the store said last. */
export interface FleetPermits {
  /** Whether one more connection may be dialled. If not, the fleet is asked for it. */
  mayAdd(key: string, cap: number): boolean;
  /** Counts one more. */
  add(key: string, cap: number): void;
  /** Counts one less, once its socket is closed: a moment from now if nobody can tell. */
  leave(keys: readonly string[], closed: Promise<void> | undefined): void;
  /** Whether connections that are ending still take up permits. */
  isClearing(key: string): boolean;
  /** Whether there are more connections than may be. */
  exceeds(key: string, cap: number): boolean;
}

/** One pool's part in a fleet. */
export interface FleetMember {
  /** What may be dialled. */
  readonly permits: FleetPermits;
  /** Tells the others that an address of a host fails, or was ejected. */
  condemn(host: string, address: string, reason: string, forMs: number): void;
  /** Tells the others that an address works again, if they were told that it fails. */
  reached(host: string, address: string): void;
  /** Tells the others that an address is well. */
  acquit(host: string, address: string): void;
  /**
   * Blocks an address, as `ConnectionPool.block()` does, for every member: here at once.
   *
   * @returns Whether the store has it. If not, the others are told once it answers
   * @throws {TypeError | RangeError} The address or an option is not valid
   */
  block(
    ip: string,
    options?: { readonly forMs?: number; readonly reason?: string },
  ): Promise<boolean>;
  /**
   * Ends a block for every member: here at once.
   *
   * @returns Whether the store has it. If not, the others are told once it answers
   * @throws {TypeError | RangeError} It is not an address
   */
  unblock(ip: string): Promise<boolean>;
  /**
   * Drains a host or an address, as `ConnectionPool.drain()` does, in every member: here at once.
   * Members that the store does not reach within five minutes do not get it.
   *
   * @returns Whether the store has it. If not, the others are told once it answers
   * @throws {TypeError | RangeError} It is neither a host nor an address
   */
  drain(hostOrIp: string): Promise<boolean>;
  /**
   * Sets the weight of an address, as `ConnectionPool.setWeight()` does, or takes it off, for every
   * member: here at once.
   *
   * @returns Whether the store has it. If not, the others are told once it answers
   * @throws {TypeError | RangeError} The address or the weight is not valid
   */
  setWeight(ip: string, weight: number | null): Promise<boolean>;
  /** Returns how the pool stands to its fleet. It costs little, however large the fleet is. */
  status(): FleetStatus;
  /** Returns what is known about the fleet. Each call adds up all members. */
  stats(): FleetStats;
  /** Asks the store about all members, at most once a second. Never rejects. */
  look(): Promise<FleetStats>;
  /** Gives all permits back, if the store answers in time. */
  close(): Promise<void>;
}

/** What a member calls on its pool. */
export interface FleetSite {
  /** There are permits for keys that had none left. */
  onRoom(keys: readonly string[]): void;
  /** There are more connections than permits. */
  onShrink(): void;
  /** Another member has ejected an address of a host: it may be doubted here. */
  onDoubt(verdict: HeardVerdict): void;
  /** Another member tries an address that has failed here too: nobody else need until its verdict ends. */
  onLeave(verdict: HeardVerdict): void;
  /** For another member, an address of a host is well again. */
  onWell(host: string, address: string): void;
  /** An operator has blocked an address for every member. */
  onBlock(ip: string, options: { readonly forMs?: number; readonly reason?: string }): void;
  /** Such a block has been ended. */
  onUnblock(ip: string): void;
  /** An operator has set the weight of an address for every member, or taken it off. */
  onWeight(ip: string, weight: number | null): void;
  /** An operator drains a host or an address in every member. */
  onDrain(hostOrIp: string): void;
  /**
   * Another member has learned something about a server. It holds until the given time, by the
   * clock.
   */
  onLesson(lesson: Lesson, until: number): void;
  /** What was learned here about servers. */
  learned(): Iterable<Lesson>;
  /** The store answers again, or has stopped answering. */
  onLink(event: FleetEvent): void;
  /** What was seen here of an address of a host; undefined if it is not known. */
  experience(host: string, address: string): OwnExperience | undefined;
  /** The addresses that are known here. */
  known(): ReadonlySet<string>;
  /** How many connections the pool has, how many of them are in use, and where they are. */
  load(): {
    readonly connections: number;
    readonly leased: number;
    /** `a` and an address, or `h` and a host; its connections; how many of them are in use. */
    readonly places: readonly (readonly [key: string, connections: number, leased: number])[];
  };
}

/** What is learned about a server by using it. */
export interface Lesson {
  /** The host, in canonical text. */
  readonly host: string;
  /** The address, in canonical text. */
  readonly address: string;
  /** How long an unused connection can be trusted, in milliseconds; 0 if unknown. */
  readonly idleMs: number;
  /** How many requests a connection carries at a time: 1 over HTTP/1.1; 0 if unknown. */
  readonly streams: number;
}

/** A member has joined its fleet, or goes on alone. */
export interface FleetEvent {
  /** Whether the store answers, or the member goes on alone. */
  readonly state: "joined" | "alone";
  /** The store, without any secret. */
  readonly store: string;
  /** How many members there were at the last answer. */
  readonly members: number;
  /** Why it is alone. */
  readonly error?: unknown;
}

/** Another member, as it describes itself. */
export interface FleetPeer {
  /** Its name. */
  readonly member: string;
  /** Since when it is there, by its own clock, in milliseconds since 1970. */
  readonly since: number;
  /** How many connections it has. */
  readonly connections: number;
  /** How many of them are in use. */
  readonly leased: number;
}

/** What all members have at one address, or of one host. */
export interface FleetPlace {
  /** The address or the host, in canonical text. */
  readonly place: string;
  /** How many connections they have there. */
  readonly connections: number;
  /** How many of them are in use. */
  readonly leased: number;
  /** How many members have any. */
  readonly members: number;
}

/** What the fleet has of one cap. */
export interface FleetCap {
  /** What is capped: `a` and an address, or `h` and a host. */
  readonly key: string;
  /** How many connections the whole fleet may have there. */
  readonly cap: number;
  /** How many this member has, those that are ending included. */
  readonly used: number;
  /** How many it may have. */
  readonly permits: number;
}

/** The state of a member and its fleet: plain data. */
export interface FleetStatus {
  /** The fleet's name. */
  readonly name: string;
  /** This member's name. */
  readonly member: string;
  /** The store, without any secret. */
  readonly store: string;
  /** Whether the store answers. */
  readonly state: "joining" | "joined" | "alone";
  /** Since when, in milliseconds since 1970. */
  readonly stateSince: number;
  /** Why it is alone, if it is. */
  readonly error: string | null;
  /** How many members there were at the last answer. */
  readonly members: number;
  /** How often the store was asked. */
  readonly requests: number;
  /** How often that failed. */
  readonly failures: number;
  /** How many hints were received. */
  readonly hints: number;
  /** How many entries and hints were not of this version, and were skipped. */
  readonly foreign: number;
}

/** What a member knows of its fleet: plain data. */
export interface FleetStats extends FleetStatus {
  /** This member, and those that had described themselves when `look()` was last called. */
  readonly peers: readonly FleetPeer[];
  /** What these members have at each address, the busiest first. */
  readonly addresses: readonly FleetPlace[];
  /** What they have of each host. */
  readonly hosts: readonly FleetPlace[];
  /** The caps that this member uses. */
  readonly caps: readonly FleetCap[];
  /** The verdicts of others that hold. */
  readonly verdicts: readonly HeardVerdict[];
}
