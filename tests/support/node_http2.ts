/**
 * Node's own server of HTTP/2: see `node_http2_main.ts`.
 *
 * @module
 */

import { startNodeProgram } from "./node_program.ts";
import type { Party, PartyKind, PartySettings } from "./party.ts";
import { findProgram } from "./services.ts";

let shared: Promise<number> | undefined;

/** Node's server. One serves all tests of a process. */
export const nodeHttp2: PartyKind = {
  name: "node:http2",
  program: findProgram("node"),
  lingers: true,
  reloads: false,
  start,
};

async function start({ credentials }: PartySettings): Promise<Party> {
  shared ??= startNodeProgram("node_http2_main.ts", credentials)
    .then((address) => (address as { port: number }).port);
  return {
    port: await shared,
    reload: () => Promise.reject(new Error("Node's server has no configuration to reload")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
