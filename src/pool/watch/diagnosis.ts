/**
 * Finds out what may be wrong with a pool.
 *
 * @module
 */

import type { RwLock } from "../../core/lock.ts";
import { doAll, type Steps } from "../../core/steps.ts";
import type { FleetMember } from "../../fleet/fleet.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Rests } from "../../hosts/rests.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import { Bottlenecks, counted, STARVING_MS } from "./bottlenecks.ts";
import type { DialScene, Evidence } from "./evidence.ts";
import type { PoolFigures } from "./figures.ts";
import { type Finding, type Occurrence, showMs, sortFindings } from "./findings.ts";

/** What is looked at, all of it the pool's. */
export interface DiagnosisParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly admission: Admission;
  readonly health: AddressHealth;
  readonly rests: Rests;
  /** Held shared by each dial. */
  readonly gate: RwLock;
  readonly queues: Iterable<HostQueue>;
  /** The pool's part in its fleet, if it has one. */
  readonly fleet: FleetMember | undefined;
  readonly figures: PoolFigures;
  readonly evidence: Evidence;
}

/** How many ejections of an address within how many milliseconds are too many. */
const FLAPPING = { ejections: 3, withinMs: 600_000 };

/** Looks at a pool. It looks at each address of each host, and at connections in use. */
export class Diagnosis {
  readonly #parts: DiagnosisParts;
  #known: ReadonlySet<string> = new Set();
  /** Those of the hosts with options that were ever used. */
  readonly #asked = new Set<string>();

  /** Makes one that has found nothing yet. */
  constructor(parts: DiagnosisParts) {
    this.#parts = parts;
  }

  /** What may be wrong now, the worst first. */
  look(): Finding[] {
    return doAll(this.#look()).map(({ finding }) => finding);
  }

  /** What may be wrong now and was not when this was last asked, in steps of one host each. */
  *lookForNew(): Steps<Finding[]> {
    const occurrences = yield* this.#look();
    const fresh = occurrences.filter(({ key }) => !this.#known.has(key));
    this.#known = new Set(occurrences.map(({ key }) => key));
    return fresh.map(({ finding }) => finding);
  }

  get #now(): number {
    return this.#parts.options.clock.now();
  }

  #scene(): DialScene {
    const { figures, manager } = this.#parts;
    return {
      now: this.#now,
      leases: figures.acquired,
      connections: manager.getConnectionCount(),
    };
  }

  *#look(): Steps<Occurrence[]> {
    const found = new Map<string, Finding>();
    const add = (finding: Finding, occurrence = "") => {
      const { address = "", connectionId = "", host = "", what } = finding;
      const key = [what, host, address, connectionId, occurrence].join(" ");
      // A host with several TLS profiles is reported once.
      if (!found.has(key)) found.set(key, finding);
    };
    yield* this.#findLeases(add);
    this.#findLocks(add);
    const bottlenecks = new Bottlenecks(this.#parts);
    for (const queue of this.#parts.queues) {
      bottlenecks.note(queue, this.#now);
      this.#findAddresses(queue, add);
      this.#findFull(queue, add);
      this.#findStreams(queue, add);
      this.#findToldLater(queue, add);
      yield;
    }
    for (const [at, finding] of bottlenecks.findings(this.#now)) add(finding, at);
    this.#findStorm(add);
    this.#findFlapping(add);
    this.#findFleet(add);
    yield* this.#findOtherPorts(add);
    return sortFindings(Array.from(found, ([key, finding]) => ({ key, finding })));
  }

  #findFleet(add: Add): void {
    const status = this.#parts.fleet?.status();
    if (!status) return;
    const { error, foreign, name, state, stateSince, store } = status;
    if (state === "alone") {
      add({
        severity: "warning",
        what: "fleetAlone",
        message: `${store} has not answered for ${showMs(this.#now - stateSince)}`
          + `${error === null ? "" : `: ${error}`}. The pool goes on alone, with its share of the `
          + "fleet's limits.",
        advice: "Check the store, and the network on the way. The pool rejoins by itself.",
      });
    }
    if (foreign > 0) {
      add({
        severity: "info",
        what: "fleetForeign",
        message: `${foreign} entries or messages of the fleet ${name} in ${store} were not `
          + "written by this version, and were skipped.",
        advice:
          "Give each fleet its own name, and let nothing else write its keys. While you roll out "
          + "another version, this is normal.",
      });
    }
  }

  /** A host without a port means port 443, which is easily forgotten if a URL names another. */
  *#findOtherPorts(add: Add): Steps {
    const { options: { hosts }, queues } = this.#parts;
    if (hosts.size === 0) return;
    const used = new Map(Array.from(hosts.values(), ({ host }) => [host.name, new Set<string>()]));
    for (const { host: { name, text } } of queues) {
      used.get(name)?.add(text);
      // A host that nobody has used for a while is forgotten.
      if (hosts.has(text)) this.#asked.add(text);
      yield;
    }
    for (const { host } of hosts.values()) {
      if (this.#asked.has(host.text)) continue;
      for (const other of used.get(host.name)!) {
        if (hosts.has(other)) continue;
        add({
          severity: "warning",
          what: "otherPort",
          host: other,
          message: `The options in hosts for ${host.text} are for port ${host.port}, which nobody `
            + `uses. ${other} is used, and has no options.`,
          advice: `Name it with its port: hosts: { "${other}": { ... } }.`,
        });
      }
    }
  }

  *#findLeases(add: Add): Steps {
    const now = this.#now;
    const { manager, options: { leaseWarningMs }, queues } = this.#parts;
    const slow = new Set<string>();
    for (const { endpoints, host } of manager.hosts.lanes()) {
      for (const { busy, connections, draining } of endpoints.values()) {
        if (busy + draining === 0) continue;
        for (const connection of connections) {
          const { address, id: connectionId, lastUsedAt, leases } = connection;
          if (leases === 0 || connection.upgraded !== null || now - lastUsedAt < leaseWarningMs) {
            continue;
          }
          slow.add(host);
          const stack = this.#parts.evidence.stackOf(connection);
          add({
            severity: "warning",
            what: "leaseHeld",
            host,
            address,
            connectionId,
            message: `A lease on connection ${connectionId} to ${host} at ${address} has not ended `
              + `for ${showMs(now - lastUsedAt)}.`,
            advice: stack === undefined
              ? "Release every lease, and read, dump or cancel every body. From now on this host's "
                + "leases remember where they were acquired."
              : "Release the lease that was acquired where the stack says, or read, dump or cancel "
                + "the body.",
            ...(stack === undefined ? {} : { stack }),
          }, `${lastUsedAt}`);
        }
      }
      yield;
    }
    if (slow.size === 0) return;
    for (const queue of queues) if (slow.has(queue.host.text)) queue.traced = true;
  }

  #findLocks(add: Add): void {
    const { gate, options: { connectTimeoutMs, leaseWarningMs } } = this.#parts;
    const limitMs = Math.max(connectTimeoutMs, leaseWarningMs);
    for (const { mode, name, since } of gate.holders()) {
      const heldMs = this.#now - since;
      if (heldMs < limitMs) continue;
      add({
        severity: "warning",
        what: "lockHeld",
        message: `The lock of the pool's dials has been held (${mode}) for ${showMs(heldMs)} by `
          + `${
            name ?? "an unnamed holder"
          }; ${gate.waiting} wait for it. Until it is released, the pool `
          + "cannot be closed.",
        advice: "A dial must end when its signal aborts. Check the dialer.",
      }, `${name} ${since}`);
    }
  }

  #findAddresses({ host, lane, toldAddresses = [] }: HostQueue, add: Add): void {
    const { admission, directory } = this.#parts;
    const about = { host: host.text };
    const info = directory.info(host);
    if (info?.error != null) {
      const has = info.addresses.length > 0;
      add({
        ...about,
        severity: has ? "warning" : "critical",
        what: "resolverFailing",
        message: `The resolver ${info.source} fails for ${host.text}: ${info.error}. `
          + (has ? "The last known addresses still serve." : "None of its addresses is known."),
        advice: "Check the resolver, and whether the name is right.",
      });
    }
    if (info && info.leftOut.length > 0) {
      add({
        ...about,
        severity: "info",
        what: "addressesLeftOut",
        message:
          `Some of what the resolver ${info.source} gave for ${host.text} cannot be dialled: `
          + `${info.leftOut.join("; ")}. The other addresses serve.`,
        advice: "Remove it from DNS, or from the system's hosts file.",
      });
    }
    const rules = toldAddresses.map((address) => admission.deniedBy(address));
    if (rules.length > 0 && rules.every((rule) => rule !== undefined)) {
      add({
        ...about,
        severity: "critical",
        what: "allDenied",
        message: rules.length === 1
          ? `The only address of ${host.text} may not be used: ${rules[0]}.`
          : `None of the ${rules.length} addresses of ${host.text} may be used: `
            + `${[...new Set(rules)].join("; ")}.`,
        advice: "End the blocks, or change the access rules.",
      });
    } else if (lane.panic) {
      const good = lane.good.size;
      add({
        ...about,
        severity: good === 0 ? "critical" : "warning",
        what: "panic",
        message: lane.memberCount === 1
          ? `The only address of ${host.text} is not good. It is used all the same.`
          : `${good} of the ${lane.usedCount} addresses of ${host.text} ${
            good === 1 ? "is" : "are"
          } good. With so few, the others are used too.`,
        advice: "Find out why they failed: stats() has the last verdict on each address.",
      });
    }
  }

  #findToldLater({ host, lane }: HostQueue, add: Add): void {
    const told = this.#parts.rests.allTold(lane);
    if (!told) return;
    const { since, statuses, until } = told;
    add({
      severity: "warning",
      what: "allToldLater",
      host: host.text,
      message:
        `All machines of ${host.text} say to come back later (${statuses.join(", ")}): the last `
        + `one ${showMs(this.#now - since)} ago. The first may be asked again in `
        + `${showMs(until - this.#now)}.`,
      advice: "Send fewer requests, or let them wait: retryAfter: \"wait\".",
    }, `${since}`);
  }

  #findFull({ host, lane, waiters }: HostQueue, add: Add): void {
    const { health } = this.#parts;
    for (const endpoint of lane.endpoints.values()) {
      const ceiling = health.ceilingOf(endpoint);
      if (ceiling === null || !endpoint.member) continue;
      const { text: address } = endpoint.address;
      add({
        severity: waiters.size > 0 ? "warning" : "info",
        what: "full",
        host: host.text,
        address,
        message: `${address} accepts no more than ${counted(ceiling)}: it serves these, and turned `
          + "another one away. The pool stays at that number, and tries one more now and then.",
        advice:
          "Raise what its server takes, give the host more machines, or let fewer programs use "
          + "it. If that number is right, set it as maxConnectionsPerIp.",
      });
    }
  }

  #findStreams({ host, lane, waiters }: HostQueue, add: Add): void {
    const waitedMs = this.#now - waiters.since;
    if (waitedMs < STARVING_MS) return;
    for (const endpoint of lane.endpoints.values()) {
      const { address: { text: address }, connections, member, multiplexed, slots } = endpoint;
      if (!member || multiplexed === 0) continue;
      let usable = 0;
      let taken = 0;
      for (const connection of connections) {
        if (!connection.multiplexed || !connection.healthy || connection.state === "draining") {
          continue;
        }
        usable++;
        taken += connection.leases;
      }
      if (usable === 0 || taken < slots) continue;
      const on = usable === 1 ? "its one connection" : `its ${usable} connections`;
      add({
        severity: "warning",
        what: "streamsTaken",
        host: host.text,
        address,
        message: (slots === 0
          ? `${address} allows no HTTP/2 stream for now on ${on}`
          : `All ${slots} HTTP/2 streams that ${address} allows on ${on} are taken`)
          + `, and ${waiters.size} wait for ${host.text}, the first for `
          + `${showMs(waitedMs)}.`,
        advice:
          "Let its server allow more streams at once (SETTINGS_MAX_CONCURRENT_STREAMS), raise the "
          + "limits on connections, give the host more machines, or make requests shorter.",
      });
    }
  }

  #findStorm(add: Add): void {
    const { evidence, figures } = this.#parts;
    const storm = evidence.dials.storm(this.#scene(), figures.dialing);
    if (!storm) return;
    const { dials, host, leases } = storm;
    add({
      severity: "warning",
      what: "dialStorm",
      host,
      message: `Within 10 s there were ${dials} dials and ${leases} leases, and hardly more `
        + `connections than before; most dials were to ${host}.`,
      advice:
        "Find out why connections end before they serve: refused handshakes, or a server that "
        + "closes at once. stats() counts dial errors, and why connections were closed.",
    });
  }

  #findFlapping(add: Add): void {
    const { ejections } = this.#parts.evidence;
    const from = this.#now - FLAPPING.withinMs;
    for (const [key, { address, host, times }] of ejections) {
      while (times.length > 0 && times[0]! <= from) times.shift();
      if (times.length === 0) ejections.delete(key);
      if (times.length < FLAPPING.ejections) continue;
      add({
        severity: "warning",
        what: "flapping",
        host,
        address,
        message: `${address} was ejected from ${host} ${times.length} times within 10 minutes.`,
        advice: "Check the machine, or block its address until it is well.",
      });
    }
  }
}

type Add = (finding: Finding, occurrence?: string) => void;
