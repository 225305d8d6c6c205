/**
 * The seam between the pool and the runtime: what a dialer is asked for, and the socket it returns.
 *
 * Push, not pull: a socket is read all the time, so an idle peer that hangs up, or speaks out of
 * turn, is noticed at once.
 *
 * @module
 */

import { quote } from "./check.ts";
import { UnsupportedOptionError } from "./errors.ts";
import type { Authorities } from "./trust/authorities.ts";

/** A version of TLS that hotconn speaks. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/**
 * The TLS options of a connection. Connections with different options are never shared.
 */
export interface TlsOptions {
  /**
   * The name to send in the handshake and to check against the certificate, if it is not the host's.
   */
  readonly serverName?: string | undefined;
  /**
   * The certificate authorities to trust instead of the runtime's own (on Deno: in addition to them):
   * the content of their files, as text or bytes, or a list of that. PEM, or DER as bytes. A file may
   * hold many.
   */
  readonly ca?: Authorities | undefined;
  /** The certificate chain and private key, PEM, that show the server who you are. */
  readonly clientCertificate?:
    | { readonly cert: string; readonly key: string }
    | undefined;
  /** The ALPN protocols to offer, preferred first, such as `["http/1.1"]`. */
  readonly alpn?: readonly string[] | undefined;
  /** The lowest version of TLS to accept. */
  readonly minVersion?: TlsVersion | undefined;
  /** The highest version of TLS to offer. */
  readonly maxVersion?: TlsVersion | undefined;
  /** The cipher suites to offer, by their OpenSSL names, preferred first. */
  readonly ciphers?: readonly string[] | undefined;
  /** The key exchange groups to offer, such as `["X25519", "P-256"]`, preferred first. */
  readonly groups?: readonly string[] | undefined;
  /**
   * The public keys to accept: each `sha256/` and the base64 SHA-256 of a SubjectPublicKeyInfo
   * (RFC 7469 section 2.4). One of the server's chain must match, after the chain was verified.
   */
  readonly pins?: readonly string[] | undefined;
  /**
   * Accepts whatever certificate the runtime accepts: with a common name only, RSA keys below 2,048
   * bits, or signatures with SHA-1. Such certificates can be forged.
   *
   * @default {false}
   */
  readonly dangerouslyAcceptWeakCertificate?: boolean | undefined;
  /**
   * Accepts any certificate at all. Anybody on the way can read and change everything.
   *
   * @default {false}
   */
  readonly dangerouslyAcceptAnyCertificate?: boolean | undefined;
}

/** A TLS option that a runtime may or may not be able to honour: the name of the option. */
export type TlsCapability = keyof TlsOptions;

/** A proxy on the way to a machine. */
export interface Tunnel {
  /** What it is called in errors: its URL without its credentials. */
  readonly proxy: string;
  /** The IP address to connect to, without brackets. */
  readonly ip: string;
  /** The TCP port. */
  readonly port: number;
  /** How TLS is spoken with the proxy itself, if it is. */
  readonly tls?: { readonly serverName: string; readonly options: TlsOptions } | undefined;
  /** Asks the proxy for the tunnel. Absent if bytes go to it as they are. */
  readonly negotiate?: (() => Negotiation) | undefined;
}

/** Which proxies a dialer can go through: those that are spoken to without TLS, or over TLS. */
export type TunnelKind = "plain" | "tls";

/** How a proxy is asked to open a tunnel: what is sent, and what comes. */
export interface Negotiation {
  /** What is sent first. */
  readonly opening: Uint8Array;
  /**
   * Takes what has arrived. Returns `open` when the tunnel is open; otherwise what to send next, if
   * anything.
   *
   * @throws {ProxyError} The proxy refuses
   */
  receive(bytes: Uint8Array): "open" | Uint8Array | undefined;
}

/** What a dialer is asked to open. */
export interface DialTarget {
  /** The host, in canonical text: who the certificate must be for, unless `serverName` is set. */
  readonly host: string;
  /** The name to send and to verify: the host without its port, or `tls.serverName`. */
  readonly serverName: string;
  /** The address in canonical text, as the maps have it. */
  readonly address: string;
  /** The IP address to connect to, without brackets. */
  readonly ip: string;
  /** The TCP port. */
  readonly port: number;
  /** The TLS parameters. */
  readonly tls: TlsOptions;
  /** The proxy to go through, if any. */
  readonly tunnel?: Tunnel | undefined;
}

/** What is known about a TLS session. A field is absent if the runtime does not tell it. */
export interface TlsInfo {
  /** The proxy that it goes through: its URL without its credentials. */
  readonly proxy?: string;
  /** The protocol that ALPN chose, or null if none was agreed. */
  readonly alpn: string | null;
  /** The local end, `ip:port`. */
  readonly localAddress?: string;
  /** The remote end, `ip:port`. */
  readonly remoteAddress?: string;
  /** The version spoken. */
  readonly version?: TlsVersion;
  /** The cipher suite spoken, by its name at IANA or OpenSSL, as the runtime tells it. */
  readonly cipher?: string;
  /**
   * When the first certificate of the verified chain expires, in milliseconds since 1970. Only if
   * one was verified.
   */
  readonly certificateEndsAt?: number;
  /** How long the TCP connection took, in milliseconds. */
  readonly tcpMs: number;
  /** How long the TLS handshake took, in milliseconds. */
  readonly tlsMs: number;
}

/** Receives what happens on a socket. No callback is called after `onClose`. */
export interface SocketSink {
  /**
   * Takes bytes as they arrive. They are the sink's only until it returns, unless it copies: then
   * their memory is used again, or freed.
   */
  onData(bytes: Uint8Array): void;
  /** Says that all written bytes were handed to the system after `write` returned false. */
  onDrain(): void;
  /**
   * Says, exactly once, that the socket is done. Without an error the end was orderly: the peer
   * sent close_notify or FIN, or `close()` was called. With one it was not: a reset, a stream cut
   * off before close_notify where the runtime tells, a failed write, or `destroy(error)`.
   */
  onClose(error?: Error): void;
}

/** A live TLS byte stream, after its handshake, its certificate verified. */
export interface TlsSocket {
  /** What is known of the session. */
  readonly info: TlsInfo;
  /**
   * Whether the verified certificate would be accepted for another name too; absent if the dialer
   * cannot tell.
   */
  covers?(serverName: string): boolean;
  /**
   * Names the one receiver of what happens, and starts the flow; a later call replaces it.
   * Whatever arrived, or happened, before the first call is reported on the next turn after it.
   */
  attach(sink: SocketSink): void;
  /**
   * Writes all bytes, in order, or ends the socket with an error. The bytes must not be changed
   * until they are out: copy what is used again. False means: wait for `onDrain`. After the socket
   * is done it does nothing and returns false.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops reading, which slows the peer down. Meanwhile a hang-up may go unnoticed. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Keeps the program alive while the socket is open. New sockets do. */
  ref(): void;
  /** Lets the program end although the socket is open. */
  unref(): void;
  /** Sends what is written, then close_notify and FIN, and ends the socket. Harmless to repeat. */
  close(): void;
  /** Ends the socket at once. Harmless to repeat, and after `close()`. */
  destroy(error?: Error): void;
}

/** Opens TLS sockets: the only thing that knows a runtime. */
export interface Dialer {
  /** Who dials, such as `deno`, for errors and figures. */
  readonly name: string;
  /** The TLS options that this dialer can honour. */
  readonly capabilities: ReadonlySet<TlsCapability>;
  /** The kinds of proxies it can go through. By default none. */
  readonly tunnels?: ReadonlySet<TunnelKind> | undefined;
  /** Whether its sockets have `covers()`, which `coalesce` needs. @default {false} */
  readonly tellsCertificate?: boolean;
  /**
   * Forgets what speeds up dials to a host at an address, such as TLS sessions. Called when the host no
   * longer has the address, or may no longer use it.
   */
  forget?(target: Pick<DialTarget, "host" | "address" | "tls">): void;
  /**
   * Checks the values of TLS options that it honours, without dialling. Called before a pool replaces
   * its options, which would end its connections in vain.
   *
   * @throws {TypeError | UnsupportedOptionError} An option's value cannot be used, such as a key that
   * belongs to another certificate
   */
  checkTls?(tls: TlsOptions): void;
  /**
   * Opens a socket to an address. From then on the caller owns it.
   *
   * @throws {DialError} What went wrong, and at which phase; no socket is left behind
   * @throws {ProxyError} The target's tunnel could not be opened; no socket is left behind
   * @throws {UnsupportedOptionError} The target has an option that the runtime cannot honour
   * @throws {TypeError} The runtime cannot use an option's value, such as a key's PEM
   * @throws The signal's reason, untouched, when it aborts; no socket is left behind
   */
  dial(target: DialTarget, signal: AbortSignal): Promise<TlsSocket>;
}

/** Whether ALPN allows this name of a protocol: 1 to 255 bytes (RFC 7301 section 3.1). */
export function isProtocol(name: string): boolean {
  const { length } = new TextEncoder().encode(name);
  return length > 0 && length <= 255;
}

/**
 * Refuses TLS options that a dialer cannot honour. Every dialer calls it before it dials.
 *
 * @throws {UnsupportedOptionError} Names the first such option and the dialer
 * @throws {RangeError} A protocol in `alpn` fits no handshake: some runtimes send it all the same,
 * and one dies of it
 */
export function requireHonoured(
  dialer: Pick<Dialer, "name" | "capabilities">,
  tls: TlsOptions,
): void {
  for (const [option, value] of Object.entries(tls)) {
    if (value === undefined || value === false) continue;
    if (dialer.capabilities.has(option as TlsCapability)) continue;
    const known = [...dialer.capabilities].join(", ");
    throw new UnsupportedOptionError(option, dialer.name, `it honours ${known}`);
  }
  const misfit = tls.alpn?.find((name) => !isProtocol(name));
  if (misfit === undefined) return;
  throw new RangeError(`alpn must hold protocols of 1 to 255 bytes, got ${quote(misfit)}`);
}
