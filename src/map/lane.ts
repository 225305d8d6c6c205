/**
 * A host's ready connections: a lane for each host and TLS profile, in it an endpoint for each
 * address, and in the endpoint the idle stack.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { Endpoint, type EndpointOwner, type Standing } from "./endpoint.ts";
import { type MakePicker, type Picker, pickFrom, RandomPicker } from "./picker.ts";

/** Which endpoints of a lane will do. */
export interface Choice {
  /** This one alone, however it stands. */
  readonly only?: string | undefined;
  /** Says whether an address, in canonical text, will do. */
  readonly accepts?: ((address: string) => boolean) | undefined;
  /** The address that a caller names, which will do even if the host does not have it. */
  readonly named?: string | undefined;
  /** Whether those that failed recently are used too, although there are good ones. */
  readonly desperate?: boolean | undefined;
}

/** Endpoints with a connection to lease that are not good, or are left alone. */
interface Others {
  readonly spare: Picker;
  readonly resting: Picker;
  readonly doubtful: Picker;
  readonly ejected: Picker;
}

const ANY: Choice = {};
const RANDOM: MakePicker = (place) => new RandomPicker(place);

/** How many bytes came and were sent. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
}

/** One host's endpoints with one TLS profile. */
export class Lane implements EndpointOwner {
  /** The host. */
  readonly host: string;
  /** The name of the TLS profile. */
  readonly tlsProfile: string;
  /** Its endpoints by address, in order of arrival: those with connections, and those kept. */
  readonly endpoints: Map<string, Endpoint> = new Map();
  /** How many connections it has. */
  connectionCount = 0;
  /** How many endpoints it has whose address the host does not have; most lanes never have any. */
  strangerCount = 0;
  /** Whether it is kept although it has no connections. */
  kept = false;
  /** Changes whenever the good endpoints do. */
  version = 0;
  /** How often an endpoint was chosen. */
  choices = 0;
  /** The good endpoints that the host has, and that are not left alone: where to dial. */
  readonly good: Picker;
  /** The good endpoints that have a connection to lease. */
  readonly #ready: Picker;
  /** The others that have one, by how they stand; most hosts never have such. */
  #others: Others | undefined;
  /** When the next endpoint is due for a trial; never before. */
  #trialAt = Infinity;
  #members = 0;
  /** How many of these have a weight above 0. */
  #weighing = 0;
  #slots = 0;
  #ejections = 0;
  readonly #past: Traffic;
  readonly #clock: Clock;

  /** Makes a lane without endpoints. The bytes of those that it forgets are added to `past`. */
  constructor(
    host: string,
    tlsProfile: string,
    makePicker: MakePicker = RANDOM,
    past: Traffic = { bytesIn: 0, bytesOut: 0 },
    clock: Clock = systemClock,
  ) {
    this.#past = past;
    this.#clock = clock;
    this.host = host;
    this.tlsProfile = tlsProfile;
    this.good = makePicker(1);
    this.#ready = makePicker(0);
  }

  /** How many addresses the host has. */
  get memberCount(): number {
    return this.#members;
  }

  /** How many leases may be under way at once: with good addresses, if there are any. */
  get servingSlots(): number {
    const { size } = this.good;
    if (size === this.endpoints.size) return this.#slots;
    let count = 0;
    if (size > 0) {
      for (const { slots } of this.good) count += slots;
      return count;
    }
    // Addresses that the host does not have only serve callers who name them.
    for (const { slots, standing } of this.endpoints.values()) {
      if (standing === "gone") count += slots;
    }
    return this.#slots - count;
  }

  /** Whether a connection is open, in use or not, at a good address, or at any if none is good. */
  get isServing(): boolean {
    if (this.connectionCount === 0) return false;
    for (const { connections, standing } of this.hasGood ? this.good : this.endpoints.values()) {
      if (connections.size > 0 && standing !== "gone") return true;
    }
    return false;
  }

  /** Counts leases that its connections can carry at once, besides those counted already. */
  addSlots(slots: number): void {
    this.#slots += slots;
  }

  /** Whether its balancer is called even if there is nothing to choose. */
  get isAsked(): boolean {
    return this.good.isAsked === true;
  }

  /** Whether any endpoint has a connection to lease. */
  get ready(): boolean {
    const others = this.#others;
    return this.#ready.size > 0 || (others !== undefined
      && (others.spare.size > 0 || others.resting.size > 0 || others.doubtful.size > 0
        || others.ejected.size > 0));
  }

  /**
   * The same, including those that the host does not have, which only serve callers who name them.
   */
  get readyForAny(): boolean {
    if (this.ready || this.strangerCount === 0) return this.ready;
    for (const { ready, standing } of this.endpoints.values()) {
      if (ready && standing === "gone") return true;
    }
    return false;
  }

  /**
   * Whether fewer than half of the host's addresses are good: then none is left alone. Those of
   * weight 0 count only if all are.
   */
  get panic(): boolean {
    return this.good.size * 2 < this.usedCount;
  }

  /**
   * How many of the host's addresses are in use: those with a weight above 0, or all if none has
   * one.
   */
  get usedCount(): number {
    return this.#weighing || this.#members;
  }

  /** Whether one more endpoint may be ejected: never more than half are. */
  get mayEject(): boolean {
    return (this.#ejections + 1) * 2 <= this.#members;
  }

  /** Whether any of the host's addresses is good. */
  get hasGood(): boolean {
    return this.good.size > 0;
  }

  /**
   * Whether one more good endpoint may be doubted on hearsay, or left alone because it asked for
   * that: never more than half.
   */
  get mayDoubt(): boolean {
    return (this.good.size - 1) * 2 >= this.usedCount;
  }

  /** The endpoint of an address, made if there is none. */
  endpoint(address: Address | string): Endpoint {
    const text = typeof address === "string" ? address : address.text;
    let endpoint = this.endpoints.get(text);
    if (!endpoint) {
      this.endpoints.set(text, endpoint = new Endpoint(this, address));
      endpoint.standingSince = this.#clock.now();
    }
    return endpoint;
  }

  /**
   * Makes the endpoint of an address that the host is not known to have, for callers who name it.
   */
  stranger(address: Address): Endpoint {
    const endpoint = this.endpoint(address);
    this.setStanding(endpoint, "gone");
    return endpoint;
  }

  /** Forgets an endpoint that has no connections. */
  forget(endpoint: Endpoint): void {
    this.setMember(endpoint, false);
    if (endpoint.standing === "gone") this.strangerCount--;
    endpoint.forgotten = true;
    this.#past.bytesIn += endpoint.bytesIn;
    this.#past.bytesOut += endpoint.bytesOut;
    this.endpoints.delete(endpoint.address.text);
  }

  /** Notes whether the host has an endpoint's address. */
  setMember(endpoint: Endpoint, member: boolean): void {
    if (endpoint.member === member) return;
    this.version++;
    if (endpoint.member && endpoint.chosen) this.good.remove(endpoint);
    if (endpoint.standing === "ejected") this.#ejections += member ? 1 : -1;
    endpoint.member = member;
    this.#members += member ? 1 : -1;
    if (member && endpoint.chosen) this.good.add(endpoint);
    if (endpoint.weight > 0) this.#noteWeighing(member);
    this.#setSpare(endpoint);
  }

  /**
   * Sets an endpoint's weight. One of weight 0 is left alone, unless all of the host's are 0, or no
   * other is good.
   */
  setWeight(endpoint: Endpoint, weight: number): void {
    const { member, weight: was } = endpoint;
    if (was === weight) return;
    this.#move(endpoint, () => endpoint.weight = weight);
    if (member && was > 0 !== weight > 0) this.#noteWeighing(weight > 0);
    this.#setSpare(endpoint);
  }

  /** Counts one more of the host's endpoints with a weight above 0, or one less. */
  #noteWeighing(one: boolean): void {
    const all = this.#weighing === 0;
    this.#weighing += one ? 1 : -1;
    if (all === (this.#weighing === 0)) return;
    for (const endpoint of this.endpoints.values()) this.#setSpare(endpoint);
  }

  #setSpare(endpoint: Endpoint): void {
    const spare = endpoint.member && endpoint.weight === 0 && this.#weighing > 0;
    if (endpoint.spare !== spare) this.#move(endpoint, () => endpoint.spare = spare);
  }

  /** Notes how an endpoint stands from now on, and when it is due for a trial. */
  setStanding(endpoint: Endpoint, standing: Standing, dueAt = 0): void {
    endpoint.dueAt = dueAt;
    const was = endpoint.standing;
    if (was !== standing) {
      if (endpoint.member) {
        if (was === "ejected") this.#ejections--;
        if (standing === "ejected") this.#ejections++;
      }
      if (!endpoint.forgotten) {
        if (was === "gone") this.strangerCount--;
        if (standing === "gone") this.strangerCount++;
      }
      this.#move(endpoint, () => endpoint.standing = standing);
      endpoint.standingSince = this.#clock.now();
    }
    endpoint.onTrial = false;
    this.#findTrial();
  }

  /** Notes whether an endpoint is left alone because it asked for that, whatever its standing. */
  setResting(endpoint: Endpoint, resting: boolean): void {
    if (endpoint.resting !== resting) this.#move(endpoint, () => endpoint.resting = resting);
  }

  /** Moves an endpoint from the pickers that it is in to those that it should be in. */
  #move(endpoint: Endpoint, change: () => void): void {
    this.version++;
    const { member, ready } = endpoint;
    if (ready) this.#readySet(endpoint)?.remove(endpoint);
    if (member && endpoint.chosen) this.good.remove(endpoint);
    change();
    if (member && endpoint.chosen) this.good.add(endpoint);
    if (ready) this.#readySet(endpoint)?.add(endpoint);
  }

  /** Notes that an endpoint's trial is over, whatever its outcome: it may have another one. */
  endTrial(endpoint: Endpoint): void {
    if (!endpoint.onTrial) return;
    endpoint.onTrial = false;
    this.#findTrial();
  }

  /** Lets no caller's lease be an endpoint's trial before a time, in the clock's milliseconds. */
  hold(endpoint: Endpoint, until: number): void {
    if (endpoint.heldUntil === until) return;
    endpoint.heldUntil = until;
    this.#findTrial();
  }

  /** Notes that an endpoint was chosen, for a lease or a dial. */
  noteChoice(endpoint: Endpoint): void {
    endpoint.lastChoice = ++this.choices;
    this.noteLoad(endpoint);
  }

  /** Notes that an endpoint's load has changed. */
  noteLoad(endpoint: Endpoint): void {
    if (!endpoint.chosen) return;
    if (endpoint.places[0] >= 0) this.#ready.update(endpoint);
    if (endpoint.places[1] >= 0) this.good.update(endpoint);
  }

  /** Notes whether an endpoint has a connection to lease, after its stacks have changed. */
  noteReady(endpoint: Endpoint): void {
    const { ready } = endpoint;
    if (ready === endpoint.places[0] >= 0) return;
    const set = this.#readySet(endpoint);
    if (ready) set?.add(endpoint);
    else set?.remove(endpoint);
    if (endpoint.dueAt > 0) this.#findTrial();
  }

  /**
   * Chooses an endpoint with a connection to lease: one that is due for a trial, else a good one;
   * if the host has no good one, one that has weight 0, asked to be left alone, or failed recently.
   */
  pick(now: number, random: () => number, choice: Choice = ANY): Endpoint | undefined {
    const { accepts, desperate, named, only } = choice;
    if (only !== undefined) {
      const endpoint = this.readyAt(only);
      // A key may have led there before the host lost it: now it only serves callers who name it.
      return endpoint?.standing === "gone" && named === undefined ? undefined : endpoint;
    }
    if (accepts) {
      return this.#pickAccepted(now, random, accepts, desperate === true)
        ?? (named === undefined ? undefined : this.readyAt(named));
    }
    if (this.#trialAt <= now) {
      const trial = this.#dueForTrial(now);
      if (trial) return trial;
    }
    const endpoint = this.#ready.pick(now, random);
    if (endpoint || (this.good.size > 0 && !desperate)) return endpoint;
    const others = this.#others;
    return others?.spare.pick(now, random)
      ?? others?.resting.pick(now, random)
      ?? others?.doubtful.pick(now, random)
      ?? others?.ejected.pick(now, random);
  }

  /** The endpoint of an address, if it has a connection to lease. */
  readyAt(address: string): Endpoint | undefined {
    const endpoint = this.endpoints.get(address);
    return endpoint?.ready ? endpoint : undefined;
  }

  /** The same among those that are accepted: O(endpoints) if few are. */
  #pickAccepted(
    now: number,
    random: () => number,
    accepts: (address: string) => boolean,
    desperate: boolean,
  ): Endpoint | undefined {
    const fits = ({ address }: Endpoint) => accepts(address.text);
    const pick = (set: Picker) => pickFrom(set, now, random, fits);
    const endpoint = pick(this.#ready);
    if (endpoint) return endpoint;
    if (!desperate) {
      for (const endpoint of this.good) if (fits(endpoint)) return undefined;
    }
    const others = this.#others;
    return others
      && (pick(others.spare) ?? pick(others.resting) ?? pick(others.doubtful)
        ?? pick(others.ejected));
  }

  #readySet({ chosen, resting, standing }: Endpoint): Picker | undefined {
    if (standing === "gone") return undefined;
    if (chosen) return this.#ready;
    const others = this.#others ??= {
      spare: new RandomPicker(0),
      resting: new RandomPicker(0),
      doubtful: new RandomPicker(0),
      ejected: new RandomPicker(0),
    };
    if (standing !== "good") return others[standing];
    return resting ? others.resting : others.spare;
  }

  #dueForTrial(now: number): Endpoint | undefined {
    if (!this.#others) return undefined;
    for (const set of [this.#others.doubtful, this.#others.ejected]) {
      for (const endpoint of set) {
        if (endpoint.trialAt > now || endpoint.onTrial) continue;
        endpoint.onTrial = true;
        this.#findTrial();
        return endpoint;
      }
    }
    return undefined;
  }

  #findTrial(): void {
    this.#trialAt = Infinity;
    if (!this.#others) return;
    for (const set of [this.#others.doubtful, this.#others.ejected]) {
      for (const { onTrial, trialAt } of set) {
        if (!onTrial) this.#trialAt = Math.min(this.#trialAt, trialAt);
      }
    }
  }
}
