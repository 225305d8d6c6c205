/**
 * Decides where to dial ahead of any caller, so that load can spread over all of a host's addresses.
 *
 * @module
 */

import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";

/**
 * The endpoint that lacks a connection most: one that has none, or fewer than its share while all of
 * them are in use; what is due for a trial first, so that no caller has to try it. Undefined where
 * none lacks one.
 *
 * @param hasRoom Whether the limits let an endpoint have one more connection
 */
export function nextToSpread(
  lane: Lane,
  now: number,
  hasRoom: (endpoint: Endpoint) => boolean,
): Endpoint | undefined {
  const fairCount = fairCounts(lane, now);
  let next: Endpoint | undefined;
  for (const endpoint of lane.endpoints.values()) {
    const { connections, dialing, dueAt, lastChoice, member, ready, standing, trialAt } = endpoint;
    if (!member || dialing > 0 || trialAt > now) continue;
    const isShort = standing === "good" && !ready && connections.size < fairCount(endpoint);
    if (connections.size > 0 && !isShort) continue;
    // What is due for a trial goes first, then what was chosen longest ago.
    const isBefore = !next || (dueAt > 0 && next.dueAt === 0)
      || (dueAt > 0 === next.dueAt > 0 && lastChoice < next.lastChoice);
    if (isBefore && hasRoom(endpoint)) next = endpoint;
  }
  return next;
}

/** How many of a host's connections each of its good endpoints would have by its weight. */
function fairCounts(lane: Lane, now: number): (endpoint: Endpoint) => number {
  let connectionCount = 0;
  let weights = 0;
  for (const { connections, weight } of lane.good) {
    connectionCount += connections.size;
    weights += weight;
  }
  return (endpoint) => connectionCount * endpoint.weight * endpoint.share(now) / weights;
}
