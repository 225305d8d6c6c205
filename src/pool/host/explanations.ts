/**
 * The errors that callers and warm-ups get when there was no connection for them.
 *
 * @module
 */

import {
  AcquireTimeoutError,
  DialError,
  HostUnavailableError,
  ProxyError,
} from "../../core/errors.ts";
import type { Accountant } from "../../map/accountant.ts";
import type { HostQueue } from "./host_queue.ts";
import type { Waiter } from "./waiter.ts";

/** Says why a caller's time is over: what has failed, or what stands in the way. */
export function waitedTooLong(
  queue: HostQueue,
  waiter: Waiter,
  now: number,
  accountant: Accountant,
): Error {
  const waitedMs = Math.round(now - waiter.since);
  const failures = allFailed(queue, waiter, waitedMs);
  if (failures) return unavailable(queue, failures);
  const { maxConnections, maxConnectionsPerIp } = accountant.limits;
  const host = queue.host.text;
  const isUnresolved = !queue.toldAddresses && !waiter.filter?.pinned;
  const situation = (isUnresolved ? "the resolver has told no addresses yet; " : "")
    + `${accountant.ofHost(host)} connections open or being dialled, `
    + `${queue.waiters.size} more callers waiting; limits: ${maxConnectionsPerIp} an address, `
    + `${accountant.limitOf(host)} a host, ${maxConnections} in all`;
  const cause = [...waiter.failures.values()].at(-1);
  const options = cause === undefined ? undefined : { cause };
  return new AcquireTimeoutError(host, waitedMs, situation, options);
}

/**
 * How each address that a waiter accepts has failed, if all have failed or have not answered for so
 * long that nobody should count on them.
 */
function allFailed(
  queue: HostQueue,
  waiter: Waiter,
  waitedMs: number,
): ReadonlyMap<string, unknown> | undefined {
  if (waiter.mayBeServed(queue.lane)) return undefined;
  const failures = new Map<string, unknown>();
  for (const endpoint of waiter.candidates(queue.lane)) {
    const { text } = endpoint.address;
    const failure = waiter.failures.get(text) ?? endpoint.lastError
      ?? (endpoint.isSlow ? silent(queue, text, waitedMs) : undefined);
    if (failure === undefined) return undefined;
    failures.set(text, failure);
  }
  return failures.size > 0 ? failures : undefined;
}

/** Says of each address how it failed, and when it is tried again; or how the proxy did, if only it has. */
export function unavailable(
  { host, lane }: HostQueue,
  failures: ReadonlyMap<string, unknown>,
): HostUnavailableError | ProxyError {
  const errors = [...failures.values()];
  const last = errors.at(-1);
  if (last instanceof ProxyError && errors.every((error) => error instanceof ProxyError)) {
    return last;
  }
  return new HostUnavailableError(
    host.text,
    Array.from(failures, ([address, error]) => ({
      address,
      error,
      retryAt: lane.endpoints.get(address)?.dueAt || null,
    })),
  );
}

/** Makes the error of an address that has not answered for `ms` milliseconds. */
export function silent({ host }: HostQueue, address: string, ms: number, why = ""): DialError {
  return new DialError(
    { host: host.text, address, phase: "tcp", failure: "timeout" },
    `no connection within ${ms} ms${why}`,
  );
}
