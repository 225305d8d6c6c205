/**
 * What is asked of a proxy, and with which credentials.
 *
 * @module
 */

/** Where a tunnel leads. */
export interface TunnelEnd {
  /** An IP address without brackets, or a host name. */
  readonly name: string;
  /** The TCP port. */
  readonly port: number;
}

/** A name and a password. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}
