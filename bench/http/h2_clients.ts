/**
 * The clients that are measured over HTTP/2, and some over HTTP/1.1 beside them, by runtime.
 *
 * @module
 */

import http2 from "node:http2";
import { createPool, type HttpPool, type Protocols, staticResolver } from "../../mod.ts";
import { type BenchTarget, looping, type OpenClient } from "./client.ts";
import { bunFrames, denoFrames, nodeFrames } from "./h2_floor.ts";

/** The name of the client whose figures the others' are divided by. */
export const OURS_H2 = "hotconn request, h2";

type Runtime = "node" | "deno" | "bun";

async function openPool(
  target: BenchTarget,
  connections: number,
  protocols: Protocols,
): Promise<HttpPool> {
  const pool = createPool({
    resolver: staticResolver({ [target.host]: [target.ip] }),
    maxConnections: connections,
    maxConnectionsPerHost: connections,
    maxConnectionsPerIp: connections,
    protocols,
    tls: { ca: [target.ca] },
  });
  await pool.warm(`${target.host}:${target.port}`, { connections });
  return pool;
}

function request(isH2: boolean): OpenClient {
  return async (target, path, bodyBytes, connections, callers) => {
    const pool = isH2
      ? await openPool(target, connections, ["h2"])
      : await openPool(target, callers, ["http/1.1"]);
    const url = urlOf(target, path);
    const get = async () => (await (await pool.request(url)).bytes()).length;
    return looping(get, bodyBytes, callers, () => pool.close());
  };
}

function ourFetch(isH2: boolean): OpenClient {
  return async (target, path, bodyBytes, connections, callers) => {
    const pool = isH2
      ? await openPool(target, connections, ["h2"])
      : await openPool(target, callers, ["http/1.1"]);
    const url = urlOf(target, path);
    const get = async () => (await (await pool.fetch(url)).arrayBuffer()).byteLength;
    return looping(get, bodyBytes, callers, () => pool.close());
  };
}

function undici(allowH2: boolean): OpenClient {
  return async (target, path, bodyBytes, connections, callers) => {
    const { Pool } = await import("undici");
    const { origin } = new URL(urlOf(target, path));
    const pool = new Pool(origin, {
      connections: allowH2 ? connections : callers,
      allowH2,
      ...allowH2 && { maxConcurrentStreams: 1_024, pipelining: 1_024 },
      connect: { ca: target.ca },
    });
    const get = async () => {
      const { body } = await pool.request({ path, method: "GET" });
      return (await body.arrayBuffer()).byteLength;
    };
    return looping(get, bodyBytes, callers, () => pool.destroy());
  };
}

const nodeHttp2: OpenClient = async (target, path, bodyBytes, connections, callers) => {
  const { origin } = new URL(urlOf(target, path));
  const sessions = await Promise.all(Array.from({ length: connections }, () => {
    const session = http2.connect(origin, {
      ca: target.ca,
      settings: { enablePush: false, initialWindowSize: 1_048_576 },
    });
    return new Promise<http2.ClientHttp2Session>((resolve, reject) => {
      session.once("connect", () => {
        session.setLocalWindowSize?.(16_777_216);
        resolve(session);
      }).once("error", reject);
    });
  }));
  let turn = 0;
  const get = () =>
    new Promise<number>((resolve, reject) => {
      const stream = sessions[turn++ % connections]!.request({ ":path": path });
      const chunks: Uint8Array[] = [];
      stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      stream.on("end", () => resolve(Buffer.concat(chunks).length));
      stream.on("error", reject);
      stream.end();
    });
  return looping(get, bodyBytes, callers, () => sessions.forEach((session) => session.destroy()));
};

/** It has one connection of HTTP/2, however many are asked for. */
const runtimeFetch: OpenClient = (target, path, bodyBytes, _connections, callers) => {
  const url = urlOf(target, path);
  const get = async () => (await (await fetch(url)).arrayBuffer()).byteLength;
  return looping(get, bodyBytes, callers);
};

function urlOf({ host, port }: BenchTarget, path: string): string {
  return `https://${host}:${port}${path}`;
}

const ours = {
  [OURS_H2]: request(true),
  "hotconn fetch, h2": ourFetch(true),
  "hotconn request, h1": request(false),
  "hotconn fetch, h1": ourFetch(false),
};

/** Every client, in the order that they take turns in. */
export const H2_CLIENTS: { readonly [Name in Runtime]: { readonly [client: string]: OpenClient } } =
  {
    node: {
      "bare frames (node:tls)": nodeFrames,
      ...ours,
      "undici request, h2": undici(true),
      "undici request, h1": undici(false),
      "node:http2": nodeHttp2,
    },
    deno: {
      "bare frames (Deno.startTls)": denoFrames,
      ...ours,
      "node:http2": nodeHttp2,
      "Deno fetch": runtimeFetch,
    },
    bun: { "bare frames (Bun.connect)": bunFrames, ...ours, "node:http2": nodeHttp2 },
  };
