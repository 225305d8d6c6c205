/**
 * h2o, as it comes.
 *
 * @module
 */

import path from "node:path";
import process from "node:process";
import type { Party, PartyKind, PartySettings } from "./party.ts";
import { findPort, findProgram, startService } from "./services.ts";
import { upstreamPort } from "./upstream.ts";

const program = findProgram("h2o");

/** h2o. It tells less of itself than others, and is reloaded only by a program beside it. */
export const h2o: PartyKind = { name: "h2o", program, lingers: true, reloads: false, start };

async function start(settings: PartySettings): Promise<Party> {
  const [port, upstream] = await Promise.all([findPort(), upstreamPort()]);
  const { cert, key } = settings.credentials;
  const service = await startService({
    program: program!,
    args: (folder) => ["-c", path.join(folder, "h2o.conf")],
    files: () => ({
      "h2o.conf": configure(port, upstream),
      "cert.pem": cert,
      "key.pem": key,
    }),
    port,
  });
  return {
    port,
    reload: () => Promise.reject(new Error("h2o is not reloaded here")),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function configure(port: number, upstream: number): string {
  return `
${process.getuid?.() === 0 ? "user: root" : ""}
num-threads: 1
hosts:
  "a.test:${port}":
    listen:
      host: 127.0.0.1
      port: ${port}
      ssl:
        certificate-file: cert.pem
        key-file: key.pem
    paths:
      "/":
        proxy.reverse.url: "http://127.0.0.1:${upstream}/"
        proxy.preserve-host: OFF
`;
}
