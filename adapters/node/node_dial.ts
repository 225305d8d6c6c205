/**
 * One dial over a Node socket: until it is ready, or nothing is left of it.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { DialTarget, TlsInfo, TlsSocket } from "../../src/core/dialer.ts";
import { DialError, type DialPhase } from "../../src/core/errors.ts";
import { explain } from "../sockets/explain.ts";
import { classifyDialError, type NodeError } from "./node_errors.ts";

/**
 * Waits until a socket that has begun to connect is ready. Aborted or failed, it is destroyed.
 *
 * @param event Says that it is ready
 * @param make Makes what the dial gives; what it throws ends the dial
 * @param begun `tls` where the way there is open already
 */
export function whenReady(
  socket: Socket,
  event: "connect" | "secureConnect",
  target: DialTarget,
  signal: AbortSignal,
  make: (times: Pick<TlsInfo, "tcpMs" | "tlsMs">) => TlsSocket,
  begun: DialPhase = "tcp",
): Promise<TlsSocket> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let connectedAt = begun === "tls" ? startedAt : undefined;

    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off(event, onReady);
      socket.off("error", onError);
      socket.off("close", onClose);
    };
    const drop = (reason: unknown) => {
      // Further errors are of no interest, and must not be thrown.
      socket.on("error", () => {});
      socket.destroy();
      reject(reason);
    };
    const fail = (reason: unknown) => {
      settle();
      drop(reason);
    };
    const phase = (): DialPhase => connectedAt === undefined ? "tcp" : "tls";

    const onConnect = () => {
      connectedAt ??= performance.now();
    };
    const onReady = () => {
      const now = performance.now();
      const at = connectedAt ?? now;
      // First, so that the socket never has more listeners than it keeps: their list would stay long.
      settle();
      try {
        resolve(make({ tcpMs: at - startedAt, tlsMs: now - at }));
      } catch (error) {
        drop(error instanceof DialError ? error : failure(error as Error));
      }
    };
    const failure = (cause: Error): DialError => {
      const { code, message } = cause as NodeError;
      const failure = classifyDialError(cause, phase(), target.ip);
      const fields = { ...target, phase: phase(), failure };
      return new DialError(fields, explain(message, code), { cause });
    };
    const onError = (cause: Error) => fail(failure(cause));
    const onClose = () => {
      const fields = { ...target, phase: phase(), failure: "closed" } as const;
      fail(new DialError(fields, "the peer hung up in the handshake"));
    };
    const onAbort = () => fail(signal.reason);

    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("connect", onConnect);
    socket.on(event, onReady);
    socket.on("error", onError);
    socket.on("close", onClose);
  });
}
