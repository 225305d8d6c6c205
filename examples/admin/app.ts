/**
 * A program with the admin router beside its own routes: what is the same on Deno, Bun and Node. So
 * that there is something to see, it asks machines of its own, which listen on loopback addresses.
 *
 * @module
 */

import { Hono } from "hono";
import process from "node:process";
import { adminRouter } from "../../adapters/hono.ts";
import { createPool, staticResolver } from "../../mod.ts";
import { drive } from "../demo/load.ts";
import { Stage } from "../demo/stage.ts";
import { Tally } from "../demo/tally.ts";

/** An app that is ready to be served. */
export interface ExampleApp {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** The port to listen on; 0 is any that is free. */
  readonly port: number;
  /** Says where the app is. */
  announce(port: number): void;
  /** Calls `stop` when somebody ends the program, once all event streams have ended. */
  onEnd(stop: () => Promise<unknown>): void;
}

/**
 * Makes the app. `HOTCONN_READ_TOKEN` and `HOTCONN_ACT_TOKEN` open its admin router; where they are
 * not set, new ones are made and shown.
 */
export async function exampleApp(): Promise<ExampleApp> {
  const { HOTCONN_ACT_TOKEN, HOTCONN_READ_TOKEN, PORT = "8080" } = process.env;
  const tokens = {
    read: HOTCONN_READ_TOKEN ?? crypto.randomUUID(),
    act: HOTCONN_ACT_TOKEN ?? crypto.randomUUID(),
  };
  const stage = await Stage.open();
  const pool = createPool({
    resolver: staticResolver(stage.hosts),
    tls: { ca: [stage.ca] },
  });
  const ending = new AbortController();
  const load = drive(
    pool,
    { hosts: Object.keys(stage.hosts), path: () => "/delay/20", perSecond: 20 },
    new Tally(),
    ending.signal,
  );
  const app = new Hono();
  app.get("/", (c) => c.text("The pool is shown at /admin/"));
  app.route(
    "/admin",
    adminRouter(pool, {
      auth: tokens,
      audit: (entry) => console.error(JSON.stringify(entry)),
      signal: ending.signal,
    }),
  );
  return {
    fetch: (request) => app.fetch(request),
    port: Number(PORT),
    announce(port) {
      console.log(`http://127.0.0.1:${port}/admin/`);
      if (!HOTCONN_READ_TOKEN) console.log(`A token that may look: ${tokens.read}`);
      if (!HOTCONN_ACT_TOKEN) console.log(`A token that may act: ${tokens.act}`);
    },
    onEnd(stop) {
      const end = async () => {
        ending.abort();
        await Promise.all([stop(), load]);
        await pool.close();
        await stage.close();
        console.log("Stopped, with nothing left open");
        process.exit();
      };
      process.once("SIGINT", end);
      process.once("SIGTERM", end);
    },
  };
}
