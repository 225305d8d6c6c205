/**
 * Balancers: how one address is chosen among several.
 *
 * @module
 */

import { quote } from "../core/check.ts";
import { type MakePicker, RandomPicker } from "../map/picker.ts";
import { type BalancerFunction, FunctionPicker } from "./function_picker.ts";
import { LeastLeasedPicker, RoundRobinPicker, StickyPicker } from "./heap_pickers.ts";
import { P2cEwmaPicker } from "./p2c_picker.ts";
import { WeightedPicker } from "./weighted_picker.ts";

export type { BalancerCandidate, BalancerFunction } from "./function_picker.ts";

/**
 * The balancers that there are by name. A closed set. All but `sticky` let an address that starts
 * slowly bear less than its share.
 *
 * - `random`: any address with the same chance
 * - `roundRobin`: the one that was chosen longest ago
 * - `leastLeased`: the one that bears least for its weight; among equals, the one that was chosen
 *   longest ago
 * - `p2cEwma`: of two at random the better one, by the latency that is expected of it, its load and
 *   its weight
 * - `weighted`: any, with a chance in proportion to its weight
 * - `sticky`: always the same one, as long as it is there
 */
export type BalancerName =
  | "random"
  | "roundRobin"
  | "leastLeased"
  | "p2cEwma"
  | "weighted"
  | "sticky";

/** A balancer by its name, or one of the user's own. */
export type Balancer = BalancerName | BalancerFunction;

const PICKERS: { readonly [Name in BalancerName]: MakePicker } = {
  random: (place) => new RandomPicker(place),
  roundRobin: (place) => new RoundRobinPicker(place),
  leastLeased: (place) => new LeastLeasedPicker(place),
  p2cEwma: (place) => new P2cEwmaPicker(place),
  weighted: (place) => new WeightedPicker(place),
  sticky: (place) => new StickyPicker(place),
};

/** The balancers that there are by name. */
export const BALANCER_NAMES: readonly BalancerName[] = Object.keys(PICKERS) as BalancerName[];

/**
 * Returns a balancer if it is one.
 *
 * @param name What the option is called
 * @throws {TypeError} It is not one; the message says what would be
 */
export function checkBalancer(name: string, value: unknown): Balancer {
  if (typeof value === "function") return value as BalancerFunction;
  if (typeof value === "string" && Object.hasOwn(PICKERS, value)) return value as BalancerName;
  const known = BALANCER_NAMES.join(", ");
  throw new TypeError(`${name} must be one of ${known}, or a function, got ${quote(value)}`);
}

/** What makes the pickers of a balancer. */
export function pickerFor(balancer: Balancer): MakePicker {
  if (typeof balancer !== "function") return PICKERS[balancer];
  return (place) => new FunctionPicker(place, balancer);
}
