/**
 * A gateway on Hono: what comes in goes on to a host with several machines, over a pool that keeps
 * connections to them hot. Bodies stream both ways. `serve.ts` runs it.
 *
 * @module
 */

import { type Context, Hono } from "hono";
import { AcquireTimeoutError, type HttpPool, RequestError } from "../../mod.ts";

/** Options of a gateway. */
export interface GatewayOptions {
  /** The pool; the gateway does not close it. */
  readonly pool: HttpPool;
  /** The host to pass requests on to. A path here is put before the path of each request. */
  readonly upstream: URL;
  /** How long an answer may take, its body included, in milliseconds. */
  readonly timeoutMs: number;
}

/** Headers for a single hop (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Headers that the pool writes itself. */
const OWN = ["host", "content-length", "expect"];

/** Makes the gateway. */
export function gateway({ pool, timeoutMs, upstream }: GatewayOptions): Hono {
  const app = new Hono();
  app.all("*", async (c) => {
    const { body, method, signal } = c.req.raw;
    try {
      const response = await pool.request(targetOf(c, upstream), {
        method,
        headers: forwarded(c, upstream),
        body: method === "GET" || method === "HEAD" ? null : body,
        signal,
        timeoutMs,
      });
      const isBare = method === "HEAD" || [204, 205, 304].includes(response.status);
      if (isBare) await response.dump();
      return new Response(isBare ? null : response.body, {
        status: response.status,
        headers: endToEnd(response.headers.toHeaders()),
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const isLate = error instanceof AcquireTimeoutError
        || (error instanceof RequestError && error.failure === "timeout");
      console.error(error instanceof Error ? error.message : error);
      // Callers need not know what went wrong inside.
      return c.text(isLate ? "The upstream is late" : "The upstream is gone", isLate ? 504 : 502);
    }
  });
  return app;
}

/** Only path and query come from the caller: a path such as `//elsewhere/` must not become a host. */
function targetOf(c: Context, upstream: URL): URL {
  const { pathname, search } = new URL(c.req.url);
  const target = new URL(upstream);
  target.pathname = upstream.pathname.replace(/\/$/, "") + pathname;
  target.search = search;
  return target;
}

function forwarded(c: Context, upstream: URL): Headers {
  const headers = endToEnd(new Headers(c.req.raw.headers));
  for (const name of OWN) headers.delete(name);
  // The runtimes tell of the caller's address in their own ways; what callers say is not kept.
  headers.delete("x-forwarded-for");
  const { host, protocol } = new URL(c.req.url);
  headers.set("x-forwarded-host", host);
  headers.set("x-forwarded-proto", protocol.slice(0, -1));
  headers.set("via", `1.1 gateway-to-${upstream.hostname}`);
  return headers;
}

/** Takes away what `Connection` names, and what never goes on. */
function endToEnd(headers: Headers): Headers {
  const named = headers.get("connection")?.split(",") ?? [];
  for (const name of [...named.map((name) => name.trim()), ...HOP_BY_HOP]) {
    if (name !== "") headers.delete(name);
  }
  return headers;
}
