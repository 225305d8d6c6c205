/**
 * What can be done with a pool through the admin router.
 *
 * @module
 */

import { addressKey, MAX_WEIGHT, parseHost } from "../../src/core/address.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { FleetMember } from "../../src/fleet/fleet.ts";
import type { ConnectionLimits } from "../../src/map/accountant.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { Refusal } from "./refusal.ts";
import type { Body, BodySchema, Field, Schema } from "./schema.ts";
import { list, nullable, object, ref } from "./schemas.ts";

/** Something that can be done. */
export interface Action {
  readonly name: string;
  readonly summary: string;
  readonly body: BodySchema;
  /** What the answer has in addition to `ok`. */
  readonly answer: { readonly [name: string]: Schema };
  /** What it is about, for the audit trail. */
  target(body: Body): string;
  /**
   * Does it, and returns the outcome. `done: false` if it goes on.
   *
   * @throws {TypeError | RangeError | HotconnError | Refusal} It makes no sense, or cannot be
   */
  run(pool: ConnectionPool, body: Body, clock: Clock): Promise<object> | object;
}

/** How long an answer waits for its action to end, in milliseconds. */
const PATIENCE_MS = 5_000;

const HOST: Field = text("A host name or an address literal, with a port where it is not 443", 300);
const IP: Field = text("An IP address, with a port where only that one is meant", 64);
const SCOPE: Field = {
  type: "string",
  description: "Whom it is for: this pool, or all pools of its fleet",
  minLength: 4,
  maxLength: 5,
  enum: ["pool", "fleet"],
  default: "pool",
};
const LIMIT: Field = whole("How many connections there may be", 1, 1_000_000);
const CENTURY_MS = 3_155_760_000_000;

const boolean = { type: "boolean" };
const count = { type: "integer", minimum: 0 };

/** Everything that can be done. */
export const ACTIONS: readonly Action[] = [
  {
    name: "warm",
    summary: "Keeps connections to a host open; 0 lets them go again",
    body: body({ host: HOST, connections: whole("How many to keep open", 0, 1_000_000) }),
    answer: {
      done: boolean,
      connections: nullable(count),
      failures: list(ref("AddressFailure")),
    },
    target: ({ host }) => nameOf(host),
    async run(pool, { connections, host }, clock) {
      const warming = pool.warm(`${host}`, { connections: Number(connections) });
      const result = await settled(warming, clock);
      return result
        ? { done: true, connections: result.connections, failures: result.failures }
        : { done: false, connections: null, failures: [] };
    },
  },
  {
    name: "drain",
    summary: "Ends every connection of a host or at an address, those in use with their lease",
    body: body({ target: HOST, scope: SCOPE }, ["target"]),
    answer: { done: boolean, connections: nullable(count) },
    target: ({ scope, target }) => nameOf(target) + scopeOf(scope),
    async run(pool, { scope, target }, clock) {
      if (scope === "fleet") {
        return { done: await fleetOf(pool).drain(`${target}`), connections: null };
      }
      const connections = await settled(pool.drain(`${target}`), clock);
      return { done: connections !== undefined, connections: connections ?? null };
    },
  },
  {
    name: "evict",
    summary: "Ends one connection at once",
    body: body({ id: whole("The connection's number", 1, Number.MAX_SAFE_INTEGER) }),
    answer: { connection: ref("Connection") },
    target: ({ id }) => `${id}`,
    run(pool, { id }) {
      const connection = pool.manager.getConnectionById(Number(id));
      if (!connection) throw new Refusal(404, `There is no connection ${id}`);
      const before = connection.stats();
      pool.manager.removeConnection(connection);
      return { connection: before };
    },
  },
  {
    name: "block",
    summary: "Lets an IP address, or one port of it, alone for a while",
    body: body(
      {
        ip: IP,
        forMs: whole(
          "For how many milliseconds; until it is unblocked, if left out",
          1,
          CENTURY_MS,
        ),
        reason: text("Why", 500),
        scope: SCOPE,
      },
      ["ip"],
    ),
    answer: { done: boolean, block: ref("Block") },
    target: ({ ip, scope }) => addressKey(`${ip}`) + scopeOf(scope),
    async run(pool, { forMs, ip, reason, scope }) {
      const options = {
        ...forMs !== undefined && { forMs: Number(forMs) },
        ...reason !== undefined && { reason: `${reason}` },
      };
      if (scope !== "fleet") return { done: true, block: pool.block(`${ip}`, options) };
      const done = await fleetOf(pool).block(`${ip}`, options);
      const key = addressKey(`${ip}`);
      return { done, block: pool.stats().blocks.find((block) => block.ip === key) };
    },
  },
  {
    name: "unblock",
    summary: "Ends a block before its time",
    body: body({ ip: IP, scope: SCOPE }, ["ip"]),
    answer: { done: boolean },
    target: ({ ip, scope }) => addressKey(`${ip}`) + scopeOf(scope),
    async run(pool, { ip, scope }) {
      if (scope === "fleet") return { done: await fleetOf(pool).unblock(`${ip}`) };
      if (!pool.unblock(`${ip}`)) throw new Refusal(404, `Nothing blocks ${addressKey(`${ip}`)}`);
      return { done: true };
    },
  },
  {
    name: "weight",
    summary: "Sets how much an IP address, or one port of it, is to bear, or takes that off",
    body: body(
      {
        ip: IP,
        weight: {
          type: "number",
          description: "Beside the other addresses of a host; taken off, if left out",
          minimum: 0,
          maximum: MAX_WEIGHT,
        },
        scope: SCOPE,
      },
      ["ip"],
    ),
    answer: { done: boolean, weight: nullable({ type: "number", minimum: 0 }) },
    target: ({ ip, scope, weight = "taken off" }) =>
      `${addressKey(`${ip}`)} ${weight}${scopeOf(scope)}`,
    async run(pool, { ip, scope, weight: asked }) {
      const weight = asked === undefined ? null : Number(asked);
      if (scope === "fleet") {
        return { done: await fleetOf(pool).setWeight(`${ip}`, weight), weight };
      }
      pool.setWeight(`${ip}`, weight);
      return { done: true, weight };
    },
  },
  {
    name: "limits",
    summary: "Sets how many connections there may be",
    body: {
      ...body(
        { maxConnections: LIMIT, maxConnectionsPerHost: LIMIT, maxConnectionsPerIp: LIMIT },
        [],
      ),
      minProperties: 1,
    },
    answer: { limits: ref("Limits") },
    target: (limits) => Object.entries(limits).map(([name, value]) => `${name}=${value}`).join(" "),
    run(pool, limits) {
      pool.setLimits(limits as Partial<ConnectionLimits>);
      return { limits: { ...pool.manager.accountant.limits } };
    },
  },
  {
    name: "close",
    summary: "Closes the pool, and everything in it; leases may go on for a while",
    body: body({}),
    answer: { done: boolean },
    target: () => "",
    run(pool) {
      // Its end ends the event streams: the audit entry must come first.
      pool.close().catch(() => {});
      return { done: false };
    },
  },
];

/** The result of a promise; undefined if it takes too long, and goes on in the background. */
async function settled<T>(promise: Promise<T>, clock: Clock): Promise<T | undefined> {
  let stop = () => {};
  const patience = new Promise<undefined>((resolve) => {
    const timer = clock.setTimer(() => resolve(undefined), PATIENCE_MS);
    stop = () => timer.cancel();
  });
  try {
    return await Promise.race([promise, patience]);
  } finally {
    stop();
    promise.catch(() => {});
  }
}

/** A pool's fleet. */
function fleetOf({ fleet }: ConnectionPool): FleetMember {
  if (!fleet) throw new Refusal(409, "The pool is in no fleet");
  return fleet;
}

function scopeOf(scope: unknown): string {
  return scope === "fleet" ? " for the fleet" : "";
}

function nameOf(host: unknown): string {
  return parseHost(`${host}`).text;
}

function text(description: string, maxLength: number): Field {
  return { type: "string", description, minLength: 1, maxLength };
}

function whole(description: string, minimum: number, maximum: number): Field {
  return { type: "integer", description, minimum, maximum };
}

function body(
  properties: { readonly [name: string]: Field },
  required: readonly string[] = Object.keys(properties),
): BodySchema {
  return { type: "object", properties, required, additionalProperties: false };
}

/** The schema of an action's answer. */
export function answerSchema({ answer }: Action): Schema {
  return object({ ok: { const: true }, ...answer });
}
