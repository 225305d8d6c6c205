/**
 * What callers and warm-ups are told when nothing could be had.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import { AccessDeniedError, DialError, HostUnavailableError } from "../../core/errors.ts";
import type { Admission } from "../../hosts/admission.ts";
import type { HostQueue } from "../lease/queue.ts";

/** Says of each address how it failed, and when it is tried again. */
export function unavailable(
  { host, lane }: HostQueue,
  failures: ReadonlyMap<string, unknown>,
): HostUnavailableError {
  return new HostUnavailableError(
    host.text,
    Array.from(failures, ([address, error]) => ({
      address,
      error,
      retryAt: lane.endpoints.get(address)?.dueAt || null,
    })),
  );
}

/** Says why there is no address to use: the rule or block of each of these, if there are any. */
export function noneAdmitted(
  { host }: HostQueue,
  addresses: readonly Address[],
  admission: Admission,
): Error {
  if (addresses.length === 0) return new HostUnavailableError(host.text, []);
  const denied = addresses.map((address) => ({
    address: address.text,
    rule: admission.deniedBy(address) ?? "",
  }));
  return new AccessDeniedError(host.text, denied);
}

/** Says that an address has not answered for so many milliseconds. */
export function silent({ host }: HostQueue, address: string, ms: number, why = ""): DialError {
  return new DialError(
    { host: host.text, address, phase: "tcp", failure: "timeout" },
    `no connection within ${ms} ms${why}`,
  );
}
