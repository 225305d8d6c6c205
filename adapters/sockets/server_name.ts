/**
 * The name of a server, for the runtimes.
 *
 * @module
 */

/**
 * A server's name without the brackets of IPv6, and without the dot at its end, which is no part of
 * it in a handshake (RFC 6066 section 3).
 */
export function bareServerName(serverName: string): string {
  return serverName.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}
