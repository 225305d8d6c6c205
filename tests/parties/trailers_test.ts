/**
 * Trailers through proxies: HTTP/2 before them and behind them, and Node's own server at the end.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import path from "node:path";
import test from "node:test";
import { RequestError } from "../../src/core/errors.ts";
import { nginxConfig } from "../support/nginx.ts";
import { nodeHttp2 } from "../support/node_http2.ts";
import { findPort, findProgram, startService } from "../support/services.ts";
import { credentials, poolTo } from "./support.ts";

/** A proxy, and what becomes of trailers on their way through it. */
interface Proxy {
  readonly name: string;
  /** Its configuration's name. */
  readonly file: string;
  readonly args: (file: string) => readonly string[];
  readonly configure: (folder: string, port: number, upstream: number) => string;
  /** What becomes of a request's trailers. Those of a response pass through all of them. */
  readonly requests: "pass" | "are dropped" | "are an error";
}

const proxies: readonly Proxy[] = [
  {
    name: "haproxy",
    file: "haproxy.cfg",
    args: (file) => ["-db", "-f", file],
    configure: (folder, port, upstream) => `
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend site
  bind 127.0.0.1:${port} ssl crt ${path.join(folder, "site.pem")} alpn h2
  default_backend app
backend app
  server app 127.0.0.1:${upstream} ssl verify none alpn h2
`,
    requests: "pass",
  },
  {
    name: "caddy",
    file: "Caddyfile",
    args: (file) => ["run", "--adapter", "caddyfile", "--config", file],
    configure: (folder, port, upstream) => `
{
  admin off
  auto_https off
  storage file_system ${folder}
}
https://a.test:${port} {
  bind 127.0.0.1
  tls ${path.join(folder, "cert.pem")} ${path.join(folder, "key.pem")}
  reverse_proxy https://127.0.0.1:${upstream} {
    transport http {
      tls_insecure_skip_verify
      versions 2
    }
  }
}
`,
    requests: "are dropped",
  },
  {
    name: "nginx",
    file: "nginx.conf",
    args: (file) => ["-p", path.dirname(file), "-c", file],
    configure: (_folder, port, upstream) =>
      nginxConfig(`
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { grpc_pass grpcs://127.0.0.1:${upstream}; }
  }`),
    requests: "are an error",
  },
];

for (const { args, configure, file, name, requests } of proxies) {
  const program = findProgram(name);
  const skip = program === undefined && `${name} is not installed`;
  test(
    `Trailers of a response pass through ${name}; those of a request ${requests}`,
    { skip },
    async () => {
      await using end = await nodeHttp2.start({ credentials, protocol: "h2" });
      const port = await findPort();
      const { cert, key } = credentials;
      await using _service = await startService({
        program: program!,
        args: (folder) => [...args(path.join(folder, file))],
        files: (folder) => ({
          [file]: configure(folder, port, end.port),
          "cert.pem": cert,
          "key.pem": key,
          "site.pem": `${cert}\n${key}\n`,
        }),
        port,
      });
      await using pool = poolTo(port, { protocols: ["h2"] });
      const headers = { te: "trailers" };
      const answered = await pool.request("https://a.test/trailers", { headers });
      assertEquals([answered.status, await answered.text()], [200, "a body"]);
      assertEquals([...answered.trailers ?? []], [["x-sum", "1234"]]);
      const sent = pool.request("https://a.test/echo", {
        method: "POST",
        body: "a body",
        headers: { ...headers, trailer: "x-sum" },
        trailers: { "x-sum": "1234" },
      });
      if (requests === "are an error") {
        await assertRejects(() => sent, RequestError, "the connection ended");
        return;
      }
      const echo = await sent;
      assertEquals([echo.status, await echo.text()], [200, "a body"]);
      assertEquals([...echo.trailers ?? []], requests === "pass" ? [["x-sum", "1234"]] : []);
      pool.manager.checkInvariants();
    },
  );
}
