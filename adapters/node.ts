/**
 * Opens TLS sockets with `node:tls`: on Node, and on Deno and Bun for what their own sockets cannot
 * do.
 *
 * @example
 * ```ts
 * import { nodeDialer } from "@hotconn/hotconn/node";
 *
 * const dialer = nodeDialer();
 * console.log(dialer.name, [...dialer.capabilities].join(", "));
 * ```
 *
 * @module
 */

import type tls from "node:tls";
import { ipPort, withItsPort } from "../src/core/address.ts";
import {
  type Dialer,
  type DialTarget,
  requireHonoured,
  type TlsCapability,
  type TlsInfo,
  type TlsOptions,
  type TlsSocket,
  type TlsVersion,
} from "../src/core/dialer.ts";
import type { TunnelKind } from "../src/core/tunnel.ts";
import { whenReady } from "./node/node_dial.ts";
import { NodeSocket, Reader } from "./node/node_socket.ts";
import { createContext, TlsClient } from "./node/node_tls.ts";
import { openTunnel } from "./node/node_tunnel.ts";
import { type CloseTimes, readCloseTimes } from "./sockets/close_times.ts";
import { endsOf } from "./sockets/ends.ts";
import { once } from "./sockets/once.ts";

/** Options of {@linkcode nodeDialer}. */
export interface NodeDialerOptions {
  /**
   * How long a socket may take, after `close()`, to send what was written, in milliseconds. Then it
   * is destroyed, so a peer that does not read cannot hold it open.
   *
   * @default {10000}
   */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * How long a closing socket that has sent everything waits for the peer to close too, in
   * milliseconds. A peer that still sends meanwhile gets no reset.
   *
   * @default {1000}
   */
  readonly lingerMs?: number | undefined;
}

/**
 * Makes a dialer over `node:tls`. It goes through proxies of every kind, `https:` proxies included.
 *
 * On Node and Bun it resumes TLS sessions. A session is offered once, and only to the host, address
 * and server name that it was made with, under the same TLS options. On Deno it resumes none.
 *
 * What it can honour depends on the runtime. Deno's `node:tls` ignores `ciphers` and `groups`.
 * Bun's ignores the TLS 1.3 suites in `ciphers`. So `capabilities` leaves these out there. On Deno,
 * a reset by the peer looks like an orderly end. On none of the three can it tell a FIN without
 * close_notify from a proper end.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not a number of milliseconds
 */
export function nodeDialer(options: NodeDialerOptions = {}): Dialer {
  return new NodeDialer(readCloseTimes("nodeDialer()", options));
}

const everywhere: readonly TlsCapability[] = [
  "serverName",
  "ca",
  "clientCertificate",
  "alpn",
  "minVersion",
  "maxVersion",
  "pins",
  "dangerouslyAcceptWeakCertificate",
  "dangerouslyAcceptAnyCertificate",
];

// Checked against the ClientHello that a server receives, not taken from documentation.
const perRuntime: Record<string, { name: string; more: readonly TlsCapability[] }> = {
  node: { name: "node", more: ["ciphers", "groups"] },
  deno: { name: "node on deno", more: [] },
  bun: { name: "node on bun", more: ["groups"] },
};

class NodeDialer implements Dialer {
  readonly name: string;
  readonly capabilities: ReadonlySet<TlsCapability>;
  readonly tunnels: ReadonlySet<TunnelKind> = new Set(["plain", "tls"] as const);
  readonly tellsCertificate = true;
  readonly #times: CloseTimes;
  // Deno's claims that sessions were resumed when the server says that they were not.
  readonly #tls = new TlsClient(runtime() !== "deno");

  constructor(times: CloseTimes) {
    const { name, more } = perRuntime[runtime()]!;
    this.name = name;
    this.capabilities = new Set([...everywhere, ...more]);
    this.#times = times;
  }

  forget(target: Pick<DialTarget, "host" | "address" | "tls">): void {
    this.#tls.forget(target);
  }

  checkTls(tls: TlsOptions): void {
    createContext(tls);
  }

  async dial(target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    requireHonoured(this, target.tls);
    signal.throwIfAborted();
    const reader = new Reader();
    const { tunnel } = target;
    // Options that cannot be used are an error before anything is dialled.
    if (tunnel) this.#tls.prepare(target.tls);
    const open = tunnel && await openTunnel(target, tunnel, signal, this.#tls);
    const handshake = this.#tls.begin(target, reader, open?.socket);
    const { socket } = handshake;
    if (!open) socket.setNoDelay(true);
    const known = open && { tcpMs: open.tcpMs, proxy: open.proxy };
    return await whenReady(socket, "secureConnect", target, signal, (times) => {
      const certificateEndsAt = handshake.verify();
      const live = new NodeSocket(
        socket,
        reader,
        describe(socket, target, { ...times, ...known }, certificateEndsAt),
        this.#times,
        open?.socket,
        handshake.tickets,
      );
      // Only options that may be used again need be remembered.
      if (live.info.alpn === "h2") live.covers = (name) => handshake.covers(name);
      return live;
    }, open ? "tls" : "tcp").catch((error) => {
      open?.socket.destroy();
      throw error;
    });
  }
}

/** Returns what is known of a socket. There may be many, so they share what they have in common. */
function describe(
  socket: tls.TLSSocket,
  target: DialTarget,
  { proxy, tcpMs, tlsMs }: Pick<TlsInfo, "proxy" | "tcpMs" | "tlsMs">,
  certificateEndsAt: number | undefined,
): TlsInfo {
  const version = socket.getProtocol();
  const cipher = socket.getCipher()?.name;
  const { localAddress, localPort } = socket;
  const info = {
    alpn: socket.alpnProtocol ? once(socket.alpnProtocol) : null,
    localAddress: localAddress && localPort ? ipPort(localAddress, localPort) : undefined,
    // Otherwise Node would keep on each socket what was dialled.
    remoteAddress: proxy === undefined
      ? withItsPort(target.address, target.ip)
      : endsOf(socket).remoteAddress,
    version: isVersion(version) ? once(version) : undefined,
    cipher: cipher ? once(cipher) : undefined,
    tcpMs,
    tlsMs,
  };
  const isWhole = proxy === undefined && info.localAddress && info.version && info.cipher;
  if (isWhole) return (certificateEndsAt ? { ...info, certificateEndsAt } : info) as TlsInfo;
  const told = Object.entries({ ...info, certificateEndsAt, proxy }).filter(([, value]) =>
    value !== undefined
  );
  return Object.fromEntries(told) as unknown as TlsInfo;
}

function isVersion(version: string | null): version is TlsVersion {
  return version === "TLSv1.2" || version === "TLSv1.3";
}

function runtime(): "node" | "deno" | "bun" {
  if ("Deno" in globalThis) return "deno";
  return "Bun" in globalThis ? "bun" : "node";
}
