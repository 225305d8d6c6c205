/**
 * nghttpd, of the programs of nghttp2: it serves files, sends back what it is sent, and adds a
 * trailer.
 *
 * @module
 */

import path from "node:path";
import type { Credentials } from "./pki.ts";
import { findPort, findProgram, startService } from "./services.ts";

const program = findProgram("nghttpd");

/** Why it cannot be run here, or false. */
export const withoutNghttpd: string | false = program === undefined && "nghttpd is not installed";

/** Starts it, with files by their names; over TLS where it has credentials. */
export async function startNghttpd(
  options: {
    readonly credentials?: Credentials;
    readonly files?: Readonly<Record<string, string>>;
    readonly args?: readonly string[];
  },
): Promise<{ readonly port: number } & AsyncDisposable> {
  const { args = [], credentials, files = {} } = options;
  const port = await findPort();
  const service = await startService({
    program: program!,
    args: (folder) => [
      `--htdocs=${folder}`,
      "--address=127.0.0.1",
      ...args,
      ...credentials ? [] : ["--no-tls"],
      String(port),
      ...credentials ? [path.join(folder, "key.pem"), path.join(folder, "cert.pem")] : [],
    ],
    files: () => ({
      ...files,
      ...credentials && { "cert.pem": credentials.cert, "key.pem": credentials.key },
    }),
    port,
  });
  return { port, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}
