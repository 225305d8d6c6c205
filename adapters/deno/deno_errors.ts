/**
 * What Deno's errors mean. Deno distinguishes them by class, by system error code if there is one,
 * and for TLS only by rustls' message.
 *
 * @module
 */

import type { DialTarget } from "../../src/core/dialer.ts";
import { DialError, type DialFailure, type DialPhase, SocketError } from "../../src/core/errors.ts";
import { explain, explainAlert } from "../sockets/explain.ts";
import { failureOfCode, socketFailure } from "../sockets/failures.ts";

const failureByName: Readonly<Record<string, DialFailure>> = {
  ConnectionRefused: "refused",
  NetworkUnreachable: "unreachable",
  AddrNotAvailable: "unreachable",
  TimedOut: "timeout",
  ConnectionReset: "reset",
  ConnectionAborted: "reset",
  BrokenPipe: "reset",
  NotConnected: "reset",
  UnexpectedEof: "closed",
  NotCapable: "permission",
  PermissionDenied: "permission",
  InvalidData: "handshake",
};

/** Turns what Deno threw during a dial into the error that every dialer throws for it. */
export function dialError(target: DialTarget, phase: DialPhase, cause: unknown): DialError {
  const { host, address, ip, tunnel } = target;
  const fields = { host, address, phase, failure: failureOf(cause, tunnel?.ip ?? ip) };
  return new DialError(fields, explain(messageOf(cause)), { cause });
}

/**
 * Turns what `Deno.startTls` threw into an error. Nothing was sent yet, so unless the peer has hung
 * up already, the options are at fault.
 */
export function startTlsError(target: DialTarget, cause: unknown): DialError | TypeError {
  const failure = failureOf(cause);
  if (failure !== "other" && failure !== "certificate") return dialError(target, "tls", cause);
  return new TypeError(`The TLS options cannot be used: ${messageOf(cause)}`, { cause });
}

/** Turns what Deno threw on an open socket into the error that ends it. */
export function socketError(cause: unknown): SocketError {
  return new SocketError(socketFailure(failureOf(cause)), explainAlert(messageOf(cause)), {
    cause,
  });
}

function failureOf(cause: unknown, ip?: string): DialFailure {
  if (!(cause instanceof Error)) return "other";
  if (cause.message.startsWith("invalid peer certificate")) return "certificate";
  const { code } = cause as { readonly code?: string };
  return failureOfCode(code, ip) ?? failureByName[cause.name] ?? "other";
}

function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Deno's message goes on with a link to the manual of its TLS library.
  return cause.message.split(": https://")[0]!;
}
