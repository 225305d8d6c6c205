/**
 * What is known of the addresses of hosts.
 *
 * @module
 */

import { type Host, parseAddress } from "../core/address.ts";
import { messageOf } from "../core/check.ts";
import { type Clock, setDeadline } from "../core/clock.ts";
import { DueWheel, Expiry } from "../core/due_wheel.ts";
import { ResolveError } from "../core/errors.ts";
import { type HostAddress, readAddresses, sayTheSame } from "./host_address.ts";
import type { Resolution, Resolver } from "./resolver.ts";
import { resolveService, type Service } from "./service.ts";

/**
 * How soon after a failure, or a useless answer, the resolver is asked again, and how long that may
 * grow, in milliseconds.
 */
const RETRY_MS = { first: 1_000, max: 30_000 };

/**
 * By up to which share of its time an answer is asked for early, so that hosts do not ask together.
 */
const JITTER = 0.1;

/** How the addresses of a host have changed. Both are empty if only what is said about them has. */
export interface AddressChange {
  /** The addresses that are new: all of them, if none was known. */
  readonly added: readonly HostAddress[];
  /** The addresses that are gone: all of them, if the last good answer has grown too old. */
  readonly removed: readonly HostAddress[];
}

/** Options of a {@linkcode HostDirectory}. */
export interface HostDirectoryOptions {
  /** The resolver to ask. */
  readonly resolver: Resolver;
  /** The source of time and chance. */
  readonly clock: Clock;
  /** The shortest time for which an answer holds, in milliseconds. */
  readonly minTtlMs: number;
  /** The longest time for which an answer holds, in milliseconds. */
  readonly maxTtlMs: number;
  /** How long an answer without a TTL holds, in milliseconds. */
  readonly defaultTtlMs: number;
  /** How long a last good answer serves while the resolver fails, in milliseconds. */
  readonly staleMs: number;
  /** How long one query may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The hosts, by their text, whose addresses are configured: they are never asked for. */
  readonly fixed?: ReadonlyMap<string, readonly HostAddress[]> | undefined;
  /** The hosts, by their text, whose machines are listed by records of another name. */
  readonly services?: ReadonlyMap<string, Service> | undefined;
  /**
   * Called on a new microtask with each change of a host's addresses. With the first answer all are
   * added. A host that is forgotten is not a change. What it throws is ignored.
   */
  readonly onChange?: ((host: Host, change: AddressChange) => void) | undefined;
  /** Called after each query that failed. */
  readonly onFailure?: ((host: Host) => void) | undefined;
}

/** What is known of a host, and since when: plain data. Times are the clock's `now()`. */
export interface HostInfo {
  /** Their source: the resolver's name, or `fixed`. */
  readonly source: string;
  /** The addresses in canonical text; none if none are known. */
  readonly addresses: readonly string[];
  /** When the last good answer came; null without one. */
  readonly resolvedAt: number | null;
  /** Until when it holds; null without one. */
  readonly expiresAt: number | null;
  /** How long it was to hold, in milliseconds; null without one. */
  readonly ttlMs: number | null;
  /** Whether it serves beyond that. */
  readonly stale: boolean;
  /** Why the last query failed; null if it did not. */
  readonly error: string | null;
  /** What else the last good answer had that cannot be dialled, and why not. Eight at the most. */
  readonly leftOut: readonly string[];
}

/** What a good answer said. */
interface Answer {
  readonly addresses: readonly HostAddress[];
  readonly resolvedAt: number;
  readonly ttlMs: number;
}

interface Entry {
  readonly host: Host;
  /** When to look at it again. */
  readonly expiry: Expiry<Host>;
  /** The last good answer, until it is dropped. */
  answer: Answer | undefined;
  /** Until when each of its addresses, by its text, serves without being named again. */
  readonly servesUntil: Map<string, number>;
  /** When it may be asked for again. */
  askAt: number;
  query: Promise<readonly HostAddress[]> | undefined;
  /** Ends the query. */
  stop: ((reason: ResolveError) => void) | undefined;
  failure: ResolveError | undefined;
  /** What the last good answer had that is of no use. */
  leftOut: readonly string[];
  /** Failures in a row. */
  failures: number;
  /** How often in a row it was asked early, and returned the same addresses. */
  doubts: number;
  /** Whether to forget it when its query ends. */
  forgotten: boolean;
  /** Whether its answer ran out while nobody used the host: it serves only if the resolver fails. */
  lapsed: boolean;
}

/** How many hosts that nobody uses have their last answers kept. */
const MOST_UNUSED = 1_000;

/**
 * Asks the resolver, with one query in flight for a host, and remembers its answers. Every host
 * that was looked up is asked for again in the background, a little before its answer expires,
 * until it is forgotten. While the resolver fails, it is asked again after one second, then two, up
 * to thirty. Meanwhile the last good answer serves until it is `staleMs` old, and never less than
 * its own time. A failure without a good answer is remembered for a second, and asked for again
 * when somebody asks. If no address of an answer can be reached, the answer may be doubted: then it
 * is asked for early. The last good answers of the thousand hosts that were forgotten last are kept,
 * without being asked for again: they serve until they run out, and then while the resolver fails. None
 * of its timers keeps a program alive.
 */
export class HostDirectory {
  readonly #options: HostDirectoryOptions;
  readonly #entries = new Map<string, Entry>();
  /** Those of hosts that were forgotten, oldest first. */
  readonly #unused = new Map<string, Entry>();
  readonly #uses = new Map<string, number>();
  readonly #literals = new WeakMap<Host, readonly HostAddress[]>();
  readonly #due: DueWheel<Host>;
  #closed = false;

  /** Makes a directory that knows nothing yet. */
  constructor(options: HostDirectoryOptions) {
    this.#options = options;
    this.#due = new DueWheel(options.clock, (host) => this.#look(host));
  }

  /** The addresses that are known of a host. An old answer is asked for again meanwhile. */
  known(host: Host): readonly HostAddress[] | undefined {
    if (host.isLiteral) return this.#literal(host);
    const fixed = this.#options.fixed?.get(host.text);
    if (fixed) return fixed;
    const entry = this.#entries.get(host.text) ?? this.#recall(host);
    if (!entry?.answer || entry.lapsed) return undefined;
    const now = this.#options.clock.now();
    // Its timer may be late if the program was busy.
    if (this.#isTooOld(entry, now)) this.#drop(entry);
    else if (now >= entry.askAt) this.#ask(entry).catch(() => {});
    return entry.answer?.addresses;
  }

  /**
   * The addresses of a host: those that are known, or what the resolver says, which may be the
   * result of a query already under way.
   *
   * @throws {ResolveError} No address could be found
   */
  lookUp(host: Host): Promise<readonly HostAddress[]> {
    const known = this.known(host);
    if (known) return Promise.resolve(known);
    if (this.#closed) return Promise.reject(closedError(host));
    let entry = this.#entries.get(host.text);
    if (!entry) this.#entries.set(host.text, entry = newEntry(host));
    entry.forgotten = false;
    if (entry.failure && this.#options.clock.now() < entry.askAt) {
      return Promise.reject(entry.failure);
    }
    return this.#ask(entry);
  }

  /**
   * Notes that none of a host's addresses can be reached. It is asked for again although its answer
   * still holds: a second after the answer came, then two, up to thirty, while it stays the same.
   */
  doubt({ text }: Host): void {
    const entry = this.#entries.get(text);
    if (this.#closed || !entry?.answer || entry.failure || entry.query) return;
    const pauseMs = Math.min(RETRY_MS.first * 2 ** entry.doubts, RETRY_MS.max);
    if (this.#options.clock.now() < entry.answer.resolvedAt + pauseMs) return;
    entry.doubts++;
    this.#ask(entry).catch(() => {});
  }

  /** Notes that a host has one more user, who will call `forget` once. */
  use({ text }: Host): void {
    this.#uses.set(text, (this.#uses.get(text) ?? 0) + 1);
    const entry = this.#entries.get(text);
    if (entry) entry.forgotten = false;
  }

  /** Notes that a user no longer needs a host, and forgets it with the last of them. */
  forget(host: string): void {
    const uses = (this.#uses.get(host) ?? 1) - 1;
    if (uses > 0) {
      this.#uses.set(host, uses);
      return;
    }
    this.#uses.delete(host);
    const entry = this.#entries.get(host);
    if (!entry) return;
    // Another look-up before its query ends gets the same query.
    if (entry.query) entry.forgotten = true;
    else this.#remove(entry);
  }

  /** What is known of a host, for figures; undefined if it was never looked up. */
  info(host: Host): HostInfo | undefined {
    const { clock, fixed, resolver } = this.#options;
    const configured = fixed?.get(host.text);
    if (configured) {
      const addresses = configured.map(({ text }) => text);
      const never = { resolvedAt: null, expiresAt: null, ttlMs: null };
      return { source: "fixed", addresses, ...never, stale: false, error: null, leftOut: [] };
    }
    const entry = this.#entries.get(host.text);
    if (!entry) return undefined;
    const { answer, failure } = entry;
    const expiresAt = answer ? expiryOf(answer) : null;
    return {
      source: resolver.name,
      addresses: answer?.addresses.map(({ text }) => text) ?? [],
      resolvedAt: answer?.resolvedAt ?? null,
      expiresAt,
      ttlMs: answer?.ttlMs ?? null,
      stale: expiresAt !== null && clock.now() >= expiresAt,
      error: failure?.message ?? null,
      leftOut: entry.leftOut,
    };
  }

  /** Ends every query, and starts no other. What is known stays known. */
  close(): void {
    this.#closed = true;
    this.#due.close();
    for (const { host, stop } of this.#entries.values()) stop?.(closedError(host));
  }

  #literal(host: Host): readonly HostAddress[] {
    let addresses = this.#literals.get(host);
    if (!addresses) this.#literals.set(host, addresses = [parseAddress(host.text)]);
    return addresses;
  }

  #ask(entry: Entry): Promise<readonly HostAddress[]> {
    if (entry.query) return entry.query;
    if (this.#closed) return Promise.reject(closedError(entry.host));
    this.#due.remove(entry.expiry);
    // The query is in place before the resolver is called, which may look up the same host here.
    let begin = (_: Promise<readonly HostAddress[]>) => {};
    entry.query = new Promise((resolve) => begin = resolve);
    begin(this.#query(entry));
    return entry.query;
  }

  async #query(entry: Entry): Promise<readonly HostAddress[]> {
    const { host } = entry;
    try {
      const resolution = await this.#resolve(entry);
      const { addresses, leftOut } = readAddresses(resolution, host.name, host.port);
      this.#learn(entry, addresses, resolution);
      entry.leftOut = leftOut;
    } catch (error) {
      this.#fail(entry, error);
    }
    entry.query = undefined;
    entry.lapsed = false;
    if (entry.forgotten) this.#remove(entry);
    else this.#plan(entry);
    if (entry.answer) return entry.answer.addresses;
    throw entry.failure;
  }

  /** Asks the resolver, and waits no longer than the timeout, whatever it does. */
  async #resolve(entry: Entry): Promise<Resolution> {
    const { clock, resolver, services, timeoutMs } = this.#options;
    const { host } = entry;
    const service = services?.get(host.text)
      ?? (host.srv !== undefined ? { name: host.srv, verifyTarget: false } : undefined);
    const ending = new AbortController();
    const ended = new Promise<never>((_, reject) => {
      entry.stop = (reason) => {
        timer.cancel();
        reject(reason);
        ending.abort(reason);
      };
    });
    const timer = setDeadline(
      clock,
      () => entry.stop?.(new ResolveError(host.name, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      const answer = service
        ? resolveService(resolver, service, ending.signal, host.port)
        : resolver.resolve(host.name, ending.signal, host.port);
      return await Promise.race([answer, ended]);
    } finally {
      timer.cancel();
      entry.stop = undefined;
    }
  }

  #learn(entry: Entry, told: readonly HostAddress[], { partial, ttlMs: ttl }: Resolution): void {
    const { clock, defaultTtlMs, maxTtlMs, minTtlMs } = this.#options;
    const ttlMs = typeof ttl === "number" && !Number.isNaN(ttl)
      ? Math.min(Math.max(ttl, minTtlMs), maxTtlMs)
      : defaultTtlMs;
    const { servesUntil } = entry;
    const resolvedAt = clock.now();
    const before = entry.answer?.addresses ?? [];
    // What a partial answer leaves out is not gone, but serves no longer than without an answer.
    const left = partial === true
      ? without(before, told).filter(({ text }) => resolvedAt < servesUntil.get(text)!)
      : [];
    const found = [...told, ...left];
    const change = { added: without(found, before), removed: without(before, found) };
    // Servers rotate the order of their answers: that alone must move nobody.
    const addresses = sayTheSame(found, before) ? before : found;
    entry.answer = { addresses, resolvedAt, ttlMs };
    for (const { text } of told) servesUntil.set(text, this.#dropAt(entry.answer));
    for (const { text } of change.removed) servesUntil.delete(text);
    entry.askAt = resolvedAt + ttlMs * (1 - JITTER * clock.random());
    entry.failure = undefined;
    entry.failures = 0;
    if (addresses !== before) entry.doubts = 0;
    if (addresses !== before && !entry.forgotten) this.#tell(entry.host, change);
  }

  #fail(entry: Entry, error: unknown): void {
    const { clock, onFailure } = this.#options;
    if (!this.#closed) onFailure?.(entry.host);
    const detail = messageOf(error);
    entry.failure = error instanceof ResolveError
      ? error
      : new ResolveError(entry.host.name, detail, { cause: error });
    const now = clock.now();
    if (this.#isTooOld(entry, now)) this.#drop(entry);
    const pauseMs = entry.answer
      ? Math.min(RETRY_MS.first * 2 ** entry.failures++, RETRY_MS.max)
      : RETRY_MS.first;
    entry.askAt = now + pauseMs;
  }

  /** Whether the last good answer has served as long as it may. */
  #isTooOld({ answer, failure }: Entry, now: number): boolean {
    return answer !== undefined && failure !== undefined && now >= this.#dropAt(answer);
  }

  #dropAt(answer: Answer): number {
    return Math.max(answer.resolvedAt + this.#options.staleMs, expiryOf(answer));
  }

  #drop(entry: Entry): void {
    const removed = entry.answer?.addresses ?? [];
    entry.answer = undefined;
    entry.servesUntil.clear();
    entry.failures = 0;
    entry.askAt = -Infinity;
    this.#due.remove(entry.expiry);
    if (!entry.forgotten) this.#tell(entry.host, { added: [], removed });
  }

  /** Forgets a host, but for its last good answer. */
  #remove(entry: Entry): void {
    const { text } = entry.host;
    this.#due.remove(entry.expiry);
    this.#entries.delete(text);
    if (!entry.answer) return;
    this.#unused.set(text, entry);
    const [oldest] = this.#unused.keys();
    if (oldest !== undefined && this.#unused.size > MOST_UNUSED) this.#unused.delete(oldest);
  }

  /** Uses what is left of a host that was forgotten, unless it is too old. */
  #recall({ text }: Host): Entry | undefined {
    const entry = this.#unused.get(text);
    if (!entry?.answer) return undefined;
    this.#unused.delete(text);
    const now = this.#options.clock.now();
    if (now >= this.#dropAt(entry.answer)) return undefined;
    // How the resolver did then says nothing of now.
    entry.failure = undefined;
    entry.failures = entry.doubts = 0;
    entry.forgotten = false;
    entry.lapsed = now >= expiryOf(entry.answer);
    this.#entries.set(text, entry);
    if (!entry.lapsed) this.#plan(entry);
    return entry;
  }

  #tell(host: Host, change: AddressChange): void {
    const { onChange } = this.#options;
    if (!onChange) return;
    Promise.resolve().then(() => onChange(host, change)).catch(() => {
      // The listener has no say in how addresses are found.
    });
  }

  /** Sets the timer for asking for a host again, or dropping its answer. */
  #plan(entry: Entry): void {
    if (this.#closed || !entry.answer) return;
    const dropAt = entry.failure ? this.#dropAt(entry.answer) : Infinity;
    this.#due.put(entry.expiry, Math.min(entry.askAt, dropAt));
  }

  #look({ text }: Host): void {
    const entry = this.#entries.get(text);
    if (!entry) return;
    if (this.#isTooOld(entry, this.#options.clock.now())) this.#drop(entry);
    else this.#ask(entry).catch(() => {});
  }
}

function newEntry(host: Host): Entry {
  return {
    host,
    expiry: new Expiry(host),
    answer: undefined,
    servesUntil: new Map(),
    askAt: -Infinity,
    query: undefined,
    stop: undefined,
    failure: undefined,
    failures: 0,
    leftOut: [],
    doubts: 0,
    forgotten: false,
    lapsed: false,
  };
}

function expiryOf({ resolvedAt, ttlMs }: Answer): number {
  return resolvedAt + ttlMs;
}

function closedError({ name }: Host): ResolveError {
  return new ResolveError(name, "the pool is closed");
}

function without(addresses: readonly HostAddress[], others: readonly HostAddress[]): HostAddress[] {
  const texts = new Set(others.map(({ text }) => text));
  return addresses.filter(({ text }) => !texts.has(text));
}
