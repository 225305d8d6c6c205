/**
 * h2o, under its own master, by which it is reloaded.
 *
 * @module
 */

import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import type { Party, PartyKind, PartySettings } from "./party.ts";
import { findPort, findProgram, startService, writeFiles } from "./services.ts";
import { upstreamPort } from "./upstream.ts";

const program = findProgram("h2o");

/** The program that starts a new server before it ends the old one. */
const STARTER = "/usr/share/h2o/start_server";

/** h2o. It tells less of itself than others do. */
export const h2o: PartyKind = {
  name: "h2o",
  program,
  lingers: true,
  reloads: existsSync(STARTER),
  start,
};

async function start(settings: PartySettings): Promise<Party> {
  const [port, upstream] = await Promise.all([findPort(), upstreamPort()]);
  const { cert, key } = settings.credentials;
  let generation = 1;
  const config = () => ({ "h2o.conf": configure(port, upstream, generation) });
  const mode = h2o.reloads ? "master" : "worker";
  const service = await startService({
    program: program!,
    args: (folder) => ["-m", mode, "-c", path.join(folder, "h2o.conf")],
    files: () => ({ ...config(), "cert.pem": cert, "key.pem": key }),
    port,
  });
  return {
    port,
    reload() {
      generation++;
      writeFiles(service.folder, config());
      service.signal("SIGHUP");
      return Promise.resolve(generation);
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function configure(port: number, upstream: number, generation: number): string {
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
        header.set: "x-generation: ${generation}"
        proxy.reverse.url: "http://127.0.0.1:${upstream}/"
        proxy.preserve-host: OFF
`;
}
