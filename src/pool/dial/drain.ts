/**
 * Drains a host or a machine, or what was dialled with other TLS options.
 *
 * @module
 */

import { parseHost } from "../../core/address.ts";
import type { TlsOptions } from "../../core/dialer.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueues } from "../host/host_queues.ts";
import { checkTls } from "../host/tls_profiles.ts";
import type { LeaseDesk } from "../lease/lease_desk.ts";
import type { Dials } from "./dials.ts";

/**
 * Ends every connection of a host, or at an address, those in use with their lease, and disowns the
 * dials to it. The host is no longer kept warm.
 *
 * @returns How many connections have ended, once all of them have
 * @throws {TypeError | RangeError} It is neither a host nor an address
 */
export async function drain(
  hostOrIp: string,
  manager: ConnectionManager,
  queues: HostQueues,
  dials: Dials,
): Promise<number> {
  const host = parseHost(hostOrIp);
  const concerns = (
    key: { readonly host: string; readonly address: string; readonly ip: string },
  ) =>
    key.host === host.text || key.address === host.text
    || (host.isLiteral && host.text === host.name && key.ip === host.name);
  const drained = [...manager.connections()].filter(concerns);
  for (const queue of queues) {
    if (queue.host.text === host.text) queue.warm.keep(0);
  }
  dials.disown(({ endpoint: { address }, queue }) =>
    concerns({ host: queue.host.text, address: address.text, ip: address.ip })
  );
  for (const connection of drained) manager.drain(connection);
  await Promise.all(drained.map(({ closed }) => closed));
  return drained.length;
}

/**
 * Replaces the TLS options of the pool, or of one host, and ends what was dialled with those before:
 * what is in use, with its lease. Hosts are kept as warm, and those who wait are served, with the new
 * options. For a host, null takes its own options away.
 *
 * @throws {ClosedError} The pool is closing, or closed
 * @throws {TypeError | RangeError | UnsupportedOptionError} The host or a TLS option is not valid, or
 * the dialer cannot use it
 */
export function replaceTls(
  tls: TlsOptions | null,
  host: string | undefined,
  manager: ConnectionManager,
  queues: HostQueues,
  desk: LeaseDesk,
  dials: Dials,
): void {
  // Without a host, null is not valid.
  if (tls !== null || host === undefined) dials.checkTls(checkTls("tls", tls as TlsOptions));
  for (const [queue, profile] of queues.setTls(tls, host)) {
    queue.replaced = true;
    if (queue.warm.isWanted) queue.warm.moveTo(queues.main(queue.host).warm);
    if (queue.waiters.size > 0) desk.move(queue, queues.get(queue.host, profile));
    dials.stop((dial) => dial.queue === queue);
    for (const { connections } of queue.lane.endpoints.values()) {
      for (const connection of [...connections]) manager.drain(connection);
    }
  }
}
