/**
 * The server of a proof, on Node: see `soak/server_main.ts`.
 *
 * @module
 */

import { startNodeProgram } from "../support/node_program.ts";
import { createAuthority } from "../support/pki.ts";

/** Where it listens, on 127.0.0.1, and whom to trust for it. */
export interface ProofServer {
  readonly port: number;
  readonly ca: string;
}

/** Starts it, for `localhost`. It ends with this process. */
export async function startServer(): Promise<ProofServer> {
  const authority = await createAuthority();
  const leaf = await authority.issue({ names: ["localhost"] });
  const told = await startNodeProgram("../prove/soak/server_main.ts", leaf);
  return { port: (told as { readonly port: number }).port, ca: authority.cert };
}
