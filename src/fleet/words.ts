/**
 * What members write down for each other and tell each other, read with care: anybody may write there.
 *
 * @module
 */

import { addressKey, parseAddress, parseHost } from "../core/address.ts";

/** The version of what is written. What another one wrote is passed over. */
const VERSION = 1;

/** The longest reason that is told, in characters. */
const MAX_REASON = 200;

/** A failed address. */
export interface VerdictWord {
  readonly kind: "bad";
  readonly member: string;
  readonly host: string;
  readonly address: string;
  readonly reason: string;
  /** For how long it holds, in milliseconds, from when it was told. */
  readonly forMs: number;
  /** When it was told, by the member's wall clock, in milliseconds since 1970. */
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
  /** Until when, by the wall, in milliseconds since 1970; 0: until it is ended. */
  readonly until: number;
}

/** A member that lacks permits for a key: whoever has more than its due should give some back. */
export interface LackWord {
  readonly kind: "lack";
  readonly key: string;
}

/** A member, of itself. */
export interface PeerWord {
  readonly kind: "member";
  readonly member: string;
  readonly since: number;
  readonly connections: number;
  readonly leased: number;
}

/** Anything that is written or told. */
export type Word = VerdictWord | WellWord | BlockWord | LackWord | PeerWord;

/** What is written or told, as text. */
export function write(word: Word): string {
  const { reason } = word as { reason?: string };
  const told = reason === undefined ? word : { ...word, reason: reason.slice(0, MAX_REASON) };
  return JSON.stringify({ v: VERSION, ...told });
}

/** Reads what was written; undefined where it is nothing that this version writes. */
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
  const place = () => ({
    member: text("member", 64),
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
    case "lack":
      return { kind: "lack", key: text("key") };
    case "member": {
      const [since, connections, leased] = ["since", "connections", "leased"].map(number);
      return {
        kind: "member",
        member: text("member", 64),
        since: since!,
        connections: connections!,
        leased: leased!,
      };
    }
    default:
      return undefined;
  }
}
