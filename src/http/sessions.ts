/**
 * Which session speaks on a connection.
 *
 * @module
 */

import type { Connection } from "../map/connection.ts";
import { Http1Session } from "./h1/session.ts";
import type { CheckedLimits } from "./limits.ts";
import type { Session } from "./session.ts";

/** The session of a connection, made when it is first asked for. */
export function sessionOf(connection: Connection, limits: CheckedLimits): Session {
  return (connection.session ??= new Http1Session(connection, limits)) as Session;
}
