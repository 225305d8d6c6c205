/**
 * A dialer without TLS, for `http:` URLs: over `node:net`, on Deno, Bun and Node.
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
import { DialError } from "../src/core/errors.ts";
import { CLOSE_TIMES } from "./close_times.ts";
import { classifyDialError } from "./node_errors.ts";
import { createReader, NodeTlsSocket } from "./node_socket.ts";

/**
 * Makes a dialer without TLS. Whoever sits between can read and change everything, and nobody
 * knows who answers: give it to a pool as its `plainDialer`, for `http:` URLs that need it.
 */
export function plainDialer(): Dialer {
  return new PlainDialer();
}

class PlainDialer implements Dialer {
  readonly name = "plain";
  readonly capabilities: ReadonlySet<TlsCapability> = new Set<TlsCapability>();

  async dial(target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    requireHonoured(this, target.tls);
    signal.throwIfAborted();
    return await new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const reader = createReader();
      const { ip: host, port } = target;
      const options = { host, port, noDelay: true, onread: reader.options };
      const socket = net.connect(options as net.NetConnectOpts);
      const settle = () => {
        signal.removeEventListener("abort", onAbort);
        socket.off("connect", onConnect);
        socket.off("error", onError);
      };
      const fail = (reason: unknown) => {
        settle();
        // Whatever it still has to say about its end is of no interest, and must not be thrown.
        socket.on("error", () => {});
        socket.destroy();
        reject(reason);
      };
      const onConnect = () => {
        settle();
        const info = { alpn: null, tcpMs: performance.now() - startedAt, tlsMs: 0 };
        resolve(new NodeTlsSocket(socket, reader, info, CLOSE_TIMES));
      };
      const onError = (cause: Error) => {
        const failure = classifyDialError(cause, "tcp");
        fail(new DialError({ ...target, phase: "tcp", failure }, cause.message, { cause }));
      };
      const onAbort = () => fail(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      socket.on("connect", onConnect);
      socket.on("error", onError);
    });
  }
}
