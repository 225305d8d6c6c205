import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import { secureHeaders } from "hono/secure-headers";
import { trimTrailingSlash } from "hono/trailing-slash";
import type { Page } from "playwright-core";
import { adminRouter } from "../../adapters/hono.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { type ConnectionPool, createPool, staticResolver } from "../../mod.ts";
import { testVisit, type VisitOptions } from "../support/dashboard_browser.ts";
import { CREDENTIALS, nginxFront, nginxProgram } from "../support/nginx_front.ts";

const token = "a-token-that-may-act";

/** Declares a visit of a router that is mounted in some way, where its page must be live. */
function testMounted(
  name: string,
  mount: (app: Hono, router: Hono) => void,
  options: Omit<VisitOptions, "router">,
  body: (page: Page, origin: string, pool: ConnectionPool) => Promise<void>,
): void {
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  const pool = createPool({ dialer: memoryDialer(), resolver });
  const ending = new AbortController();
  const app = new Hono();
  mount(app, adminRouter({ main: pool }, { auth: { act: token }, signal: ending.signal }));
  testVisit(name, { ...options, router: app }, async ({ origin, page }) => {
    try {
      await pool.warm("a.test", { connections: 1 });
      await body(page, origin, pool);
    } finally {
      ending.abort();
      await pool.close();
    }
  });
}

const isLive = async (page: Page) => {
  await page.getByRole("gridcell", { name: "a.test at 192.0.2.1: good" }).waitFor();
  await page.locator("#live-text", { hasText: "Live" }).waitFor();
};

testMounted(
  "the dashboard works behind the middlewares of an app, and wherever it is mounted",
  (app, router) => {
    app.use("/csp/*", secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'self'"] } }));
    app.use("/tagged/*", etag(), compress());
    app.use("/trimmed/*", trimTrailingSlash({ alwaysRedirect: true }));
    for (const path of ["/csp", "/tagged", "/trimmed"]) app.route(path, router);
    app.mount("/mounted", router.fetch);
  },
  { path: "/csp" },
  async (page, origin) => {
    for (const path of ["/csp/", "/tagged/", "/trimmed/", "/mounted/"]) {
      await page.goto(`${origin}${path}`);
      await isLive(page);
    }
  },
);

testMounted(
  "a page whose files cannot be loaded says what to do",
  (app, router) => void app.mount("/mounted", router.fetch),
  { path: "/mounted", token: null, mayComplain: true },
  async (page) => {
    await page.getByText("Add a slash to the end of the address.").waitFor();
  },
);

testMounted(
  "an API that is redirected is said to be, and gets no token there",
  (app, router) => {
    app.use("/admin/api/*", (c) => Promise.resolve(c.redirect("/elsewhere")));
    app.route("/admin", router);
  },
  { path: "/admin", token: null },
  async (page) => {
    await page.fill("#token", token);
    await page.click("#gate-go");
    await page.getByText("Something in front of the router redirects its API").waitFor();
    assertEquals(page.url().includes("elsewhere"), false);
  },
);

testMounted(
  "the dashboard works behind an nginx that wants a password and strips a prefix",
  (app, router) => void app.route("/admin", router),
  {
    path: "/ops/pools/",
    front: { start: nginxFront, credentials: CREDENTIALS },
    skip: nginxProgram === undefined && "nginx is not installed",
  },
  async (page, _origin, pool) => {
    await isLive(page);
    pool.block("192.0.2.1", { reason: "A disk is full" });
    await page.getByRole("gridcell", { name: "a.test at 192.0.2.1: blocked" }).waitFor();
  },
);
