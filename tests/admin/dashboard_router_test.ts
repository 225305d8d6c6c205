import { assertEquals, assertMatch } from "@std/assert";
import { Hono } from "hono";
import { adminRouter } from "../../adapters/hono.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { createPool, staticResolver } from "../../mod.ts";
import { testVisit } from "../support/dashboard_browser.ts";

const token = "a-token-that-may-act";
const pool = createPool({
  dialer: memoryDialer(),
  resolver: staticResolver({
    "a.test": ["192.0.2.1", "192.0.2.2"],
    "b.test": ["192.0.2.1", "2001:db8::1"],
  }),
});
const ending = new AbortController();
const app = new Hono().route(
  "/admin",
  adminRouter({ main: pool }, { auth: { act: token }, signal: ending.signal }),
);

testVisit(
  "the dashboard shows a pool through its router, and acts on it",
  { router: app, path: "/admin" },
  async ({ page }) => {
    try {
      await pool.warm("a.test", { connections: 4 });
      await pool.warm("b.test", { connections: 3 });
      await page.getByRole("gridcell", { name: "a.test at 192.0.2.1: good" }).waitFor();
      await page.getByRole("gridcell", { name: "b.test at 192.0.2.1: good" }).waitFor();
      await page.getByRole("gridcell", { name: "a.test at 192.0.2.1" }).click();
      await page.locator("#conns tr").first().waitFor();
      assertMatch(await page.locator("#conns-count").innerText(), /of 2$/);
      await page.getByRole("button", { name: "Block…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Reason").fill("A disk is full");
      await dialog.getByRole("button", { name: "Block", exact: true }).click();
      await page.getByRole("gridcell", { name: "a.test at 192.0.2.1: blocked" }).waitFor();
      await page.getByRole("gridcell", { name: "b.test at 192.0.2.1: blocked" }).waitFor();
      assertEquals(pool.stats().blocks.map(({ ip, reason }) => [ip, reason]), [[
        "192.0.2.1",
        "A disk is full",
      ]]);
      await page.locator("#log", { hasText: "block" }).waitFor();
      await page.getByLabel("Kind of event").selectOption("All");
      // The page opens another stream for these, and what comes before it is not told.
      const released = page.locator("#log", { hasText: "release" });
      while (!(await released.isVisible())) {
        (await pool.acquire("a.test")).release();
        await page.waitForTimeout(100);
      }
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Actions" }).click();
      await page.getByRole("button", { name: "Close the pool…" }).click();
      await dialog.getByLabel("Name of the pool").fill("main");
      await dialog.getByRole("button", { name: "Close the pool" }).click();
      await page.getByRole("button", { name: "The pool is closed" }).waitFor();
      await page.locator("#live-text", { hasText: "Closed" }).waitFor();
    } finally {
      ending.abort();
      await pool.close();
    }
  },
);

const open = new AbortController();
const openPool = createPool({
  dialer: memoryDialer(),
  resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
});

testVisit(
  "the dashboard of a router that lets everybody in asks for no token",
  { router: adminRouter(openPool, { insecure: true, signal: open.signal }), token: null },
  async ({ page }) => {
    try {
      await openPool.warm("a.test", { connections: 1 });
      await page.getByRole("gridcell", { name: "a.test at 192.0.2.1: good" }).waitFor();
    } finally {
      open.abort();
      await openPool.close();
    }
  },
);
