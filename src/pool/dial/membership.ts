/**
 * Keeps each host's endpoints in step with the addresses that it has, and that may be used.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import { weightOf } from "../host_options.ts";
import type { HostQueue } from "../lease/queue.ts";
import type { ResolvedPoolOptions } from "../options.ts";

/** What a membership works with, all of it the pool's. */
export interface MembershipParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly health: AddressHealth;
  /** Says which addresses may be used. */
  readonly admission: Admission;
}

/** Says which endpoints are members of their host: what it has, and may be used. */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #clock: Clock;

  /** Makes it; no host has been looked at. */
  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
  }

  /**
   * Tells a queue which addresses its host has, as far as they are known, where they are others
   * than before. What has gone ends: idle connections at once, those in use with their lease.
   *
   * @returns Whether they are known, and the endpoints that have gone
   */
  update(queue: HostQueue): { readonly known: boolean; readonly gone: readonly Endpoint[] } {
    const known = this.#parts.directory.known(queue.host);
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
    const now = this.#clock.now();
    for (const endpoint of lane.endpoints.values()) {
      const { connections, dialing, dueAt, member } = endpoint;
      if (member || connections.size > 0 || dialing > 0 || dueAt > now) continue;
      this.#parts.health.leave(endpoint);
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
      if (this.#parts.admission.deniedBy(address) !== undefined) continue;
      const endpoint = lane.endpoint(address);
      members.add(endpoint);
      if (!endpoint.member) this.#enter(queue, endpoint, told !== undefined);
    }
    const gone = [...lane.endpoints.values()].filter((endpoint) =>
      endpoint.member && !members.has(endpoint)
    );
    for (const endpoint of gone) this.#leave(endpoint);
    queue.hurrySpread();
    return gone;
  }

  #enter({ host, lane }: HostQueue, endpoint: Endpoint, isNew: boolean): void {
    const { health, options } = this.#parts;
    const configured = options.hosts.get(host.text);
    if (isNew) endpoint.startSlowly(this.#clock.now(), options.slowStartMs);
    if (configured) endpoint.weight = weightOf(configured, endpoint.address);
    lane.setMember(endpoint, true);
    if (endpoint.standing === "gone") lane.setStanding(endpoint, "good");
    health.enter(endpoint);
  }

  #leave(endpoint: Endpoint): void {
    const { lane } = endpoint;
    lane.setMember(endpoint, false);
    lane.setStanding(endpoint, "gone");
    for (const connection of [...endpoint.connections]) {
      this.#parts.manager.drain(connection, "gone");
    }
  }
}
