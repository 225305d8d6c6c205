/**
 * Refuses what cannot be sent, before a byte is written. Messages say which text and where in it,
 * and never repeat it: it may be a secret.
 *
 * @module
 */

import { describe } from "../core/check.ts";

/** A field to send. */
export type HeaderField = readonly [name: string, value: string];

const NOT_TOKEN = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/;
/** Characters up to 0xff are sent as one byte; beyond there is nothing to send them as. */
const NOT_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** Visible ASCII, except for what begins a fragment, which is never sent (RFC 9110 section 7.1). */
const NOT_TARGET = /[^\x21\x22\x24-\x7e]/;
/** A registered name or IPv4 address, or an IP literal, and maybe a port. */
const HOST = /^(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/**
 * Fields that must not come after the body (RFC 9110 section 6.5.1): framing, routing, conditions,
 * credentials, and what the body is.
 */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "keep-alive",
  "max-forwards",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const COMMON_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** @throws {TypeError} The method is no token, or asks for a tunnel */
export function checkMethod(method: string): void {
  if (COMMON_METHODS.has(method)) return;
  check(method, NOT_TOKEN, "Method");
  if (method === "CONNECT") throw new TypeError("Method CONNECT opens a tunnel, not supported");
}

/** @throws {TypeError} The target is neither a path with its query, nor `*` for OPTIONS */
export function checkTarget(target: string, method: string): void {
  check(target, NOT_TARGET, "Request target");
  if (target.charCodeAt(0) !== 0x2f && !(target === "*" && method === "OPTIONS")) {
    throw new TypeError(
      "Request target must begin with /, at offset 0, or be * with the method OPTIONS",
    );
  }
}

/** The host that was checked last: most requests in a row go to the same one. */
let lastHost = "";

/** @throws {TypeError} The value cannot be that of Host (RFC 9110 section 7.2) */
export function checkHost(host: string): void {
  if (host !== "" && host === lastHost) return;
  check(host, NOT_VALUE, "Host");
  if (!HOST.test(host)) {
    throw new TypeError("Host must be a host name or address, and maybe a port");
  }
  lastHost = host;
}

/** @throws {TypeError} A name is no token, or a value has a forbidden character */
export function checkFields(fields: readonly HeaderField[], what: string): void {
  for (let i = 0; i < fields.length; i++) {
    const [name, value] = fields[i]!;
    check(name, NOT_TOKEN, `${what} name at index ${i}`);
    if (value !== "") check(value, NOT_VALUE, `Value of ${what.toLowerCase()} ${name}`);
  }
}

/** @throws {TypeError} A trailer cannot be sent, or belongs into the head */
export function checkTrailers(fields: readonly HeaderField[]): void {
  checkFields(fields, "Trailer");
  for (const [name] of fields) {
    if (NOT_IN_TRAILERS.has(name.toLowerCase())) {
      throw new TypeError(`Trailer ${name} is not allowed: it belongs into the head`);
    }
  }
}

/** @throws {TypeError} It is no list of names of header fields: says which is none */
export function checkFieldNames(option: string, names: unknown): void {
  if (!Array.isArray(names)) {
    throw new TypeError(`${option} must be a list of header names, got ${describe(names)}`);
  }
  names.forEach((name, index) => check(name, NOT_TOKEN, `${option}[${index}]`));
}

function check(text: unknown, forbidden: RegExp, what: string): void {
  if (typeof text !== "string") {
    throw new TypeError(`${what} is of type ${typeof text}; it must be a string`);
  }
  if (text === "") throw new TypeError(`${what} is empty`);
  const at = text.search(forbidden);
  if (at < 0) return;
  const code = text.charCodeAt(at).toString(16).padStart(2, "0");
  throw new TypeError(`${what} has a forbidden character, 0x${code}, at offset ${at}`);
}
