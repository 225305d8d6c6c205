/**
 * What Bun's errors mean.
 *
 * @module
 */

import { type DialFailure, SocketError, type SocketFailure } from "../src/core/errors.ts";
import type { NativeError } from "./bun_api.ts";

/** Says why TCP did not connect. Bun calls some unreachable networks refused. */
export function connectFailure(error: NativeError): DialFailure {
  switch (error.code) {
    case "ECONNREFUSED":
      return "refused";
    case "ECONNRESET":
      return "reset";
    case "ETIMEDOUT":
      return "timeout";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "ENETDOWN":
    case "EHOSTDOWN":
    case "EADDRNOTAVAIL":
      return "unreachable";
    case "EACCES":
    case "EPERM":
      return "permission";
    default:
      return "other";
  }
}

/** Says why a handshake ended badly, from what Bun's `handshake` was called with. */
export function handshakeFailure(error: NativeError | null): DialFailure {
  // The code is the system's, yet the peer only hung up: after a reset `close` is called instead.
  if (error?.code === "ECONNRESET") return "closed";
  if (error?.code === "EPROTO" || error?.code?.startsWith("ERR_SSL_")) return "handshake";
  return "certificate";
}

/** Says why a socket was closed in the middle of its handshake. */
export function closedInHandshake(error: NativeError | undefined): DialFailure {
  const failure = error && failureOf(error);
  if (failure === undefined) return "closed";
  return failure === "reset" || failure === "timeout" ? failure : "other";
}

/** Says why an open socket ended; nothing where its end was orderly. */
export function socketError(error: NativeError | undefined): SocketError | undefined {
  return error && new SocketError(failureOf(error), error.message, { cause: error });
}

/** Whether an error is one of TLS, and not one that a sink has thrown. */
export function isTlsError(error: NativeError): boolean {
  return error.code === "EPROTO" || error.code?.startsWith("ERR_SSL_") === true;
}

function failureOf({ code }: NativeError): SocketFailure {
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED") return "reset";
  return code === "ETIMEDOUT" ? "timeout" : "other";
}
