/**
 * Which of a host's addresses a caller accepts.
 *
 * @module
 */

import {
  type Address,
  addressKey,
  type Host,
  ipOf,
  parseAddress,
  withItsPort,
} from "../../core/address.ts";
import { describe, named } from "../../core/check.ts";
import { type LaneChooser, StickyChooser } from "../../hosts/sticky.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Choice, Lane } from "../../map/lane.ts";

/** Which of a host's addresses a caller accepts. */
export interface AddressChoice {
  /** Only this one: an IP address, with a port or without. The resolver need not know it. */
  readonly ip?: string | undefined;
  /** Not these: IP addresses, with a port or without. */
  readonly exclude?: Iterable<string> | undefined;
}

/** Of what a filter chooses: a host, its endpoints, and their order by keys. */
export interface FilterScene {
  readonly host: Host;
  readonly lane: Lane;
  readonly chooser: LaneChooser;
}

/**
 * Refuses what is not a list of addresses.
 *
 * @throws {TypeError} It is none
 */
export function checkExclude(exclude: unknown): Iterable<string> {
  if (typeof exclude === "object" && exclude !== null && Symbol.iterator in exclude) {
    return exclude as Iterable<string>;
  }
  throw new TypeError(`exclude must be a list of addresses, got ${describe(exclude)}`);
}

/** A parsed {@linkcode AddressChoice}. */
export class AddressFilter implements Choice {
  /** The one address that it accepts, with its port, whatever else is known of the host. */
  only: string | undefined;
  /** The machine that it names, with its port: it need not be among those of the host. */
  readonly named: string | undefined;
  readonly #pin: Address | undefined;
  readonly #excluded: ReadonlySet<string>;
  readonly #text: string;
  /** Says whether an address in canonical text will do. */
  accepts: (address: string) => boolean;

  /**
   * Reads the choice.
   *
   * @throws {TypeError | RangeError} An address is not valid
   */
  constructor(host: Host, choice: AddressChoice) {
    const { ip, exclude = [] } = choice;
    this.#pin = ip === undefined ? undefined : named("ip", () => parseAddress(ip, host.port));
    this.#excluded = new Set([...checkExclude(exclude)].map(excludedKey));
    // Without a port, the machine is meant, whichever port it is known by.
    const isMachine = ip !== undefined && addressKey(ip) === this.#pin?.ip;
    const wanted = isMachine ? undefined : this.#pin?.text;
    const wantedIp = wanted === undefined ? this.#pin?.ip : undefined;
    this.#text = `${wanted ?? "any"} ${wantedIp ?? "any"} ${[...this.#excluded].sort().join()}`;
    this.accepts = (address) =>
      (wanted === undefined || address === wanted)
      && (wantedIp === undefined || ipOf(address) === wantedIp)
      && (this.#excluded.size === 0 || !this.#excludes(address, ipOf(address)));
    this.named = this.#pin && this.accepts(this.#pin.text) ? this.#pin.text : undefined;
    this.only = isMachine ? undefined : this.named;
  }

  #excludes(address: string, ip: string): boolean {
    return this.#excluded.has(ip) || this.#excluded.has(withItsPort(address, ip));
  }

  /** What it accepts now: the same text where that is the same. */
  get text(): string {
    return this.#text;
  }

  /** Whether it accepts one machine only, which need not be known. */
  get pinned(): boolean {
    return this.#pin !== undefined;
  }

  /** Whether an address is among those that it accepts, now or later. */
  wants(address: string): boolean {
    return this.accepts(address);
  }

  /** The endpoints that will do, of those that the host has; a pinned one also where it has not. */
  candidates(lane: Lane): Endpoint[] {
    const accepted = [...lane.endpoints.values()].filter(({ address, member }) =>
      member && this.accepts(address.text)
    );
    if (accepted.length > 0 || !this.#pin || this.named === undefined) return accepted;
    return [lane.endpoints.get(this.named) ?? lane.stranger(this.#pin)];
  }

  /** Lets one more address do, where that was held back; false if there is none. */
  widen(): boolean {
    return false;
  }

  /** Chooses from now on among what another queue of the host knows. */
  moveTo(_scene: FilterScene): void {}
}

function excludedKey(text: string): string {
  return named("exclude", () => addressKey(text));
}

/** Goes through a host's addresses in a key's own order, those that failed recently last. */
class StickyFilter extends AddressFilter {
  readonly #key: string;
  #scene: FilterScene;
  readonly #among: (address: string) => boolean;
  readonly #allowed = new Set<string>();

  /**
   * Reads the choice. The first address of the order does, as soon as the host has any.
   *
   * @throws {TypeError | RangeError} An address is not valid
   */
  constructor(scene: FilterScene, key: string, exclude: Iterable<string> | undefined) {
    super(scene.host, { exclude });
    this.#key = key;
    this.#scene = scene;
    this.#among = this.accepts;
    this.accepts = (address) => this.#allowed.has(address);
    this.widen();
  }

  /** Whether an address is among all those of the order. */
  override wants(address: string): boolean {
    return this.#among(address);
  }

  /** The addresses tried so far. */
  override get text(): string {
    return `tried ${[...this.#allowed].join()}`;
  }

  /** Lets the next address of the order do as well. */
  override widen(): boolean {
    const { chooser, lane } = this.#scene;
    const isNext = (address: string) => this.#among(address) && !this.#allowed.has(address);
    const next = chooser.pick(this.#key, isNext) ?? this.#firstOfTheOthers(lane, isNext);
    if (!next) return false;
    const { text } = next.address;
    this.only = this.#allowed.size === 0 ? text : undefined;
    this.#allowed.add(text);
    return true;
  }

  /** Begins the order again there: nothing has failed it yet. */
  override moveTo(scene: FilterScene): void {
    this.#scene = scene;
    this.#allowed.clear();
    this.widen();
  }

  #firstOfTheOthers(
    lane: Lane,
    isNext: (address: string) => boolean,
  ): Endpoint | undefined {
    const others = [...lane.endpoints.values()].filter(({ address, member }) =>
      member && isNext(address.text)
    );
    return new StickyChooser(others).pick(this.#key);
  }
}

/**
 * Reads which of a host's addresses a caller accepts; undefined if any will do.
 *
 * @throws {TypeError | RangeError} It is not valid, or names the machine twice
 */
export function filterFor(
  scene: FilterScene,
  choice: AddressChoice & { readonly sticky?: string | undefined },
): AddressFilter | undefined {
  const { exclude, ip, sticky } = choice;
  if (sticky === undefined) {
    return ip === undefined && exclude === undefined
      ? undefined
      : new AddressFilter(scene.host, choice);
  }
  if (typeof sticky !== "string") {
    throw new TypeError(`sticky must be a text, got ${describe(sticky)}`);
  }
  if (ip !== undefined) throw new TypeError("Only one of ip and sticky can choose the machine");
  return new StickyFilter(scene, sticky, exclude);
}
