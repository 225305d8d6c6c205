/**
 * Sends webhooks to a host with several machines. Each event has an idempotency key, so it may be
 * sent again without being acted on twice. If a machine is gone, or answers 502 or 503, the event
 * goes to another one until its deadline. Reports what was tried for each event, and how it ended.
 *
 *     deno run --allow-all examples/webhook.ts https://hooks.example.com/in paid shipped
 *     bun run examples/webhook.ts https://hooks.example.com/in paid shipped
 *     node --import tsx examples/webhook.ts https://hooks.example.com/in paid shipped
 *
 * `DEADLINE_MS` (5000) is what each event has; see also `surroundings.ts`. Ends with 1 when an event
 * was not delivered.
 *
 * @module
 */

import process from "node:process";
import { createPool, type HttpPool, RequestError } from "../mod.ts";
import { explain, surroundings } from "./surroundings.ts";

/** How the delivery of an event ended. */
interface Report {
  readonly event: string;
  readonly key: string;
  readonly delivered: boolean;
  /** The last answer's status; null where there was none. */
  readonly status: number | null;
  /** Each machine that was tried, in order. */
  readonly tried: readonly string[];
  readonly ms: number;
  readonly error?: string;
  /** Whether it is for a person to find out if the receiver has it. */
  readonly maybeActedOn?: boolean;
}

/** Sends one event. Never rejects: what went wrong stands in the report. */
async function send(pool: HttpPool, url: string, event: string): Promise<Report> {
  const key = crypto.randomUUID();
  const tried: string[] = [];
  // One event is sent at a time, so whatever happens meanwhile happens to it.
  const stops = [
    pool.on("lease", ({ address }) => tried.push(address)),
    pool.on("dialError", ({ address }) => tried.push(`${address} (no connection)`)),
  ];
  const begunAt = performance.now();
  const base = () => ({ event, key, tried, ms: Math.round(performance.now() - begunAt) });
  try {
    const response = await pool.request(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify({ event, sentAt: new Date().toISOString() }),
      failoverStatuses: [502, 503],
      timeoutMs: Number(process.env["DEADLINE_MS"] ?? 5_000),
    });
    await response.dump();
    return { ...base(), delivered: response.ok, status: response.status };
  } catch (error) {
    return {
      ...base(),
      delivered: false,
      status: null,
      error: error instanceof Error ? error.message : String(error),
      maybeActedOn: error instanceof RequestError && error.maybeActedOn,
    };
  } finally {
    for (const stop of stops) stop();
  }
}

const [url, ...events] = process.argv.slice(2);
if (url === undefined || events.length === 0) {
  explain(`Sends events to a host with several machines, each with an idempotency key.

  webhook.ts URL EVENT…    such as https://hooks.example.com/in paid shipped

DEADLINE_MS (5000) is what each event has. CA_FILE and ADDRESSES: see surroundings.ts.
Ends with 1 when an event was not delivered.`);
}
await using pool = createPool({
  ...surroundings(),
  balancer: "roundRobin",
  connectTimeoutMs: 2_000,
});
for (const event of events) {
  const report = await send(pool, url, event);
  console.log(JSON.stringify(report));
  if (!report.delivered) process.exitCode = 1;
}
