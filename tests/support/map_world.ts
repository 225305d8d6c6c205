/**
 * A connection manager without a network, on a clock that the test moves.
 *
 * @module
 */

import { type MemorySocket, memorySocket } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { SocketSink, TlsSocket } from "../../src/core/dialer.ts";
import { Connection, type ConnectionInit } from "../../src/map/connection.ts";
import type { EvictReason } from "../../src/map/exits.ts";
import { ConnectionManager, type ConnectionManagerOptions } from "../../src/map/manager.ts";

/** A connection that left the maps. */
export interface Eviction {
  readonly connection: Connection;
  readonly reason: EvictReason;
  readonly error: Error | undefined;
}

/** What `MapWorld.connect` takes beside host and address. */
export type ConnectOptions = Partial<Pick<ConnectionInit, "capacity" | "tlsProfile" | "socket">>;

/** A manager, and what a test moves and watches. */
export class MapWorld implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly manager: ConnectionManager;
  /** Every eviction, in order. */
  readonly evictions: Eviction[] = [];
  /** The sockets that are open. */
  readonly sockets: Set<MemorySocket> = new Set();

  /** Makes an empty manager. */
  constructor(options: Omit<ConnectionManagerOptions, "clock"> & { readonly seed?: number } = {}) {
    const { seed = 1, ...rest } = options;
    this.clock = new ManualClock(seed);
    this.manager = new ConnectionManager({
      ...rest,
      clock: this.clock,
      onEvict: (connection, reason, error) => {
        this.evictions.push({ connection, reason, error });
        rest.onEvict?.(connection, reason, error);
      },
    });
  }

  /** Makes a socket that is counted while it is open. */
  socket(): MemorySocket {
    const socket = memorySocket({ onClosed: () => this.sockets.delete(socket) });
    this.sockets.add(socket);
    return socket;
  }

  /** Makes a connection that nobody holds. */
  connect(host: string, address: string, options: ConnectOptions = {}): Connection {
    const { socket = this.socket(), ...rest } = options;
    return new Connection({ host, address, socket, clock: this.clock, ...rest });
  }

  /** Makes a connection that the manager holds. */
  add(host: string, address: string, options?: ConnectOptions): Connection {
    const connection = this.connect(host, address, options);
    this.manager.addConnection(connection);
    this.manager.checkInvariants();
    return connection;
  }

  /** Why each connection left the maps, since the last call. */
  evicted(): [id: number, reason: EvictReason][] {
    return this.evictions.splice(0).map(({ connection, reason }) => [connection.id, reason]);
  }

  /** Closes everything, and says what is left where nothing should be. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, manager, sockets } = this;
    manager.checkInvariants();
    await manager.close();
    manager.checkInvariants();
    const left = [
      [sockets.size, "sockets are open"],
      [clock.timers, "timers are set"],
      [manager.getConnectionCount(), "connections are held"],
      [manager.idleCount, "connections are idle"],
      [manager.endingCount, "connections are ending"],
      [manager.accountant.total, "connections are counted"],
      [manager.getHostMapping().size, "hosts are mapped"],
    ] as const;
    for (const [count, what] of left) if (count !== 0) throw new Error(`${count} ${what} still`);
  }
}

/** The socket of a connection, as the test that plays the peer has it. */
export function peerOf(connection: Connection): MemorySocket {
  return connection.socket as MemorySocket;
}

/** A socket whose peer never answers a close: only `destroy()` ends it. */
export class StubbornSocket implements TlsSocket {
  readonly #socket: MemorySocket;
  /** Whether it was asked to close. */
  closing = false;

  /** Wraps a socket that would close. */
  constructor(socket: MemorySocket) {
    this.#socket = socket;
  }

  get info(): MemorySocket["info"] {
    return this.#socket.info;
  }

  get open(): boolean {
    return this.#socket.open;
  }

  attach(sink: SocketSink): void {
    this.#socket.attach(sink);
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.closing = true;
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }
}
