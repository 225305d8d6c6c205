/**
 * Opens TLS sockets on Bun, with Bun's own sockets.
 *
 * @example
 * ```ts
 * import { bunDialer } from "@hotconn/hotconn/bun";
 *
 * if ("Bun" in globalThis) {
 *   const dialer = bunDialer();
 *   console.log(dialer.name, [...dialer.capabilities].join(", "));
 * }
 * ```
 *
 * @module
 */

import { type Dialer, requireHonoured } from "../src/core/dialer.ts";
import { builtin, bun as requireBun } from "./bun/bun_api.ts";
import { dial } from "./bun/bun_dial.ts";
import { capabilities, checkTls } from "./bun/bun_tls.ts";
import { readCloseTimes } from "./sockets/close_times.ts";

/** Options of {@linkcode bunDialer}. */
export interface BunDialerOptions {
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
 * Makes a dialer over Bun's own sockets. It owns nothing: each socket is its caller's.
 *
 * It honours every TLS option. `ciphers` takes only the suites of TLS 1.2, and setting it means TLS
 * 1.2. TLS sessions are never resumed, because one could be offered to another server name. Bun
 * cannot tell a FIN without close_notify from a proper end, nor a network that cannot be reached
 * from a port that refuses.
 *
 * @throws {HotconnError} This is not Bun
 * @throws {TypeError | RangeError} An option is unknown, or not a number of milliseconds
 *
 * @example
 * ```ts
 * import { bunDialer } from "@hotconn/hotconn/bun";
 *
 * // Opens a socket to one machine of example.com, and closes it again.
 * async function greet(ip: string): Promise<void> {
 *   const socket = await bunDialer({ lingerMs: 200 }).dial({
 *     host: "example.com",
 *     serverName: "example.com",
 *     address: ip,
 *     ip,
 *     port: 443,
 *     tls: { alpn: ["http/1.1"] },
 *   }, AbortSignal.timeout(10_000));
 *   socket.close();
 * }
 * console.log(typeof greet);
 * ```
 */
export function bunDialer(options: BunDialerOptions = {}): Dialer {
  const times = readCloseTimes("bunDialer()", options);
  requireBun();
  // Loading it takes longer than many handshakes. Here callers still wait for their addresses.
  builtin("node:net");
  const dialer: Dialer = {
    name: "bun",
    capabilities,
    tunnels: new Set(["plain"]),
    tellsCertificate: true,
    checkTls,
    async dial(target, signal) {
      requireHonoured(dialer, target.tls);
      signal.throwIfAborted();
      return await dial(target, signal, times);
    },
  };
  return dialer;
}
