/**
 * Reports what a pool does to its listeners, its figures and its diagnosis.
 *
 * @module
 */

import type { Address, Host } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { Events } from "../../core/events.ts";
import type { AddressChange } from "../../hosts/directory.ts";
import type { ToldLater } from "../../hosts/rests.ts";
import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { EvictReason } from "../../map/exits.ts";
import type { PoolEvents } from "../events.ts";
import type { Dial, HostQueue } from "../host/host_queue.ts";
import type { Lease } from "../lease/lease.ts";
import { Evidence } from "./evidence.ts";
import { PoolFigures } from "./figures.ts";

/** The one place where what happens becomes a figure, an event, or evidence. */
export class Reporter {
  /** The listeners. */
  readonly events: Events<PoolEvents> = new Events();
  /** What is counted and timed. */
  readonly figures: PoolFigures;
  /** What a diagnosis goes by. */
  readonly evidence: Evidence = new Evidence();
  readonly #clock: Clock;

  /** Makes one that has nothing to report yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.figures = new PoolFigures(clock.now());
  }

  /** The time, in milliseconds since 1970. */
  get now(): number {
    return this.#clock.now();
  }

  /** A caller has to wait. */
  waits({ host, waiters }: HostQueue): void {
    this.figures.waiting++;
    if (!this.events.wants("waiting")) return;
    this.events.emit("waiting", { host: host.text, waiters: waiters.size });
  }

  /** A lease begins; where it was acquired is remembered if that is known. */
  leased(lease: Lease, trace: Error | undefined): void {
    const { connection, reused, waitedMs } = lease;
    this.figures.acquired++;
    if (reused) this.figures.reused++;
    if (waitedMs > 0) this.figures.queue.record(waitedMs);
    if (trace) this.evidence.noteTrace(connection, trace);
    if (!this.events.wants("lease")) return;
    this.events.emit("lease", { ...idOf(connection), waitedMs, reused });
  }

  /** A lease has ended. */
  released(connection: Connection, heldMs: number, kept: boolean): void {
    this.figures.released++;
    if (!this.events.wants("release")) return;
    this.events.emit("release", { ...idOf(connection), heldMs, kept });
  }

  /** A dial begins. */
  dials({ endpoint: { address: { text } }, queue: { host } }: Dial, connections: number): void {
    const { acquired: leases } = this.figures;
    this.figures.dials++;
    this.figures.dialing++;
    this.evidence.dials.note(host.text, { connections, leases, now: this.#clock.now() });
    if (this.events.wants("dial")) this.events.emit("dial", { host: host.text, address: text });
  }

  /** A dial has failed. */
  dialFailed({ endpoint: { address: { text } }, queue: { host } }: Dial, error: unknown): void {
    this.figures.dialErrors++;
    if (!this.events.wants("dialError")) return;
    this.events.emit("dialError", { host: host.text, address: text, error });
  }

  /** A connection was dialled; to an address that a resolver told, or not. */
  opened(connection: Connection, resolved: boolean): void {
    const { tcpMs, tlsMs } = connection.socket.info;
    this.figures.noteDial(tcpMs, tlsMs, resolved);
    if (!this.events.wants("ready")) return;
    this.events.emit("ready", { ...idOf(connection), tcpMs, tlsMs });
  }

  /** A connection has left the maps. */
  evicted(connection: Connection, reason: EvictReason, error: Error | undefined): void {
    this.figures.noteEviction(reason);
    if (!this.events.wants("evict")) return;
    const openMs = this.#clock.now() - connection.createdAt;
    const event = { ...idOf(connection), reason, openMs };
    this.events.emit("evict", error ? { ...event, error } : event);
  }

  /** A host has other addresses. */
  addressesChanged({ text: host }: Host, { added, removed }: AddressChange): void {
    if (added.length + removed.length === 0 || !this.events.wants("addresses")) return;
    const texts = (addresses: readonly Address[]) => addresses.map(({ text }) => text);
    this.events.emit("addresses", { host, added: texts(added), removed: texts(removed) });
  }

  /** The resolver has failed for a host. */
  resolveFailed({ text }: Host): void {
    this.figures.noteResolveError(text);
  }

  /** An address takes this many connections, and was asked for more. */
  learned(address: string, connections: number): void {
    this.events.emit("ceiling", { address, connections });
  }

  /** An endpoint was ejected. */
  onEject({ address, lane }: Endpoint, reason: string, forMs: number): void {
    this.figures.noteEjection(lane.host);
    this.evidence.noteEjection(lane.host, address.text, this.#clock.now());
    this.events.emit("eject", { host: lane.host, address: address.text, reason, forMs });
  }

  /** A machine has said to come back later. */
  onToldLater({ address, lane }: Endpoint, told: ToldLater): void {
    this.events.emit("toldLater", { host: lane.host, address: address.text, ...told });
  }

  /** A machine that was left alone has callers again. */
  onRested({ address, lane }: Endpoint): void {
    this.events.emit("rested", { host: lane.host, address: address.text });
  }

  /** An ejected endpoint is back. */
  onReadmit({ address, lane }: Endpoint): void {
    this.events.emit("readmit", { host: lane.host, address: address.text });
  }
}

/** Which connection an event is about. */
function idOf({ address, host, id }: Connection) {
  return { host, address, connectionId: id };
}
