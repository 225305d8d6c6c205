/**
 * A dialer without TLS, for `http:` URLs. It uses `node:net`, on Deno, Bun and Node.
 *
 * @example
 * ```ts
 * import { createPool } from "@hotconn/hotconn";
 * import { plainDialer } from "@hotconn/hotconn/plain";
 *
 * await using pool = createPool({ plainDialer: plainDialer() });
 * console.log(pool.stats().connections);
 * ```
 *
 * @module
 */

import net from "node:net";
import {
  type Dialer,
  type DialTarget,
  requireHonoured,
  type TlsCapability,
  type TlsSocket,
} from "../src/core/dialer.ts";
import type { TunnelKind } from "../src/core/tunnel.ts";
import { whenReady } from "./node/node_dial.ts";
import { NodeSocket, Reader } from "./node/node_socket.ts";
import { TlsClient } from "./node/node_tls.ts";
import { openTunnel } from "./node/node_tunnel.ts";
import { CLOSE_TIMES } from "./sockets/close_times.ts";

/**
 * Makes a dialer without TLS. Pass it to a pool as its `plainDialer`, if you need `http:` URLs.
 * Anybody on the way can read and change everything, and nothing proves who answers.
 */
export function plainDialer(): Dialer {
  return new PlainDialer();
}

class PlainDialer implements Dialer {
  readonly name = "plain";
  readonly capabilities: ReadonlySet<TlsCapability> = new Set<TlsCapability>();
  readonly #tls = new TlsClient(false);
  readonly tunnels: ReadonlySet<TunnelKind> = new Set<TunnelKind>(["plain", "tls"]);

  async dial(target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    requireHonoured(this, target.tls);
    signal.throwIfAborted();
    const reader = new Reader();
    const { ip: host, port, tunnel } = target;
    if (tunnel) {
      const { socket, tcpMs } = await openTunnel(target, tunnel, signal, this.#tls);
      socket.on("data", (bytes) => reader.onData(bytes)).resume();
      const info = { alpn: null, proxy: tunnel.proxy, tcpMs, tlsMs: 0 };
      return new NodeSocket(socket, reader, info, CLOSE_TIMES);
    }
    const options = { host, port, noDelay: true, onread: reader };
    const socket = net.connect(options as net.NetConnectOpts);
    return await whenReady(socket, "connect", target, signal, ({ tcpMs }) => {
      return new NodeSocket(socket, reader, { alpn: null, tcpMs, tlsMs: 0 }, CLOSE_TIMES);
    });
  }
}
