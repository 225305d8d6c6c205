/**
 * The admin router behind `Bun.serve`.
 *
 *     bun run examples/admin/bun.ts
 *
 * @module
 */

import { exampleApp } from "./app.ts";

/** What of Bun is used, so that the types of other runtimes do not matter. */
declare const Bun: {
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    readonly idleTimeout: number;
    readonly fetch: (request: Request) => Response | Promise<Response>;
  }): { readonly port: number; stop(): Promise<void> };
};

const app = await exampleApp();
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: app.port,
  // In seconds: more than the 15 for which an event stream may be silent.
  idleTimeout: 30,
  fetch: app.fetch,
});
app.announce(server.port);
app.onEnd(() => server.stop());
