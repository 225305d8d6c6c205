/**
 * The dialer for Deno, over `Deno.connect` and `Deno.startTls`.
 *
 * @example
 * ```ts
 * import { denoDialer } from "@hotconn/hotconn/deno";
 *
 * const dialer = denoDialer();
 * console.log(dialer.name, [...dialer.capabilities].join(", "));
 * ```
 *
 * @module
 */

import { ipPort, withItsPort } from "../src/core/address.ts";
import { checkNames, checkNumber } from "../src/core/check.ts";
import {
  type Dialer,
  type DialTarget,
  requireHonoured,
  type TlsCapability,
  type TlsSocket,
} from "../src/core/dialer.ts";
import { readAuthorities } from "../src/core/trust/authorities.ts";
import type { TunnelKind } from "../src/core/tunnel.ts";
import {
  atEndOfTurn,
  type DenoApi,
  denoApi,
  type DenoTcpConn,
  type DenoTlsConn,
} from "./deno/deno_api.ts";
import { dialError, startTlsError } from "./deno/deno_errors.ts";
import { DenoSocket, type DenoSocketOptions } from "./deno/deno_socket.ts";
import { openTunnel } from "./deno/deno_tunnel.ts";
import { bareServerName } from "./sockets/server_name.ts";

/** Options of {@linkcode denoDialer}. */
export interface DenoDialerOptions {
  /**
   * How many bytes may wait to be written before `write` returns false.
   *
   * @default {65_536}
   */
  readonly highWaterMarkBytes?: number | undefined;
  /**
   * How long a closing socket waits for the peer to take what was written, and then to close too, in
   * milliseconds. The time starts again with each bit of progress.
   *
   * @default {1000}
   */
  readonly lingerMs?: number | undefined;
}

/**
 * Makes a dialer for Deno. It needs the permission `--allow-net` for the addresses it dials.
 *
 * Deno honours the TLS options `serverName`, `ca` (besides the runtime's own authorities) and
 * `alpn`. For the others, and for `https:` proxies, use `nodeDialer()`, which runs on Deno too.
 *
 * A dial that is aborted during the TLS handshake rejects at once. But Deno closes its connection
 * only when the handshake ends or the server hangs up. The same goes for a closed socket whose
 * server reads nothing more. Neither keeps the program alive.
 *
 * @throws {HotconnError} This is not Deno
 * @throws {TypeError | RangeError} An option is unknown, or out of its range
 *
 * @example
 * ```ts
 * import { denoDialer } from "@hotconn/hotconn/deno";
 *
 * const impatient = denoDialer({ lingerMs: 200 });
 * console.log(impatient.capabilities.has("pins")); // false
 * ```
 */
export function denoDialer(options: DenoDialerOptions = {}): Dialer {
  checkNames("denoDialer()", options, ["highWaterMarkBytes", "lingerMs"]);
  const { highWaterMarkBytes = 65_536, lingerMs = 1_000 } = options;
  checkNumber("highWaterMarkBytes", highWaterMarkBytes, { min: 0 });
  checkNumber("lingerMs", lingerMs, { min: 0 });
  return new DenoDialer(denoApi(), { highWaterMarkBytes, lingerMs });
}

class DenoDialer implements Dialer {
  readonly name = "deno";
  readonly capabilities: ReadonlySet<TlsCapability> = new Set(["serverName", "ca", "alpn"]);
  readonly tunnels: ReadonlySet<TunnelKind> = new Set<TunnelKind>(["plain"]);
  readonly #deno: DenoApi;
  readonly #socketOptions: DenoSocketOptions;

  constructor(deno: DenoApi, socketOptions: DenoSocketOptions) {
    this.#deno = deno;
    this.#socketOptions = socketOptions;
  }

  async dial(target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    requireHonoured(this, target.tls);
    // Deno ignores a text without a certificate, and the caller would trust less than expected.
    const { ca } = target.tls;
    const caCerts = ca === undefined ? undefined : [...readAuthorities(ca)];
    signal.throwIfAborted();
    const startedAt = performance.now();
    const { tunnel } = target;
    const tcp = await this.#connect(target, tunnel ?? target, signal);
    if (tunnel) await openTunnel(tcp, target, tunnel, signal);
    const connectedAt = performance.now();
    const conn = await this.#startTls(tcp, target, caCerts);
    const { alpnProtocol } = await handshake(conn, target, signal);
    return new DenoSocket(conn, {
      alpn: alpnProtocol,
      ...tunnel && { proxy: tunnel.proxy },
      localAddress: ipPort(conn.localAddr.hostname, conn.localAddr.port),
      remoteAddress: tunnel
        ? ipPort(conn.remoteAddr.hostname, conn.remoteAddr.port)
        : withItsPort(target.address, target.ip),
      tcpMs: connectedAt - startedAt,
      tlsMs: performance.now() - connectedAt,
    }, this.#socketOptions);
  }

  async #connect(
    target: DialTarget,
    { ip, port }: { readonly ip: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<DenoTcpConn> {
    const cancelling = new AbortController();
    // Deno forgets, and leaves open, a connection that was made but not yet reported when its
    // signal aborts. At the end of a turn there is none: all that was made has been reported.
    const onAbort = () => atEndOfTurn(() => cancelling.abort());
    signal.addEventListener("abort", onAbort, { once: true });
    let tcp: DenoTcpConn;
    try {
      tcp = await this.#deno.connect({
        hostname: ip,
        port,
        signal: cancelling.signal,
        autoSelectFamily: false,
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw dialError(target, "tcp", cause);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    if (signal.aborted) {
      tcp.close();
      throw signal.reason;
    }
    return tcp;
  }

  async #startTls(
    tcp: DenoTcpConn,
    target: DialTarget,
    caCerts: string[] | undefined,
  ): Promise<DenoTlsConn> {
    try {
      tcp.setNoDelay(true);
      // Ends what Deno leaves open (see above) when the server's machine is gone.
      tcp.setKeepAlive(true);
      return await this.#deno.startTls(tcp, {
        hostname: bareServerName(target.serverName),
        ...caCerts && { caCerts },
        ...target.tls.alpn && { alpnProtocols: [...target.tls.alpn] },
      });
    } catch (cause) {
      try {
        tcp.close();
      } catch {
        // Some failures close the connection as well.
      }
      throw startTlsError(target, cause);
    }
  }
}

async function handshake(
  conn: DenoTlsConn,
  target: DialTarget,
  signal: AbortSignal,
): Promise<{ readonly alpnProtocol: string | null }> {
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    conn.close();
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    const info = await conn.handshake();
    signal.throwIfAborted();
    return info;
  } catch (cause) {
    close();
    signal.throwIfAborted();
    throw dialError(target, "tls", cause);
  } finally {
    signal.removeEventListener("abort", close);
  }
}
