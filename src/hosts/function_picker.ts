/**
 * A picker that calls the user's own function.
 *
 * @module
 */

import { describe } from "../core/check.ts";
import type { Endpoint } from "../map/endpoint.ts";
import { type Accepts, EndpointList, type Place } from "../map/picker.ts";

/** What your own balancer is told about an address. */
export interface BalancerCandidate {
  /** The address, in canonical text. */
  readonly address: string;
  /** Its IP address alone, without port and brackets. */
  readonly ip: string;
  /** How much load it should get, beside the others of its host. */
  readonly weight: number;
  /** Leases under way, and dials under way that will become leases. */
  readonly leased: number;
  /** How long its server is expected to take, in milliseconds; null if unknown. */
  readonly latencyMs: number | null;
  /** How much of its load it should get now: from 0.1 up to 1 while it starts slowly, then 1. */
  readonly share: number;
}

/**
 * Chooses among one or more candidates, and returns one of them. It is called for every choice,
 * must not wait, and must not change anything in the pool.
 *
 * @param random Gives a number from 0 to 1, 1 not included
 */
export type BalancerFunction = (
  candidates: readonly BalancerCandidate[],
  random: () => number,
) => BalancerCandidate;

/** A candidate that knows where it comes from. */
class Candidate implements BalancerCandidate {
  readonly address: string;
  readonly ip: string;
  readonly weight: number;
  readonly leased: number;
  readonly latencyMs: number | null;
  readonly share: number;
  readonly #endpoint: Endpoint;
  readonly #choice: object;

  constructor(endpoint: Endpoint, now: number, choice: object) {
    this.address = endpoint.address.text;
    this.ip = endpoint.address.ip;
    this.weight = endpoint.weight;
    this.leased = endpoint.load;
    this.latencyMs = endpoint.latencyMs(now) || null;
    this.share = endpoint.share(now);
    this.#endpoint = endpoint;
    this.#choice = choice;
  }

  /** The endpoint of an answer; undefined if it is no candidate of this choice. */
  static endpointOf(answer: unknown, choice: object): Endpoint | undefined {
    const isOne = typeof answer === "object" && answer !== null && #choice in answer;
    return isOne && answer.#choice === choice ? answer.#endpoint : undefined;
  }
}

/** The one that the user's function returns. */
export class FunctionPicker extends EndpointList {
  /** It is called for every choice, even among one. */
  readonly isAsked = true;
  readonly #choose: BalancerFunction;

  /** Makes an empty set. */
  constructor(place: Place, choose: BalancerFunction) {
    super(place);
    this.#choose = choose;
  }

  /**
   * Chooses one: O(n).
   *
   * @throws {TypeError} The function gave back none of its candidates; or whatever it threw itself
   */
  override pick(now: number, random: () => number): Endpoint | undefined {
    return this.#ask(this.list, now, random);
  }

  /** Chooses one of those that are accepted: the function sees no others. */
  pickAccepted(
    now: number,
    random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined {
    return this.#ask(this.list.filter(accepts), now, random);
  }

  #ask(among: readonly Endpoint[], now: number, random: () => number): Endpoint | undefined {
    if (among.length === 0) return undefined;
    const choice = {};
    const candidates = among.map((endpoint) => new Candidate(endpoint, now, choice));
    // Called as a plain function, without a `this`.
    const choose = this.#choose;
    const answer: unknown = choose(candidates, random);
    const endpoint = Candidate.endpointOf(answer, choice);
    if (endpoint) return endpoint;
    const got = answer instanceof Promise ? "a promise" : describe(answer);
    throw new TypeError(`balancer must give back one of its candidates, got ${got}`);
  }
}
