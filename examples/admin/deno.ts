/**
 * The admin router behind `Deno.serve`.
 *
 *     deno run --allow-all examples/admin/deno.ts
 *
 * @module
 */

import { exampleApp } from "./app.ts";

/** What of Deno is used, so that the types of other runtimes do not matter. */
declare const Deno: {
  serve(
    options: {
      readonly hostname: string;
      readonly port: number;
      readonly onListen: (address: { readonly port: number }) => void;
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> };
};

const app = await exampleApp();
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: app.port,
  onListen: ({ port }) => app.announce(port),
}, app.fetch);
app.onEnd(() => server.shutdown());
