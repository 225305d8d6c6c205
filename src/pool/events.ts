/**
 * What a pool tells while it works.
 *
 * @module
 */

import type { FleetEvent } from "../fleet/fleet.ts";
import type { Block } from "../hosts/block_list.ts";
import type { ToldLater } from "../hosts/rests.ts";
import type { EvictReason } from "../map/manager.ts";
import type { Finding } from "./watch/findings.ts";
import type { CheckKind } from "./watch/health_check.ts";

/** Which connection an event is about. */
export interface ConnectionEvent {
  /** The host, in canonical text. */
  readonly host: string;
  /** The address, in canonical text. */
  readonly address: string;
  /** The connection's number. */
  readonly connectionId: number;
}

/** The events of a pool, by name. */
export interface PoolEvents {
  /** A dial begins. */
  dial: { readonly host: string; readonly address: string };
  /** A dial has become a connection. */
  ready: ConnectionEvent & { readonly tcpMs: number; readonly tlsMs: number };
  /** A dial has failed. */
  dialError: { readonly host: string; readonly address: string; readonly error: unknown };
  /** A caller has to wait. */
  waiting: { readonly host: string; readonly waiters: number };
  /** A host that is being warmed has so many connections by now, of so many that are wanted. */
  warm: { readonly host: string; readonly done: number; readonly total: number };
  /** A lease begins. `reused` tells whether the connection had one before. */
  lease: ConnectionEvent & { readonly waitedMs: number; readonly reused: boolean };
  /** A lease ends. `kept` tells whether the connection may have another one. */
  release: ConnectionEvent & { readonly heldMs: number; readonly kept: boolean };
  /** A connection has left the maps. */
  evict: ConnectionEvent & { readonly reason: EvictReason; readonly error?: Error };
  /** The resolver gives a host other addresses than before. */
  addresses: {
    readonly host: string;
    readonly added: readonly string[];
    readonly removed: readonly string[];
  };
  /** An address of a host has failed too often: it is left alone for a while. */
  eject: {
    readonly host: string;
    readonly address: string;
    readonly reason: string;
    readonly forMs: number;
  };
  /** An address that was ejected has done well: it is back, with little load at first. */
  readmit: { readonly host: string; readonly address: string };
  /**
   * A machine has answered 429 or 503 with a `Retry-After`, or with a later one than before.
   * `restsUntil` tells until when callers go elsewhere, if they do.
   */
  toldLater: { readonly host: string; readonly address: string } & ToldLater;
  /** A machine that was left alone because of that has callers again, few of them at first. */
  rested: { readonly host: string; readonly address: string };
  /** A machine takes so many connections, and no more: it is held to that, and tried now and then. */
  ceiling: { readonly address: string; readonly connections: number };
  /** A check has a verdict on an address of a host; see `healthCheck`. */
  check: {
    readonly host: string;
    readonly address: string;
    readonly kind: CheckKind;
    readonly ok: boolean;
    readonly reason: string;
    readonly ms: number;
  };
  /** An IP address, or one port of it, is blocked. */
  block: Block;
  /** A block has ended. */
  unblock: { readonly ip: string };
  /** The fleet's store answers again, or answers no more: then the pool goes on alone. */
  fleet: FleetEvent;
  /** A response whose body nobody read, dumped or cancelled loses its connection. */
  leak: ConnectionEvent & { readonly url: string };
  /** A lease has not ended for long: see `ConnectionPool.diagnose()`, as for those that follow. */
  leaseHeld: Finding;
  /** A lock of the pool's has been held for long. */
  lockHeld: Finding;
  /** Callers wait for a host, and a limit stands in the way. */
  starving: Finding;
  /** A machine takes no more connections than it has. */
  full: Finding;
  /** Callers wait, and all streams of a machine that its server allows are taken. */
  streamsTaken: Finding;
  /** Far more is dialled than is used. */
  dialStorm: Finding;
  /** An address is ejected and readmitted time and again. */
  flapping: Finding;
  /** All machines of a host say to come back later. */
  allToldLater: Finding;
  /** Fewer than half of a host's addresses are good. */
  panic: Finding;
  /** The resolver fails for a host. */
  resolverFailing: Finding;
  /** None of a host's addresses may be used. */
  allDenied: Finding;
  /** Some of what the resolver gave for a host cannot be dialled, and was left out. */
  addressesLeftOut: Finding;
  /** The fleet's store does not answer. */
  fleetAlone: Finding;
  /** There are entries in the fleet's store that are none of this version's. */
  fleetForeign: Finding;
  /** The environment names a proxy, and nobody said whether it is to be used. */
  proxyUnused: Finding;
  /** The pool is closed, and everything in it. */
  closed: { readonly graceMs: number };
}

/** The events that there are: those that come with each use of a connection are frequent. */
export const POOL_EVENTS: { readonly [Type in keyof PoolEvents]: "usual" | "frequent" } = {
  dial: "usual",
  ready: "usual",
  dialError: "usual",
  waiting: "frequent",
  warm: "usual",
  lease: "frequent",
  release: "frequent",
  check: "frequent",
  evict: "usual",
  addresses: "usual",
  eject: "usual",
  readmit: "usual",
  toldLater: "usual",
  rested: "usual",
  ceiling: "usual",
  block: "usual",
  unblock: "usual",
  fleet: "usual",
  leak: "usual",
  leaseHeld: "usual",
  lockHeld: "usual",
  starving: "usual",
  full: "usual",
  streamsTaken: "usual",
  dialStorm: "usual",
  flapping: "usual",
  allToldLater: "usual",
  panic: "usual",
  resolverFailing: "usual",
  allDenied: "usual",
  addressesLeftOut: "usual",
  fleetAlone: "usual",
  fleetForeign: "usual",
  proxyUnused: "usual",
  closed: "usual",
};
