/**
 * The answers that are the dashboard's page and its files.
 *
 * @module
 */

import type { Context } from "hono";
import { dashboard, type DashboardFile, PAGE_POLICY } from "../dashboard/page.ts";
import { TOKEN_HEADER } from "./access.ts";
import type { CheckedOptions } from "./options.ts";
import { Refusal } from "./refusal.ts";
import { reply } from "./replies.ts";

/**
 * Returns the page. If its path ends without a slash, its files are named from one folder above: a
 * redirect might meet another one that removes the slash again. An open router's page asks for no
 * token.
 */
export async function servePage(c: Context, options: CheckedOptions): Promise<Response> {
  const { hasTokens, isOpen } = options;
  const { pathname } = new URL(c.req.url);
  const last = pathname.slice(pathname.lastIndexOf("/") + 1);
  const { page } = await dashboard();
  const text = page({
    root: last === "" ? "" : `./${last}/`,
    tokenHeader: hasTokens ? TOKEN_HEADER : "authorization",
    isOpen,
  });
  return reply(text, "text/html; charset=utf-8", {
    "content-security-policy": `${PAGE_POLICY}; frame-ancestors 'none'`,
  });
}

/**
 * Returns a file of the page, to be cached for ever: a changed file has another path.
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
