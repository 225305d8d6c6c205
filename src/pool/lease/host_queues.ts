/**
 * Finds the queue of a host, however it is spelled and whatever TLS parameters it is asked with.
 *
 * @module
 */

import { type Host, parseHost } from "../../core/address.ts";
import type { TlsOptions } from "../../core/dialer.ts";
import { pickerFor } from "../../hosts/balancer.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import { PLAIN, type TlsProfile, TlsProfiles } from "../dial/tls_profiles.ts";
import { HostQueue, type QueueParts } from "./queue.ts";

/** What the queues are made with, all of it the pool's. */
export interface HostQueuesParts extends QueueParts {
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
}

/** With which parameters a host is asked. */
export interface HostTerms {
  readonly tls?: TlsOptions | undefined;
  readonly plain?: boolean | undefined;
}

/** How many spellings of hosts are remembered, so that none is parsed twice. */
const MAX_SPELLINGS = 10_000;

/** One queue for each host and TLS profile that is asked for, made when it first is. */
export class HostQueues {
  readonly #parts: HostQueuesParts;
  readonly #profiles: TlsProfiles;
  readonly #queues = new Map<string, HostQueue>();
  /** The queues of the hosts' own TLS profiles by whatever spelling they were asked for. */
  readonly #spellings = new Map<string, HostQueue>();

  /**
   * Begins without any.
   *
   * @throws {TypeError} A TLS option of the pool's is not valid
   */
  constructor(parts: HostQueuesParts) {
    this.#parts = parts;
    this.#profiles = new TlsProfiles(parts.options.tls);
  }

  /**
   * The queue of a host as a caller spells it.
   *
   * @throws {TypeError | RangeError} The host or a TLS option is not valid, or there is no dialer
   * without TLS
   */
  of(text: string, { plain, tls }: HostTerms = {}): HostQueue {
    if (plain) {
      if (!this.#parts.options.plainDialer) {
        throw new TypeError(
          "Nothing is dialled without TLS, as for http:, unless the pool has a plainDialer: "
            + "the entry point hotconn/plain makes one",
        );
      }
      return this.get(parseHost(text), PLAIN);
    }
    if (tls) return this.get(parseHost(text), this.#profiles.of(tls));
    return this.#spellings.get(text) ?? this.#remember(text, this.get(parseHost(text)));
  }

  /** The queue of a host and a TLS profile, its own where none is named. */
  get(host: Host, profile: TlsProfile = this.#profileOf(host)): HostQueue {
    const key = `${host.text} ${profile.name}`;
    const known = this.#queues.get(key);
    if (known) return known;
    const { directory, manager, options } = this.#parts;
    const balancer = options.hosts.get(host.text)?.balancer ?? options.balancer;
    const lane = manager.openLane(host.text, profile.name, pickerFor(balancer));
    const queue = new HostQueue(host, profile, lane, this.#parts);
    this.#queues.set(key, queue);
    directory.use(host);
    // What is warmed is not read anew by its first caller.
    if (profile === this.#profileOf(host)) this.#remember(host.text, queue);
    return queue;
  }

  /** The queue that a connection of a host and a TLS profile belongs to, if there is one. */
  find(host: string, tlsProfile: string): HostQueue | undefined {
    return this.#queues.get(`${host} ${tlsProfile}`);
  }

  /** Forgets a queue that nobody uses any more. */
  forget(queue: HostQueue): void {
    const { directory, manager } = this.#parts;
    this.#queues.delete(`${queue.host.text} ${queue.tls.name}`);
    this.#spellings.clear();
    manager.closeLane(queue.lane);
    directory.forget(queue.host.text);
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

  /** The TLS profile of a host where a caller asks for none. */
  #profileOf(host: Host): TlsProfile {
    const tls = this.#parts.options.hosts.get(host.text)?.tls;
    return tls ? this.#profiles.of(tls) : this.#profiles.default;
  }
}
