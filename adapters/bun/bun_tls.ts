/**
 * TLS options and figures, translated between hotconn and Bun.
 *
 * @module
 */

import { messageOf } from "../../src/core/check.ts";
import type {
  DialTarget,
  TlsCapability,
  TlsInfo,
  TlsOptions,
  TlsVersion,
} from "../../src/core/dialer.ts";
import { UnsupportedOptionError } from "../../src/core/errors.ts";
import { readAuthorities } from "../../src/core/trust/authorities.ts";
import { checkClientCertificate } from "../sockets/client_certificate.ts";
import { endsOf } from "../sockets/ends.ts";
import { once } from "../sockets/once.ts";
import { bareServerName } from "../sockets/server_name.ts";
import { Verifier } from "../sockets/verifier.ts";
import { builtin, type NativeSocket, type NativeTlsOptions } from "./bun_api.ts";

/** What Bun honours, each verified by what a server received. */
export const capabilities: ReadonlySet<TlsCapability> = new Set<TlsCapability>([
  "serverName",
  "ca",
  "clientCertificate",
  "alpn",
  "minVersion",
  "maxVersion",
  "ciphers",
  "groups",
  "pins",
  "dangerouslyAcceptWeakCertificate",
  "dangerouslyAcceptAnyCertificate",
]);

const versionNumbers = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 } as const;

/** What is kept for a set of TLS options. */
export interface Profile {
  /** The options for Bun, without the server's name. */
  readonly native: Omit<NativeTlsOptions, "serverName">;
  /** Checks who answers. */
  readonly verifier: Verifier;
}

// A profile's options stay the same.
const profiles = new WeakMap<TlsOptions, Profile>();

/**
 * Returns what is kept for a set of TLS options.
 *
 * @throws {UnsupportedOptionError} The cipher suites are ones that Bun gives no say over
 */
export function profileOf(tls: TlsOptions): Profile {
  let profile = profiles.get(tls);
  if (profile === undefined) {
    profile = {
      native: nativeOptions(tls),
      verifier: new Verifier({
        createHash: (algorithm) => builtin("node:crypto").createHash(algorithm),
        roots: () => builtin("node:tls").getCACertificates("default"),
      }),
    };
    profiles.set(tls, profile);
  }
  return profile;
}

function nativeOptions(tls: TlsOptions): Omit<NativeTlsOptions, "serverName"> {
  const maxVersion = tls.ciphers?.length ? versionOf(tls.ciphers, tls) : tls.maxVersion;
  return {
    rejectUnauthorized: tls.dangerouslyAcceptAnyCertificate !== true,
    minVersion: versionNumbers[tls.minVersion ?? "TLSv1.2"],
    ...maxVersion && { maxVersion: versionNumbers[maxVersion] },
    ...tls.alpn?.length && { ALPNProtocols: encodeAlpn(tls.alpn) },
    // Every certificate in `ca` is trusted by itself, as on Deno.
    ...tls.ca && { ca: [...readAuthorities(tls.ca)], allowPartialTrustChain: true },
    ...tls.clientCertificate && {
      cert: tls.clientCertificate.cert,
      key: tls.clientCertificate.key,
    },
    ...tls.ciphers?.length && { ciphers: tls.ciphers.join(":") },
    ...tls.groups?.length && { ecdhCurve: tls.groups.join(":") },
  };
}

/**
 * Checks what Bun otherwise parses with the first dial.
 *
 * @throws {TypeError} An option cannot be used
 * @throws {UnsupportedOptionError} The cipher suites are ones that Bun gives no say over
 */
export function checkTls(tls: TlsOptions): void {
  const { maxVersion: _max, minVersion: _min, ...parsed } = nativeOptions(tls);
  if (tls.clientCertificate) {
    checkClientCertificate(tls.clientCertificate, builtin("node:crypto"));
  }
  try {
    builtin("node:tls").createSecureContext(parsed);
  } catch (cause) {
    throw new TypeError(`The TLS options cannot be used: ${messageOf(cause)}`, { cause });
  }
}

/** Returns what is known of a session after its handshake. */
export function describeSession(
  socket: NativeSocket,
  times: Pick<TlsInfo, "proxy" | "tcpMs" | "tlsMs">,
): TlsInfo {
  const { alpnProtocol } = socket;
  const version = socket.getTLSVersion();
  const cipher = socket.getCipher()?.name;
  return {
    // False if nothing was agreed.
    alpn: typeof alpnProtocol === "string" ? once(alpnProtocol) : null,
    ...endsOf(socket),
    ...version !== null && version in versionNumbers && { version: once(version as TlsVersion) },
    ...cipher && { cipher: once(cipher) },
    ...times,
  };
}

/**
 * The server's name for Bun. An IP address must not be sent (RFC 6066 section 3). Without a name,
 * Bun checks the certificate against the address that it dials, so the two must be the same.
 */
export function nativeServerName({ serverName, ip }: DialTarget): string {
  const bare = bareServerName(serverName);
  return bare === ip ? "" : bare;
}

// BoringSSL always offers all of TLS 1.3's suites. A list with none of them is a choice of TLS 1.2.
function versionOf(ciphers: readonly string[], { minVersion }: TlsOptions): TlsVersion {
  const tooNew = ciphers.filter((name) => /^TLS_(AES|CHACHA20)_/.test(name));
  if (tooNew.length === 0 && minVersion !== "TLSv1.3") return "TLSv1.2";
  const what = tooNew.length > 0 ? tooNew.join(", ") : "minVersion TLSv1.3";
  throw new UnsupportedOptionError(
    "ciphers",
    "bun",
    `it honours suites of TLS 1.2 only, which rules out ${what}`,
  );
}

// Bun takes protocols only as they stand in the ClientHello (RFC 7301 section 3.1): a plain string
// is no error there, and no protocol either.
function encodeAlpn(protocols: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from(protocols.flatMap((protocol) => {
    const name = encoder.encode(protocol);
    return [name.length, ...name];
  }));
}
