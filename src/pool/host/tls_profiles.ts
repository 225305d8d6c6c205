/**
 * TLS profiles: one name for each set of TLS parameters, so that connections made with different
 * ones are never shared.
 *
 * @module
 */

import { checkNames, describe, quote } from "../../core/check.ts";
import { isProtocol, type TlsCapability, type TlsOptions } from "../../core/dialer.ts";
import { readAuthorities } from "../../core/trust/authorities.ts";

/** The profile for no TLS at all. */
export const PLAIN: TlsProfile = { name: "plain", options: {}, isPlain: true };

/** The same, over which HTTP/2 is spoken without asking (RFC 9113 section 3.3). */
export const PLAIN_H2: TlsProfile = {
  name: "plain-h2",
  options: {},
  isPlain: true,
  isShared: true,
  protocol: "h2",
};

/** The same, through a tunnel where proxies are asked for URLs otherwise. */
export const PLAIN_TUNNEL: TlsProfile = { name: "plain-tunnel", options: {}, isPlain: true };

/** The name of the profile of the parameters that the pool was made with. */
const DEFAULT = "default";

/** A protocol that HTTP is spoken over, by its name in ALPN. */
export type Protocol = "h2" | "http/1.1";

/** The protocols that HTTP is spoken over, the preferred one first. */
export type Protocols = readonly Protocol[];

/** A named set of TLS parameters. */
export interface TlsProfile {
  /** The name: what the maps, and people, know it by. It tells no secret. */
  readonly name: string;
  /** The parameters. */
  readonly options: TlsOptions;
  /** Whether there is no TLS at all. */
  readonly isPlain?: boolean;
  /** Whether its connections may carry several leases at once. */
  readonly isShared?: boolean;
  /** The one protocol that is to be spoken, whatever is agreed upon. */
  readonly protocol?: string;
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === "string" && value !== "";
const isTexts: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isText);
const isVersion: Check = (value) => value === "TLSv1.2" || value === "TLSv1.3";

const FORMS: {
  readonly [Option in Exclude<TlsCapability, "ca">]: readonly [check: Check, form: string];
} = {
  serverName: [isText, "a host name"],
  clientCertificate: [
    (value) =>
      typeof value === "object" && value !== null
      && "cert" in value && isText(value.cert) && "key" in value && isText(value.key),
    "{ cert, key }, both texts in PEM",
  ],
  alpn: [
    (value) => isTexts(value) && (value as string[]).every(isProtocol),
    "a list of protocols such as [\"http/1.1\"], each of 1 to 255 bytes",
  ],
  minVersion: [isVersion, "\"TLSv1.2\" or \"TLSv1.3\""],
  maxVersion: [isVersion, "\"TLSv1.2\" or \"TLSv1.3\""],
  ciphers: [isTexts, "a list of cipher suites by their OpenSSL names"],
  groups: [isTexts, "a list of groups such as [\"X25519\"]"],
  pins: [
    (value) =>
      isTexts(value)
      && (value as string[]).every((pin) => /^sha256\/[A-Za-z0-9+/]{43}=$/.test(pin)),
    "a list of pins, each \"sha256/\" and 44 characters of base64",
  ],
  dangerouslyAcceptWeakCertificate: [(value) => typeof value === "boolean", "true or false"],
  dangerouslyAcceptAnyCertificate: [(value) => typeof value === "boolean", "true or false"],
};

/** The names of all TLS options. */
export const TLS_OPTIONS: readonly TlsCapability[] = [
  "ca",
  ...Object.keys(FORMS),
] as TlsCapability[];

/**
 * Checks protocols of HTTP, and returns them.
 *
 * @throws {TypeError} They are none: names the option
 */
export function checkProtocols(name: string, protocols: unknown): Protocols {
  const isList = Array.isArray(protocols) && protocols.length > 0
    && new Set(protocols).size === protocols.length
    && protocols.every((protocol) => protocol === "h2" || protocol === "http/1.1");
  if (isList) return Object.freeze([...protocols]) as Protocols;
  throw new TypeError(
    `${name} must be a list of "h2" and "http/1.1", or of one of them, got ${describe(protocols)}`,
  );
}

/** Which TLS options a profile is remembered for. */
interface Known {
  /** The one that it was made from, if any: it is remembered as long. */
  readonly base: TlsProfile | undefined;
  /** The protocols that it was made for, if it was made from another one. */
  readonly protocols?: Protocols;
  readonly drop: () => void;
  users: number;
}

/** Gives the same name to the same parameters, as long as somebody uses them. */
export class TlsProfiles {
  readonly #byContents = new Map<string, TlsProfile>();
  readonly #forHttp = new Map<string, TlsProfile>();
  readonly #known = new Map<TlsProfile, Known>();
  /** How many had a name. */
  #named = 0;
  #default: TlsProfile;

  /**
   * Begins with the pool's own parameters.
   *
   * @throws {TypeError} An option is unknown, or not of its form
   */
  constructor(options: TlsOptions) {
    this.#default = this.of(options);
    this.use(this.#default);
  }

  /** The profile of the pool's own parameters. */
  get default(): TlsProfile {
    return this.#default;
  }

  /** Makes a profile that of the pool's own parameters, in place of the one before. */
  setDefault(profile: TlsProfile): void {
    const before = this.#default;
    if (profile === before) return;
    this.#default = profile;
    this.use(profile);
    for (const [derived, { base }] of [...this.#known]) {
      if (base === profile) this.use(derived);
      else if (base === before) this.forget(derived);
    }
    this.forget(before);
  }

  /** Whether a profile has these parameters: it is theirs, or theirs for HTTP. */
  isOf(profile: TlsProfile, base: TlsProfile): boolean {
    return profile === base || this.#known.get(profile)?.base === base;
  }

  /** What stands in for a profile if these parameters stand in for those that it has. */
  inPlaceOf(profile: TlsProfile, base: TlsProfile): TlsProfile {
    const protocols = this.#known.get(profile)?.protocols;
    return protocols ? this.forHttp(base, protocols) : base;
  }

  /** How many are known. */
  get size(): number {
    return this.#known.size;
  }

  /** Notes that a profile has one more user. */
  use(profile: TlsProfile): void {
    const known = this.#known.get(profile);
    if (known) known.users++;
  }

  /** Notes that a user of a profile is gone. With the last one it is forgotten. */
  forget(profile: TlsProfile): void {
    const known = this.#known.get(profile);
    if (!known || --known.users > 0) return;
    this.#known.delete(profile);
    known.drop();
    if (known.base) this.forget(known.base);
  }

  /**
   * The profile of some parameters.
   *
   * @throws {TypeError} An option is unknown, or not of its form
   */
  of(options: TlsOptions): TlsProfile {
    checkTls("tls", options);
    // A copy in one order of names: what the caller changes later changes no profile.
    const { ca, ...others } = options;
    const copy: TlsOptions = {
      ...structuredClone(others),
      ...ca !== undefined && { ca: readAuthorities(ca) },
    };
    const entries = Object.entries(copy).filter(([, value]) => value !== undefined);
    const contents = JSON.stringify(entries.sort(([a], [b]) => a < b ? -1 : 1));
    let profile = this.#byContents.get(contents);
    if (!profile) {
      // No name is given twice: it would stand for what was forgotten.
      const number = this.#named++;
      profile = {
        name: number === 0 ? DEFAULT : `tls-${number}`,
        options: Object.fromEntries(entries),
      };
      this.#byContents.set(contents, profile);
      const drop = () => void this.#byContents.delete(contents);
      this.#known.set(profile, { base: undefined, drop, users: 0 });
    }
    return profile;
  }

  /**
   * The profile for HTTP over these protocols, whose connections may be shared: a caller who wants
   * one alone never gets such a connection. If only HTTP/1.1 may be spoken, nothing need be
   * negotiated, and any will do. Parameters that set `alpn` stand.
   */
  forHttp(base: TlsProfile, protocols: Protocols): TlsProfile {
    if (base.isPlain) return protocols[0] === "h2" && protocols.length === 1 ? PLAIN_H2 : base;
    const alpn = base.options.alpn ?? protocols;
    if (!alpn.includes("h2")) return base;
    const suffix = base.options.alpn
      ? "http"
      : protocols.map((protocol) => protocol === "h2" ? "h2" : "h1").join("-");
    const name = base.name === DEFAULT ? suffix : `${base.name}-${suffix}`;
    let profile = this.#forHttp.get(name);
    if (!profile) {
      profile = { name, options: { ...base.options, alpn }, isShared: true };
      if (alpn.length === 1) profile = { ...profile, protocol: "h2" };
      this.#forHttp.set(name, profile);
      this.use(base);
      const drop = () => void this.#forHttp.delete(name);
      // The pool's own are few, and what dialers keep for them is worth more than the memory.
      const users = base === this.#default ? 1 : 0;
      this.#known.set(profile, { base, protocols, drop, users });
    }
    return profile;
  }
}

/**
 * Checks TLS parameters, and gives them back.
 *
 * @param name What the option is called
 * @throws {TypeError} An option is unknown, or not of its form
 * @throws {RangeError} The versions leave none
 */
export function checkTls(name: string, options: TlsOptions): TlsOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${name} must be an object of TLS options, got ${describe(options)}`);
  }
  checkNames(name, options, TLS_OPTIONS);
  for (const [option, [check, form]] of Object.entries(FORMS)) {
    const value = options[option as TlsCapability];
    if (value === undefined || check(value)) continue;
    // A version is no secret, and one like "TLSv1.1" is a text as well.
    const shown = check === isVersion && typeof value === "string" ? quote(value) : null;
    throw new TypeError(`${name}.${option} must be ${form}, got ${shown ?? wrong(value)}`);
  }
  const { ca, clientCertificate } = options;
  if (ca !== undefined) readAuthorities(ca, `${name}.ca`);
  if (clientCertificate) {
    checkNames(`${name}.clientCertificate`, clientCertificate, ["cert", "key"]);
  }
  if (options.minVersion === "TLSv1.3" && options.maxVersion === "TLSv1.2") {
    throw new RangeError(
      `${name}.minVersion must not be above ${name}.maxVersion, got TLSv1.3 and TLSv1.2`,
    );
  }
  return options;
}

/** What is not of its form: of a list that which is no text, if there is one. */
function wrong(value: unknown): string {
  if (!Array.isArray(value)) return describe(value);
  const index = value.findIndex((part) => typeof part !== "string");
  return index < 0 ? describe(value) : `${describe(value[index])} at index ${index}`;
}
