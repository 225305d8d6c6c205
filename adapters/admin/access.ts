/**
 * Who may do what with the admin router.
 *
 * @module
 */

import type { Context, MiddlewareHandler } from "hono";
import { checkNames, describe } from "../../src/core/check.ts";
import { Refusal } from "./refusal.ts";
import { strict } from "./replies.ts";

/** A Hono request, and the headers of its answer. */
export type AdminContext = Context;

/** A middleware of Hono. */
export type AdminMiddleware = MiddlewareHandler;

/** What a caller may do. */
export interface AdminAccess {
  /** Whether they may look. */
  readonly read: boolean;
  /** Whether they may act. Those who may act may also look. */
  readonly act: boolean;
  /** Their name, for the audit trail. */
  readonly who: string;
}

/** A token, with a name for the audit trail, if it has one. */
export type AdminToken = string | { readonly name: string; readonly token: string };

/** The tokens that open the router, each of 16 characters or more, as `openssl rand -hex 32` makes. */
export interface AdminTokens {
  /** Those who have one of these may look. */
  readonly read?: AdminToken | readonly AdminToken[];
  /** Those who have one of these may look, and act. */
  readonly act?: AdminToken | readonly AdminToken[];
}

/** Lets a request in, or refuses it. `serve` answers it for a caller with the given rights. */
export type Gate = (
  c: Context,
  serve: (access: AdminAccess) => Promise<Response>,
) => Promise<Response>;

const MIN_TOKEN_LENGTH = 16;

/**
 * The header for a token beside `Authorization`, which a proxy in front may use for itself. No page
 * of another origin can send it without being asked first.
 */
export const TOKEN_HEADER = "x-hotconn-token";

const granted = new WeakMap<Context, AdminAccess>();

/**
 * Says what the sender of a request may do. A middleware that is given to `adminRouter()` as `auth`
 * calls it before `next()`.
 *
 * @throws {TypeError} `who` is no text, or empty
 */
export function grantAccess(c: AdminContext, access: AdminAccess): void {
  const { act, read, who } = access;
  if (typeof who !== "string" || who === "") {
    throw new TypeError(`who must be a text that is not empty, got ${describe(who)}`);
  }
  granted.set(c, { act: act === true, read: act === true || read === true, who });
}

/**
 * Lets in everybody who asks for localhost or an IP address. Any other name may belong to a
 * stranger's page, whose owner made the name lead here so that the browser takes both for one site
 * (DNS rebinding).
 */
export const openGate: Gate = (c, serve) => {
  const { hostname } = new URL(c.req.url);
  const isOwn = /^(?:(?:.+\.)?localhost|[\d.]+|\[.*\])$/.test(hostname);
  if (isOwn) return serve({ read: true, act: true, who: "anyone" });
  throw new Refusal(
    403,
    "Open it by localhost or an IP address: under another name, insecure: true lets nobody in",
  );
};

/** Lets in callers that a middleware has granted access. */
export function middlewareGate(middleware: AdminMiddleware): Gate {
  return async (c, serve) => {
    let served = false;
    const answer = await middleware(c, async () => {
      served = true;
      const access = granted.get(c);
      if (!access) throw new Refusal(401, "Nobody has said who you are");
      c.res = await serve(access);
    });
    if (answer) return strict(answer);
    if (served) return strict(c.res);
    throw new Refusal(401, "Nobody has said who you are");
  };
}

interface KnownToken extends AdminAccess {
  readonly token: string;
}

/**
 * Lets in those who have a token.
 *
 * @throws {TypeError} There is no token, or one is no text that a header can carry
 * @throws {RangeError} A token is too short to be secret
 */
export function tokenGate(tokens: AdminTokens): Gate {
  const known = readTokens(tokens);
  let digests: Promise<readonly Uint8Array[]> | undefined;
  return async (c, serve) => {
    const token = presentedToken(c);
    digests ??= Promise.all(known.map(({ token }) => digest(token)));
    const access = find(known, await digests, await digest(token));
    if (!access) {
      throw new Refusal(401, "The token is not known", {
        "www-authenticate": "Bearer realm=\"hotconn\", error=\"invalid_token\"",
      });
    }
    return await serve(access);
  };
}

function readTokens(tokens: AdminTokens): KnownToken[] {
  checkNames("auth", tokens, ["read", "act"]);
  const known = (["read", "act"] as const).flatMap((right) => {
    const given = tokens[right] ?? [];
    const list = Array.isArray(given) ? given as readonly AdminToken[] : [given as AdminToken];
    return list.map((one, index) => {
      const { name = `${right} ${index + 1}`, token } = typeof one === "string"
        ? { token: one }
        : typeof one === "object" && one !== null
        ? one
        : { token: one };
      checkToken(`auth.${right}`, token);
      if (typeof name !== "string" || name === "") {
        throw new TypeError(`The name of a token of auth.${right} must be a text, not empty`);
      }
      return { token, read: true, act: right === "act", who: name };
    });
  });
  if (known.length === 0) throw new TypeError("auth must have a token in read or in act");
  return known;
}

function checkToken(place: string, token: unknown): asserts token is string {
  if (typeof token !== "string") {
    throw new TypeError(`A token of ${place} must be a text, got ${describe(token)}`);
  }
  if (token.length < MIN_TOKEN_LENGTH) {
    throw new RangeError(
      `A token of ${place} must have ${MIN_TOKEN_LENGTH} characters or more, got ${token.length}`,
    );
  }
  if (!/^[\w.~+/-]+=*$/.test(token)) {
    throw new TypeError(
      `A token of ${place} must be of letters, digits and -._~+/, with = at its end only`,
    );
  }
}

/** The token of a request: in its own header, or in `Authorization` (RFC 6750 section 2.1). */
function presentedToken(c: Context): string {
  const own = c.req.header(TOKEN_HEADER);
  const token = own === undefined
    ? /^Bearer +([\w.~+/-]+=*) *$/i.exec(c.req.header("authorization") ?? "")?.[1]
    : /^[\w.~+/-]+=*$/.exec(own)?.[0];
  if (token !== undefined) return token;
  throw new Refusal(401, "A token is needed: Authorization: Bearer <token>, or X-Hotconn-Token", {
    "www-authenticate": "Bearer realm=\"hotconn\"",
  });
}

async function digest(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

/** Compares every byte of every digest, so that the time reveals nothing about any. */
function find(
  known: readonly KnownToken[],
  digests: readonly Uint8Array[],
  presented: Uint8Array,
): AdminAccess | undefined {
  let found: AdminAccess | undefined;
  for (const [index, token] of known.entries()) {
    const own = digests[index] ?? new Uint8Array();
    let difference = own.length ^ presented.length;
    for (let at = 0; at < presented.length; at++) difference |= (own[at] ?? 0) ^ presented[at]!;
    // A token in both lists may act: those come last.
    if (difference === 0) found = token;
  }
  return found;
}
