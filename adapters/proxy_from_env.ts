/**
 * The proxies that the environment names.
 *
 * @module
 */

import type { ProxyRules } from "../src/pool/proxy/proxy_options.ts";
import { readProxies } from "../src/pool/proxy/proxy_options.ts";

/** The variables that name a proxy, by what they are for; the first that is set counts. */
const NAMES = {
  https: ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
  http: ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
  except: ["no_proxy", "NO_PROXY"],
} as const;

interface Globals {
  readonly Deno?: {
    readonly permissions: {
      querySync(
        of: { readonly name: "env"; readonly variable: string },
      ): { readonly state: string };
    };
  };
  readonly process?: { readonly env: { readonly [name: string]: string | undefined } };
}

/**
 * Reads which proxies the environment names, as curl does: `https_proxy`, `http_proxy`, `all_proxy`
 * and `no_proxy`, or the same in capitals if those are not set. One without a scheme is `http:`. A
 * web server may set `HTTP_PROXY` from a request's header field, so that is ignored if there is a
 * `REQUEST_METHOD`.
 *
 * If nothing is set, no proxy is used. On Deno it needs the permission `--allow-env` for these names.
 *
 * @throws {TypeError | RangeError} A variable is not valid. The error names it, but repeats no proxy
 *
 * @example
 * ```ts
 * import { createPool, proxyFromEnv } from "@hotconn/hotconn";
 *
 * await using pool = createPool({ proxy: proxyFromEnv() });
 * console.log(pool.stats().connections);
 * ```
 */
export function proxyFromEnv(): ProxyRules {
  const rules: { https?: string; http?: string; except?: readonly string[] } = {};
  for (const what of ["https", "http"] as const) {
    const [name, value] = firstSet(NAMES[what], valueOf) ?? [];
    if (name === undefined || value === undefined) continue;
    const url = value.includes("://") ? value : `http://${value}`;
    readProxies(name, url);
    rules[what] = url;
  }
  const [name, value] = firstSet(NAMES.except, valueOf) ?? [];
  if (name !== undefined && value !== undefined) {
    const except = value.split(/[\s,]+/).filter((text) => text !== "");
    readProxies(name, { except });
    rules.except = except;
  }
  return rules;
}

/**
 * The variable that names a proxy for `https:` URLs, if there is one and reading it needs no
 * permission prompt.
 */
export function namedProxy(): string | undefined {
  const { Deno } = globalThis as Globals;
  const mayRead = (variable: string) =>
    Deno === undefined
    || Deno.permissions.querySync({ name: "env", variable }).state === "granted";
  return firstSet(NAMES.https, (name) => mayRead(name) ? valueOf(name) : undefined)?.[0];
}

function firstSet(
  names: readonly string[],
  read: (name: string) => string | undefined,
): readonly [name: string, value: string] | undefined {
  for (const name of names) {
    const value = read(name)?.trim();
    if (value === undefined || value === "") continue;
    if (name === "HTTP_PROXY" && read("REQUEST_METHOD")) continue;
    return [name, value];
  }
  return undefined;
}

function valueOf(name: string): string | undefined {
  return (globalThis as Globals).process?.env[name];
}
