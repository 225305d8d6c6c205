/**
 * Which addresses may be dialled at all.
 *
 * @module
 */

import { readIp } from "../core/address.ts";
import { checkFlag, checkNames, describe, quote } from "../core/check.ts";
import { embeddedIpv4, type Ip, type IpRange, isInRange, readRange } from "./ip_range.ts";
import { kindOfPrivate } from "./private_ranges.ts";

/**
 * Which addresses may be dialled. A rule is an IP address or a range in CIDR notation, without a
 * port: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`. One that is IPv4-mapped means its IPv4 range;
 * any other IPv6 range, `::/0` too, has no IPv4 address in it.
 */
export interface AccessRules {
  /** Only these. An empty list allows none; left out, all. What other rules deny stays denied. */
  readonly allow?: readonly string[] | undefined;
  /**
   * None of these, whatever `allow` says. An IPv4 range includes the IPv6 addresses that lead there by
   * NAT64, 6to4, Teredo, or as IPv4-compatible or IPv4-translated. It cannot know the prefix of your
   * network's own NAT64, which needs a separate rule.
   */
  readonly deny?: readonly string[] | undefined;
  /**
   * Only public addresses, whatever `allow` says. It denies what the IANA registries of special-purpose
   * addresses do not call globally reachable (loopback, link-local, private, carrier-grade NAT,
   * multicast and so on), and the IPv6 addresses that lead there.
   *
   * @default {false}
   */
  readonly denyPrivate?: boolean | undefined;
}

/** Access rules, parsed once. */
export class AccessList {
  readonly #allow: readonly IpRange[] | undefined;
  readonly #deny: readonly IpRange[];
  readonly #denyPrivate: boolean;

  /**
   * Parses the rules.
   *
   * @throws {TypeError} A rule is neither an IP address nor a range, or is not in its usual form
   */
  constructor(rules: AccessRules = {}) {
    checkNames("access", rules, ["allow", "deny", "denyPrivate"]);
    const { allow, deny = [], denyPrivate = false } = rules;
    checkFlag("denyPrivate", denyPrivate);
    this.#allow = allow === undefined ? undefined : readRanges("allow", allow);
    this.#deny = readRanges("deny", deny);
    this.#denyPrivate = denyPrivate;
  }

  /** A copy of the rules, in canonical text. */
  get rules(): AccessRules {
    return {
      ...this.#allow && { allow: this.#allow.map(({ text }) => text) },
      deny: this.#deny.map(({ text }) => text),
      denyPrivate: this.#denyPrivate,
    };
  }

  /**
   * The rule that denies an IP address: `deny 10.0.0.0/8`, `denyPrivate (loopback)` or
   * `not in allow`; undefined if it may be dialled.
   *
   * @param ip The IP address, without port or brackets
   * @throws {TypeError} It is not an IP address, and nothing can be said of it
   */
  deniedBy(ip: string): string | undefined {
    const parsed = readIp(ip);
    if (!parsed) {
      throw new TypeError(
        `ip must be an IP address without a port, such as 192.0.2.1, got ${quote(ip)}`,
      );
    }
    return this.#ruleOf(parsed);
  }

  #ruleOf(ip: Ip): string | undefined {
    if (this.#deny.length > 0) {
      const inner = embeddedIpv4(ip)?.ip;
      const rule = this.#deny.find((range) =>
        isInRange(ip, range) || (inner !== undefined && isInRange(inner, range))
      );
      if (rule) return `deny ${rule.text}`;
    }
    const kind = this.#denyPrivate ? kindOfPrivate(ip) : undefined;
    if (kind) return `denyPrivate (${kind})`;
    const isAllowed = this.#allow?.some((range) => isInRange(ip, range)) ?? true;
    return isAllowed ? undefined : "not in allow";
  }
}

/** Whether rules deny anything at all. */
export function restricts({ allow, deny = [], denyPrivate }: AccessRules): boolean {
  return allow !== undefined || deny.length > 0 || denyPrivate === true;
}

function readRanges(what: string, texts: readonly unknown[]): readonly IpRange[] {
  if (!Array.isArray(texts)) {
    throw new TypeError(
      `${what} must be a list of IP addresses and CIDR ranges, got ${describe(texts)}`,
    );
  }
  return Array.from(texts, (text) => readRange(what, text));
}
