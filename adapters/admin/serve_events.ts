/**
 * The answer that is a stream of a pool's events.
 *
 * @module
 */

import type { Context } from "hono";
import { ALL_EVENTS, USUAL_EVENTS } from "./event_log.ts";
import { eventStream } from "./event_stream.ts";
import { readQuery, readWhole } from "./query.ts";
import { Refusal } from "./refusal.ts";
import { reply } from "./replies.ts";
import type { AdminState } from "./state.ts";

/**
 * Opens the stream that a request asks for.
 *
 * @throws {Refusal} There is no such pool, the query makes no sense, or too many follow the pool
 */
export function serveEvents(c: Context, state: AdminState): Response {
  const { events: log } = state.pool(c.req.param("pool") ?? "");
  const query = readQuery(c.req.url, ["events", "lastEventId"]);
  const types = new Set(query["events"]?.split(",") ?? USUAL_EVENTS);
  for (const type of types) {
    if (ALL_EVENTS.includes(type)) continue;
    throw new Refusal(400, `"events" must name some of ${ALL_EVENTS.join(", ")}`);
  }
  // The header is newer: a client that comes back repeats the query of its first time.
  const last = c.req.header("last-event-id") || query["lastEventId"];
  const after = last === undefined || last === ""
    ? undefined
    : readWhole("lastEventId", last, { fallback: 0, max: Number.MAX_SAFE_INTEGER });
  if (log.full) throw new Refusal(503, "As many follow this pool as may");
  const { clock } = state.options;
  // Nobody would read it, nor end it.
  const body = c.req.raw.method === "HEAD"
    ? null
    : eventStream({ log, clock, types, after });
  return reply(body, "text/event-stream; charset=utf-8", {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    // A middleware that makes a tag for an answer without one reads it to its end first.
    "etag": "W/\"events\"",
    "x-accel-buffering": "no",
  });
}
