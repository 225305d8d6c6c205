/**
 * The answer that is the dashboard's page.
 *
 * @module
 */

import type { Context } from "hono";
import { dashboardPage } from "../dashboard/page.ts";
import { reply } from "./replies.ts";

/** Gives the page, under a nonce of its own; or the way to it, where the path lacks its slash. */
export function servePage(c: Context): Response {
  const { pathname } = new URL(c.req.url);
  if (!pathname.endsWith("/")) {
    // Relative, as what the page asks for: a proxy may know it by another path.
    const location = `./${pathname.slice(pathname.lastIndexOf("/") + 1)}/`;
    return reply(null, "", { location }, 308);
  }
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
  return reply(dashboardPage(nonce), "text/html; charset=utf-8", {
    "content-security-policy":
      `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; `
      + "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
      + "frame-ancestors 'none'",
  });
}
