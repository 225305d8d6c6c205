/**
 * A tunnel through a proxy over a Node socket.
 *
 * @module
 */

import net from "node:net";
import type { DialTarget } from "../../src/core/dialer.ts";
import { DialError } from "../../src/core/errors.ts";
import { type Tunnel, tunnelError } from "../../src/core/tunnel.ts";
import { classifyDialError } from "./node_errors.ts";
import type { Handshake, TlsClient } from "./node_tls.ts";

/** A socket over which bytes reach the target. */
export interface OpenTunnel {
  readonly socket: net.Socket;
  /** The proxy, by its URL without its credentials. */
  readonly proxy: string;
  /** How long it took, in milliseconds. */
  readonly tcpMs: number;
}

/**
 * Opens a tunnel through a proxy. Aborted or failed, it leaves no socket behind.
 *
 * @param client Speaks TLS with the proxy itself, where that is to be
 * @throws {DialError} There is no connection to the proxy
 * @throws {ProxyError} It opens no tunnel
 * @throws The signal's reason, when it aborts
 */
export function openTunnel(
  target: DialTarget,
  tunnel: Tunnel,
  signal: AbortSignal,
  client: TlsClient,
): Promise<OpenTunnel> {
  const way = connect(target, tunnel, client);
  const { socket } = way;
  const startedAt = performance.now();
  let isConnected = false;
  return new Promise<OpenTunnel>((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("secureConnect", begin);
      socket.off("data", onData);
      socket.off("error", onError);
      socket.off("close", onClose);
    };
    const fail = (reason: unknown) => {
      settle();
      // Further errors are of no interest, and must not be thrown.
      socket.on("error", () => {});
      socket.destroy();
      reject(reason);
    };
    const done = () => {
      settle();
      socket.pause();
      resolve({ socket, proxy: tunnel.proxy, tcpMs: performance.now() - startedAt });
    };
    let receive: ((bytes: Uint8Array) => "open" | Uint8Array | undefined) | undefined;
    const begin = () => {
      try {
        way.verify();
        const { tickets } = way;
        if (tickets) socket.once("close", () => tickets.end());
      } catch (cause) {
        fail(
          tunnelError(target, "tls", cause instanceof Error ? cause.message : `${cause}`, {
            cause,
          }),
        );
        return;
      }
      const negotiation = tunnel.negotiate?.();
      if (!negotiation) {
        done();
        return;
      }
      receive = (bytes) => negotiation.receive(bytes);
      socket.on("data", onData);
      socket.write(negotiation.opening);
    };
    const onConnect = () => {
      isConnected = true;
      socket.setNoDelay(true);
      if (!tunnel.tls) begin();
    };
    const onData = (bytes: Uint8Array) => {
      try {
        const next = receive?.(bytes);
        if (next === "open") done();
        else if (next) socket.write(next);
      } catch (error) {
        fail(error);
      }
    };
    const onError = (cause: Error) => {
      if (!isConnected) {
        const failure = classifyDialError(cause, "tcp", tunnel.ip);
        fail(new DialError({ ...target, phase: "tcp", failure }, cause.message, { cause }));
        return;
      }
      const failure = tunnel.tls && !receive ? "tls" : "closed";
      fail(tunnelError(target, failure, cause.message, { cause }));
    };
    const onClose = () => {
      fail(tunnelError(target, "closed", "it hung up before the way was open"));
    };
    const onAbort = () => fail(signal.reason);

    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("connect", onConnect);
    if (tunnel.tls) socket.on("secureConnect", begin);
    socket.on("error", onError);
    socket.on("close", onClose);
  });
}

function connect(
  target: DialTarget,
  { ip, port, tls }: Tunnel,
  client: TlsClient,
): Pick<Handshake, "tickets" | "verify"> & { readonly socket: net.Socket } {
  if (!tls) {
    return { socket: net.connect({ host: ip, port }), tickets: undefined, verify: () => {} };
  }
  const { options, serverName } = tls;
  return client.begin({ ...target, ip, port, serverName, tls: options });
}
