/**
 * TLS sessions to resume, so that the next handshake with the same machine costs less.
 *
 * @module
 */

import type { DialTarget } from "../../src/core/dialer.ts";

/** So many sessions of one machine are kept, and machines of which there are any. */
const MAX_OF_ONE = 4;
const MAX_MACHINES = 1_024;

/** How long one is offered, in milliseconds: what its server showed then is not looked at again. */
const MAX_AGE_MS = 600_000;

interface Kept {
  readonly session: Uint8Array;
  readonly until: number;
}

/**
 * The sessions of one set of TLS options. One is offered to the host, the address and the server
 * name alone with which it was made, and once: so no other name is asked with it (CVE-2026-48934),
 * and nobody who watches can tell connections of one client by it (RFC 8446 appendix C.4).
 */
export class Sessions {
  readonly #kept = new Map<string, Kept[]>();

  /** Takes one out for a dial, the newest first. */
  take(target: DialTarget, now: number): Uint8Array | undefined {
    const key = keyOf(target);
    const kept = this.#kept.get(key);
    const newest = kept?.pop();
    if (kept?.length === 0 || (newest && newest.until <= now)) this.#kept.delete(key);
    return newest && newest.until > now ? newest.session : undefined;
  }

  /** Drops those of a host at an address, whatever name they were made with. */
  forget({ address, host }: Pick<DialTarget, "address" | "host">): void {
    const prefix = `${host} ${address} `;
    for (const key of this.#kept.keys()) if (key.startsWith(prefix)) this.#kept.delete(key);
  }

  /** Keeps one of a connection whose server was verified. */
  keep(target: DialTarget, session: Uint8Array, now: number): void {
    const key = keyOf(target);
    const kept = this.#kept.get(key) ?? [];
    // The machine that was heard of longest ago goes first.
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.push({ session, until: now + MAX_AGE_MS });
    if (kept.length > MAX_OF_ONE) kept.shift();
    if (this.#kept.size <= MAX_MACHINES) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}

function keyOf({ address, host, serverName }: DialTarget): string {
  return `${host} ${address} ${serverName}`;
}
