/**
 * What a pool is made of.
 *
 * @module
 */

import { ClosedError } from "../core/errors.ts";
import type { FleetMember } from "../fleet/fleet.ts";
import { Admission } from "../hosts/admission.ts";
import { Ceilings } from "../hosts/ceilings.ts";
import { HostDirectory } from "../hosts/directory.ts";
import { AddressHealth } from "../hosts/health.ts";
import { Rests } from "../hosts/rests.ts";
import { Weights } from "../hosts/weights.ts";
import type { Connection } from "../map/connection.ts";
import { ConnectionManager } from "../map/manager.ts";
import { Changes } from "./changes.ts";
import { Coalescing } from "./dial/coalescing.ts";
import { Dials } from "./dial/dials.ts";
import { Membership } from "./dial/membership.ts";
import { Recovery } from "./dial/recovery.ts";
import { DialScheduler } from "./dial/scheduler.ts";
import { HostQueues } from "./host/host_queues.ts";
import type { CheckedHostOptions } from "./host_options.ts";
import { HttpLeases } from "./http_leases.ts";
import { LeaseDesk } from "./lease/lease_desk.ts";
import type { ResolvedPoolOptions } from "./options.ts";
import { Routes } from "./proxy/routes.ts";
import { Upkeep } from "./upkeep.ts";
import { Diagnosis } from "./watch/diagnosis.ts";
import type { CheckOver } from "./watch/health_check.ts";
import { Prober } from "./watch/prober.ts";
import { Reporter } from "./watch/reporter.ts";
import { Tally } from "./watch/tally.ts";

/** What a pool that speaks a protocol does with connections. */
export interface PoolProtocol {
  /** Gets a fresh connection ready for its first lease. */
  readonly prepare: (connection: Connection) => void;
  /** Makes an HTTP check. */
  readonly checkOver: CheckOver | undefined;
}

/**
 * The parts of one pool. Makes each part after those that it calls, and ends them from the top down.
 * Only the pool holds it: a part gets what it calls, never all of this.
 */
export class PoolAssembly {
  readonly manager: ConnectionManager;
  readonly fleet: FleetMember | undefined;
  readonly reporter: Reporter;
  readonly admission: Admission;
  readonly weights: Weights;
  readonly desk: LeaseDesk;
  readonly queues: HostQueues;
  readonly dials: Dials;
  readonly scheduler: DialScheduler;
  readonly leases: HttpLeases;
  readonly diagnosis: Diagnosis;
  readonly tally: Tally;
  readonly #directory: HostDirectory;
  readonly #ceilings: Ceilings;
  readonly #rests: Rests;
  readonly #recovery: Recovery;
  readonly #prober: Prober;
  readonly #changes: Changes;
  readonly #upkeep: Upkeep;

  /** Makes all of them. They dial nothing yet, except for hosts with a `minIdle`. */
  constructor(options: ResolvedPoolOptions, protocol: PoolProtocol) {
    const { clock, hosts } = options;
    const reporter = this.reporter = new Reporter(clock);
    const manager = this.manager = new ConnectionManager({
      ...options,
      onEvict: (connection, reason, error) => this.#changes.onEvict(connection, reason, error),
      onRoom: (connection) => this.#changes.onRoom(connection),
      onLoss: (connection) => this.#changes.onLoss(connection),
    });
    const directory = this.#directory = new HostDirectory({
      resolver: options.resolver,
      clock,
      minTtlMs: options.dnsMinTtlMs,
      maxTtlMs: options.dnsMaxTtlMs,
      defaultTtlMs: options.dnsRefreshIntervalMs,
      staleMs: options.dnsStaleMs,
      timeoutMs: options.dnsTimeoutMs,
      fixed: given(hosts, ({ addresses }) => addresses),
      services: given(hosts, ({ service }) => service),
      onChange: (host, change) => this.#changes.onAddresses(host, change),
      onFailure: (host) => reporter.resolveFailed(host),
    });
    const admission = this.admission = new Admission(clock, options.access, {
      onChange: () => this.#changes.onAdmission(),
      onUnblock: (ip) => reporter.events.emit("unblock", { ip }),
    });
    const ceilings = this.#ceilings = new Ceilings(
      clock,
      manager.accountant,
      (address, connections) => reporter.learned(address, connections),
    );
    const health = new AddressHealth(clock, options, {
      onStanding: (endpoint) => this.#changes.onStanding(endpoint),
      onEject: (endpoint, reason, forMs) => reporter.onEject(endpoint, reason, forMs),
      onReadmit: (endpoint) => reporter.onReadmit(endpoint),
    }, ceilings);
    const rests = this.#rests = new Rests(clock, options.slowStartMs, {
      onToldLater: (endpoint, told) => reporter.onToldLater(endpoint, told),
      onRested: (endpoint, everywhere) => this.#changes.onRested(endpoint, everywhere),
    });
    const desk = this.desk = new LeaseDesk(options, manager, health, reporter);
    const routes = new Routes(options, directory);
    const queues = this.queues = new HostQueues(options, manager, directory, routes, {
      onRelease: (queue, lease, reuse, error) => desk.release(queue, lease, reuse, error),
      onWarmTarget: (queue) => this.#changes.onWarmTarget(queue),
    });
    const weights = this.weights = new Weights(clock, {
      onChange: (change) => this.#changes.onWeight(change),
    });
    const membership = new Membership(options, manager, directory, health, admission, weights);
    const { checkOver, prepare } = protocol;
    const dials = this.dials = new Dials({
      options,
      manager,
      admission,
      health,
      reporter,
      prepare,
    });
    dials.checkCertificates();
    const coalescing = new Coalescing(options.coalesce, clock, manager, queues);
    const scheduler = this.scheduler = new DialScheduler({
      coalescing,
      options,
      manager,
      desk,
      dials,
      membership,
      reporter,
    });
    ceilings.listen(scheduler);
    this.leases = new HttpLeases({ manager, queues, desk, scheduler, coalescing, health, rests });
    const recovery = this.#recovery = new Recovery(options, health, queues, dials, manager);
    const { events, evidence, figures } = reporter;
    const prober = this.#prober = new Prober({
      options,
      manager,
      admission,
      health,
      queues,
      dials,
      events,
      checkOver,
    });
    scheduler.listen(prober);
    this.#changes = new Changes({
      manager,
      admission,
      health,
      membership,
      queues,
      scheduler,
      prober,
      reporter,
    });
    const fleet = this.fleet = options.fleet?.join({
      clock,
      manager,
      health,
      admission,
      weights,
      queues,
      dials,
      membership,
      scheduler,
      recovery,
      reporter,
    });
    const diagnosis = this.diagnosis = new Diagnosis({
      options,
      manager,
      directory,
      admission,
      health,
      rests,
      gate: dials.gate,
      queues,
      fleet,
      figures,
      evidence,
    });
    this.tally = new Tally({
      options,
      manager,
      directory,
      health,
      rests,
      admission,
      weights,
      queues,
      routes,
      figures,
    });
    // A dialer that could not be loaded is each dial's error, not the program's.
    for (const dialer of [options.dialer, options.connectDialer]) {
      if (dialer && "then" in dialer) dialer.catch(() => {});
    }
    prober.look();
    for (const { host, maxConnections, minIdle } of hosts.values()) {
      if (maxConnections) manager.accountant.setLimit(host.text, maxConnections);
      if (minIdle > 0) queues.main(host).warm.keep(minIdle);
    }
    this.#upkeep = new Upkeep({
      options,
      manager,
      health,
      rests,
      membership,
      queues,
      scheduler,
      prober,
      diagnosis,
      reporter,
    });
  }

  /** Ends all of them. Resolves when every socket is closed. */
  async close(graceMs: number): Promise<void> {
    this.#changes.close();
    this.queues.close();
    const reason = new ClosedError("pool");
    this.#upkeep.close();
    for (const queue of this.queues) {
      for (const waiter of queue.waiters) this.desk.refuse(waiter, reason);
      queue.warm.refuse(reason);
    }
    this.scheduler.close();
    this.dials.close(reason);
    this.#recovery.close();
    this.#ceilings.close();
    this.#prober.close();
    this.#directory.close();
    this.#rests.close();
    this.admission.close();
    // The promise must be in place before a listener learns of the first connection's end.
    await null;
    const closed = this.manager.close({ graceMs });
    const alone = await this.dials.gate.exclusive();
    try {
      await closed;
      await this.fleet?.close();
      this.reporter.events.emit("closed", { graceMs });
    } finally {
      alone.release();
    }
  }
}

/** Collects one of the options of hosts, by host, from those that set it. */
function given<T>(
  hosts: ReadonlyMap<string, CheckedHostOptions>,
  of: (options: CheckedHostOptions) => T | undefined,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const [host, options] of hosts) {
    const value = of(options);
    if (value !== undefined) found.set(host, value);
  }
  return found;
}
