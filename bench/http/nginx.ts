/**
 * nginx with one worker on one core, in its own folder, with a throwaway certificate.
 *
 * @module
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthority } from "../../tests/support/pki.ts";
import type { BenchTarget } from "./client.ts";

/** The bodies that it serves, by path. */
export const BODIES = { tiny: 2, "10k": 10_240, "1m": 1_048_576 } as const;

/** A running nginx. */
export interface Nginx {
  readonly target: BenchTarget;
  readonly caFile: string;
  readonly version: string;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
}

/** Starts nginx on a core. */
export async function startNginx(cpu: number): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "hotconn-bench-"));
  // Where root starts nginx, its worker is somebody else.
  await chmod(folder, 0o755);
  const authority = await createAuthority();
  const leaf = await authority.issue({ names: ["localhost", "127.0.0.1"] });
  const port = await freePort();
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, authority.cert);
  await writeFile(join(folder, "cert.pem"), leaf.cert);
  await writeFile(join(folder, "key.pem"), leaf.key);
  await writeFile(join(folder, "10k"), "x".repeat(BODIES["10k"]));
  await writeFile(join(folder, "1m"), "x".repeat(BODIES["1m"]));
  await writeFile(join(folder, "nginx.conf"), configuration(folder, port));
  const args = ["--cpu-list", String(cpu), "nginx", "-p", folder, "-c", join(folder, "nginx.conf")];
  const child = spawn("taskset", args, { stdio: ["ignore", "inherit", "ignore"] });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true });
  };
  try {
    await Promise.race([
      listening(port),
      ended.then(() => {
        throw new Error("nginx did not start");
      }),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  const target = { host: "localhost", ip: "127.0.0.1", port, ca: authority.cert };
  return { target, caFile, version: version(), stop };
}

function configuration(folder: string, port: number): string {
  // One cipher suite for all clients, whatever they would prefer.
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; multi_accept on; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  open_file_cache max=16;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${port} ssl http2 backlog=1024;
    http2_max_concurrent_streams 1024;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    root ${folder};
    location = /tiny { default_type text/plain; return 200 "ok"; }
  }
}
`;
}

function version(): string {
  return execFileSync("sh", ["-c", "nginx -v 2>&1"], { encoding: "utf8" }).trim().split("/")[1]!;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch {
      await sleep(20);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`Nobody listens at port ${port}`);
}
