/**
 * Every picker against a model of it: a set, and for those that have an order a naive search.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import {
  type Balancer,
  BALANCER_NAMES,
  type BalancerName,
  pickerFor,
} from "../../src/hosts/balancer.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import { MapWorld } from "../support/map_world.ts";
import { addressOf, PickerScene, rankForKey } from "../support/picker_scene.ts";

const HOST = "a.example";
const ENDPOINTS = 24;

/** What a step does to one of the endpoints. */
type Step =
  | { readonly kind: "toggle" | "lease" | "release" | "pick" | "slow"; readonly index: number }
  | { readonly kind: "weigh"; readonly index: number; readonly weight: number };

/** As long as that most often: what is short fills no heap. */
const LENGTH = { maxLength: 300, size: "max" } as const;
const index = fc.nat(ENDPOINTS - 1);
const plain = fc.record({
  kind: fc.constantFrom("toggle", "toggle", "lease", "release", "pick", "pick"),
  index,
}) as fc.Arbitrary<Step>;
const weigh = fc.record({
  kind: fc.constant("weigh" as const),
  index,
  weight: fc.constantFrom(0, 0.25, 1, 1, 3, 1_000),
});
const slow = fc.record({ kind: fc.constant("slow" as const), index });

/** A balancer's picker beside the set that it stands for. */
class Model {
  readonly scene: PickerScene;
  readonly all: readonly Endpoint[];
  readonly members = new Set<Endpoint>();

  constructor(balancer: Balancer, seed: number) {
    this.scene = new PickerScene(balancer, 0, seed);
    this.all = Array.from({ length: ENDPOINTS }, (_, index) => this.scene.make(index));
  }

  /** Does a step; gives back what was picked. */
  step(step: Step): Endpoint | undefined {
    const { clock, lane, picker, random } = this.scene;
    const endpoint = this.all[step.index]!;
    let picked: Endpoint | undefined;
    if (step.kind === "toggle") {
      if (this.members.delete(endpoint)) picker.remove(endpoint);
      else {
        this.members.add(endpoint);
        picker.add(endpoint);
      }
    } else if (step.kind === "pick") {
      clock.advance(100);
      picked = picker.pick(clock.now(), random);
      if (picked) {
        picked.leased++;
        picked.lastChoice = ++lane.choices;
        picker.update(picked);
      }
    } else {
      if (step.kind === "weigh") endpoint.weight = step.weight;
      else if (step.kind === "slow") endpoint.startSlowly(clock.now(), 1_000);
      else endpoint.leased = Math.max(0, endpoint.leased + (step.kind === "lease" ? 1 : -1));
      if (this.members.has(endpoint)) picker.update(endpoint);
    }
    return picked;
  }

  check(): void {
    const { picker } = this.scene;
    assertEquals(picker.size, this.members.size);
    const listed = [...picker];
    assertEquals(listed.length, this.members.size);
    listed.forEach((endpoint, place) => {
      assert(this.members.has(endpoint), `${endpoint.address.text} is listed, but was removed`);
      assertEquals(endpoint.places[0], place);
    });
    for (const endpoint of this.all) {
      if (!this.members.has(endpoint)) assertEquals(endpoint.places[0], -1);
      assertEquals(endpoint.places[1], -1);
    }
  }
}

const BALANCERS: readonly Balancer[] = [
  ...BALANCER_NAMES,
  (candidates, random) => candidates[Math.floor(random() * candidates.length)]!,
];

for (const balancer of BALANCERS) {
  const name = typeof balancer === "string" ? balancer : "A function's picker";
  test(`${name} is a set, whatever comes, goes and changes`, () => {
    fc.assert(fc.property(
      fc.array(fc.oneof({ weight: 6, arbitrary: plain }, weigh, slow), LENGTH),
      fc.nat(),
      (steps, seed) => {
        const model = new Model(balancer, seed);
        const { clock, picker, random } = model.scene;
        for (const step of steps) {
          const before = model.members.size;
          const picked = model.step(step);
          model.check();
          if (step.kind !== "pick") continue;
          assertEquals(picked !== undefined, before > 0);
          assert(!picked || model.members.has(picked), `${picked?.address.text} was removed`);
          const [one] = model.members;
          const accepts = (endpoint: Endpoint) => endpoint === one;
          const only = picker.pickAccepted?.(clock.now(), random, accepts);
          if (picker.pickAccepted) assertStrictEquals(only, one);
          model.check();
        }
      },
    ));
  });
}

/** Which of the endpoints may be the next one: a search through all, by the rule as it is told. */
type Rule = (among: readonly Endpoint[]) => Endpoint[];

const RULES: { readonly [Name in BalancerName]?: Rule } = {
  roundRobin: (among) => least(among, ({ lastChoice }) => lastChoice),
  leastLeased: (among) =>
    least(
      least(among, ({ load, weight }) => (load + 1) / weight),
      ({ lastChoice }) => lastChoice,
    ),
  sticky: (among) => rankForKey("", among).slice(0, 1),
};

function least(among: readonly Endpoint[], of: (endpoint: Endpoint) => number): Endpoint[] {
  const lowest = Math.min(...among.map(of));
  return among.filter((endpoint) => of(endpoint) === lowest);
}

for (const [name, rule] of Object.entries(RULES) as [BalancerName, Rule][]) {
  test(`${name} chooses what a search through all of them finds`, () => {
    fc.assert(fc.property(
      fc.array(fc.oneof({ weight: 6, arbitrary: plain }, weigh), LENGTH),
      (steps) => {
        const model = new Model(name, 1);
        const { clock, picker, random } = model.scene;
        for (const step of steps) {
          const expected = rule([...model.members]);
          if (step.kind === "pick" && expected.length > 0) {
            const accepted = [...model.members].filter((_, index) => index % 3 === 0);
            const texts = new Set(accepted.map(({ address }) => address.text));
            const among = picker.pickAccepted?.(
              clock.now(),
              random,
              ({ address }) => texts.has(address.text),
            );
            assert(rule(accepted).includes(among!), `${among?.address.text} among the accepted`);
          }
          const picked = model.step(step);
          if (picked) assert(expected.includes(picked), `${picked.address.text}`);
        }
      },
    ));
  });
}

for (const balancer of ["roundRobin", "leastLeased"] as const) {
  test(`${balancer} looks at few of 10,000 addresses where a few are not accepted`, () => {
    const scene = new PickerScene(balancer, 10_000);
    const refused = new Set<string>();
    for (let i = 0; i < 10; i++) {
      refused.add(scene.choose(({ address }) => !refused.has(address.text)).address.text);
    }
    let asked = 0;
    scene.choose(({ address }) => {
      asked++;
      return !refused.has(address.text);
    });
    // Those refused were chosen last, and stand behind all others; one and its two children more.
    assert(asked <= 3, `${asked}`);
  });
}

test("A lane's balancer chooses where connections are taken from", async () => {
  await using it = new MapWorld({ maxConnectionsPerIp: 100 });
  const { manager } = it;
  const lane = manager.hosts.openLane(HOST, "default", pickerFor("roundRobin"));
  const addresses = Array.from({ length: 4 }, (_, index) => addressOf(index));
  for (const address of addresses) for (let i = 0; i < 3; i++) it.add(HOST, address);
  const take = () => {
    const connection = manager.checkout.takeFrom(lane);
    manager.checkInvariants();
    return connection!;
  };
  const order = Array.from({ length: 4 }, take);
  assertEquals(new Set(order.map(({ address }) => address)).size, 4);
  const next = () => {
    const connection = take();
    manager.give(connection);
    manager.checkInvariants();
    return connection.address;
  };
  for (let round = 0; round < 3; round++) {
    for (const { address } of order) assertEquals(next(), address);
  }
  // The first has nothing ready for a while, and is the next one when it has.
  const [first] = order;
  const only = { only: first!.address };
  const rest = [manager.checkout.takeFrom(lane, only)!, manager.checkout.takeFrom(lane, only)!];
  assertEquals(manager.checkout.takeFrom(lane, only), undefined);
  for (let round = 0; round < 3; round++) {
    for (const { address } of order.slice(1)) assertEquals(next(), address);
  }
  manager.give(rest[0]!);
  assertEquals(next(), first!.address);
  assertEquals(next(), order[1]!.address);
  for (const connection of [...order, rest[1]!]) manager.give(connection);
  manager.hosts.closeLane(lane);
});

test("A lane's balancer knows the leases that begin and end", async () => {
  await using it = new MapWorld({ maxConnectionsPerIp: 100, maxConnectionsPerHost: 100 });
  const { manager } = it;
  const lane = manager.hosts.openLane(HOST, "default", pickerFor("leastLeased"));
  const addresses = Array.from({ length: 5 }, (_, index) => addressOf(index));
  for (const address of addresses) for (let i = 0; i < 10; i++) it.add(HOST, address);
  const leased = Array.from({ length: 30 }, () => manager.checkout.takeFrom(lane)!);
  for (const address of addresses) assertEquals(lane.endpoints.get(address)?.leased, 6);
  const ended = leased.filter(({ address }) => address === addresses[2]).slice(0, 4);
  for (const connection of ended) manager.give(connection);
  for (let i = 0; i < 4; i++) leased.push(manager.checkout.takeFrom(lane)!);
  for (const address of addresses) assertEquals(lane.endpoints.get(address)?.leased, 6);
  for (const connection of leased) if (connection.leases > 0) manager.give(connection);
  manager.hosts.closeLane(lane);
});
