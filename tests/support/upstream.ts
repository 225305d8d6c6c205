/**
 * The program behind the proxies under test: see `upstream_main.ts`.
 *
 * @module
 */

import { startNodeProgram } from "./node_program.ts";

/** What it answers where it is asked for text. */
export const TEXT: string = "Connections that are kept hot. ".repeat(2_000);

let shared: Promise<number> | undefined;

/** The port of 127.0.0.1 where it listens. It is started once in each process. */
export function upstreamPort(): Promise<number> {
  return shared ??= startNodeProgram("upstream_main.ts", null).then((address) =>
    (address as { port: number }).port
  );
}
