/**
 * A tunnel through a proxy over a Deno connection.
 *
 * @module
 */

import { messageOf } from "../../src/core/check.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { ProxyError } from "../../src/core/errors.ts";
import { type Tunnel, tunnelError } from "../../src/core/tunnel.ts";
import type { DenoTcpConn } from "./deno_api.ts";

/** More than any proxy's answer. */
const BUFFER_BYTES = 16_384;

/**
 * Opens a tunnel through a proxy. Aborted or failed, it closes the connection.
 *
 * @throws {ProxyError} The proxy opens none
 * @throws The signal's reason, when it aborts
 */
export async function openTunnel(
  tcp: DenoTcpConn,
  target: DialTarget,
  { negotiate }: Tunnel,
  signal: AbortSignal,
): Promise<void> {
  if (!negotiate) return;
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    tcp.close();
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    const negotiation = negotiate();
    await writeAll(tcp, negotiation.opening);
    const buffer = new Uint8Array(BUFFER_BYTES);
    for (;;) {
      const count = await tcp.read(buffer);
      signal.throwIfAborted();
      if (count === null) {
        throw tunnelError(target, "closed", "it hung up before the way was open");
      }
      const next = negotiation.receive(buffer.subarray(0, count));
      if (next === "open") return;
      if (next) await writeAll(tcp, next);
    }
  } catch (cause) {
    close();
    signal.throwIfAborted();
    if (cause instanceof ProxyError) throw cause;
    const detail = messageOf(cause);
    throw tunnelError(target, "closed", detail, { cause });
  } finally {
    signal.removeEventListener("abort", close);
  }
}

async function writeAll(tcp: DenoTcpConn, bytes: Uint8Array): Promise<void> {
  // Deno writes short.
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await tcp.write(rest));
}
