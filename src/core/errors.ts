/**
 * The errors of hotconn. Each has a literal `name` and a stable `code`, under which `docs/errors.md`
 * explains it. An abort is not among them: it rejects with the signal's own reason.
 *
 * @module
 */

import { listed, messageOf, shorten } from "./check.ts";

/** The base of every error of hotconn. */
export class HotconnError extends Error {
  /** The name of the class. */
  override readonly name: string = "HotconnError";
  /** A stable code, explained in `docs/errors.md`. */
  readonly code: string = "HOTCONN";
}

/** The step of a dial that failed. */
export type DialPhase = "tcp" | "tls";

/**
 * Why a dial failed, or a socket ended. A closed set. `resources` means that the program itself lacks
 * file descriptors, ports or memory, and `permission` that it may not dial there. Neither says
 * anything about the machine. Bun reports a lack of file descriptors as `refused`.
 */
export type DialFailure =
  | "refused"
  | "unreachable"
  | "timeout"
  | "reset"
  | "closed"
  | "certificate"
  | "pin"
  | "handshake"
  | "permission"
  | "resources"
  | "other";

/** The fields of a {@linkcode DialError}. */
export interface DialErrorFields {
  /** The host that was dialled. */
  readonly host: string;
  /** The address that was dialled. */
  readonly address: string;
  /** The step that failed. */
  readonly phase: DialPhase;
  /** Why it failed. */
  readonly failure: DialFailure;
}

/**
 * A dial that failed. `phase` says whether the address (`tcp`) or the host there (`tls`) is at
 * fault.
 */
export class DialError extends HotconnError implements DialErrorFields {
  /** The name of the class. */
  override readonly name = "DialError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_DIAL";
  readonly host: string;
  readonly address: string;
  readonly phase: DialPhase;
  readonly failure: DialFailure;

  /** Makes the error; `detail` ends its message, cut after 1,000 characters. */
  constructor(fields: DialErrorFields, detail: string, options?: ErrorOptions) {
    const { address, failure, host } = fields;
    // A certificate may list any number of names, and runtimes repeat them all.
    const why = shorten(detail, 1_000);
    super(`Dial of ${host} at ${address} failed (${failure}): ${why}`, options);
    this.host = host;
    this.address = address;
    this.phase = fields.phase;
    this.failure = failure;
  }
}

/**
 * Why a proxy did not open a tunnel. A closed set.
 *
 * - `unreachable`: there is no connection to the proxy, or its name has no address
 * - `tls`: TLS with the proxy itself failed
 * - `authentication`: it wants other credentials, or some
 * - `denied`: it does not allow this
 * - `target`: it says that it cannot reach the machine
 * - `timeout`: it did not answer in time
 * - `closed`: it hung up
 * - `protocol`: what it sent makes no sense
 */
export type ProxyFailure =
  | "unreachable"
  | "tls"
  | "authentication"
  | "denied"
  | "target"
  | "timeout"
  | "closed"
  | "protocol";

/** The fields of a {@linkcode ProxyError}. */
export interface ProxyErrorFields {
  /** The proxy: its URL, without its credentials. */
  readonly proxy: string;
  /** The host that was to be reached. */
  readonly host: string;
  /** The address that was to be reached; the proxy's own, if it resolves names. */
  readonly address: string;
  /** Why it failed. */
  readonly failure: ProxyFailure;
  /** The status of an HTTP proxy's answer, or the code of a SOCKS proxy's; null without one. */
  readonly status: number | null;
}

/** No proxy opened a tunnel. That says nothing about the machine behind it. */
export class ProxyError extends HotconnError implements ProxyErrorFields {
  /** The name of the class. */
  override readonly name = "ProxyError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_PROXY";
  readonly proxy: string;
  readonly host: string;
  readonly address: string;
  readonly failure: ProxyFailure;
  readonly status: number | null;

  /** Makes the error; `detail` ends its message, cut after 1,000 characters. */
  constructor(fields: ProxyErrorFields, detail: string, options?: ErrorOptions) {
    const { address, failure, host, proxy } = fields;
    const why = shorten(detail, 1_000);
    super(`Proxy ${proxy} did not connect to ${host} at ${address} (${failure}): ${why}`, options);
    this.proxy = proxy;
    this.host = host;
    this.address = address;
    this.failure = failure;
    this.status = fields.status;
  }
}

/** Why an open socket ended badly. A closed set. */
export type SocketFailure = "reset" | "truncated" | "tls" | "timeout" | "other";

/** An open socket that ended badly: reset, cut off before close_notify, or broken TLS. */
export class SocketError extends HotconnError {
  /** The name of the class. */
  override readonly name = "SocketError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_SOCKET";
  /** Why the socket ended. */
  readonly failure: SocketFailure;

  /** Makes the error; `detail` ends its message. */
  constructor(failure: SocketFailure, detail: string, options?: ErrorOptions) {
    super(`Socket ended (${failure}): ${detail}`, options);
    this.failure = failure;
  }
}

/** A TLS option that the runtime's dialer cannot honour. Nothing was dialled. */
export class UnsupportedOptionError extends HotconnError {
  /** The name of the class. */
  override readonly name = "UnsupportedOptionError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_UNSUPPORTED_OPTION";
  /** The option's name. */
  readonly option: string;
  /** The dialer that cannot honour it. */
  readonly dialer: string;

  /** Makes the error; `advice` says what would work. */
  constructor(option: string, dialer: string, advice: string) {
    super(`The ${dialer} dialer cannot honour the TLS option "${option}": ${advice}`);
    this.option = option;
    this.dialer = dialer;
  }
}

/** You asked something of a pool or a manager that is closing, or closed. */
export class ClosedError extends HotconnError {
  /** The name of the class. */
  override readonly name = "ClosedError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_CLOSED";

  /** Makes the error; `what` is who is closed, such as `pool`. */
  constructor(what: string) {
    super(`The ${what} is closed`);
  }
}

/** What a limit counts. */
export type LimitScope = "total" | "host" | "ip";

/** One more connection would have broken a limit. */
export class LimitError extends HotconnError {
  /** The name of the class. */
  override readonly name = "LimitError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_LIMIT";
  /** What the limit counts. */
  readonly scope: LimitScope;
  /** The limit. */
  readonly limit: number;

  /** Makes the error; `key` is the host or address that is at its limit. */
  constructor(scope: LimitScope, limit: number, key: string) {
    const where = scope === "total" ? "in all" : `for ${scope} ${key}`;
    super(`Connection refused by the limit of ${limit} ${where}`);
    this.scope = scope;
    this.limit = limit;
  }
}

/** No connection was ready in time. */
export class AcquireTimeoutError extends HotconnError {
  /** The name of the class. */
  override readonly name = "AcquireTimeoutError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_ACQUIRE_TIMEOUT";
  /** The host that was asked for. */
  readonly host: string;
  /** How long the caller waited, in milliseconds. */
  readonly waitedMs: number;

  /** Makes the error; `situation` says what the host's connections were doing. */
  constructor(host: string, waitedMs: number, situation: string, options?: ErrorOptions) {
    super(`No connection to ${host} was ready within ${waitedMs} ms: ${situation}`, options);
    this.host = host;
    this.waitedMs = waitedMs;
  }
}

/** As many callers as `maxWaiters` already wait for a connection. */
export class WaiterLimitError extends HotconnError {
  /** The name of the class. */
  override readonly name = "WaiterLimitError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_WAITER_LIMIT";
  /** The limit. */
  readonly limit: number;

  /** Makes the error. */
  constructor(host: string, limit: number) {
    super(`No connection to ${host} is ready, and ${limit} callers wait already (maxWaiters)`);
    this.limit = limit;
  }
}

/** What happened at one address of a host. */
export interface AddressFailure {
  /** The address. */
  readonly address: string;
  /** Its last failure. */
  readonly error: unknown;
  /**
   * When it will be tried again, in milliseconds since 1970; null if it may be tried at any time.
   */
  readonly retryAt: number | null;
}

/** Every address of a host that the caller accepts has failed. */
export class HostUnavailableError extends HotconnError {
  /** The name of the class. */
  override readonly name = "HostUnavailableError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_HOST_UNAVAILABLE";
  /** The host. */
  readonly host: string;
  /** Each address that was tried, with its last failure. */
  readonly failures: readonly AddressFailure[];

  /** Makes the error; the last failure is also its `cause`. */
  constructor(host: string, failures: readonly AddressFailure[]) {
    const last = failures.at(-1)?.error;
    const causes = listed(withSameCause(failures), ([{ error }, ...others]) => {
      const told = messageOf(error);
      if (others.length === 0) return told;
      return `${told}; the same failure at ${listed(others, ({ address }) => address, ", ")}`;
    }, "; ");
    super(
      failures.length === 0
        ? `Host ${host} has no address to dial`
        : `Host ${host} failed at every address tried: ${causes}`,
      last === undefined ? undefined : { cause: last },
    );
    this.host = host;
    this.failures = failures;
  }
}

type Failures = readonly [AddressFailure, ...AddressFailure[]];

/** Failures with those that are like them. Messages of their own hold the address. */
function withSameCause(failures: readonly AddressFailure[]): Failures[] {
  const causes = new Map<string, [AddressFailure, ...AddressFailure[]]>();
  for (const failure of failures) {
    const { error } = failure;
    const cause = error instanceof DialError
      ? `${error.phase} ${error.failure} ${reasonOf(error.cause)}`
      : messageOf(error);
    const alike = causes.get(cause);
    if (alike) alike.push(failure);
    else causes.set(cause, [failure]);
  }
  return [...causes.values()];
}

/** The runtime's own code of an error, such as `CERT_HAS_EXPIRED`. Deno's have only words. */
function reasonOf(cause: unknown): unknown {
  if (!(cause instanceof Error)) return "";
  return "code" in cause ? cause.code : cause.message;
}

/** An address that may not be dialled. */
export interface DeniedAddress {
  /** The address. */
  readonly address: string;
  /** The rule that denies it. */
  readonly rule: string;
}

/** Access rules or blocks deny every address of a host. Nothing was dialled. */
export class AccessDeniedError extends HotconnError {
  /** The name of the class. */
  override readonly name = "AccessDeniedError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_ACCESS_DENIED";
  /** The host. */
  readonly host: string;
  /** Each address, one or more, with the rule that denies it. */
  readonly addresses: readonly DeniedAddress[];

  /** Makes the error. */
  constructor(host: string, addresses: readonly DeniedAddress[]) {
    const denials = listed(addresses, ({ address, rule }) => `${address} (${rule})`, ", ");
    super(`No address of ${host} may be dialled: ${denials}`);
    this.host = host;
    this.addresses = addresses;
  }
}

/** A host's addresses could not be found. */
export class ResolveError extends HotconnError {
  /** The name of the class. */
  override readonly name = "ResolveError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_RESOLVE";
  /** The host name. */
  readonly host: string;

  /** Makes the error; `detail` ends its message. */
  constructor(host: string, detail: string, options?: ErrorOptions) {
    super(`Addresses of ${host} could not be found: ${detail}`, options);
    this.host = host;
  }
}

/** A lease was used after its end. */
export class LeaseReleasedError extends HotconnError {
  /** The name of the class. */
  override readonly name = "LeaseReleasedError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_LEASE_RELEASED";

  /** Makes the error. */
  constructor(host: string) {
    super(`The lease on ${host} has ended: acquire another one`);
  }
}

/** A lock was not free in time. */
export class LockTimeoutError extends HotconnError {
  /** The name of the class. */
  override readonly name = "LockTimeoutError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_LOCK_TIMEOUT";

  /** Makes the error. */
  constructor(mode: string, timeoutMs: number) {
    super(`The lock was not to be had ${mode} within ${timeoutMs} ms`);
  }
}

/** Why a request failed. A closed set. */
export type RequestFailure =
  | "connection"
  | "protocol"
  | "status"
  | "timeout"
  | "body"
  | "cancelled";

/** The fields of a {@linkcode RequestError}. */
export interface RequestErrorFields {
  /** Why it failed. */
  readonly failure: RequestFailure;
  /** The host, in canonical text. */
  readonly host: string;
  /** The address that was asked last, in canonical text; null if none was. */
  readonly address: string | null;
  /** Whether the server may have acted on the request. */
  readonly maybeActedOn: boolean;
}

/** A request failed: over a connection, or because its time ran out. */
export class RequestError extends HotconnError implements RequestErrorFields {
  /** The name of the class. */
  override readonly name = "RequestError";
  /** A stable text to tell errors apart by. */
  override readonly code = "HOTCONN_REQUEST";
  readonly failure: RequestFailure;
  readonly host: string;
  readonly address: string | null;
  readonly maybeActedOn: boolean;

  /** Makes the error; `detail` ends its message. */
  constructor(fields: RequestErrorFields, detail: string, options?: ErrorOptions) {
    const { address, failure, host } = fields;
    const where = address === null ? host : `${host} at ${address}`;
    super(`Request to ${where} failed (${failure}): ${detail}`, options);
    this.failure = fields.failure;
    this.host = fields.host;
    this.address = fields.address;
    this.maybeActedOn = fields.maybeActedOn;
  }
}

/**
 * Why a WebSocket failed. A closed set.
 *
 * - `handshake`: the server did not agree to one
 * - `protocol`: what it sent breaks the rules
 * - `limit`: a message, or what waits to be sent, is more than a limit allows
 * - `timeout`: the machine did not answer a ping, or did not close in time
 * - `connection`: the connection ended without a good-bye
 */
export type WebSocketFailure = "handshake" | "protocol" | "limit" | "timeout" | "connection";

/** The fields of a {@linkcode WebSocketError}. */
export interface WebSocketErrorFields {
  /** Why it failed. */
  readonly failure: WebSocketFailure;
  /** The host, in canonical text. */
  readonly host: string;
  /** The address of the machine, in canonical text. */
  readonly address: string;
  /** The status of the answer that was not 101; null if that is not why. */
  readonly status?: number | null;
  /** The code that was sent to the server, such as 1002 or 1009; null if none was. */
  readonly closeCode?: number | null;
}

/** A WebSocket failed after it had a connection. */
export class WebSocketError extends HotconnError implements WebSocketErrorFields {
  /** The name of the class. */
  override readonly name = "WebSocketError";
  /** The stable text of the class. */
  override readonly code = "HOTCONN_WEBSOCKET";
  readonly failure: WebSocketFailure;
  readonly host: string;
  readonly address: string;
  readonly status: number | null;
  readonly closeCode: number | null;

  /** Makes the error; `detail` ends its message. */
  constructor(fields: WebSocketErrorFields, detail: string, options?: ErrorOptions) {
    const { address, closeCode = null, failure, host, status = null } = fields;
    super(`WebSocket to ${host} at ${address} failed (${failure}): ${detail}`, options);
    this.failure = failure;
    this.host = host;
    this.address = address;
    this.status = status;
    this.closeCode = closeCode;
  }
}
