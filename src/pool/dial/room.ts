/**
 * Room for connections when limits leave none: which queues stand in line for it, and how it is
 * made.
 *
 * @module
 */

import type { Connection } from "../../map/connection.ts";
import { type Endpoint, endpointOf } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Waiter } from "../host/waiter.ts";

/** What may be full, beside a host and an address, each by its canonical text. */
export const FULL = {
  /** The pool: it has all the connections that it may have. */
  pool: "the pool",
  /** The dials: as many are under way as may be at once. */
  dials: "the dials",
  /** The same, for those who dial to keep a host warm. */
  warming: "the warming",
} as const;

/** How long a fresh connection is safe from being ended to make room, in milliseconds. */
const FRESH_MS = 250;

/** How old it must be before it is ended for others of its host: milliseconds, and dials' times. */
const TENURE = { ms: 100, dials: 10 };

/** The dials to one host: as many are under way as may be at once, with whichever TLS options. */
export function dialsTo({ host }: HostQueue): string {
  return `the dials to ${host.text}`;
}

/** Where a queue stands, and since when its first caller had waited when it came there. */
interface Place {
  readonly keys: ReadonlySet<string>;
  readonly since: number;
}

/** The head of a line. */
interface Head {
  readonly key: string;
  readonly queue: HostQueue;
}

const NOWHERE: ReadonlySet<string> = new Set();

/**
 * Lines of queues, one for each thing that is full. When room comes there, the head is looked at,
 * and the next one only if the head has left. So however many wait, room finds a taker at once. A
 * queue that got something, even one of its own connections back, goes to the end. A host and an
 * address with the same spelling share a line, which costs a needless look.
 */
export class Starved {
  readonly #lines = new Map<string, Set<HostQueue>>();
  readonly #places = new Map<HostQueue, Place>();

  /** How many queues there are. */
  get size(): number {
    return this.#places.size;
  }

  /**
   * Puts a queue in the lines for what is full, and takes it out of all others.
   *
   * @param served Whether it has got something meanwhile
   */
  put(queue: HostQueue, keys: ReadonlySet<string>, served = false): void {
    const place = this.#places.get(queue);
    const since = waitsSince(queue);
    const goesToEnd = served || since !== place?.since;
    for (const key of place?.keys ?? NOWHERE) {
      const line = this.#lines.get(key)!;
      if (goesToEnd || !keys.has(key)) line.delete(queue);
      if (line.size === 0 && !keys.has(key)) this.#lines.delete(key);
    }
    if (keys.size > 0) this.#places.set(queue, { keys, since });
    else this.#places.delete(queue);
    for (const key of keys) {
      const line = this.#lines.get(key);
      if (line) line.add(queue);
      else this.#lines.set(key, new Set([queue]));
    }
  }

  /** Whether any queue stands in a line. */
  has(key: string): boolean {
    return this.#lines.has(key);
  }

  /** In which lines a queue stands. */
  keysOf(queue: HostQueue): ReadonlySet<string> {
    return this.#places.get(queue)?.keys ?? NOWHERE;
  }

  /** Takes a queue out of every line. */
  delete(queue: HostQueue): void {
    this.put(queue, NOWHERE);
  }

  /**
   * Of the heads of some lines, the one whose caller has waited longest; `besides` a queue, as if
   * it were gone.
   */
  first(keys: Iterable<string>, besides?: HostQueue): Head | undefined {
    let first: Head | undefined;
    for (const key of keys) {
      const queue = this.#head(key, besides);
      if (queue && (!first || waitsSince(queue) < waitsSince(first.queue))) first = { key, queue };
    }
    return first;
  }

  #head(key: string, besides: HostQueue | undefined): HostQueue | undefined {
    for (const queue of this.#lines.get(key) ?? []) {
      if (queue === besides) continue;
      const place = this.#places.get(queue)!;
      if (place.since === waitsSince(queue)) return queue;
      // Its first caller is another one by now, so it goes to the end.
      this.put(queue, place.keys);
    }
    return undefined;
  }
}

/** Since when the first caller of a queue waits; a queue without any comes last. */
export function waitsSince({ waiters }: HostQueue): number {
  return Math.min(waiters.since, Number.MAX_VALUE);
}

/** Whether the limits leave room for one more connection to an endpoint. */
export function hasRoom(
  { accountant }: ConnectionManager,
  { host }: HostQueue,
  { address }: Endpoint,
): boolean {
  return accountant.blockedBy(host.text, address.text) === undefined;
}

/**
 * Ends idle connections to make room for one to an endpoint, the coldest first. At the limit of a
 * host or an address, only those that are of no use to the waiter.
 *
 * @returns Whether there is room now
 */
export function makeRoom(
  manager: ConnectionManager,
  queue: HostQueue,
  waiter: Waiter,
  { address }: Endpoint,
  now: number,
): boolean {
  const host = queue.host.text;
  for (;;) {
    const scope = manager.accountant.blockedBy(host, address.text);
    if (!scope) return true;
    // Room is on its way: `roomCame` is called when it is there.
    if (scope !== "total" && manager.accountant.isClearing(host, address.text)) return false;
    if (manager.accountant.ceilingOf(address.text) === 0) return false;
    let victim: Connection | undefined;
    if (scope === "total") victim = manager.coldestIdle();
    else {
      const rivals = scope === "ip"
        ? manager.getConnections(address.text)
        : manager.getConnectionsForHost(host);
      for (const rival of rivals) {
        const useless = rival.tlsProfile !== queue.tls.name || rival.host !== host
          || !waiter.accepts(rival.address);
        if (rival.state !== "idle" || !useless || isFreshInDoubt(rival, now)) continue;
        if (!victim || rival.lastUsedAt < victim.lastUsedAt) victim = rival;
      }
    }
    if (!victim || isFreshInDoubt(victim, now)) return false;
    manager.removeConnection(victim, "room");
  }
}

/**
 * Whether a returned connection should end for the first caller of its host, who wants
 * another machine and finds no room: callers who keep coming to this one would keep it for ever. It
 * has repaid its dial, and only one ends at a time.
 */
export function isOverdue(
  { demand, host, lane, waiters }: HostQueue,
  { address, createdAt, lastUsedAt }: Connection,
  { accountant }: ConnectionManager,
): boolean {
  const first = waiters.takesAny ? undefined : waiters.front;
  if (!first || first.accepts(address)) return false;
  if (lastUsedAt - createdAt < Math.max(TENURE.ms, TENURE.dials * demand.dialMs)) return false;
  const wanted = first.candidates(lane);
  if (wanted.some(({ connections, dialing }) => connections.size > 0 || dialing > 0)) return false;
  return wanted.some(({ address, standing }) => {
    const scope = accountant.blockedBy(host.text, address.text);
    return standing !== "ejected" && (scope === "total" || scope === "host");
  });
}

/**
 * Whether a connection was dialled just now to a machine in doubt, and nobody has used it. Callers
 * with other TLS options would otherwise keep ending each other's, and dial for ever.
 */
function isFreshInDoubt(connection: Connection, now: number): boolean {
  return endpointOf(connection)?.chosen === false && connection.requestCount === 0
    && now - connection.createdAt < FRESH_MS;
}
