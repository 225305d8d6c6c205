/**
 * Decides what is dialled, and when: for those who wait, and for what is to be kept warm.
 *
 * @module
 */

import type { Address } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { DialError, HostUnavailableError, UnsupportedOptionError } from "../core/errors.ts";
import type { Events } from "../core/events.ts";
import type { RwLock } from "../core/lock.ts";
import type { HostDirectory } from "../hosts/directory.ts";
import type { AddressHealth } from "../hosts/health.ts";
import { Connection } from "../map/connection.ts";
import type { ConnectionManager } from "../map/manager.ts";
import type { PoolEvents } from "./events.ts";
import type { ResolvedPoolOptions } from "./options.ts";
import type { Dial, HostQueue } from "./queue.ts";
import { PLAIN } from "./tls_profiles.ts";
import type { Waiter } from "./waiter.ts";
import { dialToWarm } from "./warm_plan.ts";

/** What the scheduler works with, all of it the pool's. */
export interface SchedulerParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly health: AddressHealth;
  readonly events: Events<PoolEvents>;
  /** Held shared by each dial, so that whoever has it alone knows that none is under way. */
  readonly gate: RwLock;
  /** Gives what is ready to those who wait. */
  readonly serve: (queue: HostQueue) => void;
  /** Ends a caller's wait with a reason. */
  readonly refuse: (queue: HostQueue, waiter: Waiter, reason: unknown) => void;
}

/** The shortest and the longest pause before a queue is looked at again, in milliseconds. */
const RECHECK_MS = { min: 5, max: 1_000 };

/**
 * Dials on behalf of queues. A queue that something has happened to is woken, and looked at on the
 * next microtask: never in the midst of a change, and once however much has happened.
 */
export class DialScheduler {
  /** How many dials were begun. */
  dialCount = 0;
  /** How many of them failed. */
  dialErrorCount = 0;
  readonly #parts: SchedulerParts;
  readonly #clock: Clock;
  readonly #awake = new Set<HostQueue>();
  /** Queues that found no room, the one that has waited longest first. */
  readonly #starved = new Set<HostQueue>();
  readonly #rechecks = new Map<HostQueue, { readonly timer: Timer; readonly at: number }>();
  readonly #dials = new Set<Dial>();
  #scheduled = false;
  #closed = false;

  /** Makes a scheduler that has nothing to do. */
  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
  }

  /** How many dials are under way. */
  get dialing(): number {
    return this.#dials.size;
  }

  /** The queue that has waited longest for room while somebody waits in it, if any. */
  get firstStarved(): HostQueue | undefined {
    // Asked at each release, and hardly ever is there any.
    if (this.#starved.size === 0) return undefined;
    for (const queue of this.#starved) if (queue.waiters.size > 0) return queue;
    return undefined;
  }

  /** Has a queue looked at soon. */
  wake(queue: HostQueue): void {
    if (this.#closed) return;
    this.#awake.add(queue);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#run());
  }

  /** Has those looked at that found no room: some has come free. */
  roomCame(): void {
    for (const queue of this.#starved) this.wake(queue);
  }

  /** Lets the connections of dials under way go as soon as they come. */
  disown(concerns: (dial: Dial) => boolean): void {
    for (const dial of this.#dials) {
      if (!concerns(dial)) continue;
      dial.unwanted = true;
      this.wake(dial.queue);
    }
  }

  /** Forgets a queue that is no longer used. */
  forget(queue: HostQueue): void {
    this.#awake.delete(queue);
    this.#starved.delete(queue);
    this.#rechecks.get(queue)?.timer.cancel();
    this.#rechecks.delete(queue);
  }

  /** Begins no further dial, and stops those under way. */
  close(reason: Error): void {
    this.#closed = true;
    for (const { timer } of this.#rechecks.values()) timer.cancel();
    this.#rechecks.clear();
    this.#starved.clear();
    for (const dial of this.#dials) dial.stop.abort(reason);
  }

  #run(): void {
    this.#scheduled = false;
    // Whoever has waited longest is looked at first: room that has come free is his.
    const queues = [...this.#awake].sort((a, b) => waitsSince(a) - waitsSince(b));
    this.#awake.clear();
    for (const queue of queues) if (!this.#closed) this.#look(queue);
  }

  #look(queue: HostQueue): void {
    this.#parts.serve(queue);
    this.#starved.delete(queue);
    if (queue.waiters.size === 0 && queue.warmTarget === 0) return;
    const known = this.#parts.directory.known(queue.host);
    if (!known) this.#lookUp(queue);
    this.#dialForWaiters(queue, known);
    if (known && queue.warmTarget > 0) this.#dialToWarm(queue, known);
    if (queue.waiters.size > 0) {
      // Nothing may come back and no dial may end: then only time tells that more is needed.
      const pauseMs = Math.max(RECHECK_MS.min, Math.min(queue.dialMs, RECHECK_MS.max));
      this.#recheckAt(queue, this.#clock.now() + pauseMs);
    }
  }

  #lookUp(queue: HostQueue): void {
    this.#parts.directory.lookUp(queue.host).then(
      () => this.wake(queue),
      (error: unknown) => {
        for (const waiter of queue.waiters) {
          if (!waiter.filter?.pinned) this.#parts.refuse(queue, waiter, error);
        }
        // Those who named their machine can do without.
        this.#dialForWaiters(queue, []);
        for (const warmUp of queue.warmUps) warmUp.fail(error);
        queue.warmUps.clear();
      },
    );
  }

  #dialForWaiters(queue: HostQueue, known: readonly Address[] | undefined): void {
    const { manager } = this.#parts;
    const lane = manager.lane(queue.host.text, queue.tls.name);
    let wanted = queue.wantedDials(lane?.connectionCount ?? 0, this.#clock.now());
    const promised = queue.promisingDials();
    for (const waiter of queue.waiters) {
      // A caller who will not have every address cannot rely on what comes back for all.
      if (wanted <= 0 && !waiter.filter) continue;
      const covering = promised.findIndex(({ address }) => waiter.accepts(address.text));
      wanted--;
      if (covering >= 0) {
        promised.splice(covering, 1);
        continue;
      }
      if (!this.#dialFor(queue, waiter, known)) return;
    }
  }

  /** Begins a dial for a waiter, where one may help; false where there is no room for any. */
  #dialFor(queue: HostQueue, waiter: Waiter, known: readonly Address[] | undefined): boolean {
    if (!this.#mayDial(queue)) return this.#starve(queue);
    const now = this.#clock.now();
    const { health } = this.#parts;
    if (!known && !waiter.filter?.exact) return true;
    const candidates = waiter.candidates(known ?? []);
    if (known && candidates.length === 0) {
      this.#parts.refuse(queue, waiter, new HostUnavailableError(queue.host.text, []));
      return true;
    }
    const untried = candidates.filter(({ text }) => !waiter.failures.has(text));
    const retryAt = ({ text }: Address) => health.retryAt(queue.host.text, text);
    const slow = ({ text }: Address) => queue.isSlow(text);
    const good = untried.filter((address) => retryAt(address) <= now && !slow(address));
    // A failed address is tried again at once only by those who have nothing else to hope for.
    const desperate = waiter.rounds === 0 && !this.#mayComeBack(queue, waiter);
    const bad = untried.filter((address) => retryAt(address) > now && !slow(address));
    const usable = desperate ? [...this.#rotate(good), ...bad] : this.#rotate(good);
    if (usable.length === 0) {
      const due = this.#nextRetryAt(queue, bad);
      if (due < Infinity) this.#recheckAt(queue, due);
      return true;
    }
    const blocked = (address: Address) =>
      this.#parts.manager.accountant.blockedBy(queue.host.text, address.text) !== undefined;
    const address = usable.find((address) => !blocked(address))
      ?? usable.find((address) => this.#makeRoom(queue, waiter, address));
    if (!address) return this.#starve(queue);
    void this.#dial(queue, address);
    return true;
  }

  /** Whether a connection that a waiter would take is in use, and may be given back. */
  #mayComeBack(queue: HostQueue, waiter: Waiter): boolean {
    const lane = this.#parts.manager.lane(queue.host.text, queue.tls.name);
    for (const { address, connections } of lane?.endpoints.values() ?? []) {
      if (connections.size > 0 && waiter.accepts(address.text)) return true;
    }
    return false;
  }

  #mayDial(queue: HostQueue): boolean {
    const { maxConcurrentDials, maxConcurrentDialsPerHost } = this.#parts.options;
    return this.#dials.size < maxConcurrentDials && queue.dials.size < maxConcurrentDialsPerHost;
  }

  #starve(queue: HostQueue): false {
    this.#starved.add(queue);
    return false;
  }

  #rotate(addresses: readonly Address[]): readonly Address[] {
    if (addresses.length < 2) return addresses;
    const start = Math.floor(this.#clock.random() * addresses.length);
    return [...addresses.slice(start), ...addresses.slice(0, start)];
  }

  /** Ends idle connections that stand in the way of one to an address, the coldest first. */
  #makeRoom(queue: HostQueue, waiter: Waiter, address: Address): boolean {
    const { manager } = this.#parts;
    const { accountant } = manager;
    const host = queue.host.text;
    for (;;) {
      const scope = accountant.blockedBy(host, address.text);
      if (!scope) return true;
      let victim: Connection | undefined;
      if (scope === "total") victim = manager.coldestIdle();
      else {
        const rivals = scope === "ip"
          ? manager.getConnections(address.text)
          : manager.getConnectionsForHost(host);
        for (const rival of rivals) {
          const useless = rival.tlsProfile !== queue.tls.name || rival.host !== host
            || !waiter.accepts(rival.address);
          if (rival.state !== "idle" || !useless) continue;
          if (!victim || rival.lastUsedAt < victim.lastUsedAt) victim = rival;
        }
      }
      if (!victim) return false;
      manager.removeConnection(victim, "room");
    }
  }

  /** Dials what is missing of a warm target, and ends the waits for it that need not go on. */
  #dialToWarm(queue: HostQueue, known: readonly Address[]): void {
    const { health, manager } = this.#parts;
    const host = queue.host.text;
    const now = this.#clock.now();
    const endpoints = manager.lane(host, queue.tls.name)?.endpoints;
    const counts = new Map(
      known.map((address) => [address, endpoints?.get(address.text)?.connections.size ?? 0]),
    );
    let open = 0;
    for (const count of counts.values()) open += count;
    for (const { address } of queue.promisingDials()) {
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    const mayDial = (address: Address) =>
      this.#mayDial(queue) && !queue.isSlow(address.text)
      && health.retryAt(host, address.text) <= now
      && manager.accountant.blockedBy(host, address.text) === undefined;
    const warmth = { target: queue.warmTarget, counts, mayDial };
    const short = dialToWarm(warmth, (address) => void this.#dial(queue, address));
    const due = short > 0 ? this.#nextRetryAt(queue, known) : Infinity;
    if (due < Infinity) this.#recheckAt(queue, due);
    // Too many dials are under way: it goes on when one of them has ended.
    const crowded = short > 0 && !this.#mayDial(queue);
    if (crowded) this.#starve(queue);
    for (const warmUp of queue.warmUps) {
      const goesOn = crowded || queue.dials.size > 0 || (due < Infinity && warmUp.retry());
      if (open < warmUp.target && goesOn) continue;
      queue.warmUps.delete(warmUp);
      warmUp.settle(open);
    }
  }

  /** When the first of the failed addresses is due again; Infinity where none has failed. */
  #nextRetryAt(queue: HostQueue, addresses: readonly Address[]): number {
    const now = this.#clock.now();
    let next = Infinity;
    for (const { text } of addresses) {
      const retryAt = this.#parts.health.retryAt(queue.host.text, text);
      if (retryAt > now) next = Math.min(next, retryAt);
    }
    return next;
  }

  async #dial(queue: HostQueue, address: Address): Promise<void> {
    const { events, gate, manager, options } = this.#parts;
    const host = queue.host.text;
    manager.accountant.add(host, address.text);
    const dial: Dial = {
      number: ++this.dialCount,
      queue,
      address,
      startedAt: this.#clock.now(),
      stop: new AbortController(),
      slow: false,
      unwanted: false,
    };
    queue.dials.add(dial);
    this.#dials.add(dial);
    if (events.wants("dial")) events.emit("dial", { host, address: address.text });
    using _guard = gate.tryShared();
    const { connectTimeoutMs, dialStaggerMs } = options;
    const timeout = this.#clock.setTimer(
      () => dial.stop.abort(timedOut(dial, options)),
      connectTimeoutMs,
    );
    const stagger = this.#clock.setTimer(() => {
      dial.slow = true;
      this.wake(queue);
    }, dialStaggerMs);
    try {
      await this.#open(dial);
    } catch (error) {
      this.#failed(dial, error);
    } finally {
      timeout.cancel();
      stagger.cancel();
    }
    this.wake(queue);
    this.roomCame();
  }

  async #open(dial: Dial): Promise<void> {
    const { events, health, manager, options } = this.#parts;
    const { address, queue } = dial;
    const { host, tls } = queue;
    let counted = true;
    try {
      const dialer = await (tls === PLAIN ? options.plainDialer : options.dialer);
      if (!dialer) throw new TypeError("The pool has no plainDialer");
      const socket = await dialer.dial(
        {
          host: host.text,
          serverName: tls.options.serverName ?? host.name,
          address: address.text,
          ip: address.ip,
          port: address.port,
          tls: tls.options,
        },
        dial.stop.signal,
      );
      if (dial.unwanted || this.#closed) {
        socket.close();
        return;
      }
      queue.noteDial(this.#clock.now() - dial.startedAt);
      health.succeeded(host.text, address.text);
      const connection = new Connection({
        host: host.text,
        address,
        socket,
        tlsProfile: tls.name,
        clock: this.#clock,
      });
      counted = false;
      this.#ended(dial);
      manager.addConnection(connection, true);
      if (events.wants("ready")) {
        const { tcpMs, tlsMs } = socket.info;
        const { id: connectionId } = connection;
        events.emit("ready", {
          host: host.text,
          address: address.text,
          connectionId,
          tcpMs,
          tlsMs,
        });
      }
      this.#parts.serve(queue);
    } finally {
      if (counted) manager.accountant.remove(host.text, address.text);
      this.#ended(dial);
    }
  }

  #ended(dial: Dial): void {
    dial.queue.dials.delete(dial);
    this.#dials.delete(dial);
  }

  #failed(dial: Dial, error: unknown): void {
    if (this.#closed) return;
    const { directory, events, health } = this.#parts;
    const { address, queue } = dial;
    const host = queue.host.text;
    this.dialErrorCount++;
    // The options are at fault: nothing was dialled, and no other address would do better.
    const isOptions = error instanceof UnsupportedOptionError || error instanceof TypeError;
    if (!isOptions) health.failed(host, address.text, error, this.#clock.now());
    if (events.wants("dialError")) {
      events.emit("dialError", { host, address: address.text, error });
    }
    if (isOptions) {
      for (const waiter of queue.waiters) this.#parts.refuse(queue, waiter, error);
      for (const warmUp of queue.warmUps) warmUp.fail(error);
      queue.warmUps.clear();
      return;
    }
    for (const warmUp of queue.warmUps) warmUp.failed(address.text, error);
    const known = directory.known(queue.host) ?? [];
    for (const waiter of queue.waiters) {
      if (!waiter.accepts(address.text) || dial.number <= waiter.lastDialBefore) continue;
      this.#failedFor(waiter, queue, address, error, known);
    }
  }

  #failedFor(
    waiter: Waiter,
    queue: HostQueue,
    address: Address,
    error: unknown,
    known: readonly Address[],
  ): void {
    waiter.failures.set(address.text, error);
    const candidates = waiter.candidates(known);
    if (candidates.some(({ text }) => !waiter.failures.has(text))) return;
    waiter.lastDialBefore = this.dialCount;
    if (this.#mayComeBack(queue, waiter)) {
      waiter.rounds++;
      waiter.failures.clear();
      return;
    }
    if (waiter.rounds++ < this.#parts.options.maxRetries) {
      waiter.failures.clear();
      return;
    }
    const failures = [...waiter.failures].map(([address, error]) => ({ address, error }));
    this.#parts.refuse(queue, waiter, new HostUnavailableError(queue.host.text, failures));
  }

  #recheckAt(queue: HostQueue, at: number): void {
    const earlier = this.#rechecks.get(queue);
    if (earlier && earlier.at <= at) return;
    earlier?.timer.cancel();
    const timer = this.#clock.setTimer(() => {
      this.#rechecks.delete(queue);
      this.wake(queue);
    }, at - this.#clock.now());
    this.#rechecks.set(queue, { timer, at });
  }
}

function waitsSince({ waiters }: HostQueue): number {
  return waiters.front?.value.since ?? Number.MAX_VALUE;
}

function timedOut({ address, queue }: Dial, options: ResolvedPoolOptions): DialError {
  const { connectTimeoutMs } = options;
  return new DialError(
    { host: queue.host.text, address: address.text, phase: "tcp", failure: "timeout" },
    `no connection within ${connectTimeoutMs} ms (connectTimeoutMs)`,
  );
}
