/**
 * TLS sessions to resume, so that the next handshake with the same machine costs less.
 *
 * @module
 */

import type { DialTarget } from "../../src/core/dialer.ts";

/**
 * How many sessions of a machine are kept at least. If more of its connections were open at once,
 * as many are kept, so that all of them can be resumed.
 */
const LEAST_OF_ONE = 4;

/** How many are kept in all: a few kilobytes each. */
const MOST_OF_ALL = 4_096;

/** How long one is offered, in milliseconds: its server's certificate is not checked again. */
const MAX_AGE_MS = 600_000;

interface Kept {
  readonly session: Uint8Array;
  readonly until: number;
}

/** The sessions of one host at one address, with one server name. */
export interface Machine {
  readonly key: string;
  /** The oldest first. */
  readonly kept: Kept[];
  /** How many connections are open, and how many were at the most. */
  open: number;
  mostOpen: number;
}

/**
 * The sessions of one set of TLS options. One is offered to the host, the address and the server
 * name alone with which it was made, and once: so no other name is asked with it (CVE-2026-48934),
 * and nobody who watches can tell connections of one client by it (RFC 8446 appendix C.4).
 */
export class Sessions {
  /** In the order in which they gave a session last. */
  readonly #machines = new Map<string, Machine>();
  #count = 0;

  /** Takes one for a dial, the newest first. */
  take(target: DialTarget, now: number): Uint8Array | undefined {
    const key = keyOf(target);
    const machine = this.#machines.get(key);
    const newest = machine?.kept.pop();
    if (!machine || !newest) return undefined;
    this.#count--;
    // The others are older.
    if (newest.until <= now) this.#drop(machine);
    this.#tidy(machine);
    return newest.until > now ? newest.session : undefined;
  }

  /** Drops those of a host at an address, whatever name they were made with. */
  forget({ address, host }: Pick<DialTarget, "address" | "host">): void {
    const prefix = `${host} ${address} `;
    for (const [key, machine] of this.#machines) {
      if (!key.startsWith(prefix)) continue;
      this.#drop(machine);
      this.#tidy(machine);
    }
  }

  /** Notes that a connection is open, whose server was verified, until `closed` is called. */
  opened(target: DialTarget): Machine {
    const machine = this.#machineOf(keyOf(target));
    machine.open++;
    machine.mostOpen = Math.max(machine.mostOpen, machine.open);
    return machine;
  }

  /** Notes that a connection is no longer open. */
  closed(machine: Machine): void {
    machine.open--;
    this.#tidy(machine);
  }

  /** Keeps a session of a connection whose server was verified. */
  keep(target: DialTarget, session: Uint8Array, now: number): void {
    this.keepOf(this.#machineOf(keyOf(target)), session, now);
  }

  /** The same, if the connection is open. */
  keepOf(machine: Machine, session: Uint8Array, now: number): void {
    this.#putLast(machine);
    const { kept } = machine;
    const most = Math.max(LEAST_OF_ONE, machine.mostOpen);
    kept.push({ session, until: now + MAX_AGE_MS });
    this.#count++;
    while (kept.length > most || kept[0]!.until <= now) this.#dropOldest(machine);
    if (this.#count > MOST_OF_ALL) this.#makeRoom();
  }

  #machineOf(key: string): Machine {
    let machine = this.#machines.get(key);
    if (!machine) {
      this.#machines.set(key, machine = { key, kept: [], open: 0, mostOpen: 0 });
    }
    return machine;
  }

  /** Drops a session of the machine whose last one is oldest. */
  #makeRoom(): void {
    for (const machine of this.#machines.values()) {
      if (machine.kept.length > 0) {
        this.#dropOldest(machine);
        this.#tidy(machine);
        return;
      }
      // It has none, so forget it.
      this.#putLast(machine);
    }
  }

  #putLast(machine: Machine): void {
    this.#machines.delete(machine.key);
    this.#machines.set(machine.key, machine);
  }

  #dropOldest(machine: Machine): void {
    machine.kept.shift();
    this.#count--;
  }

  #drop({ kept }: Machine): void {
    this.#count -= kept.length;
    kept.length = 0;
  }

  #tidy({ key, kept, open }: Machine): void {
    if (kept.length === 0 && open === 0) this.#machines.delete(key);
  }
}

function keyOf({ address, host, serverName }: DialTarget): string {
  return `${host} ${address} ${serverName}`;
}
