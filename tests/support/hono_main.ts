/**
 * A Hono app over HTTPS, in its own process.
 *
 * @module
 */

import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createServer } from "node:https";
import { readInput, sayReady } from "./node_program.ts";
import type { Credentials } from "./pki.ts";

const app = new Hono();
app.get("/things/:name", (c) => c.json({ name: c.req.param("name") }));
app.post("/things", async (c) => {
  return c.json({ got: await c.req.json(), type: c.req.header("content-type") ?? "" }, 201);
});
app.get("/missing", (c) => c.json({ error: "There is no such thing" }, 404));
app.get("/never", () => new Promise<Response>(() => {}));
let refusals = 0;
app.get("/busy", (c) => refusals++ % 2 === 0 ? c.text("Busy", 503) : c.text("Done"));

const { cert, key } = await readInput() as Credentials;
serve({
  fetch: app.fetch,
  createServer,
  serverOptions: { cert, key },
  hostname: "127.0.0.1",
  port: 0,
}, sayReady);
