/**
 * Says what the errors of `node:tls` mean: the same on every runtime that has it.
 *
 * @module
 */

import {
  type DialFailure,
  type DialPhase,
  SocketError,
  type SocketFailure,
} from "../src/core/errors.ts";

interface NodeError extends Error {
  readonly code?: string;
  readonly syscall?: string;
}

const byCode: Readonly<Record<string, DialFailure>> = {
  ECONNREFUSED: "refused",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EHOSTDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ETIMEDOUT: "timeout",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  EACCES: "permission",
  EPERM: "permission",
  EPROTO: "handshake",
};

// OpenSSL's names for what may be wrong with a chain (X509_V_ERR_*), and Node's for a wrong name.
const certificateCode =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|PATH_LENGTH_|CRL_|ERROR_IN_C|HOSTNAME_|ERR_TLS_CERT_)/;

/** Says why a dial failed. */
export function classifyDialError(error: NodeError, phase: DialPhase): DialFailure {
  const { code = "", syscall } = error;
  // Node gives a FIN in the handshake the code of a reset; but nothing was read or written.
  if (phase === "tls" && code === "ECONNRESET" && syscall === undefined) return "closed";
  const known = byCode[code];
  if (known !== undefined) return known;
  if (error.name === "NotCapable" || error.name === "PermissionDenied") return "permission";
  if (certificateCode.test(code)) return "certificate";
  return phase === "tls" ? "handshake" : "other";
}

/** Makes the error with which a socket ends. */
export function socketError(cause: NodeError): SocketError {
  const { code = "" } = cause;
  const known = byCode[code];
  let failure: SocketFailure = "other";
  if (known === "reset" || known === "timeout") failure = known;
  else if (known === "handshake" || code.startsWith("ERR_SSL_")) failure = "tls";
  return new SocketError(failure, cause.message, { cause });
}
