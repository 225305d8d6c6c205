/**
 * An app on Hono that shows its pool under its own path.
 *
 * @module
 */

import { Hono } from "hono";
import { createPool } from "hotconn";
import { adminRouter } from "hotconn/hono";
import process from "node:process";

const [url = "", ca = ""] = process.argv.slice(2);

await using pool = createPool({ tls: { ca: [ca] } });
const token = crypto.randomUUID();
const app = new Hono();
app.get("/", async (context) => {
  const { sni } = await (await pool.fetch(url)).json() as { readonly sni: string };
  return context.text(sni);
});
app.route("/admin", adminRouter(pool, { auth: { read: token } }));

const answer = await app.request("/");
console.log(answer.status, await answer.text());
const path = "/admin/api/pools/default/connections";
const headers = { authorization: `Bearer ${token}` };
const shown = await app.request(path, { headers });
const { total } = await shown.json() as { readonly total: number };
console.log(shown.status, total, (await app.request(path)).status);
