/**
 * The program of a process with a TLS server for every certificate of the matrix.
 *
 * @module
 */

import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { type CertificateCase, certificateCases } from "./certificate_cases.ts";
import { readInput, sayReady } from "./node_program.ts";

/** What a client needs to know of a case. */
export type ServedCase = Omit<CertificateCase, "chain" | "key"> & { readonly port: number };

async function serve({ chain, key, ...known }: CertificateCase): Promise<ServedCase> {
  const server = tls.createServer({
    cert: chain,
    key,
    // Otherwise Node would not show what is weak.
    ciphers: "DEFAULT:@SECLEVEL=0",
    // The signatures of TLS 1.3 do not fit into so small a key.
    ...known.id === "key rsa512" && { maxVersion: "TLSv1.2" },
  }, (socket) => {
    socket.on("error", () => {});
    socket.resume();
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { ...known, port: (server.address() as AddressInfo).port };
}

await readInput();
const served: ServedCase[] = [];
for (const one of certificateCases()) {
  try {
    served.push(await serve(one));
  } catch (error) {
    throw new Error(`${one.id}: ${(error as Error).message}`);
  }
}
sayReady(served);
