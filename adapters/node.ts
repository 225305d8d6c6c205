/**
 * Opens TLS sockets with `node:tls`: on Node, and on Deno and Bun for what their own sockets lack.
 *
 * @example
 * ```ts
 * import { nodeDialer } from "@hotconn/hotconn/node";
 *
 * const dialer = nodeDialer();
 * console.log(dialer.name, [...dialer.capabilities].join(", "));
 * ```
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import tls from "node:tls";
import { isIp } from "../src/core/address.ts";
import {
  type Dialer,
  type DialTarget,
  requireHonoured,
  type TlsCapability,
  type TlsInfo,
  type TlsOptions,
  type TlsSocket,
  type TlsVersion,
} from "../src/core/dialer.ts";
import { readAuthorities } from "../src/core/trust/authorities.ts";
import { whenReady } from "./node/node_dial.ts";
import { createReader, NodeSocket, type Reader } from "./node/node_socket.ts";
import { Verifier } from "./node/node_verify.ts";
import { type CloseTimes, readCloseTimes } from "./sockets/close_times.ts";
import { endsOf } from "./sockets/ends.ts";
import { bareServerName } from "./sockets/server_name.ts";

/** Options of {@linkcode nodeDialer}. */
export interface NodeDialerOptions {
  /**
   * How long a socket, after `close()`, may take to send what is written, in milliseconds. Then it
   * is destroyed: a peer that does not read cannot hold it.
   *
   * @default {10000}
   */
  readonly closeTimeoutMs?: number;
  /**
   * How long a socket, after `close()` has sent all it had to, waits for the peer to close too, in
   * milliseconds. A peer that still answers meanwhile is not met with a reset.
   *
   * @default {1000}
   */
  readonly lingerMs?: number;
}

/**
 * Makes a dialer over `node:tls`.
 *
 * TLS sessions are never resumed: one could be offered to another server name.
 *
 * What it can honour depends on the runtime below it. Deno's `node:tls` takes no account of
 * `ciphers` and `groups`, and Bun's none of the TLS 1.3 suites among `ciphers`, so these are missing
 * from `capabilities` there. On Deno a reset by the peer looks like an orderly end. None of the
 * three tells a FIN without close_notify from a proper end.
 *
 * @throws {TypeError | RangeError} An option is unknown, or no number of milliseconds
 */
export function nodeDialer(options: NodeDialerOptions = {}): Dialer {
  return new NodeDialer(readCloseTimes("nodeDialer()", options));
}

const everywhere: readonly TlsCapability[] = [
  "serverName",
  "ca",
  "clientCertificate",
  "alpn",
  "minVersion",
  "maxVersion",
  "pins",
  "dangerouslyAcceptWeakCertificate",
  "dangerouslyAcceptAnyCertificate",
];

// Measured against the ClientHello that a server receives, not taken from documentation.
const perRuntime: Record<string, { name: string; more: readonly TlsCapability[] }> = {
  node: { name: "node", more: ["ciphers", "groups"] },
  deno: { name: "node on deno", more: [] },
  bun: { name: "node on bun", more: ["groups"] },
};

class NodeDialer implements Dialer {
  readonly name: string;
  readonly capabilities: ReadonlySet<TlsCapability>;
  readonly #times: CloseTimes;
  // A profile's options stay the same.
  readonly #profiles = new WeakMap<TlsOptions, Profile>();

  constructor(times: CloseTimes) {
    const { name, more } = perRuntime[runtime()]!;
    this.name = name;
    this.capabilities = new Set([...everywhere, ...more]);
    this.#times = times;
  }

  async dial(target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    requireHonoured(this, target.tls);
    signal.throwIfAborted();
    const reader = createReader();
    const { context, verifier } = this.#profile(target.tls);
    let shown: tls.DetailedPeerCertificate | undefined;
    const socket = tls.connect(
      connectOptions(target, context, reader.options, (certificate) => shown = certificate),
    );
    socket.setNoDelay(true);
    return await whenReady(socket, "secureConnect", target, signal, (times) => {
      // Each time that Node is asked for them costs as much as a handshake.
      verifier.check(shown?.issuerCertificate ? shown : socket.getPeerCertificate(true), target);
      return new NodeSocket(socket, reader, { ...sessionOf(socket), ...times }, this.#times);
    });
  }

  #profile(options: TlsOptions): Profile {
    let profile = this.#profiles.get(options);
    if (profile === undefined) {
      profile = { context: createContext(options), verifier: new Verifier() };
      this.#profiles.set(options, profile);
    }
    return profile;
  }
}

/** What is kept of a set of TLS options. */
interface Profile {
  /** Parsing authorities and keys costs more than a handshake. */
  readonly context: tls.SecureContext;
  readonly verifier: Verifier;
}

function createContext(options: TlsOptions): tls.SecureContext {
  const { ca, clientCertificate, ciphers, groups, minVersion, maxVersion } = options;
  try {
    // Runtimes differ in which of these they pass over in silence when they are malformed.
    const authorities = ca === undefined ? undefined : readAuthorities(ca);
    for (const pem of authorities ?? []) new X509Certificate(pem);
    if (clientCertificate !== undefined) {
      const key = createPrivateKey(clientCertificate.key);
      if (!new X509Certificate(clientCertificate.cert).checkPrivateKey(key)) {
        throw new TypeError("the client certificate belongs to another key");
      }
    }
    // Whatever is in `ca` is trusted with nobody above it, as on Deno. Beside the runtime's own
    // authorities it would make Node forget NODE_EXTRA_CA_CERTS.
    const trusted = authorities && { ca: [...authorities], allowPartialTrustChain: true };
    return tls.createSecureContext({
      ...trusted,
      ...clientCertificate && { cert: clientCertificate.cert, key: clientCertificate.key },
      ...ciphers && { ciphers: ciphers.join(":") },
      ...groups && { ecdhCurve: groups.join(":") },
      ...minVersion && { minVersion },
      ...maxVersion && { maxVersion },
    });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`The TLS options cannot be used: ${detail}`, { cause });
  }
}

function connectOptions(
  target: DialTarget,
  secureContext: tls.SecureContext,
  onread: Reader["options"],
  onShown: (certificate: tls.DetailedPeerCertificate) => void,
): tls.ConnectionOptions {
  const name = bareServerName(target.serverName);
  const { alpn, dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate } = target.tls;
  const options: tls.ConnectionOptions & { onread: typeof onread } = {
    host: target.ip,
    port: target.port,
    // A literal is verified, but never sent (RFC 6066 section 3).
    servername: isIp(name) ? "" : name,
    secureContext,
    onread,
    rejectUnauthorized: !dangerouslyAcceptAnyCertificate,
    checkServerIdentity: (_host, certificate) => {
      onShown(certificate as tls.DetailedPeerCertificate);
      // The policy looks at the names; where it does not, who is accepted is up to Node.
      return dangerouslyAcceptWeakCertificate && !dangerouslyAcceptAnyCertificate
        ? tls.checkServerIdentity(name, certificate)
        : undefined;
    },
  };
  if (alpn !== undefined && alpn.length > 0) options.ALPNProtocols = [...alpn];
  return options;
}

function sessionOf(socket: tls.TLSSocket): Omit<TlsInfo, "tcpMs" | "tlsMs"> {
  const version = socket.getProtocol();
  const cipher = socket.getCipher();
  return {
    alpn: socket.alpnProtocol || null,
    ...endsOf(socket),
    ...isVersion(version) && { version },
    ...cipher?.name && { cipher: cipher.name },
  };
}

function isVersion(version: string | null): version is TlsVersion {
  return version === "TLSv1.2" || version === "TLSv1.3";
}

function runtime(): "node" | "deno" | "bun" {
  if ("Deno" in globalThis) return "deno";
  return "Bun" in globalThis ? "bun" : "node";
}
