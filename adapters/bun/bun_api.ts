/**
 * The part of Bun that its dialer uses, declared here: neither Bun nor its types are needed to
 * type-check or to import the module on another runtime.
 *
 * @module
 */

import type { createHash } from "node:crypto";
import { HotconnError } from "../../src/core/errors.ts";
import type { KeyReader } from "../sockets/client_certificate.ts";
import type { SocketEnds } from "../sockets/ends.ts";
import type { CertificateReader, ShownCertificate } from "../sockets/shown_chain.ts";

/** TLS options as Bun takes them. */
export interface NativeTlsOptions {
  readonly serverName: string;
  readonly rejectUnauthorized: boolean;
  readonly minVersion: number;
  readonly maxVersion?: number;
  readonly ALPNProtocols?: Uint8Array;
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly ciphers?: string;
  readonly ecdhCurve?: string;
  readonly allowPartialTrustChain?: boolean;
}

/** The TCP socket that a TLS one goes over. */
export interface RawSocket {
  data: unknown;
  reload(options: { readonly socket: Partial<SocketHandlers> }): void;
}

/** A Bun socket, TCP or TLS. */
export interface NativeSocket extends SocketEnds {
  /** What the handlers call. */
  data: SocketOwner;
  /** Above zero while the socket is open. */
  readonly readyState: number;
  readonly authorized: boolean;
  readonly alpnProtocol: string | false | null;
  /** Returns how many bytes were taken; -1 if the socket can never take more. */
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  /** Sends close_notify and FIN; reading goes on. */
  shutdown(): void;
  /** Closes; the system sends FIN. */
  close(): void;
  /** Closes; the system sends RST. */
  terminate(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay(noDelay: boolean): boolean;
  getTLSVersion(): string | null;
  getCipher(): { readonly name: string | null } | undefined;
  getPeerCertificate(abbreviated: boolean): ShownCertificate | null;
  getPeerX509Certificate():
    | { readonly fingerprint256: string; readonly constructor: CertificateReader }
    | undefined;
  upgradeTLS(
    options: {
      readonly data: SocketOwner;
      readonly tls: NativeTlsOptions;
      readonly socket: SocketHandlers;
    },
  ): [raw: RawSocket, tls: NativeSocket];
}

/** An error of the system or of TLS. */
export interface NativeError extends Error {
  readonly code?: string;
  readonly syscall?: string;
}

/** What Bun calls. One object serves all sockets: a socket's `data` says what to call. */
export interface SocketHandlers {
  readonly binaryType: "uint8array";
  open(socket: NativeSocket): void;
  handshake(socket: NativeSocket, success: boolean, error: NativeError | null): void;
  data(socket: NativeSocket, bytes: Uint8Array): void;
  drain(socket: NativeSocket): void;
  end(socket: NativeSocket): void;
  error(socket: NativeSocket, error: NativeError): void;
  close(socket: NativeSocket, error?: NativeError): void;
  connectError(socket: NativeSocket, error: NativeError): void;
}

/** What a socket's handlers call: its dial first, and then the open socket. */
export interface SocketOwner {
  /** TCP is connected; nothing is verified. */
  opened(socket: NativeSocket): void;
  /** The handshake is over, one way or the other. */
  shaken(socket: NativeSocket, success: boolean, error: NativeError | null): void;
  received(bytes: Uint8Array): void;
  drained(): void;
  /** The peer has sent close_notify or FIN: Bun does not say which. */
  ended(): void;
  /** TLS broke. Bun closes the socket next. */
  failed(error: NativeError): void;
  /** The socket is gone. */
  closed(error?: NativeError): void;
}

/** A TCP socket of `node:net` that is not connected yet. */
export interface ConnectingSocket {
  readonly _handle?: NativeSocket | null;
  on(event: "connect" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: NativeError) => void): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  off(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  off(event: "close", listener: () => void): unknown;
  write(bytes: Uint8Array): unknown;
  destroy(): void;
}

interface BuiltinModules {
  "node:net": {
    connect(
      options: { readonly host: string; readonly port: number; readonly noDelay: boolean },
    ): ConnectingSocket;
  };
  "node:crypto": KeyReader & { readonly createHash: typeof createHash };
  "node:tls": {
    getCACertificates(type: "default"): string[];
    // It would take the versions by name.
    createSecureContext(
      options: Omit<NativeTlsOptions, "serverName" | "minVersion" | "maxVersion">,
    ): unknown;
  };
}

interface BunGlobals {
  readonly Bun?: {
    connect(options: {
      readonly hostname: string;
      readonly port: number;
      readonly tls: NativeTlsOptions;
      readonly allowHalfOpen: boolean;
      readonly data: SocketOwner;
      readonly socket: SocketHandlers;
    }): Promise<NativeSocket>;
  };
  readonly process: {
    getBuiltinModule<Name extends keyof BuiltinModules>(name: Name): BuiltinModules[Name];
  };
}

const globals = globalThis as unknown as BunGlobals;

/**
 * Returns Bun.
 *
 * @throws {HotconnError} This is not Bun
 */
export function bun(): NonNullable<BunGlobals["Bun"]> {
  const found = globals.Bun;
  if (found !== undefined) return found;
  throw new HotconnError("bunDialer() needs Bun: on Deno use denoDialer(), on Node nodeDialer()");
}

/** Returns a module that is part of Bun, and loads it only now. */
export function builtin<Name extends keyof BuiltinModules>(name: Name): BuiltinModules[Name] {
  return globals.process.getBuiltinModule(name);
}
