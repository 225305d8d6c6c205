/**
 * The seam between the pool, which knows proxies, and a dialer, which goes through one.
 *
 * @module
 */

import { joinBytes } from "./bytes.ts";
import type { Tunnel } from "./dialer.ts";
import { ProxyError, type ProxyErrorFields, type ProxyFailure } from "./errors.ts";

export type { Negotiation, Tunnel, TunnelKind } from "./dialer.ts";

/** The error for a proxy that a dialer could not go through. */
export function tunnelError(
  target: Pick<ProxyErrorFields, "host" | "address"> & { readonly tunnel?: Tunnel | undefined },
  failure: ProxyFailure,
  detail: string,
  options?: ErrorOptions,
): ProxyError {
  const { address, host, tunnel } = target;
  const fields = { proxy: tunnel?.proxy ?? "", host, address, failure, status: null };
  return new ProxyError(fields, detail, options);
}

const encoder = new TextEncoder();

/** An HTTP proxy that is asked for each URL, over a connection to it. */
export class Relay {
  /** Its name in errors: its URL without credentials. */
  readonly proxy: string;
  // Private, so that it does not show when a connection is inspected.
  readonly #authorization: string | undefined;

  /** Makes one; `authorization` is the value of Proxy-Authorization. */
  constructor(proxy: string, authorization: string | undefined) {
    this.proxy = proxy;
    this.#authorization = authorization;
  }

  /** A request's head as it is sent to the proxy: with the whole URL, and the credentials. */
  headOf(head: Uint8Array, method: string, host: string): Uint8Array {
    const lineEnd = head.indexOf(0x0a) + 1;
    const line = head.subarray(method.length + 1, lineEnd);
    const start = encoder.encode(`${method} http://${host}`);
    const authorization = this.#authorization === undefined
      ? new Uint8Array(0)
      : encoder.encode(`proxy-authorization: ${this.#authorization}\r\n`);
    return joinBytes([start, line, authorization, head.subarray(lineEnd)]);
  }
}
