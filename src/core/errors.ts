/**
 * Every error that hotconn throws of itself. Each has a literal `name` and a stable `code`.
 * An abort is not among them: it rejects with the signal's own reason.
 *
 * @module
 */

/** What every error of hotconn is. */
export class HotconnError extends Error {
  override readonly name: string = "HotconnError";
  /** A stable text to tell errors apart by. */
  readonly code: string = "HOTCONN";
}

/** The step of a dial that failed. */
export type DialPhase = "tcp" | "tls";

/** Why a dial failed, or a socket ended. A closed set. */
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
  | "other";

/** Where a dial went wrong. */
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

/** A dial that failed. `phase` says whether the address (`tcp`) or the host there (`tls`) is at fault. */
export class DialError extends HotconnError implements DialErrorFields {
  override readonly name = "DialError";
  override readonly code = "HOTCONN_DIAL";
  readonly host: string;
  readonly address: string;
  readonly phase: DialPhase;
  readonly failure: DialFailure;

  /** Makes the error; `detail` ends its message. */
  constructor(fields: DialErrorFields, detail: string, options?: ErrorOptions) {
    super(
      `Dial of ${fields.host} at ${fields.address} failed (${fields.failure}): ${detail}`,
      options,
    );
    this.host = fields.host;
    this.address = fields.address;
    this.phase = fields.phase;
    this.failure = fields.failure;
  }
}

/** Why an open socket ended badly. A closed set. */
export type SocketFailure = "reset" | "truncated" | "tls" | "timeout" | "other";

/** An open socket that ended badly: reset, cut off before close_notify, or broken TLS. */
export class SocketError extends HotconnError {
  override readonly name = "SocketError";
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
  override readonly name = "UnsupportedOptionError";
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
