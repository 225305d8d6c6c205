/**
 * Which machines have failed one request, so that it goes to others.
 *
 * @module
 */

import { ipOf, withItsPort } from "../core/address.ts";
import { type AddressFailure, HostUnavailableError } from "../core/errors.ts";

/** The machines that have failed a request. */
export class Failover {
  readonly #failures = new Map<string, AddressFailure>();

  /** Notes that a machine has failed the request. */
  avoid(address: string, error: unknown): void {
    this.#failures.set(address, { address, error, retryAt: null });
  }

  /** The addresses that it must not go to: those that it excludes, and those that failed. */
  exclude(given: Iterable<string> = []): string[] {
    // Without its port, an address would stand for every port of the IP address.
    const failed = Array.from(
      this.#failures.keys(),
      (address) => withItsPort(address, ipOf(address)),
    );
    return [...given, ...failed];
  }

  /** The error if there was no other machine: the failures of all of them. */
  explain(reason: unknown): unknown {
    if (!(reason instanceof HostUnavailableError)) return reason;
    return new HostUnavailableError(reason.host, [...this.#failures.values(), ...reason.failures]);
  }
}
