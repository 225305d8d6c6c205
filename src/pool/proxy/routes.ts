/**
 * Which route leads to which host: direct, or over proxies.
 *
 * @module
 */

import type { Host } from "../../core/address.ts";
import { restricts } from "../../hosts/access.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import { PLAIN, type TlsProfile } from "../host/tls_profiles.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { CheckedProxies, CheckedProxy } from "./proxy_options.ts";
import { Proxy, Route } from "./route.ts";

/** The figures of a proxy: plain data, without its credentials. */
export interface ProxyStats {
  /** Its URL without its credentials. */
  readonly proxy: string;
  /** How many tunnels it has opened. */
  readonly opened: number;
  /** How often a tunnel could not be opened, whatever the cause. */
  readonly failed: number;
  /** Why it is avoided; null if it is not. */
  readonly failure: string | null;
  /** When it is tried again, in milliseconds since 1970; null if it is not avoided. */
  readonly retryAt: number | null;
}

/** The routes of a pool. */
export class Routes {
  readonly #options: ResolvedPoolOptions;
  readonly #directory: HostDirectory;
  /** Routes that are read from the same option are one, whichever hosts use them. */
  readonly #proxies = new Map<CheckedProxy, Proxy>();
  readonly #restricted: boolean;

  /** Makes an empty set. */
  constructor(options: ResolvedPoolOptions, directory: HostDirectory) {
    this.#options = options;
    this.#directory = directory;
    this.#restricted = restricts(options.access);
  }

  /** The figures of the proxies that have been used. */
  stats(): ProxyStats[] {
    const all = new Map<string, ProxyStats>();
    for (const { counts, dueAt, failure, options: { label } } of this.#proxies.values()) {
      // Named in several places, or with several credentials, it is listed once.
      const known = all.get(label);
      all.set(label, {
        proxy: label,
        opened: (known?.opened ?? 0) + counts.opened,
        failed: (known?.failed ?? 0) + counts.failed,
        failure: failure?.message ?? known?.failure ?? null,
        retryAt: failure ? dueAt : known?.retryAt ?? null,
      });
    }
    return [...all.values()];
  }

  /** The route to a host; undefined if it is direct. */
  to(host: Host, profile: TlsProfile): Route | undefined {
    const given = this.#proxiesFor(host, profile.isPlain === true);
    const [first] = given;
    if (!first) return undefined;
    const isAbsolute = profile === PLAIN && this.isAbsolute(host);
    const resolvesThere = isAbsolute || first.resolve === "there";
    const { clock, connectTimeoutMs } = this.#options;
    return new Route(
      host,
      given.map((options) => this.#proxy(options)),
      { isAbsolute, resolvesThere },
      { clock, connectTimeoutMs, lookUp: (host) => this.#directory.lookUp(host) },
    );
  }

  /** Whether the proxies of a host are asked for its `http:` URLs, and open no tunnel for them. */
  isAbsolute(host: Host): boolean {
    const given = this.#proxiesFor(host, true);
    const [first] = given;
    if (!first || given.some(({ scheme }) => scheme === "socks5")) return false;
    // If the rules must hold, even such a proxy is asked for a tunnel to an IP address.
    return first.resolve === "there" || (first.resolve === undefined && !this.#restricted);
  }

  #proxiesFor(host: Host, isPlain: boolean): readonly CheckedProxy[] {
    const own = this.#options.hosts.get(host.text)?.proxies;
    const { except, http, https }: CheckedProxies = own ?? this.#options.proxy;
    if (except(host)) return [];
    return isPlain ? http : https;
  }

  #proxy(options: CheckedProxy): Proxy {
    let proxy = this.#proxies.get(options);
    if (!proxy) {
      this.#proxies.set(options, proxy = new Proxy(options));
      // For the pool's whole life: its addresses are kept fresh.
      this.#directory.use(options.host);
    }
    return proxy;
  }
}
