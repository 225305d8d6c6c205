/**
 * Which addresses have failed of late, so that the others go first.
 *
 * @module
 */

import { DialError } from "../core/errors.ts";

interface Record {
  failures: number;
  retryAt: number;
}

/** The pause after a first failure, in milliseconds; it doubles with each further one. */
const FIRST_PAUSE_MS = 250;

/** The longest pause, in milliseconds. */
const MAX_PAUSE_MS = 30_000;

/**
 * Remembers failed dials. A failure below TLS counts against the address for every host; one of
 * TLS, or above, only against that host there.
 */
export class AddressHealth {
  readonly #records = new Map<string, Record>();

  /**
   * Notes a failed dial. One that fails while the pause after another goes on tells nothing new:
   * ten dials begun together and refused together are one failure.
   */
  failed(host: string, address: string, error: unknown, now: number): void {
    const key = error instanceof DialError && error.phase === "tls" ? at(host, address) : address;
    const earlier = this.#records.get(key);
    if (earlier && now < earlier.retryAt) return;
    const failures = (earlier?.failures ?? 0) + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS);
    this.#records.set(key, { failures, retryAt: now + pauseMs });
  }

  /** Notes a dial that succeeded: all is forgiven. */
  succeeded(host: string, address: string): void {
    this.#records.delete(address);
    this.#records.delete(at(host, address));
  }

  /** When an address is due again for a host after its failures; 0 where it has none. */
  retryAt(host: string, address: string): number {
    if (this.#records.size === 0) return 0;
    return Math.max(
      this.#records.get(address)?.retryAt ?? 0,
      this.#records.get(at(host, address))?.retryAt ?? 0,
    );
  }

  /** Forgets what is long past, so that it does not grow with every address ever seen. */
  forgetOld(now: number): void {
    for (const [key, { retryAt }] of this.#records) {
      if (now > retryAt + MAX_PAUSE_MS) this.#records.delete(key);
    }
  }
}

function at(host: string, address: string): string {
  return `${host} ${address}`;
}
