/**
 * Finds the queue of a host, however it is spelled and whatever TLS parameters it is asked with.
 *
 * @module
 */

import { type Host, parseHost } from "../../core/address.ts";
import type { TlsOptions } from "../../core/dialer.ts";
import { ClosedError } from "../../core/errors.ts";
import { pickerFor } from "../../hosts/balancer.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Routes } from "../proxy/routes.ts";
import { HostQueue, type QueueEvents } from "./host_queue.ts";
import {
  PLAIN,
  PLAIN_TUNNEL,
  type Protocols,
  type TlsProfile,
  TlsProfiles,
} from "./tls_profiles.ts";

/** The parameters that a host is asked with. */
export interface HostTerms {
  readonly tls?: TlsOptions | undefined;
  readonly plain?: boolean | undefined;
  /** Whether HTTP is to be spoken, over the protocols that hold for the host, or over these. */
  readonly http?: true | Protocols | undefined;
  /** Whether HTTP is spoken only to go on in another protocol. */
  readonly upgrade?: boolean | undefined;
}

/** How many spellings of hosts are remembered, so that none is parsed twice. */
const MAX_SPELLINGS = 10_000;

/** One queue for each host and TLS profile that is asked for, made when it first is. */
export class HostQueues {
  readonly #options: ResolvedPoolOptions;
  readonly #manager: ConnectionManager;
  readonly #directory: HostDirectory;
  readonly #routes: Routes;
  readonly #events: QueueEvents;
  readonly #profiles: TlsProfiles;
  /** The TLS profiles of hosts that have their own options, by canonical text. */
  readonly #own = new Map<string, TlsProfile>();
  readonly #queues = new Map<string, HostQueue>();
  /** Those whose names their proxies resolve. */
  readonly #resolvedThere = new Set<HostQueue>();
  /** The queues of the hosts' own TLS profiles by whatever spelling they were asked for. */
  readonly #spellings = new Map<string, HostQueue>();
  /** The queues for HTTP, in the same way. */
  readonly #httpSpellings = new Map<string, HostQueue>();
  #closed = false;

  /**
   * Begins without any.
   *
   * @throws {TypeError} A TLS option of the pool's is not valid
   */
  constructor(
    options: ResolvedPoolOptions,
    manager: ConnectionManager,
    directory: HostDirectory,
    routes: Routes,
    events: QueueEvents,
  ) {
    this.#options = options;
    this.#manager = manager;
    this.#directory = directory;
    this.#routes = routes;
    this.#events = events;
    this.#profiles = new TlsProfiles(options.tls);
    for (const [host, { tls }] of options.hosts) {
      if (tls) this.#setOwn(host, this.#profiles.of(tls));
    }
  }

  /** The TLS options of the pool. */
  get tls(): TlsOptions {
    return this.#profiles.default.options;
  }

  /** The TLS options of hosts that have their own, by canonical text. */
  get ownTls(): ReadonlyMap<string, TlsOptions> {
    return new Map(Array.from(this.#own, ([host, { options }]) => [host, options]));
  }

  /**
   * Replaces the TLS options of the pool, or of one host; null takes away those that a host has of
   * its own. Callers find other queues from then on.
   *
   * @returns The queues with the options from before, each with the profile that replaces its own
   * @throws {ClosedError} The pool is closing, or closed
   * @throws {TypeError | RangeError} The host or a TLS option is not valid
   */
  setTls(
    tls: TlsOptions | null,
    hostText: string | undefined,
  ): (readonly [HostQueue, TlsProfile])[] {
    if (this.#closed) throw new ClosedError("pool");
    const host = hostText === undefined ? undefined : parseHost(hostText);
    const profile = tls === null ? this.#profiles.default : this.#profiles.of(tls);
    const before = host ? this.#profileOf(host) : this.#profiles.default;
    if (host) this.#setOwn(host.text, tls === null ? undefined : profile);
    else this.#profiles.setDefault(profile);
    this.#spellings.clear();
    this.#httpSpellings.clear();
    if (profile === before) return [];
    return [...this.#queues.values()]
      .filter((queue) =>
        this.#profiles.isOf(queue.tls, before)
        && (host ? queue.host.text === host.text : !this.#own.has(queue.host.text))
      )
      .map((queue) => [queue, this.#profiles.inPlaceOf(queue.tls, profile)]);
  }

  #setOwn(host: string, profile: TlsProfile | undefined): void {
    const before = this.#own.get(host);
    if (profile) {
      this.#profiles.use(profile);
      this.#own.set(host, profile);
    } else {
      this.#own.delete(host);
    }
    if (before) this.#profiles.forget(before);
  }

  /** Whether it is closed, and callers find no queue. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Closes it: from then on callers find no queue. */
  close(): void {
    this.#closed = true;
  }

  /**
   * The queue of a host as a caller spells it.
   *
   * @throws {ClosedError} The pool is closing, or closed
   * @throws {TypeError | RangeError} The host or a TLS option is not valid, or there is no dialer
   * without TLS
   */
  of(text: string, terms: HostTerms = {}): HostQueue {
    const { http, plain, tls } = terms;
    if (this.#closed) throw new ClosedError("pool");
    if (!plain && tls === undefined) {
      if (http === true) return this.#forHttp(text);
      if (!http) {
        return this.#spellings.get(text) ?? this.#remember(text, this.get(parseHost(text)));
      }
    }
    if (plain && !this.#options.plainDialer) {
      throw new TypeError(
        "http: URLs, and leases that are plain, need the pool's option plainDialer: set it to "
          + "plainDialer() of hotconn/plain",
      );
    }
    const host = parseHost(text);
    const protocols = http === true ? this.#protocolsOf(host) : http;
    const own = plain
      ? this.#plainFor(host, terms)
      : tls !== undefined
      ? this.#profiles.of(tls)
      : this.#profileOf(host);
    return this.get(host, protocols ? this.#profiles.forHttp(own, protocols) : own);
  }

  /** The queue of a host and a TLS profile, by default the host's own. */
  get(host: Host, profile: TlsProfile = this.#profileOf(host)): HostQueue {
    const key = `${host.text} ${profile.name}`;
    const known = this.#queues.get(key);
    if (known) {
      known.replaced = false;
      return known;
    }
    const balancer = this.#options.hosts.get(host.text)?.balancer ?? this.#options.balancer;
    const lane = this.#manager.hosts.openLane(host.text, profile.name, pickerFor(balancer));
    const route = this.#routes.to(host, profile);
    const queue = new HostQueue(host, profile, lane, route, this.#options, this.#events);
    this.#queues.set(key, queue);
    if (route?.resolvesThere) this.#resolvedThere.add(queue);
    this.#directory.use(host);
    this.#profiles.use(profile);
    // The first caller of a warmed host does not read its name again.
    if (profile === this.#profileOf(host)) this.#remember(host.text, queue);
    return queue;
  }

  /** The queue of a host that is kept warm: for HTTP, where the pool speaks that. */
  main(host: Host): HostQueue {
    const protocols = this.#protocolsOf(host);
    const own = this.#profileOf(host);
    return this.get(host, protocols ? this.#profiles.forHttp(own, protocols) : own);
  }

  /** Only HTTP can be asked of a proxy: what else is spoken needs a tunnel through it. */
  #plainFor(host: Host, { http, upgrade }: HostTerms): TlsProfile {
    const isTunnelled = (!http || upgrade) && this.#routes.isAbsolute(host);
    return isTunnelled ? PLAIN_TUNNEL : PLAIN;
  }

  #forHttp(text: string): HostQueue {
    const known = this.#httpSpellings.get(text);
    if (known) return known;
    const queue = this.main(parseHost(text));
    if (this.#httpSpellings.size >= MAX_SPELLINGS) this.#httpSpellings.clear();
    this.#httpSpellings.set(text, queue);
    return queue;
  }

  /** The default protocols for HTTP with a host; undefined without HTTP. */
  #protocolsOf(host: Host): Protocols | undefined {
    return this.#options.hosts.get(host.text)?.protocols ?? this.#options.protocols;
  }

  /** The queue that a connection of a host and a TLS profile belongs to, if there is one. */
  find(host: string, tlsProfile: string): HostQueue | undefined {
    return this.#queues.get(`${host} ${tlsProfile}`);
  }

  /** The queues of a host, in canonical text: one for each TLS profile. */
  ofHost(host: string): HostQueue[] {
    const found: HostQueue[] = [];
    for (const { tlsProfile } of this.#manager.hosts.lanesOf(host)) {
      const queue = this.find(host, tlsProfile);
      if (queue) found.push(queue);
    }
    return found;
  }

  /** Those whose names their proxies resolve. */
  get resolvedThere(): ReadonlySet<HostQueue> {
    return this.#resolvedThere;
  }

  /** Forgets a queue that nobody uses any more. */
  forget(queue: HostQueue): void {
    queue.forgotten = true;
    this.#queues.delete(`${queue.host.text} ${queue.tls.name}`);
    this.#resolvedThere.delete(queue);
    this.#spellings.clear();
    this.#httpSpellings.clear();
    this.#manager.hosts.closeLane(queue.lane);
    this.#directory.forget(queue.host.text);
    this.#profiles.forget(queue.tls);
  }

  /** Goes over all of them. */
  [Symbol.iterator](): Iterator<HostQueue> {
    return this.#queues.values();
  }

  #remember(text: string, queue: HostQueue): HostQueue {
    if (this.#spellings.size >= MAX_SPELLINGS) this.#spellings.clear();
    this.#spellings.set(text, queue);
    return queue;
  }

  /** The default TLS profile of a host. */
  #profileOf(host: Host): TlsProfile {
    return this.#own.get(host.text) ?? this.#profiles.default;
  }
}
