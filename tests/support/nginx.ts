/**
 * nginx, as it comes.
 *
 * @module
 */

import path from "node:path";
import process from "node:process";
import type { Party, PartyKind, PartySettings } from "./party.ts";
import { findPort, findProgram, run, startService, writeFiles } from "./services.ts";
import { upstreamPort } from "./upstream.ts";

const program = findProgram("nginx");

/** nginx. It says too, in `x-served`, how many requests a connection has had. */
export const nginx: PartyKind = { name: "nginx", program, lingers: true, start };

async function start(settings: PartySettings): Promise<Party> {
  const [port, upstream] = await Promise.all([findPort(), upstreamPort()]);
  let generation = 1;
  const config = () => configure(settings, port, upstream, generation);
  const args = (folder: string) => ["-p", folder, "-c", path.join(folder, "nginx.conf")];
  const { cert, key } = settings.credentials;
  const service = await startService({
    program: program!,
    args: (folder) => [...args(folder), "-e", "stderr"],
    files: () => ({ "nginx.conf": config(), "cert.pem": cert, "key.pem": key }),
    port,
  });
  const { folder } = service;
  return {
    port,
    async reload() {
      generation++;
      writeFiles(folder, { "nginx.conf": config() });
      await run(program!, [...args(folder), "-s", "reload"], folder);
      return generation;
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function configure(
  { extra = "", keepAliveSeconds = 60, protocol }: PartySettings,
  port: number,
  upstream: number,
  generation: number,
): string {
  const ssl = protocol === "h2" ? "ssl http2" : "ssl";
  return nginxConfig(`
  upstream app {
    server 127.0.0.1:${upstream};
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port} ${ssl};
    listen 127.0.0.2:${port} ${ssl};
    server_name a.test;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    ${extra.includes("keepalive_timeout") ? "" : `keepalive_timeout ${keepAliveSeconds};`}
    client_max_body_size 0;
    gzip on;
    gzip_proxied any;
    gzip_types text/plain;
    add_header x-client-port $remote_port always;
    add_header x-server-address $server_addr always;
    add_header x-generation ${generation} always;
    add_header x-served $connection_requests always;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / { proxy_pass http://app; }
    location /close/ { keepalive_timeout 0; proxy_pass http://app; }
    location /limited/ { client_max_body_size 1m; proxy_pass http://app; }
    ${extra}
  }`);
}

/** What nginx is told: what it serves, and to write nowhere but into its folder. */
export function nginxConfig(http: string): string {
  return `
daemon off;
${process.getuid?.() === 0 ? "user root root;" : ""}
worker_processes 2;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;${http}
}
`;
}
