/**
 * The answers that are the dashboard's page and its files.
 *
 * @module
 */

import type { Context } from "hono";
import { dashboard, type DashboardFile, PAGE_POLICY } from "../dashboard/page.ts";
import { Refusal } from "./refusal.ts";
import { reply } from "./replies.ts";

/** Gives the page; or the way to it, where the path lacks its slash. */
export async function servePage(c: Context): Promise<Response> {
  const { pathname } = new URL(c.req.url);
  if (!pathname.endsWith("/")) {
    // Relative, as what the page asks for: a proxy may know it by another path.
    const location = `./${pathname.slice(pathname.lastIndexOf("/") + 1)}/`;
    return reply(null, "", { location }, 308);
  }
  const { page } = await dashboard();
  return reply(page, "text/html; charset=utf-8", {
    "content-security-policy": `${PAGE_POLICY}; frame-ancestors 'none'`,
  });
}

/**
 * Gives a file of the page, to be kept for ever: what is changed has another path.
 *
 * @throws {Refusal} It is asked for where another version of it was
 */
export async function serveFile(c: Context, { body, type }: DashboardFile): Promise<Response> {
  const { folder } = await dashboard();
  if (c.req.param("folder") !== folder) {
    throw new Refusal(404, "There is no such file any more: load the page again");
  }
  return reply(body, type, { "cache-control": "public, max-age=31536000, immutable" });
}
