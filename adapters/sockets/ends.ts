/**
 * The two ends of a connection, as text.
 *
 * @module
 */

import { ipPort } from "../../src/core/address.ts";
import type { TlsInfo } from "../../src/core/dialer.ts";

/** What a socket says about its ends. */
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
