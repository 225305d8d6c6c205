/**
 * HAProxy, as it comes: a master that replaces its worker when it is reloaded.
 *
 * @module
 */

import path from "node:path";
import type { Party, PartyKind, PartySettings } from "./party.ts";
import { findPort, findProgram, pause, startService, writeFiles } from "./services.ts";
import { upstreamPort } from "./upstream.ts";

const program = findProgram("haproxy");

/** HAProxy. */
export const haproxy: PartyKind = { name: "HAProxy", program, lingers: false, start };

async function start(settings: PartySettings): Promise<Party> {
  const [port, upstream] = await Promise.all([findPort(), upstreamPort()]);
  let generation = 1;
  const config = (folder: string) => configure(settings, folder, port, upstream, generation);
  const { cert, key } = settings.credentials;
  const service = await startService({
    program: program!,
    args: (folder) => ["-W", "-db", "-f", path.join(folder, "haproxy.cfg")],
    files: (folder) => ({ "haproxy.cfg": config(folder), "site.pem": `${cert}\n${key}\n` }),
    port,
  });
  const { folder } = service;
  const loads = () => service.said("Loading success");
  return {
    port,
    async reload() {
      generation++;
      writeFiles(folder, { "haproxy.cfg": config(folder) });
      const before = loads();
      // The master misses a signal that comes while it still settles after its start.
      for (let tries = 0; tries < 200 && loads() === before; tries++) {
        if (tries % 40 === 0) service.signal("SIGUSR2");
        await pause(25);
      }
      return generation;
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function configure(
  { extra = "", keepAliveSeconds = 60, protocol = "http/1.1" }: PartySettings,
  folder: string,
  port: number,
  upstream: number,
  generation: number,
): string {
  const bind = `ssl crt ${path.join(folder, "site.pem")} alpn ${protocol}`;
  return `
global
  maxconn 512
  hard-stop-after 5s
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-request 30s
  timeout http-keep-alive ${keepAliveSeconds}s
frontend site
  bind 127.0.0.1:${port} ${bind}
  bind 127.0.0.2:${port} ${bind}
  filter compression
  compression algo gzip
  compression type text/plain
  http-request set-var(txn.path) path
  http-request deny deny_status 413 if { path_beg /limited/ } { req.hdr_val(content-length) gt 1048576 }
  http-after-response set-header x-client-port %[src_port]
  http-after-response set-header x-server-address %[dst]
  http-after-response set-header x-generation ${generation}
  http-after-response set-header connection close if { var(txn.path) -m beg /close/ }
  ${extra}
  default_backend app
backend app
  server app 127.0.0.1:${upstream}
`;
}
