/**
 * Connections that hold next to nothing, for scenes of very many.
 *
 * @module
 */

import type { Dialer, SocketSink, TlsInfo, TlsSocket } from "../../../src/core/dialer.ts";
import type { Resolver } from "../../../src/hosts/resolver.ts";

const INFO: TlsInfo = { alpn: null, tcpMs: 1, tlsMs: 1 };

class LeanSocket implements TlsSocket {
  readonly info = INFO;
  #sink: SocketSink | undefined;

  attach(sink: SocketSink): void {
    this.#sink = sink;
  }
  write(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  ref(): void {}
  unref(): void {}
  close(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (sink) queueMicrotask(() => sink.onClose());
  }
  destroy(): void {
    this.close();
  }
}

/** Opens whatever is asked for, in no time. */
export function leanDialer(): Dialer {
  return {
    name: "lean",
    capabilities: new Set(),
    dial: () => Promise.resolve(new LeanSocket()),
  };
}

/** Gives each host an address of its own, by the number in its name: `h17.test`. */
export function numberedResolver(addresses = 1): Resolver {
  return {
    name: "numbered",
    resolve(name) {
      const number = Number(/\d+/.exec(name)?.[0] ?? 0);
      const list = Array.from({ length: addresses }, (_, index) => {
        const at = number * addresses + index;
        return `10.${at >> 16 & 255}.${at >> 8 & 255}.${at & 255}`;
      });
      return Promise.resolve({ addresses: list, ttlMs: 3_600_000 });
    },
  };
}
