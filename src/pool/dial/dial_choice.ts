/**
 * Decides where to dial: for a caller who waits, or ahead of need so that load can spread.
 *
 * @module
 */

import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import { type Accepts, pickFrom } from "../../map/picker.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Waiter } from "../host/waiter.ts";

/** What to do for a caller who needs a dial. */
export type DialChoice =
  /** This one is to be dialled. */
  | { readonly dial: Endpoint }
  /** These would do, the best one first, if there were room. */
  | { readonly crowded: readonly Endpoint[] }
  /** There is nothing to dial before a time, in the clock's milliseconds; or `Infinity`. */
  | { readonly waitUntil: number };

/** What the choice depends on. */
export interface ChoiceScene {
  readonly now: number;
  readonly random: () => number;
  /** Whether the limits let an endpoint have one more connection. */
  readonly hasRoom: (endpoint: Endpoint) => boolean;
  /** Whether a connection that the waiter would take is in use, and may be given back. */
  readonly mayComeBack: boolean;
}

/**
 * How long a machine is left alone after a failed dial even by callers with no other hope, in
 * milliseconds, so that many callers do not storm a host that is down.
 */
const REST_MS = 250;

/**
 * Chooses for a waiter: a good endpoint that it has not seen fail, by the host's balancer, of the
 * other IP version than the last one that failed it (RFC 8305 section 4). If there is none, one
 * that failed recently; the one that is due, or due next. Such a one has one dial at a time,
 * whose end all callers share.
 */
export function chooseDial(
  queue: HostQueue,
  waiter: Waiter<HostQueue>,
  scene: ChoiceScene,
): DialChoice {
  const { filter } = waiter;
  for (;;) {
    const choice = filter
      ? chooseAmong(filter.candidates(queue.lane), queue, waiter, scene)
      : chooseFreely(queue, waiter, scene);
    const isStuck = "waitUntil" in choice && queue.lane.memberCount > 0;
    if (!isStuck || !queue.widen(waiter)) return choice;
  }
}

function chooseFreely(queue: HostQueue, waiter: Waiter, scene: ChoiceScene): DialChoice {
  const { good } = queue.lane;
  const { hasRoom, now, random } = scene;
  const untried: Accepts = (endpoint) => isUntried(waiter, endpoint);
  const fits: Accepts = (endpoint) => untried(endpoint) && hasRoom(endpoint);
  const family = preferredFamily(queue, waiter);
  const dial = (family
    && pickFrom(
      good,
      now,
      random,
      (endpoint) => endpoint.address.family === family && fits(endpoint),
    ))
    || pickFrom(good, now, random, fits);
  if (dial) return { dial };
  return chooseAmong([...queue.lane.endpoints.values()].filter(isMember), queue, waiter, scene);
}

function chooseAmong(
  candidates: readonly Endpoint[],
  queue: HostQueue,
  waiter: Waiter,
  scene: ChoiceScene,
): DialChoice {
  const { hasRoom, mayComeBack, now, random } = scene;
  const untried = candidates.filter((endpoint) => isUntried(waiter, endpoint));
  // One of weight 0 is as good as any if no other has a weight.
  const isAlone = !candidates.some(({ chosen }) => chosen);
  const fits: Accepts = (endpoint) => isGood(endpoint) || (isAlone && isStandby(endpoint));
  const good = rotate(untried.filter(fits), random);
  const dial = good.find(hasRoom);
  if (dial) return { dial };
  if (good.length > 0 && !queue.lane.panic) return { crowded: good };
  // A second connection there would go unused as the first one does.
  const others = untried
    .filter((endpoint) => !fits(endpoint) && endpoint.dialing === 0 && !endpoint.ready)
    .sort((a, b) => a.dueAt - b.dueAt);
  // A recent failure is tried early only for those who have no other hope.
  const isDesperate = waiter.rounds === 0 && !mayComeBack;
  const dueAt = ({ dialFailedAt, dueAt, standing }: Endpoint) => {
    const restedAt = dialFailedAt + REST_MS;
    // Nobody notes when one that is gone is due: it has no other callers.
    if (standing === "gone") return restedAt;
    return isDesperate ? Math.min(dueAt, restedAt) : dueAt;
  };
  const usable = others.filter((endpoint) => dueAt(endpoint) <= now);
  const last = usable.find(hasRoom);
  if (last) return { dial: last };
  if (good.length + usable.length > 0) return { crowded: [...good, ...usable] };
  return { waitUntil: Math.min(Infinity, ...others.map(dueAt)) };
}

function isUntried(waiter: Waiter, endpoint: Endpoint): boolean {
  const { text } = endpoint.address;
  return waiter.accepts(text) && !waiter.failures.has(text) && !endpoint.isSlow;
}

function isMember({ member }: Endpoint): boolean {
  return member;
}

/** Callers who name an endpoint that is gone get it, as long as it works. */
function isGood({ chosen, failing, standing }: Endpoint): boolean {
  return chosen || (standing === "gone" && !failing);
}

/** Whether its weight of 0 is all that speaks against it. */
function isStandby({ resting, spare, standing }: Endpoint): boolean {
  return spare && standing === "good" && !resting;
}

/**
 * The IP version to try next: if dials have failed or hang, not that of the last one; for a host
 * without any connection, version 6.
 */
function preferredFamily({ dials, lane }: HostQueue, { failures }: Waiter): 4 | 6 | undefined {
  let last: string | undefined;
  for (const address of failures.keys()) last = address;
  for (const { endpoint, slow } of dials) if (slow) last = endpoint.address.text;
  const family = last === undefined ? undefined : lane.endpoints.get(last)?.address.family;
  if (family) return family === 6 ? 4 : 6;
  return lane.connectionCount === 0 && dials.size === 0 ? 6 : undefined;
}

function rotate<T>(items: readonly T[], random: () => number): readonly T[] {
  if (items.length < 2) return items;
  const start = Math.floor(random() * items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}

/**
 * The endpoint that lacks a connection most: one that has none, or fewer than its share while all of
 * them are in use; of several that which was chosen longest ago. Undefined if none lacks one.
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
  for (const endpoint of lane.good) {
    const { connections, dialing, lastChoice, ready } = endpoint;
    if (dialing > 0) continue;
    const isShort = !ready && connections.size < fairCount(endpoint);
    if (connections.size > 0 && !isShort) continue;
    if ((!next || lastChoice < next.lastChoice) && hasRoom(endpoint)) next = endpoint;
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
