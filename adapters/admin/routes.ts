/**
 * The admin router's routes that look: each with its answer and its description.
 *
 * @module
 */

import type { Context } from "hono";
import { parseHost } from "../../src/core/address.ts";
import {
  METRICS_TEXT_TYPE,
  OPEN_METRICS_TYPE,
  openMetrics,
} from "../../src/metrics/open_metrics.ts";
import { FILES } from "../dashboard/page.ts";
import type { AdminAccess } from "./access.ts";
import {
  connectionPage,
  MAX_LIMIT,
  PAGE_PARAMETERS,
  SORT_KEYS,
  STATES,
} from "./connection_page.ts";
import { ALL_EVENTS } from "./event_log.ts";
import { byAddress } from "./figures.ts";
import { metricFormat } from "./metric_format.ts";
import { readQuery, readWhole } from "./query.ts";
import { asked, Refusal, type RefusalStatus } from "./refusal.ts";
import { reply, replyJson } from "./replies.ts";
import type { BodySchema, Schema } from "./schema.ts";
import { ref } from "./schemas.ts";
import { serveEvents } from "./serve_events.ts";
import { serveFile, servePage } from "./serve_page.ts";
import type { AdminState, ServedPool } from "./state.ts";

/** A request that is let in. */
export interface AdminRequest {
  readonly c: Context;
  readonly access: AdminAccess;
  readonly state: AdminState;
}

/** A parameter in a route's query. */
export interface QueryParameter {
  readonly name: string;
  readonly description: string;
  readonly schema: Schema;
}

/** A route. */
export interface Route {
  readonly method: "GET" | "POST";
  /** The path below the mount point, as Hono writes it. */
  readonly path: string;
  /** The right that it needs. */
  readonly right: "none" | "read" | "act";
  readonly summary: string;
  readonly query?: readonly QueryParameter[];
  readonly body?: BodySchema;
  /** The media type of the answer, and its schema where it is JSON. */
  readonly answer: { readonly type: string; readonly schema: Schema };
  /** Its refusals, besides those of all routes. */
  readonly refusals?: readonly RefusalStatus[];
  readonly serve: (request: AdminRequest) => Promise<Response> | Response;
}

const string: Schema = { type: "string" };
const json = (schema: Schema): Route["answer"] => ({ type: "application/json", schema });
const text = (type: string): Route["answer"] => ({ type, schema: string });
const whole = (minimum: number, maximum: number, fallback: number): Schema => ({
  type: "integer",
  minimum,
  maximum,
  default: fallback,
});
const oneOf = (words: readonly string[], fallback?: string): Schema => ({
  ...string,
  enum: words,
  ...fallback !== undefined && { default: fallback },
});

/** The routes that look; `document` gives the OpenAPI document of all routes. */
export function readRoutes(document: () => object): Route[] {
  return [
    {
      method: "GET",
      path: "/",
      right: "none",
      summary: "The dashboard: a page without data, which asks for them with a token",
      answer: text("text/html; charset=utf-8"),
      serve: ({ c, state }) => servePage(c, state.options),
    },
    ...FILES.map((file): Route => ({
      method: "GET",
      path: `/assets/:folder/${file.name}`,
      right: "none",
      summary: "A file of the dashboard's, in a folder that is named by what is in it",
      answer: text(file.type),
      refusals: [404],
      serve: ({ c }) => serveFile(c, file),
    })),
    {
      method: "GET",
      path: "/healthz",
      right: "none",
      summary: "Whether every required host has an address that does well",
      answer: json(ref("Health")),
      refusals: [503],
      serve: ({ state }) => {
        const status = state.isHealthy() ? "ok" : "unavailable";
        const body = JSON.stringify({ status });
        return reply(body, "application/json", {}, status === "ok" ? 200 : 503);
      },
    },
    {
      method: "GET",
      path: "/openapi.json",
      right: "read",
      summary: "This document",
      answer: json({ type: "object" }),
      serve: ({ c }) => ask(c) && replyJson(document()),
    },
    {
      method: "GET",
      path: "/metrics",
      right: "read",
      summary: "The figures of all pools as OpenMetrics text, or as the older text by Accept",
      answer: text(OPEN_METRICS_TYPE),
      serve: ({ c, state }) => {
        readQuery(c.req.url, []);
        const pools = Array.from(state.pools, ([name, { pool }]) => [name, pool] as const);
        const { metrics } = state.options;
        const format = metricFormat(c.req.header("accept") ?? "", metrics.format);
        const type = format === "text" ? METRICS_TEXT_TYPE : OPEN_METRICS_TYPE;
        const text = openMetrics(Object.fromEntries(pools), { ...metrics, format });
        return reply(text, type, { vary: "accept" });
      },
    },
    {
      method: "GET",
      path: "/api/pools",
      right: "read",
      summary: "The pools, and what you may do with them",
      answer: json(ref("Pools")),
      serve: ({ access, c, state }) => {
        readQuery(c.req.url, []);
        const pools = Array.from(state.pools.keys(), (name) => ({ name }));
        return replyJson({ pools, rights: access.act ? ["read", "act"] : ["read"] });
      },
    },
    {
      method: "GET",
      path: "/api/overview",
      right: "read",
      summary: "All pools at a glance: what is wrong, and what callers got in the last minute",
      answer: json(ref("Overview")),
      serve: ({ c, state }) => {
        readQuery(c.req.url, []);
        return replyJson({ pools: state.overview() });
      },
    },
    ofPool(
      "/stats",
      "The pool's figures, what is wrong, and what callers got in the last minute",
      ref("WatchedStats"),
      ({ watch }) => watch.look(),
    ),
    ofPool(
      "/options",
      "The options of the pool and of its hosts, without secrets, and which of them were set",
      ref("Options"),
      ({ pool }) => pool.options(),
    ),
    ofPool("/hosts", "The figures by host", ref("Hosts"), ({ pool }) => ({
      hosts: Object.entries(pool.stats().hosts).map(([host, stats]) => ({ host, ...stats })),
    })),
    ofPool("/hosts/:host", "The figures of one host", ref("NamedHostStats"), ({ pool }, { c }) => {
      const host = asked(() => parseHost(c.req.param("host") ?? "").text);
      const { hosts } = pool.stats();
      if (!Object.hasOwn(hosts, host)) throw new Refusal(404, "The pool knows no such host");
      return { host, ...hosts[host] };
    }),
    ofPool("/addresses", "The figures by address", ref("Addresses"), ({ pool }) => ({
      addresses: byAddress(pool.stats()),
    })),
    {
      ...ofPool(
        "/connections",
        "The connections, page by page",
        ref("ConnectionPage"),
        ({ pool }, { c }) => connectionPage(pool.manager, readQuery(c.req.url, PAGE_PARAMETERS)),
        PAGE_PARAMETERS,
      ),
      query: [
        { name: "host", description: "Of this host", schema: string },
        {
          name: "address",
          description: "To this address, or to all ports of this IP address",
          schema: string,
        },
        { name: "state", description: "In this state", schema: oneOf(STATES) },
        { name: "sort", description: "What they are sorted by", schema: oneOf(SORT_KEYS, "id") },
        { name: "order", description: "Which way", schema: oneOf(["asc", "desc"], "asc") },
        { name: "offset", description: "How many to skip", schema: whole(0, 100_000_000, 0) },
        { name: "limit", description: "How many to show", schema: whole(1, MAX_LIMIT, 100) },
      ],
    },
    ofPool("/connections/:id", "One connection", ref("Connection"), ({ pool }, { c }) => {
      const id = c.req.param("id") ?? "";
      const connection = /^[1-9]\d{0,15}$/.test(id)
        ? pool.manager.getConnectionById(Number(id))
        : undefined;
      if (!connection) throw new Refusal(404, "There is no such connection");
      return connection.stats();
    }),
    {
      ...ofPool("/events", "The pool's events as they come", string, () => ({})),
      query: [
        {
          name: "events",
          description: "Which events to tell, by name and with commas between. Without it all but "
            + `the most frequent. There are ${ALL_EVENTS.join(", ")}`,
          schema: string,
        },
        {
          name: "lastEventId",
          description: "Tells what came after this event; the header Last-Event-ID does the same",
          schema: { type: "integer", minimum: 0 },
        },
      ],
      answer: text("text/event-stream; charset=utf-8"),
      refusals: [404, 503],
      serve: ({ c, state }) => serveEvents(c, state),
    },
    {
      ...ofPool(
        "/history",
        "The figures of the last thirty minutes, of the pool or of one host",
        ref("History"),
        ({ history }, { c }) => {
          const { after, host } = readQuery(c.req.url, ["host", "after"]);
          const since = readWhole("after", after, { fallback: 0, max: Number.MAX_SAFE_INTEGER });
          return history.look(host && asked(() => parseHost(host).text), since);
        },
        ["host", "after"],
      ),
      query: [
        { name: "host", description: "Of this host", schema: string },
        {
          name: "after",
          description: "Only samples that were taken after this time, in milliseconds since 1970",
          schema: whole(0, Number.MAX_SAFE_INTEGER, 0),
        },
      ],
    },
    ofPool("/diagnose", "What is amiss, and what to do about it", ref("Findings"), ({ pool }) => ({
      findings: pool.diagnose(),
    })),
    ofPool("/fleet", "The pool's fleet, if it has one", ref("Fleet"), async ({ pool }) => ({
      fleet: await pool.fleet?.look() ?? null,
    })),
  ];
}

function ofPool(
  path: string,
  summary: string,
  schema: Schema,
  look: (served: ServedPool, request: AdminRequest) => object | Promise<object>,
  parameters: readonly string[] = [],
): Route {
  return {
    method: "GET",
    path: `/api/pools/:pool${path}`,
    right: "read",
    summary,
    answer: json(schema),
    refusals: [404],
    serve: async (request) => {
      const { c, state } = request;
      const served = state.pool(c.req.param("pool") ?? "");
      readQuery(c.req.url, parameters);
      return replyJson(await look(served, request));
    },
  };
}

/** Refuses a query on a route without parameters. */
function ask(c: Context): true {
  readQuery(c.req.url, []);
  return true;
}
