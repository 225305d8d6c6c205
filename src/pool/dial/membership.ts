/**
 * Keeps each host's endpoints in step with the addresses that it has, and that may be used.
 *
 * @module
 */

import type { Address, Host } from "../../core/address.ts";
import { messageOf } from "../../core/check.ts";
import { AccessDeniedError, HostUnavailableError, ProxyError } from "../../core/errors.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import { type HostAddress, inUse, priorityOf } from "../../hosts/host_address.ts";
import type { Weights } from "../../hosts/weights.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import { weightOf } from "../host_options.ts";
import type { ResolvedPoolOptions } from "../options.ts";

/** What is notified of new members. */
export interface MembershipEvents {
  /** An endpoint has become a member of its host. */
  onEnter(queue: HostQueue, endpoint: Endpoint): void;
}

/** Says which endpoints are members of their host: what it has, and may be used. */
export class Membership {
  readonly #options: ResolvedPoolOptions;
  readonly #manager: ConnectionManager;
  readonly #directory: HostDirectory;
  readonly #health: AddressHealth;
  readonly #admission: Admission;
  readonly #weights: Weights;
  #events: MembershipEvents | undefined;

  /** Makes it; no host has been looked at. */
  constructor(
    options: ResolvedPoolOptions,
    manager: ConnectionManager,
    directory: HostDirectory,
    health: AddressHealth,
    admission: Admission,
    weights: Weights,
  ) {
    this.#options = options;
    this.#manager = manager;
    this.#directory = directory;
    this.#health = health;
    this.#admission = admission;
    this.#weights = weights;
  }

  /** Sets the listener for new members. */
  listen(events: MembershipEvents): void {
    this.#events = events;
  }

  /** Asks for a host's addresses; for those of its proxies, where these resolve its name. */
  async lookUp({ host, route }: HostQueue): Promise<unknown> {
    if (!route?.resolvesThere) return await this.#directory.lookUp(host);
    const proxies = route.proxies.map(({ options }) => options);
    const found = await Promise.allSettled(proxies.map(({ host }) => this.#directory.lookUp(host)));
    const failures = found.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
    if (failures.length < found.length) return undefined;
    const [cause] = failures;
    const fields = { proxy: proxies[0]!.label, host: host.text, address: proxies[0]!.host.text };
    throw new ProxyError(
      { ...fields, failure: "unreachable", status: null },
      messageOf(cause),
      { cause },
    );
  }

  /** Has a host's addresses asked for ahead of time, where none of them is good. */
  doubt({ host, lane, route }: HostQueue): void {
    if (lane.good.size > 0) return;
    const doubted = route?.resolvesThere
      ? route.proxies.map(({ options }) => options.host)
      : [host];
    for (const host of doubted) this.#directory.doubt(host);
  }

  /** Whether an address of a host may not be used. */
  isDenied(queue: HostQueue, address: Address): boolean {
    return denialOf(this.#admission, queue, address) !== undefined;
  }

  /** Says why a host has no address to use: the rule or block of each of these, if there are any. */
  whyNone(queue: HostQueue, addresses: readonly Address[]): Error {
    const { host } = queue;
    if (addresses.length === 0) return new HostUnavailableError(host.text, []);
    const denied = addresses.map((address) => ({
      address: address.text,
      rule: denialOf(this.#admission, queue, address) ?? "",
    }));
    return new AccessDeniedError(host.text, denied);
  }

  /**
   * Updates a queue's addresses to those that its host has, if these are known and have changed.
   * Idle connections to those that are gone end at once, those in use with their lease. Blocks that
   * are over end first, for every host.
   *
   * @returns Whether they are known, and the endpoints that have gone
   */
  update(queue: HostQueue): { readonly known: boolean; readonly gone: readonly Endpoint[] } {
    this.#admission.settle();
    const known = this.#known(queue);
    return { known: known !== undefined, gone: known ? this.#tell(queue, known) : [] };
  }

  /** Removes a queue's addresses, because the last good answer has grown too old. */
  forgetAll(queue: HostQueue): readonly Endpoint[] {
    const gone = this.#tell(queue, []);
    queue.toldAddresses = undefined;
    return gone;
  }

  /** Applies a queue's addresses again, because other ones may be used than before. */
  readmit(queue: HostQueue): readonly Endpoint[] {
    const known = queue.toldAddresses;
    if (!known) return [];
    queue.toldAddresses = [];
    return this.#tell(queue, known);
  }

  /** Applies the weights of a queue's addresses again, because they may have changed. */
  reweigh(queue: HostQueue): void {
    for (const address of queue.toldAddresses ?? []) {
      const endpoint = queue.lane.endpoints.get(address.text);
      if (endpoint?.member) queue.lane.setWeight(endpoint, this.#weightOf(queue, address));
    }
    queue.hurrySpread();
  }

  /** Forgets addresses that a host no longer has and nobody uses, so that they do not pile up. */
  forgetGone({ lane }: HostQueue): void {
    const now = this.#options.clock.now();
    for (const endpoint of lane.endpoints.values()) {
      const { connections, dialing, dueAt, member } = endpoint;
      if (member || connections.size > 0 || dialing > 0 || dueAt > now) continue;
      this.#health.leave(endpoint);
      lane.forget(endpoint);
    }
  }

  #known({ host, route }: HostQueue): readonly HostAddress[] | undefined {
    if (!route?.resolvesThere) return this.#directory.known(host);
    const unknown: Host[] = [];
    const addresses = route.addresses((proxy) => {
      const known = this.#directory.known(proxy);
      if (!known) unknown.push(proxy);
      return known;
    });
    if (!addresses) return undefined;
    // While one serves, nobody waits for the others, which are needed once it fails.
    for (const proxy of unknown) this.#directory.lookUp(proxy).catch(() => {});
    return addresses;
  }

  #tell(queue: HostQueue, known: readonly HostAddress[]): readonly Endpoint[] {
    const { lane, toldAddresses: told } = queue;
    // An address literal has one address, for ever.
    const isLiteral = queue.host.isLiteral && !queue.route?.resolvesThere;
    const isOld = known === told || (isLiteral && told && told.length > 0);
    if (isOld && !queue.hasPriorities) return [];
    queue.toldAddresses = known;
    queue.hasPriorities = known.some((address) => priorityOf(address) !== priorityOf(known[0]!));
    const admitted = known.filter((address) => !this.isDenied(queue, address));
    const members = new Set<Endpoint>();
    const gone: Endpoint[] = [];
    for (const address of inUse(admitted, (address) => isWell(queue, address))) {
      const endpoint = lane.endpoint(address);
      members.add(endpoint);
      // Its connections were verified for another name.
      if (endpoint.member && endpoint.serverName !== address.serverName) {
        gone.push(endpoint);
        this.#leave(queue, endpoint);
      }
      endpoint.serverName = address.serverName;
      endpoint.multiplexes = address.protocols?.includes("h2");
      if (endpoint.member) lane.setWeight(endpoint, this.#weightOf(queue, address));
      else this.#enter(queue, endpoint, address, told !== undefined);
    }
    for (const endpoint of lane.endpoints.values()) {
      if (!endpoint.member || members.has(endpoint)) continue;
      gone.push(endpoint);
      this.#leave(queue, endpoint);
    }
    if (!isOld) queue.hurrySpread();
    return gone;
  }

  #enter(queue: HostQueue, endpoint: Endpoint, address: HostAddress, isNew: boolean): void {
    const { lane } = queue;
    lane.setWeight(endpoint, this.#weightOf(queue, address));
    if (isNew) endpoint.startSlowly(this.#options.clock.now(), this.#options.slowStartMs);
    lane.setMember(endpoint, true);
    if (endpoint.standing === "gone") lane.setStanding(endpoint, "good");
    this.#health.enter(endpoint);
    this.#events?.onEnter(queue, endpoint);
  }

  /** The weight of an address: as set by hand, by the options of its host, or by its source. */
  #weightOf({ host }: HostQueue, address: HostAddress): number {
    const configured = this.#options.hosts.get(host.text);
    return this.#weights.of(address) ?? (configured && weightOf(configured, address))
      ?? address.weight ?? 1;
  }

  #leave({ host, lane, tls }: HostQueue, endpoint: Endpoint): void {
    lane.setMember(endpoint, false);
    lane.setStanding(endpoint, "gone");
    for (const connection of [...endpoint.connections]) {
      this.#manager.drain(connection, "gone");
    }
    const target = { host: host.text, address: endpoint.address.text, tls: tls.options };
    const dialer = tls.isPlain ? this.#options.plainDialer : this.#options.dialer;
    // A dialer that could not be loaded has nothing to forget, and each dial says why.
    if (dialer && "then" in dialer) dialer.then((dialer) => dialer.forget?.(target), () => {});
    else dialer?.forget?.(target);
  }
}

/** Whether an address is good: then its priority needs no lower one to help. */
function isWell(queue: HostQueue, { text }: HostAddress): boolean {
  const endpoint = queue.lane.endpoints.get(text);
  if (!endpoint || !endpoint.member) return true;
  return endpoint.standing === "good" && !endpoint.isSlow;
}

/** What keeps an address of a host from being used; undefined if nothing does. */
export function denialOf(
  admission: Admission,
  { route }: HostQueue,
  address: Address,
): string | undefined {
  // It is unknown what the proxy resolves the name to, so no rule can apply.
  if (route?.resolvesThere && admission.isRestricted) return "its proxy resolves the name";
  return admission.deniedBy(address);
}
