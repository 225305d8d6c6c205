/**
 * Says what the errors of `node:tls` mean: the same on every runtime that has it.
 *
 * @module
 */

import { type DialFailure, type DialPhase, SocketError } from "../../src/core/errors.ts";
import { explainAlert } from "../sockets/explain.ts";
import { failureOfCode, socketFailure } from "../sockets/failures.ts";

/** A Node error. */
export interface NodeError extends Error {
  readonly code?: string;
  readonly syscall?: string;
}

// OpenSSL's names for what may be wrong with a chain (X509_V_ERR_*), where Node has none UNSPECIFIED,
// Node's for a wrong name, and BoringSSL's for what breaks off the handshake at once.
const certificateCode =
  /^(UNSPECIFIED$|ERR_SSL_(KEY_USAGE_BIT_INCORRECT|CERTIFICATE_VERIFY_FAILED)$|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|PATH_LENGTH_|CRL_|ERROR_IN_C|HOSTNAME_|ERR_TLS_CERT_)/;

/** Says why a dial failed. */
export function classifyDialError(error: NodeError, phase: DialPhase, ip: string): DialFailure {
  const { code = "", syscall } = error;
  // Node gives a FIN in the handshake the code of a reset; but nothing was read or written.
  if (phase === "tls" && code === "ECONNRESET" && syscall === undefined) return "closed";
  const known = failureOfCode(code, ip);
  if (known !== undefined) return known;
  if (error.name === "NotCapable" || error.name === "PermissionDenied") return "permission";
  if (certificateCode.test(code)) return "certificate";
  return phase === "tls" ? "handshake" : "other";
}

/** Makes the error with which a socket ends. */
export function socketError(cause: NodeError): SocketError {
  const { code = "", message } = cause;
  const failure = code.startsWith("ERR_SSL_") ? "handshake" : failureOfCode(code);
  return new SocketError(socketFailure(failure), explainAlert(message), { cause });
}
