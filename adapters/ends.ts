/**
 * The two ends of a connection, as text.
 *
 * @module
 */

import type { TlsInfo } from "../src/core/dialer.ts";

/** What a socket tells of its ends. */
export interface SocketEnds {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** The ends of a socket, as far as it tells them. */
export function endsOf(socket: SocketEnds): Pick<TlsInfo, "localAddress" | "remoteAddress"> {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  return {
    ...localAddress && localPort && { localAddress: ipPort(localAddress, localPort) },
    ...remoteAddress && remotePort && { remoteAddress: ipPort(remoteAddress, remotePort) },
  };
}

/** An IP address with its port: `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function ipPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
