/**
 * Caddy, as it comes.
 *
 * @module
 */

import path from "node:path";
import type { Party, PartyKind, PartySettings } from "./party.ts";
import { findPort, findProgram, run, startService, writeFiles } from "./services.ts";
import { upstreamPort } from "./upstream.ts";

const program = findProgram("caddy");

/** Caddy. */
export const caddy: PartyKind = { name: "Caddy", program, lingers: true, start };

async function start(settings: PartySettings): Promise<Party> {
  const [port, upstream] = await Promise.all([findPort(), upstreamPort()]);
  let generation = 1;
  const config = (folder: string) => configure(settings, folder, port, upstream, generation);
  const { cert, key } = settings.credentials;
  const args = (folder: string) => [
    "--adapter",
    "caddyfile",
    "--config",
    path.join(folder, "Caddyfile"),
  ];
  const service = await startService({
    program: program!,
    args: (folder) => ["run", ...args(folder)],
    files: (folder) => ({ Caddyfile: config(folder), "cert.pem": cert, "key.pem": key }),
    port,
  });
  const { folder } = service;
  return {
    port,
    async reload() {
      generation++;
      writeFiles(folder, { Caddyfile: config(folder) });
      const address = `unix/${path.join(folder, "admin.sock")}`;
      await run(program!, ["reload", ...args(folder), "--address", address], folder);
      return generation;
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function configure(
  { extra = "", keepAliveSeconds = 60 }: PartySettings,
  folder: string,
  port: number,
  upstream: number,
  generation: number,
): string {
  return `
{
  admin unix/${path.join(folder, "admin.sock")}
  auto_https off
  grace_period 5s
  storage file_system ${folder}
  log {
    level ERROR
  }
  servers {
    protocols h1 h2
    timeouts {
      idle ${keepAliveSeconds}s
    }
  }
}
(site) {
  bind {args.0}
  tls ${path.join(folder, "cert.pem")} ${path.join(folder, "key.pem")}
  encode gzip
  header x-client-port {http.request.remote.port}
  header x-server-address {args.0}
  header x-generation ${generation}
  header /close/* connection close
  @large {
    path /limited/*
    header_regexp content-length ^[0-9]{7,}$
  }
  respond @large 413
  ${extra}
  reverse_proxy 127.0.0.1:${upstream}
}
https://a.test:${port} {
  import site 127.0.0.1
}
https://*.test:${port} {
  import site 127.0.0.2
}
`;
}
