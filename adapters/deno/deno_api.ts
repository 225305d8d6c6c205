/**
 * The part of the Deno namespace that the Deno dialer uses. It is declared here because the library
 * type-checks on every runtime, and only one of them knows `Deno`.
 *
 * @module
 */

import { HotconnError } from "../../src/core/errors.ts";

/** One end of a connection. */
interface DenoAddr {
  readonly hostname: string;
  readonly port: number;
}

/** A TCP connection. */
export interface DenoTcpConn {
  setNoDelay(noDelay?: boolean): void;
  setKeepAlive(keepAlive?: boolean): void;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** A TLS connection. */
export interface DenoTlsConn {
  readonly localAddr: DenoAddr;
  readonly remoteAddr: DenoAddr;
  handshake(): Promise<{ readonly alpnProtocol: string | null }>;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  ref(): void;
  unref(): void;
}

/** The functions of the Deno namespace that are called. */
export interface DenoApi {
  connect(options: {
    readonly hostname: string;
    readonly port: number;
    readonly signal: AbortSignal;
    readonly autoSelectFamily: boolean;
  }): Promise<DenoTcpConn>;
  startTls(tcp: DenoTcpConn, options: {
    readonly hostname: string;
    readonly caCerts?: string[];
    readonly alpnProtocols?: string[];
  }): Promise<DenoTlsConn>;
}

interface DenoGlobals {
  readonly Deno?: Partial<DenoApi>;
  readonly setImmediate: (callback: () => void) => unknown;
}

const globals = globalThis as unknown as DenoGlobals;

/**
 * Finds the Deno namespace.
 *
 * @throws {HotconnError} This is not Deno
 */
export function denoApi(): DenoApi {
  const { Deno } = globals;
  if (Deno?.connect === undefined || Deno.startTls === undefined) {
    throw new HotconnError(
      "The deno dialer needs the Deno namespace, which this runtime lacks; "
        + "take bunDialer() on Bun and nodeDialer() on Node",
    );
  }
  return Deno as DenoApi;
}

/** Calls back at the end of this turn of the event loop, after all that it had to report. */
export function atEndOfTurn(callback: () => void): void {
  globals.setImmediate(callback);
}
