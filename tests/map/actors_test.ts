/**
 * Two hundred actors who do as they like with one manager, held against a model of it.
 *
 * @module
 */

import { assert, assertEquals, assertLessOrEqual, assertStrictEquals, fail } from "@std/assert";
import test from "node:test";
import { ClosedError, HotconnError, LimitError } from "../../src/core/errors.ts";
import type { Connection } from "../../src/map/connection.ts";
import type { EvictReason } from "../../src/map/exits.ts";
import { MapWorld, peerOf } from "../support/map_world.ts";
import { Random, withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

const STEPS = 100_000;
const ROUNDS = 10;
const ACTORS = 200;

const HOSTS = ["a.example", "b.example", "c.example:8443", "xn--bcher-kva.example"];
const ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"];
const PROFILES = ["default", "default", "default", "strict"];

/** What no connection may suffer while it is leased. */
const ONLY_UNUSED: ReadonlySet<EvictReason> = new Set<EvictReason>([
  "idle",
  "lifetime",
  "unhealthy",
  "used",
  "surplus",
  "room",
  "drain",
]);

/** What all rounds together have done: a test that does nothing passes always. */
interface Tally {
  readonly counts: Map<string, number>;
}

function count({ counts }: Tally, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** What the model knows of a connection that is held. */
interface Held {
  leases: number;
  /** Its turn to have become idle: a later one is hotter. */
  idleSince: number;
}

/** One manager from its beginning to its close. */
class Round {
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #it: MapWorld;
  readonly #idleTimeoutMs: number;
  readonly #maxLifetimeMs: number;
  /** The model: what is held, and how much is being dialled. */
  readonly #held = new Map<Connection, Held>();
  /** By host and TLS profile. */
  readonly #minimums = new Map<string, number>();
  #idleSince = 0;
  #dialing = 0;
  #closing: Promise<void> | undefined;
  #over = false;
  #failure: unknown;
  /** Actors whose turn it is not. */
  readonly #waiting: (() => void)[] = [];

  constructor(seed: number, tally: Tally) {
    const random = this.#random = new Random(seed);
    this.#tally = tally;
    this.#idleTimeoutMs = random.pick([500, 2_000, Infinity]);
    this.#maxLifetimeMs = random.pick([1_000, 10_000, Infinity]);
    this.#it = new MapWorld({
      seed,
      maxConnections: 20 + random.below(30),
      maxConnectionsPerHost: 10 + random.below(10),
      maxConnectionsPerIp: 5 + random.below(10),
      idleTimeoutMs: this.#idleTimeoutMs,
      maxLifetimeMs: this.#maxLifetimeMs,
      onEvict: (connection, reason) => this.#evicted(connection, reason),
    });
  }

  async run(steps: number): Promise<void> {
    const actors = Array.from(
      { length: ACTORS },
      () => this.#actor().catch((error: unknown) => this.#fail(error)),
    );
    const closingSteps = 500;
    for (let step = 0; step < steps; step++) {
      if (step === steps - closingSteps) this.#close();
      const next = this.#waiting.splice(this.#random.below(this.#waiting.length), 1)[0];
      next?.();
      await turns(this.#random.below(6));
      this.#check();
    }
    this.#over = true;
    for (const next of this.#waiting) next();
    await Promise.all(actors);
    this.#it.clock.advance(20_000);
    await this.#closing;
    this.#check();
    await this.#it[Symbol.asyncDispose]();
  }

  #close(): void {
    const graceMs = this.#random.pick([0, 50, 10_000]);
    this.#closing = this.#it.manager.close({ graceMs });
    assertStrictEquals(this.#it.manager.close(), this.#closing);
  }

  /** Lets the others go on, and goes on itself when its turn comes, or when all is over. */
  #turn(): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #actor(): Promise<void> {
    const random = this.#random;
    await this.#turn();
    while (!this.#over) {
      await random.weighted<() => void | Promise<void>>([
        [36, () => this.#lease()],
        [6, () => this.#add()],
        [6, () => this.#dial()],
        [0.4, () => this.#remove()],
        [0.1, () => this.#removeAddress()],
        [0.6, () => this.#drain()],
        [1, () => this.#cleanUpIdle()],
        [1, () => this.#cleanUpExpired()],
        [1, () => this.#setMinimum()],
        [1.5, () => this.#peer()],
        [0.3, () => this.#sicken()],
        [10, () => this.#passTime()],
        [2, () => this.#read()],
      ])();
      await this.#turn();
    }
  }

  /** Takes a connection, uses it for a while, and gives it back. */
  async #lease(): Promise<void> {
    const random = this.#random;
    const { clock, manager } = this.#it;
    const host = random.pick(HOSTS);
    const tlsProfile = random.pick(PROFILES);
    const refused = random.chance(0.3) ? random.pick(ADDRESSES) : undefined;
    const accepts = refused === undefined ? undefined : (address: string) => address !== refused;
    const connection = manager.take(host, { tlsProfile, accepts });
    if (!connection) {
      this.#assertNoneReady(host, tlsProfile, accepts);
      count(this.#tally, "found none");
      return;
    }
    count(this.#tally, "leased");
    assertEquals([connection.host, connection.tlsProfile], [host, tlsProfile]);
    assert(connection.address !== refused && connection.healthy && !this.#closing);
    const held = this.#held.get(connection) ?? fail("What is taken is not held");
    held.leases++;
    assertEquals(connection.leases, held.leases);
    assertLessOrEqual(held.leases, connection.capacity);
    if (held.leases === 1) this.#assertFit(connection, held);
    else count(this.#tally, "shared");
    connection.setSink({ onData() {}, onDrain() {}, onClose() {} });
    for (let holds = random.below(3); holds > 0; holds--) await this.#turn();
    const end = random.below(20);
    if (end === 0) connection.healthy = false;
    if (end === 1) connection.destroy(new Error("a bad answer"));
    held.leases--;
    const wasHeld = this.#held.has(connection);
    const kept = manager.give(connection, end !== 2);
    if (held.leases === 0) held.idleSince = ++this.#idleSince;
    if (kept) {
      assert(wasHeld && this.#held.has(connection) && connection.available);
      assertEquals(connection.lastUsedAt, clock.now());
    }
    count(this.#tally, kept ? "given back" : "given up");
  }

  /** What is leased to one alone was the hottest at its address, and had not outlived its time. */
  #assertFit(connection: Connection, { idleSince }: Held): void {
    const { address, createdAt, host, tlsProfile } = connection;
    assert(this.#it.clock.now() - createdAt < this.#maxLifetimeMs, "an old connection was leased");
    for (const [other, held] of this.#held) {
      if (other.host !== host || other.address !== address) continue;
      if (other.tlsProfile !== tlsProfile || other.state !== "idle") continue;
      assert(held.idleSince < idleSince, "a colder connection was leased");
    }
  }

  #assertNoneReady(
    host: string,
    tlsProfile: string,
    accepts: ((address: string) => boolean) | undefined,
  ): void {
    if (this.#closing) return;
    for (const connection of this.#held.keys()) {
      if (connection.host !== host || connection.tlsProfile !== tlsProfile) continue;
      if (accepts && !accepts(connection.address)) continue;
      assert(!connection.available, "a ready connection was not found");
    }
  }

  #connect(): Connection {
    const random = this.#random;
    return this.#it.connect(random.pick(HOSTS), random.pick(ADDRESSES), {
      tlsProfile: random.pick(PROFILES),
      capacity: random.pick([1, 1, 1, 1, 2, 3]),
    });
  }

  #add(): void {
    const { accountant } = this.#it.manager;
    const connection = this.#connect();
    const blockedBy = accountant.blockedBy(connection.host, connection.address);
    const refusal = this.#tryAdd(connection, false);
    if (this.#closing) assert(refusal instanceof ClosedError);
    else assertEquals(refusal instanceof LimitError ? refusal.scope : refusal, blockedBy);
  }

  #tryAdd(connection: Connection, counted: boolean): HotconnError | undefined {
    // It is in the model before anybody can hear that it has left the maps.
    this.#held.set(connection, { leases: 0, idleSince: ++this.#idleSince });
    try {
      this.#it.manager.addConnection(connection, counted);
    } catch (error) {
      if (!(error instanceof HotconnError)) throw error;
      this.#held.delete(connection);
      assertEquals(connection.state, "closed");
      count(this.#tally, `refused: ${error instanceof LimitError ? error.scope : "closed"}`);
      return error;
    }
    count(this.#tally, "added");
    return undefined;
  }

  /** Counts a dial, and some turns later fails, or brings its connection. */
  async #dial(): Promise<void> {
    const random = this.#random;
    const { accountant } = this.#it.manager;
    const host = random.pick(HOSTS);
    const connection = this.#it.connect(host, random.pick(ADDRESSES));
    const { address } = connection;
    if (accountant.blockedBy(host, address)) {
      connection.close();
      return;
    }
    accountant.add(host, address);
    this.#dialing++;
    for (let takes = random.below(4); takes > 0; takes--) await this.#turn();
    this.#dialing--;
    if (random.chance(0.2)) {
      accountant.remove(host, address);
      connection.destroy();
      count(this.#tally, "dial failed");
      return;
    }
    // The peer may have hung up, or spoken out of turn, before the manager held it.
    if (connection.state === "closed") accountant.remove(host, address);
    else {
      const refusal = this.#tryAdd(connection, true);
      assert(refusal === undefined || (this.#closing && refusal instanceof ClosedError));
    }
  }

  #any(): Connection | undefined {
    const all = [...this.#held.keys()];
    return all.length === 0 ? undefined : this.#random.pick(all);
  }

  #remove(): void {
    const connection = this.#any();
    if (!connection) return;
    assertEquals(this.#it.manager.removeConnection(connection), 1);
    assertEquals(this.#it.manager.removeConnection(connection), 0);
  }

  #removeAddress(): void {
    const address = this.#any()?.address;
    if (!address) return;
    const there = [...this.#held.keys()].filter((connection) => connection.address === address);
    assertEquals(this.#it.manager.removeConnection(address), there.length);
    for (const connection of there) assert(!this.#held.has(connection));
  }

  #drain(): void {
    const connection = this.#any();
    if (!connection) return;
    this.#it.manager.drain(connection);
    if (this.#held.has(connection)) assertEquals(connection.state, "draining");
    else assertEquals(connection.leases, 0);
  }

  #setMinimum(): void {
    const random = this.#random;
    const [host, tlsProfile, minimum] = [
      random.pick(HOSTS),
      random.pick(PROFILES),
      random.below(8),
    ];
    this.#minimums.set(`${host} ${tlsProfile}`, minimum);
    this.#it.manager.setMinimum(host, minimum, tlsProfile);
  }

  #cleanUpIdle(): void {
    const { clock, manager } = this.#it;
    const before = this.#held.size;
    assertEquals(manager.cleanupIdleConnections(), before - this.#held.size);
    if (before > this.#held.size) count(this.#tally, "idle cleanup");
    const left = [...this.#held.keys()].filter(({ lastUsedAt, state }) =>
      state === "idle" && clock.now() - lastUsedAt >= this.#idleTimeoutMs
    );
    if (left.length > 0) count(this.#tally, "kept for a minimum");
    for (const { host, tlsProfile } of left) {
      const all = [...this.#held.keys()].filter((other) =>
        other.host === host && other.tlsProfile === tlsProfile
      );
      assertLessOrEqual(all.length, this.#minimums.get(`${host} ${tlsProfile}`) ?? 0);
    }
  }

  #cleanUpExpired(): void {
    const { clock, manager } = this.#it;
    const before = this.#held.size;
    const maxLifetimeMs = this.#random.pick([this.#maxLifetimeMs, 800, 4_000]);
    assertEquals(manager.cleanupExpiredConnections(maxLifetimeMs), before - this.#held.size);
    if (before > this.#held.size) count(this.#tally, "lifetime cleanup");
    for (const { createdAt, state } of this.#held.keys()) {
      if (clock.now() - createdAt >= maxLifetimeMs) assertEquals(state, "draining");
    }
  }

  /** Lets the peer of an open socket hang up, break off, or speak. */
  #peer(): void {
    const random = this.#random;
    const connection = this.#any();
    if (!connection) return;
    const what = random.pick(["ends", "breaks off", "speaks"]);
    count(this.#tally, `a peer ${what}`);
    if (what === "ends") peerOf(connection).end();
    else if (what === "breaks off") peerOf(connection).end(new Error("reset"));
    else {
      // What comes out of turn ends it at once; a socket that is done says nothing any more.
      const stays = connection.leases > 0 || !peerOf(connection).open;
      peerOf(connection).receive(new Uint8Array(1));
      assertEquals(this.#held.has(connection), stays);
    }
  }

  #sicken(): void {
    const connection = this.#any();
    if (connection) connection.healthy = false;
  }

  #passTime(): void {
    const random = this.#random;
    const { clock } = this.#it;
    clock.advance(random.below(20));
    if (random.chance(0.05)) {
      // Nobody did anything for long, but for the cleanup.
      clock.advance(Math.min(this.#idleTimeoutMs, 3_000));
      this.#cleanUpIdle();
    }
    // Now and then the machine sleeps, or its clock is set back.
    if (random.chance(0.02)) clock.shiftWall(random.pick([600, 5_000, -5_000]));
  }

  #read(): void {
    const { manager } = this.#it;
    const host = this.#random.pick(HOSTS);
    const own = [...this.#held.keys()].filter((connection) => connection.host === host);
    assertEquals(new Set(manager.getConnectionsForHost(host)), new Set(own));
    const addresses = new Set(own.map(({ address }) => address));
    const mapped = manager.getHostMapping().get(host) ?? [];
    assertEquals(mapped.length, addresses.size);
    assertEquals(new Set(mapped), addresses);
    const address = this.#random.pick(ADDRESSES);
    const there = [...this.#held.keys()].filter((connection) => connection.address === address);
    assertEquals(new Set(manager.getConnections(address)), new Set(there));
    assertEquals(manager.getConnection(address) === undefined, there.length === 0);
    const info = manager.debugInfo();
    assertEquals(info.connections.length, this.#held.size);
  }

  /** It must not throw: what is wrong is kept for the next check. */
  #evicted(connection: Connection, reason: EvictReason): void {
    count(this.#tally, `evicted: ${reason}`);
    try {
      const { leases } = this.#held.get(connection) ?? fail(`${reason} of what is not held`);
      this.#held.delete(connection);
      assertEquals(connection.state, "closed");
      if (ONLY_UNUSED.has(reason)) assertEquals(leases, 0, `${reason} of what is leased`);
      assertEquals(this.#it.manager.getConnectionCount(), this.#held.size);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { manager } = this.#it;
    manager.checkInvariants();
    assertEquals(manager.getConnectionCount(), this.#held.size);
    assertEquals(manager.accountant.total, this.#held.size + this.#dialing);
    for (const [connection, { leases }] of this.#held) {
      assert(connection.leases === leases, "what is leased does not agree");
    }
  }
}

const NAME = `${ACTORS} actors at random break no invariant of the dual map in ${STEPS} steps`;

test(NAME, { timeout: 60_000 }, async () => {
  await withSeed(async (seed) => {
    const tally: Tally = { counts: new Map() };
    for (let round = 0; round < ROUNDS; round++) {
      await new Round(seed + round, tally).run(STEPS / ROUNDS);
    }
    const rare = [...tally.counts].filter(([, times]) => times < 5);
    assertEquals(rare, []);
    const reasons = [...tally.counts.keys()].filter((what) => what.startsWith("evicted")).sort();
    assertEquals(reasons, [
      "evicted: close",
      "evicted: drain",
      "evicted: error",
      "evicted: idle",
      "evicted: lifetime",
      "evicted: peer",
      "evicted: removed",
      "evicted: unhealthy",
      "evicted: unsolicited",
      "evicted: used",
    ]);
    if (tally.counts.size < 24) fail(`Too little was done: ${[...tally.counts.keys()]}`);
  });
});
