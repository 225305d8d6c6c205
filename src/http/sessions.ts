/**
 * Which session speaks on a connection.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { Connection } from "../map/connection.ts";
import { PLAIN_H2 } from "../pool/host/tls_profiles.ts";
import type { Parsers } from "./h1/parsers.ts";
import { Http1Session } from "./h1/session.ts";
import { Http2Session } from "./h2/session.ts";
import type { Protocol, Session } from "./session.ts";

/** The session of a connection, made when it is first asked for. */
export function sessionOf(connection: Connection, parsers: Parsers, clock: Clock): Session {
  return (connection.session ??= begin(connection, parsers, clock)) as Session;
}

/** The protocol of HTTP that is spoken on a connection. */
export function protocolOf({ socket, tlsProfile }: Connection): Protocol {
  return socket.info.alpn === "h2" || tlsProfile === PLAIN_H2.name ? "h2" : "http/1.1";
}

/** Uses what was negotiated in the handshake, or is known without one. */
function begin(connection: Connection, parsers: Parsers, clock: Clock): Session {
  return protocolOf(connection) === "h2"
    ? new Http2Session(connection, parsers.limits, clock)
    : new Http1Session(connection, parsers);
}
