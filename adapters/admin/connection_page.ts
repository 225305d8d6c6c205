/**
 * One page of a pool's connections, filtered and sorted.
 *
 * @module
 */

import { addressKey, parseAddress, parseHost } from "../../src/core/address.ts";
import type { Connection, ConnectionState, ConnectionStats } from "../../src/map/connection.ts";
import type { ConnectionManager } from "../../src/map/manager.ts";
import { type Query, readWhole, readWord } from "./query.ts";
import { asked } from "./refusal.ts";

/** What connections can be sorted by. */
export const SORT_KEYS = [
  "id",
  "host",
  "address",
  "state",
  "createdAt",
  "lastUsedAt",
  "requestCount",
  "errorCount",
] as const;

/** The states that connections in the maps have. */
export const STATES: readonly ConnectionState[] = ["idle", "leased", "draining"];

/** The parameters of {@linkcode connectionPage}. */
export const PAGE_PARAMETERS: readonly string[] = [
  "host",
  "address",
  "state",
  "sort",
  "order",
  "offset",
  "limit",
];

/** The most connections on a page. */
export const MAX_LIMIT = 1_000;

/** One page of connections. */
export interface ConnectionPage {
  /** How many there are on all pages. */
  readonly total: number;
  /** How many came before this page. */
  readonly offset: number;
  /** How many there are on a page at the most. */
  readonly limit: number;
  readonly connections: readonly ConnectionStats[];
}

/**
 * Makes a page. Only the connections on it are copied.
 *
 * @throws {Refusal} The query makes no sense
 */
export function connectionPage(manager: ConnectionManager, query: Query): ConnectionPage {
  const offset = readWhole("offset", query["offset"], { fallback: 0, max: 100_000_000 });
  const limit = readWhole("limit", query["limit"], { fallback: 100, min: 1, max: MAX_LIMIT });
  const key = readWord("sort", query["sort"], SORT_KEYS) ?? "id";
  const sign = readWord("order", query["order"], ["asc", "desc"] as const) === "desc" ? -1 : 1;
  const { found, passes } = choose(manager, query);
  const first = new Best<Connection>(offset + limit, (a, b) => {
    const [left, right] = [a[key], b[key]];
    return sign * (left < right ? -1 : left > right ? 1 : a.id - b.id);
  });
  let total = 0;
  for (const connection of found) {
    if (!passes(connection)) continue;
    total++;
    first.offer(connection);
  }
  const connections = first.list().slice(offset).map((connection) => connection.stats());
  return { total, offset, limit, connections };
}

function choose(manager: ConnectionManager, query: Query): {
  readonly found: Iterable<Connection>;
  readonly passes: (connection: Connection) => boolean;
} {
  const state = readWord("state", query["state"], STATES);
  const { address, host } = query;
  const name = host === undefined ? undefined : asked(() => parseHost(host).text);
  const at = address === undefined ? undefined : asked(() => parseAddress(address));
  // An IP address without a port is all of its ports.
  const isBare = address !== undefined && addressKey(address) === at?.ip;
  return {
    found: name === undefined ? manager.connections() : manager.getConnectionsForHost(name),
    passes: (connection) =>
      (state === undefined || connection.state === state)
      && (at === undefined
        || (isBare ? connection.ip === at.ip : connection.address === at.text)),
  };
}

/** The first of many, in some order, found without sorting the others. */
class Best<T> {
  readonly #count: number;
  readonly #compare: (a: T, b: T) => number;
  #items: T[] = [];
  /** The last one that counts, once there are enough. */
  #last: T | undefined;

  constructor(count: number, compare: (a: T, b: T) => number) {
    this.#count = count;
    this.#compare = compare;
  }

  offer(item: T): void {
    if (this.#last !== undefined && this.#compare(item, this.#last) >= 0) return;
    this.#items.push(item);
    if (this.#items.length >= 2 * this.#count) this.#cut();
  }

  list(): T[] {
    this.#cut();
    return this.#items;
  }

  #cut(): void {
    this.#items.sort(this.#compare).splice(this.#count);
    if (this.#items.length === this.#count) this.#last = this.#items.at(-1);
  }
}
