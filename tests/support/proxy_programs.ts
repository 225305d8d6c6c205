/**
 * Proxies of others' making: squid, tinyproxy, danted, microsocks.
 *
 * @module
 */

import { execFile, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findPort, findProgram, type Service, startService } from "./services.ts";

/** The name and password that proxies with one want. */
export const USER = { name: "user", password: "p:ss w%rd" } as const;

/** For those that take no other characters. */
const PLAIN_PASSWORD = "p.ss-w_rd";

/** A kind of proxy. */
export interface ProxyProgram {
  readonly name: string;
  readonly scheme: "http" | "socks5";
  /** Its file; undefined where it is not installed. */
  readonly program: string | undefined;
  /** Whether it can want a password here, where no user of the system's is to be made. */
  readonly takesPassword: boolean;
  /** The password that it wants then. */
  readonly password: string;
  /** Starts one. */
  start(withPassword: boolean): Promise<RunningProxy>;
}

/** A running proxy. */
export interface RunningProxy extends AsyncDisposable {
  readonly port: number;
}

function running(port: number, service: Service, folder?: string): RunningProxy {
  return {
    port,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      if (folder) rmSync(folder, { recursive: true });
    },
  };
}

const squid = findProgram("squid");
const tinyproxy = findProgram("tinyproxy");
const danted = findProgram("danted");
const microsocks = findProgram("microsocks");
const openssl = findProgram("openssl");

/** All of them. */
export const PROXY_PROGRAMS: readonly ProxyProgram[] = [
  {
    name: "squid",
    scheme: "http",
    program: squid,
    takesPassword: openssl !== undefined,
    password: USER.password,
    async start(withPassword) {
      const port = await findPort();
      // It reads them as another user, who sees no folder of this one's.
      const folder = mkdtempSync(path.join(tmpdir(), "hotconn-squid-"));
      chmodSync(folder, 0o755);
      const passwords = path.join(folder, "passwords");
      writeFileSync(
        passwords,
        `${USER.name}:${withPassword ? await passwordHash("-apr1", USER.password) : ""}\n`,
      );
      const service = await startService({
        program: squid!,
        // What it shares in memory goes by the name that it is given.
        args: (folder) => ["-N", "-n", `hotconn${port}`, "-f", path.join(folder, "squid.conf")],
        files: (folder) => ({
          "squid.conf": [
            `http_port 127.0.0.1:${port}`,
            ...withPassword
              ? [
                `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${passwords}`,
                "acl known proxy_auth REQUIRED",
                "http_access allow known",
                "http_access deny all",
              ]
              : ["http_access allow all"],
            "cache deny all",
            "cache_mem 8 MB",
            "memory_cache_shared off",
            `pid_filename ${folder}/squid.pid`,
            "access_log none",
            "cache_log /dev/null",
            "cache_store_log none",
            "shutdown_lifetime 0 seconds",
            "pinger_enable off",
            "netdb_filename none",
            "",
          ].join("\n"),
        }),
        port,
      });
      return running(port, service, folder);
    },
  },
  {
    name: "tinyproxy",
    scheme: "http",
    program: tinyproxy,
    takesPassword: true,
    password: PLAIN_PASSWORD,
    async start(withPassword) {
      const port = await findPort();
      const service = await startService({
        program: tinyproxy!,
        args: (folder) => ["-d", "-c", path.join(folder, "tinyproxy.conf")],
        files: () => ({
          "tinyproxy.conf": [
            `Port ${port}`,
            "Listen 127.0.0.1",
            "Timeout 60",
            "Allow 127.0.0.1",
            "LogLevel Critical",
            ...withPassword ? [`BasicAuth ${USER.name} ${PLAIN_PASSWORD}`] : [],
            "",
          ].join("\n"),
        }),
        port,
      });
      return running(port, service);
    },
  },
  {
    name: "danted",
    scheme: "socks5",
    program: danted,
    // It looks passwords up among the system's users, who are others in its own mount namespace.
    takesPassword: openssl !== undefined && mayUnshare(),
    password: USER.password,
    async start(withPassword) {
      const port = await findPort();
      const shadow = withPassword ? await passwordHash("-6", USER.password) : "";
      const service = await startService({
        program: withPassword ? findProgram("unshare")! : danted!,
        args: (folder) => {
          const file = (name: string) => path.join(folder, name);
          const args = ["-f", file("danted.conf"), "-p", file("pid")];
          if (!withPassword) return args;
          const mounts = ["passwd", "shadow"].map((name) =>
            `mount --bind '${file(name)}' /etc/${name}`
          );
          const command = [danted!, ...args].map((word) => `'${word}'`).join(" ");
          return ["-m", "sh", "-c", `${mounts.join(" && ")} && exec ${command}`];
        },
        files: () => ({
          "danted.conf": [
            "logoutput: stderr",
            `internal: 127.0.0.1 port = ${port}`,
            "external: 127.0.0.1",
            "clientmethod: none",
            `socksmethod: ${withPassword ? "username" : "none"}`,
            "user.privileged: root",
            "user.unprivileged: root",
            "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }",
            "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }",
            "",
          ].join("\n"),
          passwd: [
            "root:x:0:0:root:/root:/bin/sh",
            `${USER.name}:x:64999:64999::/:/usr/sbin/nologin`,
            "",
          ].join("\n"),
          shadow: `root:*:19000:0:99999:7:::\n${USER.name}:${shadow}:19000:0:99999:7:::\n`,
        }),
        port,
      });
      return running(port, service);
    },
  },
  {
    name: "microsocks",
    scheme: "socks5",
    program: microsocks,
    takesPassword: true,
    password: USER.password,
    async start(withPassword) {
      const port = await findPort();
      const service = await startService({
        program: microsocks!,
        args: () => [
          "-i",
          "127.0.0.1",
          "-p",
          `${port}`,
          ...withPassword ? ["-u", USER.name, "-P", USER.password] : [],
        ],
        files: () => ({}),
        port,
      });
      return running(port, service);
    },
  },
];

/** Whether this process may have mounts of its own. */
function mayUnshare(): boolean {
  const unshare = findProgram("unshare");
  return unshare !== undefined && spawnSync(unshare, ["-m", "true"]).status === 0;
}

async function passwordHash(form: "-apr1" | "-6", password: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(
      openssl!,
      ["passwd", form, password],
      (error, stdout) => error ? reject(error) : resolve(stdout.trim()),
    );
  });
}
