/**
 * What is asked of a proxy, and with which credentials.
 *
 * @module
 */

/** Whither a proxy is to open a way. */
export interface WayEnd {
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
