/**
 * Where a redirect leads, and which parts of the request go there (Fetch standard, section 4.4).
 *
 * @module
 */

import { checkPort } from "./blocked_ports.ts";
import type { PooledResponse } from "./response.ts";

/** How many redirects one fetch follows. */
export const MAX_REDIRECTS = 20;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const NOT_ASCII = /[\x80-\xff]/g;

/** Fields that describe the body, and are dropped with it. */
export const BODY_HEADERS: readonly string[] = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
];

/** Fields that must not go to another origin. */
export const SECRET_HEADERS: readonly string[] = [
  "authorization",
  "cookie",
  "proxy-authorization",
];

/**
 * Where an answer from a URL leads; undefined if it is the last one.
 *
 * @throws {TypeError} It leads to what cannot be followed, or must not be
 */
export function readRedirect(
  { headers, status }: PooledResponse,
  from: URL,
  redirect: RequestRedirect,
): URL | undefined {
  if (!REDIRECTS.has(status)) return undefined;
  const locations = new Set(headers.getAll("location"));
  if (redirect === "error") {
    throw new TypeError(`Redirected with ${status}, and redirect is "error"`);
  }
  if (locations.size > 1) throw new TypeError("Redirected to several URLs at once");
  for (const location of locations) return locate(location, from);
  return undefined;
}

/** Whether a request goes on as a GET without a body. */
export function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return status <= 302 && method === "POST";
}

function locate(location: string, from: URL): URL {
  let url: URL;
  try {
    // Its characters are bytes. Escaped, they stay the same, whether UTF-8 or not.
    url = new URL(location.replace(NOT_ASCII, escapeByte), from);
  } catch (error) {
    throw new TypeError("Redirected to an invalid URL", { cause: error });
  }
  if (url.username || url.password) throw new TypeError("Redirected to a URL with credentials");
  checkPort(url);
  return url;
}

function escapeByte(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}
