import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { memorySocket } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { DialError, type DialFailure, type DialPhase } from "../../src/core/errors.ts";
import { Ceilings } from "../../src/hosts/ceilings.ts";
import { AddressHealth } from "../../src/hosts/health.ts";
import type { HealthOptions } from "../../src/hosts/standing.ts";
import { NO_HEALTH } from "../../src/hosts/verdict.ts";
import { Accountant, DEFAULT_LIMITS } from "../../src/map/accountant.ts";
import { Connection } from "../../src/map/connection.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import { Lane } from "../../src/map/lane.ts";

const OPTIONS: HealthOptions = {
  ejectAfterFailures: 5,
  ejectAboveFailureRate: 0.5,
  ejectionMs: 30_000,
  maxEjectionMs: 300_000,
  slowStartMs: 10_000,
};

function refusal(phase: DialPhase = "tcp"): DialError {
  const fields = { host: "a.test", address: "192.0.2.1", phase, failure: "refused" } as const;
  return new DialError(fields, "as the test says");
}

/** A host with so many addresses, and what is heard of them. */
function laneOf({ lane }: Endpoint): Lane {
  assert(lane instanceof Lane);
  return lane;
}

class World {
  readonly clock = new ManualClock();
  readonly heard: string[] = [];
  readonly accountant = new Accountant(DEFAULT_LIMITS);
  readonly ceilings = new Ceilings(
    this.clock,
    this.accountant,
    (address, connections) => this.heard.push(`ceiling ${address} ${connections}`),
  );
  readonly health: AddressHealth;

  constructor(options: Partial<HealthOptions> = {}) {
    this.health = new AddressHealth(this.clock, { ...OPTIONS, ...options }, {
      onStanding: () => {},
      onEject: ({ address }, _reason, forMs) => this.heard.push(`eject ${address.ip} ${forMs}`),
      onReadmit: ({ address }) => this.heard.push(`readmit ${address.ip}`),
    }, this.ceilings);
  }

  host(name: string, addresses: number): Endpoint[] {
    const lane = new Lane(name, "default");
    return Array.from({ length: addresses }, (_, index) => {
      const endpoint = lane.endpoint(`192.0.2.${index + 1}`);
      lane.setMember(endpoint, true);
      this.health.enter(endpoint);
      return endpoint;
    });
  }

  /** Fails an endpoint so many times, each time when it is due again. */
  fail(endpoint: Endpoint, times: number, error: unknown = refusal("tls")): void {
    for (let i = 0; i < times; i++) {
      this.clock.advance(Math.max(0, endpoint.dueAt - this.clock.now()));
      this.health.failed(endpoint, error instanceof DialError ? error.failure : "status", error);
    }
  }

  /** For how long an endpoint is left alone from now on. */
  pause({ dueAt }: Endpoint): number {
    return dueAt - this.clock.now();
  }
}

test("an address that fails time and again is left alone for longer each time", () => {
  const world = new World({ ejectAfterFailures: Infinity });
  const [endpoint] = world.host("a.test", 4) as [Endpoint];
  const pauses: number[] = [];
  for (let i = 0; i < 9; i++) {
    world.fail(endpoint, 1);
    pauses.push(world.pause(endpoint));
  }
  assertEquals(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assertEquals(endpoint.standing, "doubtful");
  assertEquals(world.heard, []);
});

test("failures that come together count as one", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  for (let i = 0; i < 9; i++) world.health.failed(endpoint, "refused", refusal());
  assertEquals(world.pause(endpoint), 250);
  assertEquals(world.health.describe(endpoint).consecutiveFailures, 1);
  assertEquals(world.health.describe(endpoint).failures, { refused: 9 });
});

test("a TCP failure counts for every host at the address, a TLS failure for its own", () => {
  const world = new World();
  const [own] = world.host("a.test", 2) as [Endpoint];
  const [other] = world.host("b.test", 2) as [Endpoint];
  world.health.failed(own, "certificate", refusal("tls"));
  assertEquals([own.standing, other.standing], ["doubtful", "good"]);
  world.clock.advance(1_000);
  world.health.failed(own, "refused", refusal("tcp"));
  assertEquals([own.standing, other.standing], ["doubtful", "doubtful"]);
  const [third] = world.host("c.test", 2) as [Endpoint];
  assertEquals(third.standing, "doubtful");
  world.health.reached(other);
  assertEquals([own.standing, other.standing, third.standing], ["doubtful", "good", "good"]);
  world.health.reached(own);
  assertEquals(own.standing, "good");
});

test("five failures in a row eject for growing times, and a success brings back slowly", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  world.fail(endpoint, 4);
  assertEquals(endpoint.standing, "doubtful");
  const times: number[] = [];
  for (let i = 0; i < 12; i++) {
    world.fail(endpoint, 1);
    assertEquals(endpoint.standing, "ejected");
    times.push(world.pause(endpoint));
  }
  const growing = Array.from({ length: 12 }, (_, index) => Math.min((index + 1) * 30_000, 300_000));
  assertEquals(times, growing);
  assert(world.health.describe(endpoint).ejectedFor?.startsWith("16 failures in a row"));
  world.clock.advance(world.pause(endpoint));
  world.health.reached(endpoint);
  assertEquals(endpoint.standing, "good");
  assertEquals(endpoint.share(world.clock.now()), 0.1);
  world.clock.advance(5_000);
  assertEquals(endpoint.share(world.clock.now()), 0.55);
  world.clock.advance(5_000);
  assertEquals(endpoint.share(world.clock.now()), 1);
  assertEquals(world.heard.at(-1), "readmit 192.0.2.1");
  world.fail(endpoint, 5);
  assertEquals(world.pause(endpoint), 300_000);
  world.clock.advance(world.pause(endpoint));
  world.health.reached(endpoint);
  world.clock.advance(300_001);
  world.fail(endpoint, 5);
  assertEquals(world.pause(endpoint), 30_000, "What did well for long starts afresh");
});

test("what the program itself lacks ejects nobody, and is not forgotten either", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 3);
  for (const phase of ["tcp", "tls"] as const) {
    for (const failure of ["resources", "permission"] as const) {
      const fields = { host: "a.test", address: "192.0.2.1", phase, failure };
      world.fail(endpoint!, 20, new DialError(fields, "too many open files"));
      assertEquals([endpoint!.standing, world.pause(endpoint!)], ["doubtful", 2_000]);
    }
  }
  assertEquals(world.heard, []);
  world.fail(endpoint!, 1);
  assertEquals(world.heard, ["eject 192.0.2.1 30000"]);
});

test("never more than half of a host's addresses are ejected, and never its only one", () => {
  for (const [addresses, most] of [[1, 0], [2, 1], [3, 1], [5, 2], [6, 3]] as const) {
    const world = new World();
    const endpoints = world.host("a.test", addresses);
    for (const endpoint of endpoints) world.fail(endpoint, 9);
    const ejected = endpoints.filter(({ standing }) => standing === "ejected").length;
    assertEquals(ejected, most, `of ${addresses}`);
    assert(laneOf(endpoints[0]!).panic);
  }
});

test("a share of failures ejects, though they are not in a row", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  for (let i = 0; i < 16; i++) {
    assertEquals(endpoint.standing === "ejected", false, `after ${i} leases`);
    endpoint.picks++;
    const startedAt = world.clock.now();
    world.clock.advance(300);
    // Of every eight, five fail.
    if ([0, 2, 3, 5, 6].includes(i % 8)) world.health.failed(endpoint, "status", undefined);
    else world.health.succeeded(endpoint, startedAt);
    if (endpoint.picks === 11) break;
  }
  assertEquals(endpoint.standing, "ejected");
  assertEquals(
    world.health.describe(endpoint).ejectedFor,
    "7 failures within 10 s, the last: status",
  );
});

test("what failed with its answers is not back by a handshake: it wants an answer", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  world.fail(endpoint, 5, new Error("503"));
  world.clock.advance(world.pause(endpoint));
  world.health.reached(endpoint);
  assertEquals(endpoint.standing, "ejected");
  const startedAt = world.clock.now();
  world.clock.advance(5);
  world.health.succeeded(endpoint, startedAt);
  assertEquals(endpoint.standing, "good");
});

test("what counts against an endpoint is its verdict until something forgives it", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  const verdict = () => world.health.describe(endpoint).verdict?.reason;
  world.health.failed(endpoint, "response", new Error("no answer"));
  world.health.reached(endpoint);
  assertEquals([endpoint.standing, verdict()], ["doubtful", "response: no answer"]);
  world.health.succeeded(endpoint, world.clock.now() + 1);
  assertEquals([endpoint.standing, verdict()], ["good", "answer"]);
  const error = refusal("tls");
  world.health.failed(endpoint, "certificate", error);
  world.health.reached(endpoint, "connect");
  assertEquals([endpoint.standing, verdict()], ["doubtful", `certificate: ${error.message}`]);
  world.health.reached(endpoint);
  assertEquals([endpoint.standing, verdict()], ["good", "handshake"]);
});

test("an answer to what was asked before the last failure forgives nothing", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  const startedAt = world.clock.now();
  world.clock.advance(5);
  world.health.failed(endpoint, "refused", refusal());
  world.health.succeeded(endpoint, startedAt);
  assertEquals(endpoint.standing, "doubtful");
});

test("the last verdict says what went well or wrong, and when", () => {
  const world = new World();
  const [endpoint] = world.host("a.test", 2) as [Endpoint];
  const verdict = () => world.health.describe(endpoint).verdict;
  assertEquals(verdict(), null);
  world.health.reached(endpoint);
  assertEquals(verdict(), { ok: true, reason: "handshake", at: world.clock.now() });
  world.clock.advance(5);
  world.health.failed(endpoint, "status", new Error("503 Service Unavailable"));
  const reason = "status: 503 Service Unavailable";
  assertEquals(verdict(), { ok: false, reason, at: world.clock.now() });
  world.clock.advance(5);
  endpoint.answeredAt = world.clock.now();
  assertEquals(verdict(), { ok: true, reason: "answer", at: world.clock.now() });
});

test("AddressHealth.failed() of a check holds back every caller's trial at that machine", () => {
  const world = new World();
  const [a] = world.host("a.test", 2);
  const [b] = world.host("b.test", 2);
  world.health.failed(a!, "refused", refusal(), 45_000);
  const until = world.clock.now() + 45_000;
  assertEquals([a!.heldUntil, b!.heldUntil, a!.trialAt], [until, until, until]);
  assert(a!.dueAt < until);
  world.health.reached(b!, "connect");
  assertEquals([a!.heldUntil, b!.heldUntil, a!.standing], [0, 0, "good"]);
});

test("AddressHealth.reached() by TCP alone forgives no failure of TLS, nor one of an answer", () => {
  const world = new World();
  const [a] = world.host("a.test", 2);
  world.health.failed(a!, "handshake", refusal("tls"), 45_000);
  world.health.reached(a!, "connect");
  assertEquals([a!.standing, a!.heldUntil], ["doubtful", 0]);
  world.health.reached(a!);
  assertEquals(a!.standing, "good");
  world.health.failed(a!, "probe", new Error("the answer was 500"), 45_000);
  world.health.reached(a!);
  assertEquals(a!.standing, "doubtful");
  assert(a!.heldUntil > world.clock.now());
  world.health.succeeded(a!, world.clock.now());
  assertEquals([a!.standing, a!.heldUntil], ["good", 0]);
});

test("AddressHealth.describe() tells when an endpoint was last checked, and what came of it", () => {
  const world = new World();
  const [a] = world.host("a.test", 2);
  assertEquals(world.health.describe(a!).lastCheckedAt, null);
  world.clock.advance(5);
  world.health.reached(a!);
  assertEquals(world.health.describe(a!).lastCheckedAt, null);
  world.health.failed(a!, "probe", new Error("the answer was 500"));
  world.health.checked(a!);
  world.clock.advance(5);
  const { failures, lastCheckedAt, verdict } = world.health.describe(a!);
  const at = world.clock.now() - 5;
  assertEquals(lastCheckedAt, at);
  assertEquals(verdict, { ok: false, reason: "probe: the answer was 500", at });
  assertEquals(failures, { probe: 1 });
});

test("What is forgotten leaves no record behind, though a lease on it ends later", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  world.health.failed(a, "lease", new Error("as the test says"));
  world.health.leave(a);
  laneOf(a).forget(a);
  world.health.failed(a, "lease", new Error("as the test says"));
  assertEquals(world.health.describe(a), NO_HEALTH);
  world.health.succeeded(a, world.clock.now());
  assertEquals(world.health.describe(a), NO_HEALTH);
});

test("A machine that failed is in doubt when it comes back soon, though nobody had it meanwhile", () => {
  for (const [awayMs, standing] of [[1_000, "doubtful"], [60_000, "good"]] as const) {
    const world = new World();
    const [a] = world.host("a.test", 2) as [Endpoint];
    world.health.failed(a, "refused", refusal());
    world.health.leave(a);
    world.clock.advance(awayMs);
    for (const steps = world.health.forgetOld(); !steps.next().done;);
    const [back] = world.host("b.test", 2) as [Endpoint];
    assertEquals(back.standing, standing);
  }
});

test("A machine that comes back while old ones are forgotten is one and the same for all hosts", () => {
  const world = new World();
  const { clock, health } = world;
  for (const endpoint of world.host("a.test", 2)) {
    health.failed(endpoint, "refused", refusal());
    health.leave(endpoint);
  }
  clock.advance(60_000);
  const steps = health.forgetOld();
  steps.next();
  const back = world.host("b.test", 2);
  for (let step = steps.next(); !step.done; step = steps.next());
  const others = world.host("c.test", 2);
  for (const endpoint of back) health.failed(endpoint, "refused", refusal());
  assertEquals(others.map(({ failing }) => failing), [true, true]);
});

test("An address that is ejected because of another host says what failed there", () => {
  const world = new World({ ejectAfterFailures: 2 });
  const [a] = world.host("a.test", 2) as [Endpoint];
  const [b] = world.host("b.test", 2) as [Endpoint];
  world.health.failed(b, "status", new Error("503"));
  world.health.succeeded(b, world.clock.now());
  world.fail(a, 2, refusal("tcp"));
  assertEquals([a.standing, b.standing], ["ejected", "ejected"]);
  const reason = "2 failures in a row, the last: refused: "
    + "Dial of a.test at 192.0.2.1 failed (refused): as the test says";
  assertEquals(world.health.describe(a).ejectedFor, reason);
  assertEquals(world.health.describe(b).ejectedFor, reason);
});

/** Has an endpoint hold a connection that answered just now. */
function answers(world: World, endpoint: Endpoint): void {
  if (endpoint.connections.size === 0) {
    const connection = new Connection({
      host: endpoint.lane.host,
      address: endpoint.address,
      socket: memorySocket(),
      clock: world.clock,
    });
    endpoint.connections.add(connection);
    connection.answered = true;
  }
  endpoint.answeredAt = world.clock.now();
}

function failure(kind: DialFailure, phase: DialPhase = "tcp"): DialError {
  return new DialError({ host: "a.test", address: "192.0.2.1", phase, failure: kind }, "so it is");
}

test("A dial that fails at a machine which answers on other connections tells that it is full", () => {
  for (const kind of ["refused", "reset", "closed", "timeout"] as const) {
    const world = new World();
    const [a] = world.host("a.test", 2) as [Endpoint];
    const [b] = world.host("b.test", 2) as [Endpoint];
    answers(world, a);
    for (const endpoint of [a, b]) world.health.failed(endpoint, kind, failure(kind));
    assertEquals([a.standing, b.standing, world.ceilings.of("192.0.2.1")], ["good", "good", 1]);
    assertEquals(world.health.describe(a).failures, { [kind]: 1 });
    world.clock.advance(1_250);
    assertEquals(world.heard, ["ceiling 192.0.2.1 1"]);
    world.ceilings.close();
  }
});

test("A dial tells nothing of room where it fails otherwise, or nobody answers any more", () => {
  const cases: [DialFailure, DialPhase, (world: World, endpoint: Endpoint) => void][] = [
    ["unreachable", "tcp", answers],
    ["certificate", "tls", answers],
    ["refused", "tcp", () => {}],
    ["timeout", "tcp", (world, endpoint) => {
      answers(world, endpoint);
      world.clock.advance(1_001);
    }],
    ["refused", "tcp", (world, endpoint) => {
      answers(world, endpoint);
      world.clock.advance(10_001);
    }],
    ["refused", "tcp", (world, endpoint) => {
      answers(world, endpoint);
      world.clock.advance(5);
      world.health.failed(endpoint, "response", new Error("it broke"));
    }],
  ];
  for (const [kind, phase, before] of cases) {
    const world = new World();
    const [a] = world.host("a.test", 2) as [Endpoint];
    before(world, a);
    world.health.failed(a, kind, failure(kind, phase));
    assertEquals([a.standing, world.ceilings.of("192.0.2.1")], ["doubtful", null], kind);
  }
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  const [b] = world.host("b.test", 2) as [Endpoint];
  answers(world, a);
  world.health.failed(b, "reset", failure("reset", "tls"));
  assertEquals([b.standing, world.ceilings.of("192.0.2.1")], ["doubtful", null], "another host's");
});

test("An answer on a connection that was made before forgives no failed dial", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  const madeAt = world.clock.now();
  world.fail(a, 5, failure("unreachable"));
  world.clock.advance(10);
  world.health.succeeded(a, world.clock.now(), madeAt);
  assertEquals(a.standing, "ejected");
  world.health.succeeded(a, world.clock.now(), world.clock.now());
  assertEquals([a.standing, world.heard.at(-1)], ["good", "readmit 192.0.2.1"]);
});

test("A connection that ends before it served is a failed dial, which no handshake forgives", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  assertEquals(world.health.hungUp(a), "failed");
  assertEquals([a.standing, a.dialFailedAt], ["doubtful", world.clock.now()]);
  assertEquals(world.health.describe(a).failures, { closed: 1 });
  world.clock.advance(250);
  world.health.reached(a);
  assertEquals([a.standing, a.dialFailedAt], ["doubtful", 0]);
  const pauses: number[] = [];
  for (let i = 0; i < 4; i++) {
    world.health.hungUp(a);
    pauses.push(world.pause(a));
    world.clock.advance(world.pause(a));
    world.health.reached(a);
  }
  assertEquals(pauses, [500, 1_000, 2_000, 30_000]);
  world.health.succeeded(a, world.clock.now(), world.clock.now());
  assertEquals(a.standing, "good");
});

test("Connections that end before they served tell of room when several do, and others answer", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  answers(world, a);
  assertEquals([1, 2, 3].map(() => world.health.hungUp(a)), ["failed", "failed", "full"]);
  assertEquals([a.standing, world.ceilings.of("192.0.2.1")], ["good", 1]);
  world.health.served(a);
  assertEquals(world.health.hungUp(a), "failed");
  world.ceilings.close();
});

test("The last good machine that answers others is not in doubt for what one request meets there", () => {
  const world = new World();
  const cause = new Error("as the test says");
  const [alone] = world.host("a.test", 1) as [Endpoint];
  const [first, second] = world.host("b.test", 2) as [Endpoint, Endpoint];
  for (const endpoint of [alone, first, second]) answers(world, endpoint);
  const { health } = world;
  assertEquals([health.hungUp(alone, cause), alone.standing], ["nothing", "good"]);
  health.failed(alone, "response", cause);
  assertEquals([alone.standing, alone.failing], ["good", false]);
  assertEquals(health.describe(alone).failures, { closed: 1, response: 1 });
  // While another one can do its work, it is left alone.
  assertEquals([health.hungUp(first, cause), first.standing], ["failed", "doubtful"]);
  assertEquals([health.hungUp(second, cause), second.standing], ["nothing", "good"]);
  // Nobody asked anything, or nobody was answered for a while.
  assertEquals([health.hungUp(second), second.standing], ["failed", "doubtful"]);
  world.clock.advance(1_000);
  health.failed(alone, "response", cause);
  assertEquals(alone.standing, "doubtful");
});

test("A server that is too busy for a connection alone on which it never answered is full", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  assertEquals(world.health.isTooMuch(a, false), "no");
  answers(world, a);
  a.connections.add(new Connection({ host: "a.test", address: a.address, socket: memorySocket() }));
  assertEquals(world.health.isTooMuch(a, false), "yes");
  world.health.turnedAway(a);
  assertEquals([a.standing, world.ceilings.of("192.0.2.1")], ["good", 1]);
  // It is too busy for those that it serves as well.
  assertEquals([true, false].map((answered) => world.health.isTooMuch(a, answered)), ["no", "no"]);
  world.ceilings.close();
});

test("How many connections a machine takes is forgotten with the last host that has it", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  const [b] = world.host("b.test", 2) as [Endpoint];
  world.ceilings.refused("192.0.2.1", 3);
  world.health.leave(a);
  assertEquals(world.ceilings.of("192.0.2.1"), 3);
  world.health.leave(b);
  assertEquals(world.ceilings.of("192.0.2.1"), null);
  world.ceilings.close();
});

test("Silence counts only close together, and while nothing was heard from the machine in between", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  const [b] = world.host("b.test", 2) as [Endpoint];
  const silentTo = (sentAt: number) => world.health.silent(a, sentAt, () => new Error("no byte"));
  // Far apart.
  for (let i = 0; i < 6; i++) {
    assertEquals(silentTo(world.clock.now()), false);
    world.clock.advance(10_001);
  }
  // With an answer in between, and one that was sent before that answer.
  const sentAt = world.clock.now();
  for (let i = 0; i < 6; i++) {
    assertEquals(silentTo(sentAt), false);
    world.clock.advance(1);
    b.heardAt = world.clock.now();
    assertEquals(silentTo(sentAt), false);
  }
  const sent = world.clock.now() + 1;
  world.clock.advance(5_000);
  assertEquals([1, 2, 3].map(() => silentTo(sent)), [false, false, true]);
  assertEquals([a.standing, b.standing], ["doubtful", "doubtful"]);
  assertEquals(world.health.describe(b).verdict?.reason, "silence: no byte");
});

test("What another pool tells is one failure, which its word that all is well again forgives", () => {
  const world = new World();
  const [a, b, c] = world.host("a.test", 3) as [Endpoint, Endpoint, Endpoint];
  world.health.doubt(a, "refused");
  const { verdict } = world.health.describe(a);
  assertEquals([a.standing, verdict?.reason], ["doubtful", "told by another pool: refused"]);
  // Most of a host's are not doubted on somebody's word.
  world.health.doubt(b, "refused");
  assertEquals(b.standing, "good");
  world.health.retry(a);
  assertEquals([a.standing, world.heard], ["good", []]);
  // What this pool has seen itself is not forgiven: it may be tried.
  world.health.doubt(a, "refused");
  world.fail(a, 1);
  world.health.tries(a);
  assert(world.pause(a) > 0 && world.health.tryAt(a) > world.clock.now());
  world.health.retry(a);
  assertEquals([a.standing, world.pause(a), c.standing], ["doubtful", 0, "good"]);
  assertEquals(world.health.tryAt(a), world.clock.now());
});

test("Another pool tries a failed address for this one, as long as callers have a good one", () => {
  const world = new World();
  const [a, b] = world.host("a.test", 2) as [Endpoint, Endpoint];
  world.health.postpone(a, world.clock.now() + 60_000);
  assertEquals([a.standing, a.dueAt], ["good", 0]);
  world.fail(a, 1);
  world.health.postpone(a, world.clock.now() + 60_000);
  const until = world.clock.now() + 60_000;
  assertEquals([a.dueAt, world.health.tryAt(a)], [until, until]);
  // Sooner than it would be tried anyhow is no reason.
  world.health.postpone(a, world.clock.now() + 1_000);
  assertEquals(world.pause(a), 60_000);
  world.clock.advance(60_000);
  world.fail(b, 1);
  const before = world.pause(a);
  world.health.postpone(a, world.clock.now() + 60_000);
  assertEquals(world.pause(a), before);
});

test("A dial that nobody waits for may find out at once, and then every two seconds or so", () => {
  const world = new World();
  const [a] = world.host("a.test", 2) as [Endpoint];
  const [b] = world.host("b.test", 2) as [Endpoint];
  const failing: Endpoint[] = [];
  world.health.listen({ onFailing: (endpoint) => failing.push(endpoint) });
  assertEquals(world.health.tryAt(a), Infinity);
  world.health.failed(a, "refused", failure("refused"));
  assertEquals([failing, [...world.health.failing]], [[a, b], [a, b]]);
  const least = [250, 500, 1_000, 2_000, 2_000, 2_000];
  for (const ms of least) {
    const pause = world.health.tryAt(a) - world.clock.now();
    assert(pause >= ms && pause <= ms * 1.25, `${pause} ms for ${ms}`);
    world.clock.advance(pause);
    // One of the hosts finds out for all.
    world.health.tries(b);
    assert(world.health.tryAt(a) > world.clock.now());
    world.health.failed(b, "refused", failure("refused"));
  }
  world.health.reached(b);
  assertEquals([...world.health.failing], []);
});

test("What broke and takes a handshake again may be asked by one caller at once, ever more seldom", () => {
  const world = new World({ ejectAfterFailures: 1 });
  const [a] = world.host("a.test", 2) as [Endpoint];
  world.health.failed(a, "response", new Error("it broke"));
  assertEquals([a.standing, world.pause(a)], ["ejected", 30_000]);
  assert(world.health.tryAt(a) <= world.clock.now() + 313);
  world.clock.advance(300);
  world.health.reached(a);
  assertEquals([a.standing, world.pause(a)], ["ejected", 0]);
  world.health.failed(a, "response", new Error("it broke"));
  assertEquals([a.standing, world.pause(a)], ["ejected", 29_700]);
  world.health.reached(a);
  assertEquals(world.pause(a), 500);
  world.clock.advance(500);
  world.health.succeeded(a, world.clock.now(), world.clock.now());
  assertEquals(a.standing, "good");
  // What is slow, or answers what it should not, is left alone for its time.
  world.health.failed(a, "status", new Error("503"));
  world.health.reached(a);
  assertEquals(world.pause(a), 60_000);
});
