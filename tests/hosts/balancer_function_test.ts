/**
 * Balancers as users give them: a name, or a function of their own.
 *
 * @module
 */

import { assertEquals, assertStrictEquals, assertThrows, fail } from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import {
  type Balancer,
  type BalancerCandidate,
  type BalancerName,
  checkBalancer,
} from "../../src/hosts/balancer.ts";
import { PickerScene } from "../support/picker_scene.ts";

const NAMES: readonly BalancerName[] = [
  "random",
  "roundRobin",
  "leastLeased",
  "p2cEwma",
  "weighted",
  "sticky",
];

test("checkBalancer() takes names and functions, and says what else would be valid", () => {
  const own = ([first]: readonly BalancerCandidate[]) => first!;
  for (const balancer of [...NAMES, own]) {
    assertStrictEquals(checkBalancer("balancer", balancer), balancer);
  }
  const known = NAMES.join(", ");
  for (
    const [value, got] of [
      ["fastest", "\"fastest\""],
      ["toString", "\"toString\""],
      [undefined, "undefined"],
      [1, "1"],
      [["random"], "an array"],
      [{}, "object"],
    ] as const
  ) {
    assertThrows(
      () => checkBalancer("balancer", value),
      TypeError,
      `balancer must be one of ${known}, or a function, got ${got}`,
    );
  }
});

test("A function is told of every address, and of what helps to choose", () => {
  const told: (readonly BalancerCandidate[])[] = [];
  const scene = new PickerScene((candidates, random) => {
    told.push(candidates);
    return candidates[Math.floor(random() * candidates.length)]!;
  }, 2);
  const second = scene.make(2);
  scene.lane.endpoint("[2001:db8::1]:8443");
  const v6 = scene.lane.endpoints.get("[2001:db8::1]:8443")!;
  scene.picker.add(second);
  scene.picker.add(v6);
  second.leased = 2;
  second.dialing = 1;
  second.weight = 0.5;
  v6.noteLatency(12, scene.clock.now());
  v6.startSlowly(scene.clock.now(), 1_000);
  scene.clock.advance(500);
  const expected = new ManualClock(1).random();
  const chosen = scene.choose();
  assertStrictEquals(chosen, [...scene.picker][Math.floor(expected * 4)]);
  const plain = { weight: 1, leased: 0, latencyMs: null, share: 1 };
  assertEquals(told.map((candidates) => candidates.map((candidate) => ({ ...candidate }))), [[
    { ...plain, address: "10.0.0.0", ip: "10.0.0.0" },
    { ...plain, address: "10.0.0.1", ip: "10.0.0.1" },
    { ...plain, address: "10.0.0.2", ip: "10.0.0.2", weight: 0.5, leased: 3 },
    {
      ...plain,
      address: "[2001:db8::1]:8443",
      ip: "2001:db8::1",
      latencyMs: 12 * Math.exp(-0.05),
      share: 0.55,
    },
  ]]);
  scene.choose(({ address }) => address.text === "10.0.0.1");
  assertEquals(told[1]?.map(({ address }) => address), ["10.0.0.1"]);
  assertEquals(scene.picker.pickAccepted?.(0, scene.random, () => false), undefined);
  const idle = new PickerScene(() => fail("Called although there is nothing to choose"), 0);
  assertEquals(idle.picker.pick(0, scene.random), undefined);
  assertEquals(told.length, 2);
});

test("A function may sort its candidates", () => {
  const scene = new PickerScene((candidates) => {
    (candidates as BalancerCandidate[]).sort((a, b) => b.address.localeCompare(a.address));
    return candidates[0]!;
  }, 5);
  assertStrictEquals(scene.choose(), scene.endpoints[4]);
});

test("A function that gives back none of its candidates is told so", () => {
  let earlier: BalancerCandidate | undefined;
  for (
    const [answer, got] of [
      [() => undefined, "undefined"],
      [() => null, "null"],
      [() => "10.0.0.1", "string"],
      [() => ({ address: "10.0.0.1" }), "object"],
      [([first]: readonly BalancerCandidate[]) => ({ ...first }), "object"],
      [(candidates: readonly BalancerCandidate[]) => candidates, "an array"],
      [async ([first]: readonly BalancerCandidate[]) => await first, "a promise"],
      [([first]: readonly BalancerCandidate[]) => void (earlier = first), "undefined"],
      [() => earlier, "object"],
    ] as const
  ) {
    const scene = new PickerScene(answer as unknown as Balancer, 2);
    const message = `balancer must give back one of its candidates, got ${got}`;
    assertThrows(() => scene.choose(), TypeError, message);
  }
});

test("What a function throws comes through untouched", () => {
  const error = new Error("Not today");
  const scene = new PickerScene(() => {
    throw error;
  }, 2);
  assertStrictEquals(assertThrows(() => scene.choose()), error);
});
