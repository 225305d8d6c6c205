/**
 * What a dialer is asked for, on behalf of a host.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { DialTarget } from "../../core/dialer.ts";
import type { HostQueue } from "../lease/queue.ts";

/** What is dialled for a host at an address. */
export function dialTarget({ host, tls }: HostQueue, address: Address): DialTarget {
  return {
    host: host.text,
    serverName: tls.options.serverName ?? host.name,
    address: address.text,
    ip: address.ip,
    port: address.port,
    tls: tls.options,
  };
}
