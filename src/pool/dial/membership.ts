/**
 * Keeps each host's endpoints in step with the addresses that it has, and that may be used.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import { AccessDeniedError, HostUnavailableError } from "../../core/errors.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import { weightOf } from "../host_options.ts";
import type { ResolvedPoolOptions } from "../options.ts";

/** Says which endpoints are members of their host: what it has, and may be used. */
export class Membership {
  readonly #options: ResolvedPoolOptions;
  readonly #manager: ConnectionManager;
  readonly #directory: HostDirectory;
  readonly #health: AddressHealth;
  readonly #admission: Admission;

  /** Makes it; no host has been looked at. */
  constructor(
    options: ResolvedPoolOptions,
    manager: ConnectionManager,
    directory: HostDirectory,
    health: AddressHealth,
    admission: Admission,
  ) {
    this.#options = options;
    this.#manager = manager;
    this.#directory = directory;
    this.#health = health;
    this.#admission = admission;
  }

  /** Asks for a host's addresses. */
  lookUp({ host }: HostQueue): Promise<unknown> {
    return this.#directory.lookUp(host);
  }

  /** Whether an address may not be used. */
  isDenied(address: Address): boolean {
    return this.#admission.deniedBy(address) !== undefined;
  }

  /** Says why a host has no address to use: the rule or block of each of these, if there are any. */
  whyNone({ host }: HostQueue, addresses: readonly Address[]): Error {
    if (addresses.length === 0) return new HostUnavailableError(host.text, []);
    const denied = addresses.map((address) => ({
      address: address.text,
      rule: this.#admission.deniedBy(address) ?? "",
    }));
    return new AccessDeniedError(host.text, denied);
  }

  /**
   * Tells a queue which addresses its host has, as far as they are known, where they are others
   * than before. What has gone ends: idle connections at once, those in use with their lease.
   *
   * @returns Whether they are known, and the endpoints that have gone
   */
  update(queue: HostQueue): { readonly known: boolean; readonly gone: readonly Endpoint[] } {
    const known = this.#directory.known(queue.host);
    return { known: known !== undefined, gone: known ? this.#tell(queue, known) : [] };
  }

  /** Takes back what a queue was told, the last good answer having grown too old. */
  forgetAll(queue: HostQueue): readonly Endpoint[] {
    const gone = this.#tell(queue, []);
    queue.toldAddresses = undefined;
    return gone;
  }

  /** Tells a queue the same once more, since other addresses may be used than before. */
  readmit(queue: HostQueue): readonly Endpoint[] {
    const known = queue.toldAddresses;
    if (!known) return [];
    queue.toldAddresses = [];
    return this.#tell(queue, known);
  }

  /** Forgets the addresses that a host has no more, and nobody uses: else they would heap up. */
  forgetGone({ lane }: HostQueue): void {
    const now = this.#options.clock.now();
    for (const endpoint of lane.endpoints.values()) {
      const { connections, dialing, dueAt, member } = endpoint;
      if (member || connections.size > 0 || dialing > 0 || dueAt > now) continue;
      this.#health.leave(endpoint);
      lane.forget(endpoint);
    }
  }

  #tell(queue: HostQueue, known: readonly Address[]): readonly Endpoint[] {
    const { lane, toldAddresses: told } = queue;
    // An address literal has one address, for ever.
    if (known === told || (queue.host.isLiteral && told && told.length > 0)) return [];
    queue.toldAddresses = known;
    const members = new Set<Endpoint>();
    for (const address of known) {
      if (this.isDenied(address)) continue;
      const endpoint = lane.endpoint(address);
      members.add(endpoint);
      if (!endpoint.member) this.#enter(queue, endpoint, told !== undefined);
    }
    const gone = [...lane.endpoints.values()].filter((endpoint) =>
      endpoint.member && !members.has(endpoint)
    );
    for (const endpoint of gone) this.#leave(lane, endpoint);
    queue.hurrySpread();
    return gone;
  }

  #enter({ host, lane }: HostQueue, endpoint: Endpoint, isNew: boolean): void {
    const configured = this.#options.hosts.get(host.text);
    if (isNew) endpoint.startSlowly(this.#options.clock.now(), this.#options.slowStartMs);
    if (configured) endpoint.weight = weightOf(configured, endpoint.address);
    lane.setMember(endpoint, true);
    if (endpoint.standing === "gone") lane.setStanding(endpoint, "good");
    this.#health.enter(endpoint);
  }

  #leave(lane: Lane, endpoint: Endpoint): void {
    lane.setMember(endpoint, false);
    lane.setStanding(endpoint, "gone");
    for (const connection of [...endpoint.connections]) {
      this.#manager.drain(connection, "gone");
    }
  }
}
