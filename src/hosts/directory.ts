/**
 * The addresses of hosts as they are known now.
 *
 * @module
 */

import { type Address, type Host, parseAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { ResolveError } from "../core/errors.ts";
import type { Resolver } from "./resolver.ts";

/** How long a failing resolver is left alone, in milliseconds. */
const RETRY_MS = 1_000;

interface Entry {
  addresses: readonly Address[] | undefined;
  resolvedAt: number;
  query: Promise<readonly Address[]> | undefined;
  failure: ResolveError | undefined;
}

/** Options of a {@linkcode HostDirectory}. */
export interface HostDirectoryOptions {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** How old an answer may grow before it is asked for again, in milliseconds. */
  readonly refreshIntervalMs: number;
  /** How long one query may take, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Asks the resolver, one query in flight a host, and remembers its answers. An old answer serves
 * while it is asked for again, and for as long as the resolver fails; a failure without one is
 * remembered for a second.
 */
export class HostDirectory {
  readonly #options: HostDirectoryOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();

  /** Makes a directory that knows nothing yet. */
  constructor(options: HostDirectoryOptions) {
    this.#options = options;
  }

  /** The addresses that are known of a host. An old answer is asked for again meanwhile. */
  known(host: Host): readonly Address[] | undefined {
    if (host.isLiteral) return [parseAddress(host.text)];
    const entry = this.#entries.get(host.text);
    if (!entry?.addresses) return undefined;
    const { clock, refreshIntervalMs } = this.#options;
    if (clock.now() - entry.resolvedAt >= refreshIntervalMs) {
      // The old answer goes on serving; the next look asks once more.
      this.lookUp(host).catch(() => {});
    }
    return entry.addresses;
  }

  /**
   * Asks the resolver, or waits for the query that is under way.
   *
   * @throws {ResolveError} No address could be found
   */
  lookUp(host: Host): Promise<readonly Address[]> {
    let entry = this.#entries.get(host.text);
    if (!entry) {
      entry = { addresses: undefined, resolvedAt: -Infinity, query: undefined, failure: undefined };
      this.#entries.set(host.text, entry);
    }
    const { clock } = this.#options;
    if (entry.failure && !entry.addresses && clock.now() - entry.resolvedAt < RETRY_MS) {
      return Promise.reject(entry.failure);
    }
    entry.query ??= this.#query(host, entry);
    return entry.query;
  }

  /** Forgets hosts that nobody uses. */
  forget(host: string): void {
    if (!this.#entries.get(host)?.query) this.#entries.delete(host);
  }

  /** Ends every query. */
  close(): void {
    this.#stop.abort(new ResolveError("every host", "the pool is closed"));
  }

  async #query(host: Host, entry: Entry): Promise<readonly Address[]> {
    const { clock, refreshIntervalMs, resolver, timeoutMs } = this.#options;
    const ending = new AbortController();
    const stop = () => ending.abort(this.#stop.signal.reason);
    const timer = clock.setTimer(
      () => ending.abort(new ResolveError(host.name, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    try {
      this.#stop.signal.throwIfAborted();
      const ended = new Promise<never>((_, reject) => {
        ending.signal.addEventListener("abort", () => reject(ending.signal.reason));
      });
      const texts = await Promise.race([resolver.resolve(host.name, ending.signal), ended]);
      const addresses = new Map<string, Address>();
      for (const text of texts) {
        const address = parseAddress(text, host.port);
        addresses.set(address.text, address);
      }
      if (addresses.size === 0) throw new ResolveError(host.name, "the resolver gave none");
      entry.addresses = [...addresses.values()];
      entry.resolvedAt = clock.now();
      entry.failure = undefined;
      return entry.addresses;
    } catch (error) {
      if (entry.addresses) {
        entry.resolvedAt = clock.now() - refreshIntervalMs + RETRY_MS;
        return entry.addresses;
      }
      const detail = error instanceof Error ? error.message : String(error);
      entry.failure = error instanceof ResolveError
        ? error
        : new ResolveError(host.name, detail, { cause: error });
      entry.resolvedAt = clock.now();
      throw entry.failure;
    } finally {
      entry.query = undefined;
      timer.cancel();
      this.#stop.signal.removeEventListener("abort", stop);
    }
  }
}
