/**
 * Makes room for a connection where limits leave none.
 *
 * @module
 */

import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "./queue.ts";
import type { Waiter } from "./waiter.ts";

/**
 * Ends idle connections that stand in the way of one to an endpoint, the coldest first. At the limit
 * of a host or an address only such as are of no use to the waiter.
 *
 * @returns Whether there is room now
 */
export function makeRoom(
  manager: ConnectionManager,
  queue: HostQueue,
  waiter: Waiter,
  { address }: Endpoint,
): boolean {
  const host = queue.host.text;
  for (;;) {
    const scope = manager.accountant.blockedBy(host, address.text);
    if (!scope) return true;
    let victim: Connection | undefined;
    if (scope === "total") victim = manager.coldestIdle();
    else {
      const rivals = scope === "ip"
        ? manager.getConnections(address.text)
        : manager.getConnectionsForHost(host);
      for (const rival of rivals) {
        const useless = rival.tlsProfile !== queue.tls.name || rival.host !== host
          || !waiter.accepts(rival.address);
        if (rival.state !== "idle" || !useless) continue;
        if (!victim || rival.lastUsedAt < victim.lastUsedAt) victim = rival;
      }
    }
    if (!victim) return false;
    manager.removeConnection(victim, "room");
  }
}
