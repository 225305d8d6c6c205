/**
 * The admin router beside the demo, behind this runtime's own server.
 *
 * @module
 */

import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { adminRouter } from "../../adapters/hono.ts";
import { type ConnectionPool, detectRuntime } from "../../mod.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

/** A router that is served. */
export interface AdminServer {
  /** The link that opens its page, to look and to act. */
  readonly url: string;
  /** Ends its event streams, and the server. */
  close(): Promise<void>;
}

/** What of the runtimes is used, so that the types of others do not matter. */
interface Runtimes {
  readonly Deno: {
    serve(options: object, handler: Fetch): {
      readonly addr: { readonly port: number };
      shutdown(): Promise<void>;
    };
  };
  readonly Bun: {
    serve(options: object): { readonly port: number; stop(closeActive: boolean): Promise<void> };
  };
}

/**
 * Serves the router on a free port of this machine. Its path cannot be guessed, and is new each time:
 * whoever has the link needs no token, and nobody else finds the page. A program that stays up asks
 * for tokens instead, as `examples/admin/` does.
 */
export async function serveAdmin(pool: ConnectionPool): Promise<AdminServer> {
  const path = `/${crypto.randomUUID()}`;
  const ending = new AbortController();
  const app = new Hono();
  app.route(path, adminRouter(pool, { insecure: true, signal: ending.signal }));
  const { port, stop } = await listen((request) => app.fetch(request));
  return {
    url: `http://127.0.0.1:${port}${path}/`,
    async close() {
      ending.abort();
      await stop();
    },
  };
}

async function listen(
  fetch: Fetch,
): Promise<{ readonly port: number; stop(): Promise<unknown> }> {
  const { Bun, Deno } = globalThis as unknown as Runtimes;
  const place = { hostname: "127.0.0.1", port: 0 };
  switch (detectRuntime()) {
    case "deno": {
      const server = Deno.serve({ ...place, onListen: () => {} }, fetch);
      return { port: server.addr.port, stop: () => server.shutdown() };
    }
    case "bun": {
      // In seconds: more than the 15 for which an event stream may be silent.
      const server = Bun.serve({ ...place, idleTimeout: 30, fetch });
      return { port: server.port, stop: () => server.stop(true) };
    }
    case "node": {
      let tell = (_port: number) => {};
      const listening = new Promise<number>((resolve) => tell = resolve);
      const server = serve({ ...place, fetch }, ({ port }) => tell(port));
      return {
        port: await listening,
        stop: () =>
          new Promise((resolve) => {
            server.close(resolve);
            if ("closeAllConnections" in server) server.closeAllConnections();
          }),
      };
    }
  }
}
