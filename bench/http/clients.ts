/**
 * The clients that are measured beside each other, by runtime.
 *
 * @module
 */

import https from "node:https";
import { createPool, type HttpPool, staticResolver } from "../../mod.ts";
import { type BenchTarget, looping, type OpenClient } from "./client.ts";
import { bunFloor, denoFloor, nodeFloor } from "./floor.ts";

/** The name of the client whose figures the others' are divided by. */
export const OURS = "hotconn request";

type Runtime = "node" | "deno" | "bun";

async function openPool(target: BenchTarget, connections: number): Promise<HttpPool> {
  const pool = createPool({
    resolver: staticResolver({ [target.host]: [target.ip] }),
    maxConnections: connections,
    maxConnectionsPerHost: connections,
    maxConnectionsPerIp: connections,
    protocols: ["http/1.1"],
    tls: { ca: [target.ca] },
  });
  await pool.warm(`${target.host}:${target.port}`, { connections });
  return pool;
}

const request: OpenClient = async (target, path, bodyBytes, connections) => {
  const pool = await openPool(target, connections);
  const url = urlOf(target, path);
  const get = async () => (await (await pool.request(url)).bytes()).length;
  return looping(get, bodyBytes, connections, () => pool.close());
};

const ourFetch: OpenClient = async (target, path, bodyBytes, connections) => {
  const pool = await openPool(target, connections);
  const url = urlOf(target, path);
  const get = async () => (await (await pool.fetch(url)).arrayBuffer()).byteLength;
  return looping(get, bodyBytes, connections, () => pool.close());
};

const undiciRequest: OpenClient = async (target, path, bodyBytes, connections) => {
  const { Pool } = await import("undici");
  const { origin } = new URL(urlOf(target, path));
  const pool = new Pool(origin, { connections, allowH2: false, connect: { ca: target.ca } });
  const get = async () => {
    const { body } = await pool.request({ path, method: "GET" });
    return (await body.arrayBuffer()).byteLength;
  };
  return looping(get, bodyBytes, connections, () => pool.destroy());
};

const undiciFetch: OpenClient = async (target, path, bodyBytes, connections) => {
  const { fetch, Agent } = await import("undici");
  const dispatcher = new Agent({ connections, allowH2: false, connect: { ca: target.ca } });
  const url = urlOf(target, path);
  const get = async () => (await (await fetch(url, { dispatcher })).arrayBuffer()).byteLength;
  return looping(get, bodyBytes, connections, () => dispatcher.destroy());
};

const nodeHttps: OpenClient = (target, path, bodyBytes, connections) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: connections, ca: target.ca });
  const options = { host: target.host, port: target.port, path, agent };
  const get = () =>
    new Promise<number>((resolve, reject) => {
      https.get(options, (response) => {
        const chunks: Uint8Array[] = [];
        response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks).length));
        response.on("error", reject);
      }).on("error", reject);
    });
  return looping(get, bodyBytes, connections, () => agent.destroy());
};

/** The authority is in the environment: a client of its own could put Deno or Bun off their path. */
const runtimeFetch: OpenClient = (target, path, bodyBytes, connections) => {
  const url = urlOf(target, path);
  const get = async () => (await (await fetch(url)).arrayBuffer()).byteLength;
  return looping(get, bodyBytes, connections);
};

function urlOf({ host, port }: BenchTarget, path: string): string {
  return `https://${host}:${port}${path}`;
}

const ours = { [OURS]: request, "hotconn fetch": ourFetch };

/** Every client, in the order that they take turns in. */
export const CLIENTS: { readonly [Name in Runtime]: { readonly [client: string]: OpenClient } } = {
  node: {
    "floor (node:tls)": nodeFloor,
    ...ours,
    "undici request": undiciRequest,
    "undici fetch": undiciFetch,
    "node:https": nodeHttps,
  },
  deno: { "floor (Deno.connectTls)": denoFloor, ...ours, "Deno fetch": runtimeFetch },
  bun: { "floor (Bun.connect)": bunFloor, ...ours, "Bun fetch": runtimeFetch },
};
