/**
 * The admin router behind `@hono/node-server`.
 *
 *     node --import tsx examples/admin/node.ts
 *
 * @module
 */

import { serve } from "@hono/node-server";
import { exampleApp } from "./app.ts";

const app = await exampleApp();
const server = serve(
  { hostname: "127.0.0.1", port: app.port, fetch: app.fetch },
  ({ port }) => app.announce(port),
);
app.onEnd(() => new Promise((resolve) => server.close(resolve)));
