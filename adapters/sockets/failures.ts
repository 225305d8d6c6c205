/**
 * What the system's errors mean: the same on every runtime.
 *
 * @module
 */

import type { DialFailure, SocketFailure } from "../../src/core/errors.ts";

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
  ERR_ACCESS_DENIED: "permission",
  EPERM: "permission",
  EMFILE: "resources",
  ENFILE: "resources",
  ENOBUFS: "resources",
  ENOMEM: "resources",
  EPROTO: "handshake",
};

/**
 * What the code of an error means for a dial; undefined if it is not one of the system's.
 *
 * @param ip What was dialled
 */
export function failureOfCode(code: string | undefined, ip?: string): DialFailure | undefined {
  const isIpv4 = ip?.includes(".");
  // Over IPv6 the program may have no address to dial from. Over IPv4 it has no free port left.
  if (code === "EADDRNOTAVAIL" && isIpv4) return "resources";
  // Over IPv6 this is also what a firewall on the way says: ICMPv6, administratively prohibited.
  if (code === "EACCES" && ip !== undefined && !isIpv4) return "unreachable";
  return byCode[code ?? ""];
}

/** The same, as a failure of an open socket. */
export function socketFailure(failure: DialFailure | undefined): SocketFailure {
  switch (failure) {
    case "reset":
    case "timeout":
      return failure;
    case "closed":
      return "truncated";
    case "handshake":
    case "certificate":
      return "tls";
    default:
      return "other";
  }
}
