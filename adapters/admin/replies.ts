/**
 * The admin router's answers: what all of them have in their heads, and JSON without secrets.
 *
 * @module
 */

import { HotconnError } from "../../src/core/errors.ts";
import { type Refusal, refusalOf } from "./refusal.ts";

/** What every answer has in its head, refusals included. */
const STRICT: { readonly [name: string]: string } = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** The policy of everything but pages. */
const NO_CONTENT = "default-src 'none'; frame-ancestors 'none'";

/** Makes an answer. */
export function reply(
  body: string | ReadableStream<Uint8Array> | null,
  contentType: string,
  headers: { readonly [name: string]: string } = {},
  status = 200,
): Response {
  const type: { [name: string]: string } = body === null ? {} : { "content-type": contentType };
  return new Response(body, {
    status,
    headers: { "content-security-policy": NO_CONTENT, ...STRICT, ...type, ...headers },
  });
}

/** Makes an answer of plain data. */
export function replyJson(value: unknown): Response {
  return reply(toJson(value), "application/json");
}

/** Makes the answer that a refusal gets. */
function replyRefusal({ code, headers, message, status }: Refusal): Response {
  const body = JSON.stringify({ error: { code, message } });
  return reply(body, "application/json", headers, status);
}

/** Makes the answer that an error gets. One that brings its own answer, as Hono's do, gets that. */
export function replyError(error: unknown): Response {
  return error instanceof Error && "getResponse" in error && typeof error.getResponse === "function"
    ? strict(error.getResponse())
    : replyRefusal(refusalOf(error));
}

/** The answer of another middleware, made as strict as the router's own. */
export function strict(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(STRICT)) headers.set(name, value);
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", NO_CONTENT);
  const { body, status, statusText } = response;
  return new Response(body, { status, statusText, headers });
}

/**
 * Plain data as JSON. What is infinite is null; an error is its name, code and message; a URL is
 * without what may be secret in it: its query, and who asks.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (key, value: unknown) => {
    if (value instanceof Error) return describeError(value);
    return key === "url" && typeof value === "string" ? bareUrl(value) : value;
  });
}

function describeError(error: Error): object {
  const { message, name } = error;
  return error instanceof HotconnError ? { name, code: error.code, message } : { name, message };
}

function bareUrl(text: string): string {
  if (!URL.canParse(text)) return "";
  const { host, pathname, protocol } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}
