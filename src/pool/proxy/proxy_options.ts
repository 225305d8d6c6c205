/**
 * The options for proxies.
 *
 * @module
 */

import { type Host, parseHost, readIp } from "../../core/address.ts";
import { checkNames, describe, named, quote } from "../../core/check.ts";
import type { TlsOptions } from "../../core/dialer.ts";
import { type IpRange, isInRange, readRange } from "../../hosts/ip_range.ts";
import { checkTls } from "../host/tls_profiles.ts";
import type { Credentials } from "./tunnel_end.ts";

/** A proxy, and how to use it. */
export interface ProxyServer {
  /**
   * `http:` or `https:` for a proxy that knows CONNECT, `socks5:` or `socks5h:` for SOCKS version 5, with
   * a name and password if it needs them. The default ports are 80, 443 and 1080.
   */
  readonly url: string | URL;
  /**
   * Who resolves names. `here`: the pool, which chooses the machine, applies pins and access rules, and
   * asks the proxy for an IP address. `there`: the proxy, which then stands in the maps in place of the
   * machine. `socks5h:` means `there`. So do `http:` URLs over an HTTP proxy if there are no access
   * rules, because that is how HTTP proxies usually work.
   *
   * @default {"here"}
   */
  readonly resolve?: "here" | "there" | undefined;
  /** The TLS options for an `https:` proxy itself. */
  readonly tls?: TlsOptions | undefined;
}

/** One proxy, or several. The first that works is used. */
export type Proxies = string | URL | ProxyServer | readonly (string | URL | ProxyServer)[];

/** Which proxies to use for what. */
export interface ProxyRules {
  /** For `https:` URLs, and leases. */
  readonly https?: Proxies | null | undefined;
  /** For `http:` URLs. */
  readonly http?: Proxies | null | undefined;
  /**
   * The hosts to reach without a proxy: names, which include their subdomains, IP addresses and ranges,
   * each with a port if you mean only that port; `*` is all. This looks at the name, not at the
   * addresses that it resolves to.
   */
  readonly except?: readonly string[] | undefined;
}

/** A proxy, read. */
export interface CheckedProxy {
  /** Its URL without its credentials. */
  readonly label: string;
  readonly scheme: "http" | "https" | "socks5";
  readonly host: Host;
  /** Where names are resolved; undefined if nobody says. */
  readonly resolve: "here" | "there" | undefined;
  readonly credentials: Credentials | undefined;
  readonly tls: TlsOptions;
}

/** The option `proxy`, read. */
export interface CheckedProxies {
  readonly https: readonly CheckedProxy[];
  readonly http: readonly CheckedProxy[];
  readonly except: (host: Host) => boolean;
}

const PORTS: { readonly [scheme: string]: number } = {
  "http:": 80,
  "https:": 443,
  "socks5:": 1080,
  "socks5h:": 1080,
};

/** The most bytes that SOCKS takes for a name, or a password. */
const MAX_SOCKS_BYTES = 255;

const NO_PROXIES: CheckedProxies = { https: [], http: [], except: () => false };

/**
 * Reads what is said of proxies. No message repeats a URL: there may be a password in it.
 *
 * @param name What the option is called
 * @throws {TypeError | RangeError} Something is not valid
 */
export function readProxies(
  name: string,
  given: Proxies | ProxyRules | null | undefined,
): CheckedProxies {
  if (given === null || given === undefined) return NO_PROXIES;
  if (isRules(given)) {
    checkNames(name, given, ["https", "http", "except"]);
    return {
      https: readList(`${name}.https`, given.https ?? []),
      http: readList(`${name}.http`, given.http ?? []),
      except: readExceptions(`${name}.except`, given.except ?? []),
    };
  }
  const proxies = readList(name, given);
  if (proxies.length === 0) throw new TypeError(`${name} must hold at least one proxy, got none`);
  return { https: proxies, http: proxies, except: () => false };
}

function isRules(given: Proxies | ProxyRules): given is ProxyRules {
  return typeof given === "object" && !(given instanceof URL) && !Array.isArray(given)
    && !("url" in given);
}

function readList(name: string, given: Proxies): CheckedProxy[] {
  const list: readonly (string | URL | ProxyServer)[] = Array.isArray(given)
    ? given
    : [given as string | URL | ProxyServer];
  const read = list.map((proxy, index) =>
    readServer(Array.isArray(given) ? `${name}[${index}]` : name, proxy)
  );
  if (new Set(read.map(({ resolve = "here" }) => resolve)).size > 1) {
    throw new TypeError(
      `${name} has proxies that resolve names and some that do not: take one kind`,
    );
  }
  return read;
}

function readServer(name: string, given: string | URL | ProxyServer): CheckedProxy {
  if (typeof given === "string" || given instanceof URL) return readUrl(name, { url: given });
  if (typeof given !== "object" || given === null) {
    throw new TypeError(
      `${name} must be the URL of a proxy, such as http://proxy.example:3128, got ${
        describe(given)
      }`,
    );
  }
  checkNames(name, given, ["url", "resolve", "tls"]);
  return readUrl(name, given);
}

function readUrl(name: string, { resolve, tls = {}, url: given }: ProxyServer): CheckedProxy {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const port = url && PORTS[url.protocol];
  if (!url || port === undefined || url.hostname === "") {
    const got = url ? url.protocol : typeof given === "string" ? "no URL" : describe(given);
    throw new TypeError(
      `${name} must be a URL of http:, https:, socks5: or socks5h:, `
        + `such as http://proxy.example:3128, got ${got}`,
    );
  }
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "") {
    throw new TypeError(`${name} must be a URL without a path, a query or a fragment`);
  }
  if (resolve !== undefined && resolve !== "here" && resolve !== "there") {
    throw new TypeError(`${name}.resolve must be "here" or "there", got ${quote(resolve)}`);
  }
  const { protocol } = url;
  if (protocol === "socks5h:" && resolve === "here") {
    throw new TypeError(`${name}.resolve must not be "here" for socks5h:, take socks5:`);
  }
  const scheme = protocol.startsWith("socks5")
    ? "socks5"
    : protocol === "https:"
    ? "https"
    : "http";
  if (scheme !== "https" && Object.keys(tls).length > 0) {
    throw new TypeError(`${name}.tls is for an https: proxy, got ${protocol}`);
  }
  const host = named(name, () => parseHost(`${url.hostname}:${url.port || port}`));
  return {
    label: `${protocol}//${url.hostname}:${host.port}`,
    scheme,
    host,
    resolve: protocol === "socks5h:" ? "there" : resolve,
    credentials: readCredentials(name, url, scheme),
    tls: checkTls(`${name}.tls`, tls),
  };
}

function readCredentials(
  name: string,
  url: URL,
  scheme: CheckedProxy["scheme"],
): Credentials | undefined {
  if (url.username === "" && url.password === "") return undefined;
  let credentials: Credentials;
  try {
    credentials = {
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    };
  } catch {
    throw new TypeError(`${name} has credentials that are no UTF-8, percent-encoded`);
  }
  const lengths = [credentials.username, credentials.password].map((text) =>
    new TextEncoder().encode(text).length
  );
  if (scheme === "socks5" && lengths.some((length) => length > MAX_SOCKS_BYTES)) {
    throw new RangeError(`${name} has a name or password of more than ${MAX_SOCKS_BYTES} bytes`);
  }
  if (scheme !== "socks5" && credentials.username.includes(":")) {
    throw new TypeError(`${name} has a colon in its user name, which HTTP cannot send`);
  }
  return credentials;
}

/** Reads the hosts that are reached without a proxy. */
function readExceptions(name: string, given: readonly string[]): (host: Host) => boolean {
  if (!Array.isArray(given)) {
    throw new TypeError(`${name} must be a list of hosts and ranges, got ${describe(given)}`);
  }
  const rules = given.map((text) => readException(name, text));
  return (host) => rules.some((matches) => matches(host));
}

function readException(name: string, text: unknown): (host: Host) => boolean {
  if (typeof text !== "string" || text === "") {
    throw new TypeError(`${name} must hold hosts and ranges, got ${quote(text)}`);
  }
  if (text === "*") return () => true;
  if (text.includes("/")) {
    const range = readRange(name, text);
    return ({ isLiteral, name }) => isLiteral && isIn(name, range);
  }
  const pattern = text.replace(/^\*?\./, "");
  const hasPort = readIp(pattern) === undefined && /:\d+$/.test(pattern);
  const { isLiteral, name: wanted, port } = parseHost(pattern);
  return (host) =>
    (!hasPort || host.port === port)
    && (host.name === wanted
      || (!isLiteral && !host.isLiteral && host.name.endsWith(`.${wanted}`)));
}

function isIn(ip: string, range: IpRange): boolean {
  const read = readIp(ip);
  return read !== undefined && isInRange(read, range);
}
