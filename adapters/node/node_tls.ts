/**
 * The client's side of TLS, with `node:tls`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import tls from "node:tls";
import { isIp } from "../../src/core/address.ts";
import { messageOf } from "../../src/core/check.ts";
import type { DialTarget, TlsOptions } from "../../src/core/dialer.ts";
import { readAuthorities } from "../../src/core/trust/authorities.ts";
import { checkClientCertificate } from "../sockets/client_certificate.ts";
import { bareServerName } from "../sockets/server_name.ts";
import { type ShownServer, Verifier } from "../sockets/verifier.ts";
import { type Machine, Sessions } from "./node_sessions.ts";
import type { Reader } from "./node_socket.ts";

/** A handshake that has begun. */
export class Handshake {
  readonly socket: tls.TLSSocket;
  readonly #target: DialTarget;
  readonly #profile: Profile;
  readonly #shown: Shown;
  /** What the new owner of the socket calls at its end. */
  readonly tickets: Tickets | undefined;
  #session: Uint8Array | undefined;
  #checked: tls.DetailedPeerCertificate | undefined;

  /** Begins over a socket that is open, or else one that is connected to the target. */
  constructor(target: DialTarget, profile: Profile, reader: Reader | undefined, over?: Socket) {
    const { context, sessions } = profile;
    this.#target = target;
    this.#profile = profile;
    const shown = this.#shown = noteShown();
    const session = this.#session = sessions?.take(target, performance.now());
    const socket = this.socket = tls.connect({
      ...connectOptions(target, context, reader, shown),
      ...over && { socket: over },
      ...session && { session: Buffer.from(session) },
    });
    this.tickets = sessions && new Tickets(sessions, socket);
    // What is read over another socket is not handed to onread.
    if (over && reader) socket.on("data", (bytes) => reader.onData(bytes));
  }

  /**
   * Checks who answered, once the handshake is done. Returns when the first certificate expires, in
   * milliseconds since 1970, if any was checked.
   *
   * @throws {DialError} The certificate is not accepted
   */
  verify(): number | undefined {
    const { socket } = this;
    const certificate = this.#shown.take();
    const session = this.#session;
    this.#session = undefined;
    // Only the server that was verified when it was made, with these very options, can resume it.
    if (session && socket.isSessionReused()) {
      // Before TLS 1.3 one serves many times, and no other comes.
      const again = socket.getProtocol() === "TLSv1.2" ? session : undefined;
      this.tickets?.accept(this.#target, !socket.destroyed, again);
      return undefined;
    }
    // Each time that Node is asked for them costs as much as a handshake.
    const checked = certificate?.issuerCertificate ? certificate : socket.getPeerCertificate(true);
    const endsAt = this.#profile.verifier.check(shownBy(checked), this.#target);
    this.#checked = checked;
    this.tickets?.accept(this.#target, !socket.destroyed);
    return endsAt;
  }

  /** Whether the accepted certificate is valid for another name. */
  covers(serverName: string): boolean {
    // That of a session that was resumed. A socket that is destroyed has none.
    const checked = this.#checked ?? this.socket.getPeerCertificate(true);
    if (!checked) return false;
    this.#checked = checked;
    const target = { ...this.#target, serverName };
    return this.#profile.verifier.covers(shownBy(checked), target);
  }
}

/** Where a socket's tickets are: one set of listeners serves all sockets. */
const TICKETS = Symbol("tickets");

type Ticketed = tls.TLSSocket & { [TICKETS]?: Tickets };

/**
 * Keeps the sessions that come over one connection, from the verification of its server until the
 * end of its socket.
 */
export class Tickets {
  readonly #sessions: Sessions;
  /** What came before. */
  #early: Uint8Array[] | undefined;
  #machine: Machine | undefined;

  /** Begins to listen. */
  constructor(sessions: Sessions, socket: tls.TLSSocket) {
    this.#sessions = sessions;
    (socket as Ticketed)[TICKETS] = this;
    socket.on("session", takeTicket);
  }

  /** Keeps what came, and what comes. */
  accept(target: DialTarget, isOpen: boolean, again?: Uint8Array): void {
    const now = performance.now();
    if (isOpen) this.#machine = this.#sessions.opened(target);
    const early = this.#early;
    this.#early = undefined;
    if (again) this.#sessions.keep(target, again, now);
    for (const session of early ?? []) this.#sessions.keep(target, session, now);
  }

  /** Takes what came. */
  take(session: Uint8Array): void {
    if (this.#machine) this.#sessions.keepOf(this.#machine, session, performance.now());
    else (this.#early ??= []).push(session);
  }

  /** Notes that the socket is done. */
  end(): void {
    if (this.#machine) this.#sessions.closed(this.#machine);
    this.#machine = undefined;
  }
}

function takeTicket(this: Ticketed, session: Uint8Array): void {
  this[TICKETS]?.take(session);
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
    return new Handshake(target, this.#profile(target.tls), reader, over);
  }

  /**
   * Prepares a set of TLS options before the first handshake.
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
        verifier: new Verifier({ createHash, roots: runtimeRoots }),
      };
      this.#profiles.set(options, profile);
    }
    return profile;
  }
}

/** What is kept for a set of TLS options. */
interface Profile {
  /** Parsing authorities and keys costs more than a handshake. */
  readonly context: tls.SecureContext;
  readonly sessions: Sessions | undefined;
  readonly verifier: Verifier;
}

/**
 * Makes what Node keeps for a set of TLS options.
 *
 * @throws {TypeError} An option cannot be used
 */
export function createContext(options: TlsOptions): tls.SecureContext {
  const { ca, clientCertificate, ciphers, groups, minVersion, maxVersion } = options;
  if (clientCertificate) {
    checkClientCertificate(clientCertificate, { createPrivateKey, X509Certificate });
  }
  try {
    // Runtimes differ in which of these they silently ignore when malformed.
    const authorities = ca === undefined ? undefined : readAuthorities(ca);
    for (const pem of authorities ?? []) new X509Certificate(pem);
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
    const detail = messageOf(cause);
    throw new TypeError(`The TLS options cannot be used: ${detail}`, { cause });
  }
}

function connectOptions(
  target: DialTarget,
  secureContext: tls.SecureContext,
  onread: Reader | undefined,
  shown: Shown,
): tls.ConnectionOptions {
  const name = bareServerName(target.serverName);
  const { alpn, dangerouslyAcceptAnyCertificate, dangerouslyAcceptWeakCertificate } = target.tls;
  const options: tls.ConnectionOptions & { onread?: Reader } = {
    host: target.ip,
    port: target.port,
    // An IP address is verified, but never sent (RFC 6066 section 3).
    servername: isIp(name) ? "" : name,
    secureContext,
    ...onread && { onread },
    rejectUnauthorized: !dangerouslyAcceptAnyCertificate,
    // The policy checks the names; if it is off, Node decides.
    checkServerIdentity: dangerouslyAcceptWeakCertificate && !dangerouslyAcceptAnyCertificate
      ? (_host, certificate) => tls.checkServerIdentity(name, certificate)
      : shown.note,
  };
  if (alpn !== undefined && alpn.length > 0) options.ALPNProtocols = [...alpn];
  return options;
}

/** The server's certificates, until they were checked. */
interface Shown {
  note(host: string, certificate: tls.PeerCertificate): undefined;
  take(): tls.DetailedPeerCertificate | undefined;
}

/** Made apart: the socket holds `note` for as long as it lives, and with it all that is around it. */
function noteShown(): Shown {
  let shown: tls.DetailedPeerCertificate | undefined;
  return {
    note(_host, certificate) {
      shown = certificate as tls.DetailedPeerCertificate;
      return undefined;
    },
    take() {
      const certificate = shown;
      shown = undefined;
      return certificate;
    },
  };
}

function shownBy(certificate: tls.DetailedPeerCertificate): ShownServer {
  const { fingerprint256 } = certificate;
  return { fingerprint256, certificate: () => certificate, reader: () => X509Certificate };
}

function runtimeRoots(): readonly string[] {
  // Since Node 22.15.
  const { getCACertificates } = tls as { getCACertificates?: (type: string) => string[] };
  return getCACertificates?.("default") ?? tls.rootCertificates;
}
