/**
 * Who is in the fleet, and the load of each member: written by each about itself, and read on
 * demand.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { FleetPeer, FleetPlace, FleetSite } from "./fleet.ts";
import type { StoreLine } from "./line.ts";
import type { StoreLink } from "./store.ts";
import { type LoadWord, type PeerWord, type Place, type Word, write } from "./words.ts";

/** The store's section for members. */
export const MEMBERS = "members";

/** How often the store is asked for the members, at the most, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * How long one entry about a member's load is, in characters, and how many entries a member may
 * have.
 */
const ENTRY = { chars: 1_600, parts: 16 };

/** How many members are remembered. */
const MAX_PEERS = 5_000;

interface Peer {
  readonly word: PeerWord;
  readonly until: number;
}

/** Describes this member, and adds up what the others say about themselves. */
export class Roster {
  readonly #clock: Clock;
  readonly #line: StoreLine;
  readonly #name: string;
  readonly #since: number;
  readonly #holdsMs: number;
  #peers = new Map<string, Peer>();
  #loads = new Map<string, LoadWord[]>();
  /** What each part said, and until when that holds. */
  readonly #told: { readonly text: string; readonly until: number }[] = [];
  #lookedAt = -Infinity;

  /** Begins with nobody. */
  constructor(clock: Clock, line: StoreLine, name: string, since: number, holdsMs: number) {
    this.#clock = clock;
    this.#line = line;
    this.#name = name;
    this.#since = since;
    this.#holdsMs = holdsMs;
  }

  /** Writes this member's load to the store: what has changed, and what would expire. */
  tell(site: FleetSite): void {
    const { connections, leased, places } = site.load();
    const own = { member: this.#name, since: this.#since, connections, leased } as const;
    const [first = [], ...more] = inParts(places);
    const texts = [
      write({ kind: "member", ...own, places: first }),
      ...more.map((places) => write({ kind: "load", member: this.#name, places })),
    ];
    const now = this.#clock.now();
    const due = texts.map((text, part) => ({ text, part })).filter(({ part, text }) => {
      const told = this.#told[part];
      return told?.text !== text || told.until - now < this.#holdsMs / 2;
    });
    const gone = this.#told.splice(texts.length).map((_, index) => texts.length + index);
    if (due.length + gone.length === 0) return;
    for (const { part, text } of due) this.#told[part] = { text, until: now + this.#holdsMs };
    void this.#line.tell((link) =>
      Promise.all([
        ...due.map(({ part, text }) => link.put(MEMBERS, this.#keyOf(part), text, this.#holdsMs)),
        ...gone.map((part) => link.remove(MEMBERS, this.#keyOf(part))),
      ])
    ).then((told) => {
      if (!told) this.#told.length = 0;
    });
  }

  /** Removes this member's entries from the store. */
  async leave(link: StoreLink): Promise<void> {
    await Promise.all(this.#told.map((_, part) => link.remove(MEMBERS, this.#keyOf(part))));
  }

  /** Whether what is known of the others is so old that they are worth asking for. */
  isDue(): boolean {
    const now = this.#clock.now();
    if (now - this.#lookedAt < LOOK_MS) return false;
    this.#lookedAt = now;
    return true;
  }

  /** Takes all that the members wrote about themselves. */
  take(words: readonly (PeerWord | LoadWord)[]): void {
    this.#peers = new Map();
    this.#loads = new Map();
    const until = this.#clock.now() + this.#holdsMs;
    for (const word of words) {
      if (word.kind === "load") {
        const loads = this.#loads.get(word.member);
        if (loads) loads.push(word);
        else this.#loads.set(word.member, [word]);
      } else if (this.#peers.size < MAX_PEERS) this.#peers.set(word.member, { word, until });
    }
  }

  /** The members, this one first, and their load by address and by host. */
  sum(site: FleetSite): {
    readonly peers: readonly FleetPeer[];
    readonly addresses: readonly FleetPlace[];
    readonly hosts: readonly FleetPlace[];
  } {
    const now = this.#clock.now();
    const { connections, leased, places } = site.load();
    const peers = [{ member: this.#name, since: this.#since, connections, leased }];
    const sums = new Map<string, Sum>();
    add(sums, places);
    for (const { until, word } of this.#peers.values()) {
      if (until <= now || word.member === this.#name) continue;
      const { connections, leased, member, since } = word;
      peers.push({ member, since, connections, leased });
      const more = (this.#loads.get(member) ?? []).flatMap(({ places }) => places);
      add(sums, [...word.places, ...more]);
    }
    const of = (kind: "a" | "h") =>
      [...sums].filter(([key]) => key.startsWith(kind))
        .map(([key, sum]) => ({ place: key.slice(2), ...sum }))
        .sort((a, b) => b.connections - a.connections || (a.place < b.place ? -1 : 1));
    return { peers, addresses: of("a"), hosts: of("h") };
  }

  #keyOf(part: number): string {
    return part === 0 ? this.#name : `${this.#name} ${part}`;
  }
}

/** Whether a member has written it about itself. */
export function isOfMember(word: Word): word is PeerWord | LoadWord {
  return word.kind === "member" || word.kind === "load";
}

type Sum = { connections: number; leased: number; members: number };

/** Adds the load of one member; a place that it names twice counts for one member. */
function add(sums: Map<string, Sum>, places: readonly Place[]): void {
  const seen = new Set<string>();
  for (const [key, connections, leased] of places) {
    if (seen.has(key)) continue;
    seen.add(key);
    const sum = sums.get(key) ?? { connections: 0, leased: 0, members: 0 };
    sum.connections += connections;
    sum.leased += leased;
    sum.members++;
    sums.set(key, sum);
  }
}

/** Parts that each fit into an entry; the busiest come first, because the rest may find no room. */
function inParts(places: readonly Place[]): Place[][] {
  const parts: Place[][] = [];
  let room = 0;
  for (const place of [...places].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))) {
    const chars = JSON.stringify(place).length + 1;
    if (chars > room) {
      if (parts.length === ENTRY.parts) break;
      parts.push([]);
      room = ENTRY.chars;
    }
    parts.at(-1)!.push(place);
    room -= chars;
  }
  return parts;
}
