/**
 * Checks the addresses of hosts in use, so that callers do not meet a sick one first.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { DialError, ProxyError } from "../../core/errors.ts";
import type { Events } from "../../core/events.ts";
import type { Block } from "../../hosts/block_list.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import { blamesOptions, failureKindOf } from "../dial/dials.ts";
import type { SchedulerEvents } from "../dial/scheduler.ts";
import type { PoolEvents } from "../events.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { HostQueues } from "../host/host_queues.ts";
import { type HealthCheck, kindOf } from "./health_check.ts";
import { Probe, type ProbeParts, type ProbeResult, SPARE } from "./probe.ts";

/** What the prober works with. */
export interface ProberParts extends ProbeParts {
  readonly health: AddressHealth;
  /** Every host that the pool knows. */
  readonly queues: HostQueues;
  readonly events: Events<PoolEvents>;
}

/** When something is checked next. */
interface Plan {
  from: number;
  pauseMs: number;
  /** How many of its checks wait or are under way. */
  open: number;
}

/** A check that is due: of an endpoint, or of an address that a block ends with. */
interface Job {
  readonly queue: HostQueue;
  readonly address: Address;
  readonly subject: Endpoint | Block;
  readonly plan: Plan;
}

/** How much shorter an interval may be, at random, as a share of it. */
const JITTER = 0.25;

/** How many intervals a caller's trial waits for the next check, which comes first. */
const HELD_INTERVALS = 1.5;

/**
 * Checks every address of each host in use, time and again, and those whose block is to end when
 * they do well. It has one timer, and none if there is nothing to check.
 *
 * A check takes no connection that a caller could want at once, and gives up its room for one.
 */
export class Prober implements SchedulerEvents {
  readonly #parts: ProberParts;
  readonly #clock: Clock;
  readonly #check: HealthCheck | undefined;
  readonly #plans = new WeakMap<Endpoint | Block, Plan>();
  /** What is due and has not begun, the first one first. */
  readonly #due = new Set<Job>();
  readonly #probes = new Set<Probe>();
  /** Checks with a verdict whose socket is not closed yet. */
  readonly #ending = new Set<Probe>();
  #timer: Timer | undefined;
  #closed = false;

  /** Makes a prober that has seen nothing yet; `look()` begins. */
  constructor(parts: ProberParts) {
    this.#parts = parts;
    this.#clock = parts.options.clock;
    this.#check = parts.options.healthCheck;
  }

  /** Begins what is due, and sets the timer for the next. */
  look(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#closed) return;
    const now = this.#clock.now();
    const next = Math.min(this.#lookAtHosts(now), this.#lookAtBlocks(now));
    if (next < Infinity) this.#timer = this.#clock.setTimer(() => this.look(), next - now);
    this.#begin();
  }

  /** Whether a host without connections is still looked after. */
  needs(queue: HostQueue): boolean {
    if (this.#check !== undefined && this.#isInUse(queue, this.#clock.now())) return true;
    return this.#testable().some((block) => this.#blockedBy(queue, block).length > 0);
  }

  /** Drops checks whose room a caller could use. */
  onCrowded(queue: HostQueue): void {
    const { accountant } = this.#parts.manager;
    for (const probe of this.#probes) {
      const isInTheWay = probe.queue.host.text === queue.host.text
        || queue.lane.endpoints.has(probe.address.text)
        || accountant.total >= accountant.limits.maxConnections;
      if (probe.counted && isInTheWay) probe.drop();
    }
  }

  /** Ends every check at once, and begins no further one. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#due.clear();
    for (const probe of [...this.#probes, ...this.#ending]) probe.drop();
  }

  /** Begins checks of endpoints that are due; returns when to look again. */
  #lookAtHosts(now: number): number {
    if (this.#check === undefined) return Infinity;
    const { healthCheckIntervalMs: intervalMs } = this.#parts.options;
    let next = now + intervalMs * JITTER;
    for (const queue of this.#parts.queues) {
      if (!this.#isInUse(queue, now)) continue;
      for (const endpoint of queue.lane.endpoints.values()) {
        if (!endpoint.member) continue;
        let plan = this.#plans.get(endpoint);
        if (!plan) {
          // Endpoints that came together are spread over the rest of their first interval.
          const pauseMs = intervalMs * (1 - JITTER) * this.#clock.random();
          this.#plans.set(endpoint, plan = { from: now, pauseMs, open: 0 });
        }
        if (plan.open > 0) continue;
        const dueAt = this.#dueAt(endpoint, plan);
        if (dueAt > now) next = Math.min(next, dueAt);
        else this.#add({ queue, address: endpoint.address, subject: endpoint, plan });
      }
    }
    return next;
  }

  /** Traffic is the best check, but an answer from before a failure proves nothing. */
  #dueAt({ answeredAt, failing }: Endpoint, { from, pauseMs }: Plan): number {
    const { healthCheckIntervalMs } = this.#parts.options;
    const dueAt = from + pauseMs;
    return failing || answeredAt === 0
      ? dueAt
      : Math.max(dueAt, answeredAt + healthCheckIntervalMs);
  }

  #lookAtBlocks(now: number): number {
    const { blocklistCheckIntervalMs: intervalMs } = this.#parts.options;
    let next = Infinity;
    for (const block of this.#testable()) {
      let plan = this.#plans.get(block);
      if (!plan) {
        plan = { from: block.since, pauseMs: this.#jittered(intervalMs), open: 0 };
        this.#plans.set(block, plan);
      }
      if (plan.from + plan.pauseMs <= now) {
        plan.from = now;
        plan.pauseMs = this.#jittered(intervalMs);
        if (plan.open === 0) {
          for (const queue of this.#parts.queues) this.#test(queue, block, plan);
        }
      }
      next = Math.min(next, plan.from + plan.pauseMs);
    }
    return next;
  }

  /** Adds tests of what a block keeps from a host, with the TLS options that the host has now. */
  #test(queue: HostQueue, block: Block, plan: Plan): void {
    for (const address of this.#blockedBy(queue, block)) {
      const tested = queue.replaced ? this.#parts.queues.main(queue.host) : queue;
      this.#add({ queue: tested, address, subject: block, plan });
    }
  }

  #testable(): Block[] {
    return this.#parts.admission.blocks.filter(({ untilWell }) => untilWell);
  }

  /** The addresses of a host that a block keeps from it, and a test may free. */
  #blockedBy({ toldAddresses = [] }: HostQueue, block: Block): Address[] {
    return toldAddresses.filter((address) => this.#parts.admission.mayTest(address, block));
  }

  /**
   * Whether callers have used a host recently: one that only checks use would be checked for ever.
   */
  #isInUse(queue: HostQueue, now: number): boolean {
    const { healthCheckIntervalMs, idleTimeoutMs } = this.#parts.options;
    return queue.isInUse(now, Math.max(healthCheckIntervalMs, idleTimeoutMs));
  }

  #jittered(ms: number): number {
    return ms * (1 - JITTER * this.#clock.random());
  }

  #add(job: Job): void {
    job.plan.open++;
    this.#due.add(job);
  }

  /** Begins what is due, as much of it as may be under way. */
  #begin(): void {
    for (const job of this.#due) {
      if (this.#probes.size >= this.#parts.options.maxConcurrentChecks) return;
      this.#due.delete(job);
      const { plan, subject } = job;
      const now = this.#clock.now();
      const isEndpoint = "lane" in subject;
      const isDue = !isEndpoint || this.#dueAt(subject, plan) <= now;
      if (isEndpoint && isDue) {
        plan.from = now;
        plan.pauseMs = this.#jittered(this.#parts.options.healthCheckIntervalMs);
      }
      if (isDue && this.#mayBegin(job)) void this.#run(job);
      else plan.open--;
    }
  }

  #mayBegin({ address, queue, subject }: Job): boolean {
    if (!("lane" in subject)) {
      return this.#parts.admission.mayTest(address, subject) && this.#hasRoom(queue, address);
    }
    // Callers who wait need the room, and will find out themselves.
    if (!subject.member || !queue.lane.kept || queue.waiters.size > 0) return false;
    const canSpare = typeof this.#check === "object" && subject.idle.size >= SPARE;
    return canSpare || this.#hasRoom(queue, address);
  }

  #hasRoom({ host }: HostQueue, { text }: Address): boolean {
    return this.#parts.manager.accountant.blockedBy(host.text, text) === undefined;
  }

  async #run(job: Job): Promise<void> {
    const guard = this.#parts.dials.gate.tryShared();
    try {
      await this.#probe(job);
    } finally {
      guard?.release();
    }
  }

  async #probe(job: Job): Promise<void> {
    const { address, plan, queue, subject } = job;
    const endpoint = "lane" in subject ? subject : undefined;
    const probe = new Probe(this.#parts, { queue, address, endpoint }, this.#check ?? "tls");
    this.#probes.add(probe);
    const result = await probe.run();
    this.#probes.delete(probe);
    if (result && !probe.dropped) this.#conclude(job, probe, result);
    plan.open--;
    this.#parts.dials.end(queue, address);
    this.#begin();
    // The gate is held until its socket is closed, which closing the pool waits for.
    this.#ending.add(probe);
    await probe.ended;
    this.#ending.delete(probe);
  }

  #conclude({ address, queue, subject }: Job, probe: Probe, { error, reason }: ProbeResult): void {
    const { admission, events } = this.#parts;
    const check = this.#check ?? "tls";
    const ok = error === undefined;
    if ("lane" in subject) {
      // It may be gone meanwhile, with all that was known of it.
      if (!subject.member || !queue.lane.kept) return;
      this.#note(subject, probe, check, error);
    }
    if (events.wants("check")) {
      const ms = this.#clock.now() - probe.startedAt;
      const kind = kindOf(check);
      events.emit("check", { host: queue.host.text, address: address.text, kind, ok, reason, ms });
    }
    if (!ok || "lane" in subject || !admission.mayTest(address, subject)) return;
    admission.unblock(subject.ip);
    // Failures from before the block are forgiven, as they are without a block.
    const endpoint = queue.lane.endpoints.get(address.text);
    if (endpoint) this.#note(endpoint, probe, check, undefined);
  }

  #note(endpoint: Endpoint, { startedAt }: Probe, check: HealthCheck, error: unknown): void {
    const { health, options } = this.#parts;
    health.checked(endpoint);
    if (error === undefined) {
      if (typeof check === "object") health.succeeded(endpoint, startedAt);
      else health.reached(endpoint, check === "connect" ? "connect" : "handshake");
      return;
    }
    if (blamesOptions(error)) return;
    const isDial = error instanceof DialError || error instanceof ProxyError;
    const kind = isDial ? failureKindOf(error) : "probe";
    const heldMs = options.healthCheckIntervalMs * HELD_INTERVALS + options.testTimeoutMs;
    health.failed(endpoint, kind, error, heldMs);
  }
}
