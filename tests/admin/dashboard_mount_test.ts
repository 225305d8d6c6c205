import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { adminRouter } from "../../adapters/hono.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { createPool, staticResolver } from "../../mod.ts";
import { testVisit } from "../support/dashboard_browser.ts";

const token = "a-token-that-may-act";
const pool = createPool({
  dialer: memoryDialer(),
  resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
});
const ending = new AbortController();
const router = adminRouter({ main: pool }, { auth: { act: token }, signal: ending.signal });

const app = new Hono();
app.use(secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'self'"] } }));
app.route("/admin", router);

testVisit(
  "the dashboard works in an app that has a content security policy of its own",
  { router: app, path: "/admin" },
  async ({ page }) => {
    try {
      await pool.warm("a.test", { connections: 1 });
      await page.getByRole("gridcell", { name: "a.test at 192.0.2.1: good" }).waitFor();
    } finally {
      ending.abort();
      await pool.close();
    }
  },
);
