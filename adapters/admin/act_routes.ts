/**
 * The admin router's routes that act. Every attempt is in the audit trail.
 *
 * @module
 */

import type { Context } from "hono";
import { type Action, ACTIONS, answerSchema } from "./actions.ts";
import type { AuditEntry } from "./options.ts";
import { readQuery } from "./query.ts";
import { mistake, Refusal, refusalOf } from "./refusal.ts";
import { replyJson } from "./replies.ts";
import type { AdminRequest, Route } from "./routes.ts";
import { readBody } from "./schema.ts";
import type { AdminState } from "./state.ts";

/** The routes that act. */
export function actRoutes(): Route[] {
  return ACTIONS.map((action) => ({
    method: "POST",
    path: `/api/pools/:pool/actions/${action.name}`,
    right: "act",
    summary: action.summary,
    body: action.body,
    answer: { type: "application/json", schema: answerSchema(action) },
    refusals: [404, 408, 409, 413, 415],
    serve: (request) => serve(action, request),
  }));
}

/** Notes a denied attempt; `who` is empty if unknown. */
export function tellDenied(route: Route, state: AdminState, c: Context, who: string): void {
  state.tell({
    at: state.options.clock.wallNow(),
    who,
    pool: c.req.param("pool") ?? "",
    action: route.path.slice(route.path.lastIndexOf("/") + 1),
    target: "",
    outcome: "denied",
    message: null,
  });
}

async function serve(action: Action, { access, c, state }: AdminRequest): Promise<Response> {
  const { clock } = state.options;
  const name = c.req.param("pool") ?? "";
  let target = "";
  const tell = (outcome: AuditEntry["outcome"], message: string | null = null) =>
    state.tell({
      at: clock.wallNow(),
      who: access.who,
      pool: name,
      action: action.name,
      target,
      outcome,
      message,
    });
  let answer: object;
  try {
    const { pool } = state.pool(name);
    readQuery(c.req.url, []);
    const body = await readBody(c.req.raw, action.body, clock);
    target = action.target(body);
    const running = action.run(pool, body, clock);
    answer = running instanceof Promise ? await running : running;
  } catch (error) {
    const said = mistake(error);
    const refusal = refusalOf(said);
    const expected = said instanceof Refusal || refusal.status !== 500;
    tell(expected ? "refused" : "failed", refusal.message);
    throw refusal;
  }
  tell("done" in answer && answer.done === false ? "begun" : "done");
  return replyJson({ ok: true, ...answer });
}
