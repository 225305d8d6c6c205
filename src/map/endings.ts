/**
 * Connections that have left the maps, until their sockets are done.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { SocketError } from "../core/errors.ts";
import type { Connection } from "./connection.ts";

/** How long a socket may take to end in good order, in milliseconds, before it is destroyed. */
export const CLOSE_TIMEOUT_MS = 1_000;

/** The connections that are ending. */
export class Endings {
  readonly #connections = new Set<Connection>();

  /** How many there are. */
  get size(): number {
    return this.#connections.size;
  }

  /** Ends a connection: in good order where it is idle and healthy, at once where not. */
  end(connection: Connection): void {
    this.watch(connection);
    if (connection.leases > 0) {
      connection.destroy(new SocketError("other", "its connection was removed while in use"));
    } else if (connection.healthy) connection.close();
    else connection.destroy();
  }

  /** Holds a connection that is ending until its socket is done. */
  watch(connection: Connection): void {
    this.#connections.add(connection);
    connection.closed.then(() => this.#connections.delete(connection));
  }

  /** Waits until every socket is done; those that take too long are destroyed. */
  async settle(clock: Clock): Promise<void> {
    const timer = clock.setTimer(
      () => this.#connections.forEach((connection) => connection.destroy()),
      CLOSE_TIMEOUT_MS,
      true,
    );
    // What comes meanwhile ends here too.
    while (this.size > 0) await Promise.all(Array.from(this.#connections, ({ closed }) => closed));
    timer.cancel();
  }
}
