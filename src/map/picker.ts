/**
 * Pickers, which choose one endpoint among several: what a balancer is made of.
 *
 * @module
 */

import type { Endpoint } from "./endpoint.ts";

/**
 * Which of an endpoint's two places a picker keeps: that among the ready ones, or the good ones.
 */
export type Place = 0 | 1;

/** Says whether an endpoint will do. */
export type Accepts = (endpoint: Endpoint) => boolean;

/** A set of endpoints that chooses among them. */
export interface Picker {
  /** How many there are. */
  readonly size: number;
  /** Whether it is called even if there is nothing to choose, because it is the user's. */
  readonly isAsked?: boolean;
  /** Adds one that is not in it. */
  add(endpoint: Endpoint): void;
  /** Removes one that is in it. */
  remove(endpoint: Endpoint): void;
  /** Notes that the load of one that is in it has changed, or its last choice, or its weight. */
  update(endpoint: Endpoint): void;
  /**
   * Chooses one; undefined if there is none.
   *
   * @param now The clock's time, in milliseconds
   * @param random Gives a number from 0 to 1, 1 not included
   */
  pick(now: number, random: () => number): Endpoint | undefined;
  /**
   * Chooses one of those that are accepted. Without it, `pick` is called several times. So a picker
   * whose `pick` keeps giving the same one needs it.
   */
  pickAccepted?(
    now: number,
    random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined;
  /** Goes over all of them, in no order. */
  [Symbol.iterator](): Iterator<Endpoint>;
}

/** Makes pickers of one kind. */
export type MakePicker = (place: Place) => Picker;

/** How often a picker is asked before all of its endpoints are looked at. */
const TRIES = 8;

/** An endpoint that a picker chooses by chance and that is accepted, if a few tries find one. */
export function tryPick(
  set: Picker,
  now: number,
  random: () => number,
  accepts: Accepts,
): Endpoint | undefined {
  for (let tries = Math.min(TRIES, set.size); tries > 0; tries--) {
    const endpoint = set.pick(now, random);
    if (endpoint && accepts(endpoint)) return endpoint;
  }
  return undefined;
}

/** A set of endpoints in no order, with O(1) for everything. */
export abstract class EndpointList implements Picker {
  /** The endpoints. */
  protected readonly list: Endpoint[] = [];
  /** Which of an endpoint's places is the index in the list. */
  protected readonly place: Place;

  /** Makes an empty set. */
  constructor(place: Place) {
    this.place = place;
  }

  /** How many there are. */
  get size(): number {
    return this.list.length;
  }

  /** Takes one in. */
  add(endpoint: Endpoint): void {
    endpoint.places[this.place] = this.list.push(endpoint) - 1;
  }

  /** Takes one out; the last one takes its place. */
  remove(endpoint: Endpoint): void {
    const index = endpoint.places[this.place];
    const last = this.list.pop();
    if (last && last !== endpoint) {
      this.list[index] = last;
      last.places[this.place] = index;
    }
    endpoint.places[this.place] = -1;
  }

  /** Nothing to note: the order means nothing. */
  update(_endpoint: Endpoint): void {}

  /** Chooses one. */
  abstract pick(now: number, random: () => number): Endpoint | undefined;

  /** Goes over all of them. */
  [Symbol.iterator](): Iterator<Endpoint> {
    return this.list.values();
  }
}

/** How often one that has just come, or come back, may be passed over in a choice. */
export const MAX_PASSES = 8;

/** Each with the same chance; one that starts slowly with less. */
export class RandomPicker extends EndpointList {
  /** Chooses one: O(1). */
  override pick(now: number, random: () => number): Endpoint | undefined {
    const { length } = this.list;
    if (length < 2) return this.list[0];
    for (let passes = 0;; passes++) {
      const endpoint = this.list[Math.floor(random() * length)]!;
      const share = endpoint.share(now);
      if (share === 1 || passes === MAX_PASSES || random() < share) return endpoint;
    }
  }
}

/** An endpoint of a picker that is accepted, by the picker's own rule as far as it goes. */
export function pickFrom(
  set: Picker,
  now: number,
  random: () => number,
  accepts: Accepts,
): Endpoint | undefined {
  if (set.pickAccepted) return set.pickAccepted(now, random, accepts);
  const drawn = tryPick(set, now, random, accepts);
  if (drawn) return drawn;
  const accepted = [...set].filter(accepts);
  return accepted[Math.floor(random() * accepted.length)];
}
