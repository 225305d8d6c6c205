/**
 * Serves the gateway of `app.ts`, on each runtime's own server.
 *
 *     deno run --allow-all examples/gateway/serve.ts https://api.example.com/
 *     bun run examples/gateway/serve.ts https://api.example.com/
 *     node --import tsx examples/gateway/serve.ts https://api.example.com/
 *
 * `PORT` (8080, 0 for any that is free) is where it listens, on 127.0.0.1; `WARM` (4) how many
 * connections it keeps hot; `TIMEOUT_MS` (30000) how long an answer may take. With `ADMIN_TOKEN`,
 * of 16 characters or more, the pool is shown at /gateway/admin/ to who has it. See also
 * `../surroundings.ts`. SIGTERM and SIGINT end it, once what is under way has ended.
 *
 * @module
 */

import { Hono } from "hono";
import process from "node:process";
import { adminRouter, type AuditEntry } from "../../adapters/hono.ts";
import { createPool, detectRuntime } from "../../mod.ts";
import { explain, surroundings } from "../surroundings.ts";
import { gateway } from "./app.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** A server that listens. */
interface Listening {
  readonly port: number;
  stop(): Promise<unknown>;
}

/** What of the runtimes is used, so that the types of the others do not matter. */
interface Servers {
  readonly Deno: {
    serve(options: { hostname: string; port: number; onListen: () => void }, handler: Handler): {
      readonly addr: { readonly port: number };
      shutdown(): Promise<void>;
    };
  };
  readonly Bun: {
    serve(options: { hostname: string; port: number; idleTimeout: number; fetch: Handler }): {
      readonly port: number;
      stop(): Promise<void>;
    };
  };
}

const hostname = "127.0.0.1";

async function listen(port: number, fetch: Handler): Promise<Listening> {
  const { Bun, Deno } = globalThis as unknown as Servers;
  switch (detectRuntime()) {
    case "deno": {
      const server = Deno.serve({ hostname, port, onListen: () => {} }, fetch);
      return { port: server.addr.port, stop: () => server.shutdown() };
    }
    case "bun": {
      // In seconds: more than the 15 for which an event stream may be silent.
      const server = Bun.serve({ hostname, port, idleTimeout: 30, fetch });
      return { port: server.port, stop: () => server.stop() };
    }
    case "node": {
      const { serve } = await import("@hono/node-server");
      return await new Promise((resolve) => {
        const server = serve({ hostname, port, fetch }, (address) => {
          const stop = () => new Promise((done) => server.close(done));
          resolve({ port: address.port, stop });
        });
      });
    }
  }
}

const [text] = process.argv.slice(2);
if (text === undefined) {
  explain(`Serves a gateway on 127.0.0.1, which passes requests on to a host with several machines.

  serve.ts URL    such as https://api.example.com/

PORT (8080), WARM (4), TIMEOUT_MS (30000), ADMIN_TOKEN: see the top of the file. CA_FILE and
ADDRESSES: see surroundings.ts.`);
}
const upstream = new URL(text);
const { ADMIN_TOKEN, PORT = "8080", TIMEOUT_MS = "30000", WARM = "4" } = process.env;
const pool = createPool({
  ...surroundings(),
  failoverStatuses: [502, 503],
  hosts: { [upstream.host]: { minIdle: Number(WARM) } },
});
// An upstream that is down keeps nobody from starting: it is tried again, and callers get a 502.
await pool.warm(upstream.host).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
});

const ending = new AbortController();
const app = new Hono();
// Whatever is the gateway's own stands here, before what goes on.
app.get("/gateway/health", (c) => c.json({ connections: pool.stats().connections }));
if (ADMIN_TOKEN) {
  const auth = { act: { name: "operator", token: ADMIN_TOKEN } };
  const audit = (entry: AuditEntry) => console.error(JSON.stringify(entry));
  app.route("/gateway/admin", adminRouter(pool, { auth, audit, signal: ending.signal }));
}
app.all("/gateway/*", (c) => c.notFound());
app.route("/", gateway({ pool, upstream, timeoutMs: Number(TIMEOUT_MS) }));

const server = await listen(Number(PORT), (request) => app.fetch(request));
console.log(`http://${hostname}:${server.port}/ leads to ${upstream.href}`);

const end = async () => {
  // Those who follow the pool's events would never go by themselves.
  ending.abort();
  await server.stop();
  await pool.close();
  process.exit();
};
process.once("SIGINT", end);
process.once("SIGTERM", end);
