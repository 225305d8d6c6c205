/**
 * A server of the runtime that the tests run on, in their own process.
 *
 * @module
 */

import { serve } from "@hono/node-server";
import type { AddressInfo } from "node:net";
import { detectRuntime } from "../../adapters/detect.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

/** A server that runs. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string;
}

interface Runtimes {
  readonly Deno: {
    serve(options: object, fetch: Fetch): {
      readonly addr: { readonly port: number };
      shutdown(): Promise<void>;
    };
  };
  readonly Bun: { serve(options: object): { readonly port: number; stop(): Promise<void> } };
}

/** Starts the runtime's own server. */
export async function startOwnServer(fetch: Fetch): Promise<OwnServer> {
  const { Bun, Deno } = globalThis as unknown as Runtimes;
  const at = { hostname: "127.0.0.1", port: 0 };
  const told = (port: number, stop: () => Promise<unknown>): OwnServer => ({
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  });
  switch (detectRuntime()) {
    case "deno": {
      const server = Deno.serve({ ...at, onListen: () => {} }, fetch);
      return told(server.addr.port, () => server.shutdown());
    }
    case "bun": {
      const server = Bun.serve({ ...at, fetch });
      return told(server.port, () => server.stop());
    }
    case "node": {
      let listening = (_: AddressInfo) => {};
      const address = new Promise<AddressInfo>((resolve) => listening = resolve);
      const server = serve({ ...at, fetch }, (info) => listening(info));
      const { port } = await address;
      return told(port, () =>
        new Promise((resolve) => {
          server.close(resolve);
          // Clients keep connections for a while that they may need again.
          if ("closeAllConnections" in server) server.closeAllConnections();
        }));
    }
  }
}
