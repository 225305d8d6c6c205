/**
 * What members write and send to each other, read with care, because anybody may write there.
 *
 * @module
 */

import { addressKey, MAX_WEIGHT, parseAddress, parseHost } from "../core/address.ts";

/** The version of what is written. Other versions are skipped. */
const VERSION = 1;

/** The longest reason that is sent, in characters. */
const MAX_REASON = 200;

/** A failed address. */
export interface VerdictWord {
  readonly kind: "bad";
  readonly member: string;
  readonly host: string;
  readonly address: string;
  readonly reason: string;
  /** How long it holds, in milliseconds, from when it was sent. */
  readonly forMs: number;
  /** When it was sent, by the member's wall clock, in milliseconds since 1970. */
  readonly at: number;
}

/** An address that is well again. */
export interface WellWord {
  readonly kind: "well";
  readonly member: string;
  readonly host: string;
  readonly address: string;
}

/** A block by an operator, or its end. */
export interface BlockWord {
  readonly kind: "block" | "unblock";
  readonly ip: string;
  readonly reason: string;
  /**
   * Until when, by the wall clock, in milliseconds since 1970; 0: until it is ended. For an end:
   * until when to keep it.
   */
  readonly until: number;
}

/** A weight that an operator has set, or taken off. */
export interface WeightWord {
  readonly kind: "weight";
  readonly ip: string;
  /** Null if it was taken off. */
  readonly weight: number | null;
  /** As for a block: 0 while it is set; for its end, until when to keep that. */
  readonly until: number;
}

/** A member that lacks permits for a key: members with more than their due should give some back. */
export interface LackWord {
  readonly kind: "lack";
  readonly key: string;
}

/** A drain by an operator. */
export interface DrainWord {
  readonly kind: "drain";
  /** A host or an address, in canonical text. */
  readonly target: string;
  /** Distinguishes it from other drains. */
  readonly id: string;
  /** When it was ordered, by the wall clock, in milliseconds since 1970. */
  readonly at: number;
}

/** `a` and an address, or `h` and a host; its connections; and how many of them are in use. */
export type Place = readonly [key: string, connections: number, leased: number];

/** A member, about itself. */
export interface PeerWord {
  readonly kind: "member";
  readonly member: string;
  readonly since: number;
  readonly connections: number;
  readonly leased: number;
  /** Where its connections are: as many places as one entry holds. */
  readonly places: readonly Place[];
}

/** More places of a member. */
export interface LoadWord {
  readonly kind: "load";
  readonly member: string;
  readonly places: readonly Place[];
}

/** What was learned about a server. */
export interface LessonWord {
  readonly kind: "lesson";
  readonly host: string;
  readonly address: string;
  /** How long an unused connection can be trusted, in milliseconds; 0: unknown. */
  readonly idleMs: number;
  /** How many requests a connection carries at a time, at the most; 0: not known. */
  readonly streams: number;
  /** When it was sent, by the wall clock, in milliseconds since 1970. */
  readonly at: number;
}

/** Anything that is written or sent. */
export type Word =
  | VerdictWord
  | WellWord
  | BlockWord
  | WeightWord
  | DrainWord
  | LackWord
  | PeerWord
  | LoadWord
  | LessonWord;

/** The range of a server's idle time, in milliseconds, and of a number of requests. */
const SENSIBLE = { idleMs: [500, 86_400_000], streams: [1, 100_000] } as const;

/** How many places one entry may name. */
const MAX_PLACES = 200;

/** What is written or sent, as text. */
export function write(word: Word): string {
  const { reason } = word as { reason?: string };
  const told = reason === undefined ? word : { ...word, reason: reason.slice(0, MAX_REASON) };
  return JSON.stringify({ v: VERSION, ...told });
}

/** Reads what was written; undefined if it is nothing that this version writes. */
export function read(text: string): Word | undefined {
  if (text.length > 2_048) return undefined;
  try {
    const word: unknown = JSON.parse(text);
    return typeof word === "object" && word !== null ? check(word as Raw) : undefined;
  } catch {
    return undefined;
  }
}

interface Raw {
  readonly [field: string]: unknown;
}

function check(raw: Raw): Word | undefined {
  if (raw.v !== VERSION) return undefined;
  const text = (name: string, max = 300): string => {
    const value = raw[name];
    if (typeof value === "string" && value.length <= max) return value;
    throw new TypeError(name);
  };
  const number = (name: string): number => {
    const value = raw[name];
    if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
    throw new TypeError(name);
  };
  const place = (hasMember = true) => ({
    member: hasMember ? text("member", 64) : "",
    host: parseHost(text("host")).text,
    address: parseAddress(text("address")).text,
  });
  switch (raw.kind) {
    case "bad": {
      const [forMs, at] = [number("forMs"), number("at")];
      return { kind: "bad", ...place(), reason: text("reason", MAX_REASON), forMs, at };
    }
    case "well":
      return { kind: "well", ...place() };
    case "block":
    case "unblock": {
      const ip = addressKey(text("ip"));
      return { kind: raw.kind, ip, reason: text("reason", MAX_REASON), until: number("until") };
    }
    case "weight": {
      const weight = raw.weight === null ? null : number("weight");
      if (weight !== null && weight > MAX_WEIGHT) throw new RangeError("weight");
      return { kind: "weight", ip: addressKey(text("ip")), weight, until: number("until") };
    }
    case "lack":
      return { kind: "lack", key: text("key") };
    case "drain": {
      const target = parseHost(text("target")).text;
      return { kind: "drain", target, id: text("id", 64), at: number("at") };
    }
    case "lesson": {
      const { address, host } = place(false);
      const idleMs = within(number("idleMs"), SENSIBLE.idleMs);
      const streams = within(number("streams"), SENSIBLE.streams);
      return { kind: "lesson", host, address, idleMs, streams, at: number("at") };
    }
    case "load":
      return { kind: "load", member: text("member", 64), places: placesOf(raw.places) };
    case "member":
      return {
        kind: "member",
        member: text("member", 64),
        since: number("since"),
        connections: number("connections"),
        leased: number("leased"),
        places: placesOf(raw.places),
      };
    default:
      return undefined;
  }
}

/** A valid number, or 0. */
function within(value: number, [least, most]: readonly [number, number]): number {
  if (value === 0 || (value >= least && value <= most)) return value;
  throw new RangeError("Nobody has seen that");
}

function placesOf(value: unknown): Place[] {
  if (!Array.isArray(value) || value.length > MAX_PLACES) throw new TypeError("places");
  return value.map((place: unknown) => {
    const [key, connections, leased] = Array.isArray(place) ? place as unknown[] : [];
    if (typeof key !== "string" || !isCount(connections) || !isCount(leased)) {
      throw new TypeError("place");
    }
    const name = key.slice(2);
    if (key.startsWith("a ")) return [`a ${parseAddress(name).text}`, connections, leased];
    if (key.startsWith("h ")) return [`h ${parseHost(name).text}`, connections, leased];
    throw new TypeError("place");
  });
}

/** No member has as many connections as this. */
const MAX_COUNT = 10_000_000;

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT;
}
