/**
 * nginx before an admin router: below a path of its own, which it takes away, and with a password.
 *
 * @module
 */

import path from "node:path";
import { nginxConfig } from "./nginx.ts";
import { findPort, findProgram, type Service, startService } from "./services.ts";

/** Where nginx is; undefined where it is not installed. */
export const nginxProgram: string | undefined = findProgram("nginx");

/** Who it lets in. */
export const CREDENTIALS = { username: "operator", password: "past the gate" } as const;

/** Starts it before what listens on a port of this machine: `/ops/pools/` is `/admin/` there. */
export async function nginxFront(behind: number): Promise<Service & { readonly port: number }> {
  const port = await findPort();
  const service = await startService({
    program: nginxProgram!,
    args: (folder) => ["-p", folder, "-c", path.join(folder, "nginx.conf"), "-e", "stderr"],
    files: () => ({
      "nginx.conf": configure(port, behind),
      "passwords": `${CREDENTIALS.username}:{PLAIN}${CREDENTIALS.password}\n`,
    }),
    port,
  });
  return Object.assign(service, { port });
}

function configure(port: number, behind: number): string {
  return nginxConfig(`
  server {
    listen 127.0.0.1:${port};
    auth_basic "operators";
    auth_basic_user_file passwords;
    location /ops/pools/ { proxy_pass http://127.0.0.1:${behind}/admin/; }
  }`);
}
