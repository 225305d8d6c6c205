/**
 * The events of a pool. `docs/events-and-findings.md` lists them for users.
 *
 * @module
 */

import type { FleetEvent } from "../fleet/fleet.ts";
import type { Block } from "../hosts/block_list.ts";
import type { ToldLater } from "../hosts/rests.ts";
import type { WeightChange } from "../hosts/weights.ts";
import type { EvictReason } from "../map/exits.ts";
import type { Finding } from "./watch/findings.ts";
import type { CheckKind } from "./watch/health_check.ts";

/** The connection that an event is about. */
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
  /** Called when a dial starts. */
  dial: { readonly host: string; readonly address: string };
  /** Called when a dial has become a connection. */
  ready: ConnectionEvent & { readonly tcpMs: number; readonly tlsMs: number };
  /** Called when a dial has failed. */
  dialError: { readonly host: string; readonly address: string; readonly error: unknown };
  /** Called when a caller has to wait. `waiters` counts everybody who waits for the host. */
  waiting: { readonly host: string; readonly waiters: number };
  /** Called as a host is warmed: it has `done` of `total` connections. */
  warm: { readonly host: string; readonly done: number; readonly total: number };
  /** Called when a lease starts. `reused` says whether the connection had one before. */
  lease: ConnectionEvent & { readonly waitedMs: number; readonly reused: boolean };
  /** Called when a lease ends. `kept` says whether the connection may have another one. */
  release: ConnectionEvent & { readonly heldMs: number; readonly kept: boolean };
  /** Called when a connection has left the maps. */
  evict: ConnectionEvent & {
    readonly reason: EvictReason;
    /** For how long it was open, in milliseconds. */
    readonly openMs: number;
    readonly error?: Error;
  };
  /** Called when the resolver gives a host other addresses than before. */
  addresses: {
    readonly host: string;
    readonly added: readonly string[];
    readonly removed: readonly string[];
  };
  /** Called when an address has failed too often, and is left alone for `forMs` milliseconds. */
  eject: {
    readonly host: string;
    readonly address: string;
    readonly reason: string;
    readonly forMs: number;
  };
  /** Called when an ejected address works again. It is back, with little load at first. */
  readmit: { readonly host: string; readonly address: string };
  /**
   * Called when a machine answers 429 or 503 with a `Retry-After`, or with a later one than before.
   * `restsUntil` says until when callers go elsewhere, if they do.
   */
  toldLater: { readonly host: string; readonly address: string } & ToldLater;
  /** Called when a machine that rested after a `Retry-After` has callers again, few at first. */
  rested: { readonly host: string; readonly address: string };
  /**
   * Called when a machine takes no more connections. The pool stays at that number, and tries one
   * more now and then.
   */
  ceiling: { readonly address: string; readonly connections: number };
  /** Called with each verdict of a health check; see `healthCheck`. */
  check: {
    readonly host: string;
    readonly address: string;
    readonly kind: CheckKind;
    readonly ok: boolean;
    readonly reason: string;
    readonly ms: number;
  };
  /** Called when an IP address, or one port of it, is blocked. */
  block: Block;
  /** Called when a block has ended. */
  unblock: { readonly ip: string };
  /** Called when the weight of an address is set by hand, or taken off again: then it is null. */
  weight: WeightChange;
  /**
   * Called when the fleet's store stops answering, and the pool goes on alone, or answers again.
   */
  fleet: FleetEvent;
  /**
   * Called when a response loses its connection because nobody read, dumped or cancelled its body.
   */
  leak: ConnectionEvent & { readonly url: string };
  /**
   * A lease has not ended for long. This and the next events are findings: see
   * `ConnectionPool.diagnose()`.
   */
  leaseHeld: Finding;
  /** A lock inside the pool has been held for long. */
  lockHeld: Finding;
  /** Callers wait for a host, and a limit is in the way. */
  starving: Finding;
  /** A machine takes no more connections than it has. */
  full: Finding;
  /** Callers wait, and a server's limit of HTTP/2 streams is reached. */
  streamsTaken: Finding;
  /** The pool dials far more than it uses. */
  dialStorm: Finding;
  /** An address is ejected and readmitted again and again. */
  flapping: Finding;
  /** All machines of a host say to come back later. */
  allToldLater: Finding;
  /** Fewer than half of a host's addresses are good. */
  panic: Finding;
  /** The resolver fails for a host. */
  resolverFailing: Finding;
  /** None of a host's addresses may be used. */
  allDenied: Finding;
  /** The resolver gave addresses that cannot be dialled; they were left out. */
  addressesLeftOut: Finding;
  /** The fleet's store does not answer. */
  fleetAlone: Finding;
  /** The fleet's store has entries that this version cannot read. */
  fleetForeign: Finding;
  /** Options of a host are for a port that nobody uses, while another port of it is used. */
  otherPort: Finding;
  /** The environment names a proxy, and the pool was not told whether to use it. */
  proxyUnused: Finding;
  /** Called when the pool and everything in it is closed. */
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
  weight: "usual",
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
  otherPort: "usual",
  proxyUnused: "usual",
  closed: "usual",
};
