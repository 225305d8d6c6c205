/**
 * What Bun's errors mean.
 *
 * @module
 */

import { type DialFailure, SocketError } from "../../src/core/errors.ts";
import { failureOfCode, socketFailure } from "../sockets/failures.ts";
import type { NativeError } from "./bun_api.ts";

/** Says what failed below TLS. Bun calls some unreachable networks refused. */
export function systemFailure({ code }: NativeError, ip?: string): DialFailure {
  return failureOfCode(code, ip) ?? "other";
}

/** Says why a handshake ended badly, from what Bun's `handshake` was called with. */
export function handshakeFailure(error: NativeError | null): DialFailure {
  // The code is the system's, yet the peer only hung up: after a reset `close` is called instead.
  if (error?.code === "ECONNRESET") return "closed";
  // BoringSSL breaks off the handshake at once for some certificates.
  if (/KEY_USAGE_BIT_INCORRECT|CERTIFICATE_VERIFY_FAILED/.test(error?.message ?? "")) {
    return "certificate";
  }
  return error !== null && isTlsError(error) ? "handshake" : "certificate";
}

/** Says why an open socket ended; nothing if its end was orderly. */
export function socketError(error: NativeError | undefined): SocketError | undefined {
  return error && new SocketError(socketFailure(systemFailure(error)), error.message, {
    cause: error,
  });
}

/** Whether an error is one of TLS, and not one that a sink has thrown. */
export function isTlsError({ code = "" }: NativeError): boolean {
  return code === "EPROTO" || code.startsWith("ERR_SSL_");
}
