/**
 * TLS as a client, with the words of `node:tls`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import tls from "node:tls";
import { isIp } from "../../src/core/address.ts";
import type { DialTarget, TlsOptions } from "../../src/core/dialer.ts";
import { readAuthorities } from "../../src/core/trust/authorities.ts";
import { bareServerName } from "../sockets/server_name.ts";
import { Sessions } from "./node_sessions.ts";
import type { Reader } from "./node_socket.ts";
import { Verifier } from "./node_verify.ts";

/** A handshake that has begun. */
export interface Handshake {
  readonly socket: tls.TLSSocket;
  /**
   * Checks who answered, once the handshake is done. Gives when the first certificate runs out, in
   * milliseconds since 1970, where any was looked at.
   *
   * @throws {DialError} The certificate is not accepted
   */
  verify(): number | undefined;
  /** Whether the certificate that was accepted is good for another name. */
  covers(serverName: string): boolean;
}

/** Begins handshakes, and keeps what those with one set of TLS options have in common. */
export class TlsClient {
  // A profile's options stay the same.
  readonly #profiles = new WeakMap<TlsOptions, Profile>();
  readonly #resumes: boolean;

  /** Makes one; `resumes` is whether it resumes TLS sessions. */
  constructor(resumes: boolean) {
    this.#resumes = resumes;
  }

  /**
   * Begins a handshake: over a socket that is open, or else one that is connected to the target.
   *
   * @throws {TypeError} A TLS option cannot be used
   */
  begin(target: DialTarget, reader?: Reader, over?: Socket): Handshake {
    const { context, sessions, verifier } = this.#profile(target.tls);
    let shown: tls.DetailedPeerCertificate | undefined;
    const onShown = (certificate: tls.DetailedPeerCertificate) => shown = certificate;
    const options = connectOptions(target, context, reader?.options, onShown);
    const session = sessions?.take(target, performance.now());
    const socket = tls.connect({
      ...options,
      ...over && { socket: over },
      ...session && { session: Buffer.from(session) },
    });
    const fresh: Uint8Array[] = [];
    let keep = (session: Uint8Array): void => {
      fresh.push(session);
    };
    if (sessions) socket.on("session", (session) => keep(session));
    // What is read over another socket is not handed to onread.
    if (over && reader) socket.on("data", reader.onData);
    let checked: tls.DetailedPeerCertificate | undefined;
    let isResumed = false;
    const noteOpen = () => {
      if (!sessions || socket.destroyed) return;
      socket.once("close", sessions.opened(target));
    };
    return {
      socket,
      verify: () => {
        keep = (session) => sessions?.keep(target, session, performance.now());
        // Whoever can resume it is who was verified when it was made, with these very options.
        if (session && socket.isSessionReused()) {
          noteOpen();
          // Before TLS 1.3 one serves many times, and no other comes.
          if (socket.getProtocol() === "TLSv1.2") keep(session);
          fresh.forEach(keep);
          isResumed = true;
          return undefined;
        }
        // Each time that Node is asked for them costs as much as a handshake.
        checked = shown?.issuerCertificate ? shown : socket.getPeerCertificate(true);
        const endsAt = verifier.check(checked, target);
        noteOpen();
        fresh.forEach(keep);
        return endsAt;
      },
      covers: (serverName) => {
        if (isResumed) checked ??= socket.getPeerCertificate(true);
        return checked !== undefined && verifier.covers(checked, { ...target, serverName });
      },
    };
  }

  /**
   * Makes what a set of TLS options comes to ahead of the first handshake.
   *
   * @throws {TypeError} A TLS option cannot be used
   */
  prepare(options: TlsOptions): void {
    this.#profile(options);
  }

  /** Drops the sessions of a host at an address, made with a set of TLS options. */
  forget(target: Pick<DialTarget, "host" | "address" | "tls">): void {
    this.#profiles.get(target.tls)?.sessions?.forget(target);
  }

  #profile(options: TlsOptions): Profile {
    let profile = this.#profiles.get(options);
    if (profile === undefined) {
      profile = {
        context: createContext(options),
        sessions: this.#resumes ? new Sessions() : undefined,
        verifier: new Verifier(),
      };
      this.#profiles.set(options, profile);
    }
    return profile;
  }
}

/** What is kept of a set of TLS options. */
interface Profile {
  /** Parsing authorities and keys costs more than a handshake. */
  readonly context: tls.SecureContext;
  readonly sessions: Sessions | undefined;
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
  onread: Reader["options"] | undefined,
  onShown: (certificate: tls.DetailedPeerCertificate) => void,
): tls.ConnectionOptions {
  const name = bareServerName(target.serverName);
  const { alpn, dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate } = target.tls;
  const options: tls.ConnectionOptions & { onread?: Reader["options"] } = {
    host: target.ip,
    port: target.port,
    // A literal is verified, but never sent (RFC 6066 section 3).
    servername: isIp(name) ? "" : name,
    secureContext,
    ...onread && { onread },
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
