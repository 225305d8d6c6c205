/**
 * Very many dials at once: handshakes that go well, and dials that are refused.
 *
 * @module
 */

import net from "node:net";
import tls from "node:tls";
import { createPool, type HttpPool } from "../../../mod.ts";
import type { SceneResult } from "../scale.ts";
import { startServer } from "../server.ts";
import { holding } from "./loop_hold.ts";

/** How long a turn may be, in milliseconds; ten times that is broken on any machine. */
const MOST_MS = 50;
const BROKEN_MS = 10 * MOST_MS;

/** The pools of these scenes hold back nothing themselves. */
function unboundedPool(hosts: { readonly [host: string]: string }, ca?: string): HttpPool {
  return createPool({
    resolver: {
      name: "listed",
      resolve: (name) => Promise.resolve({ addresses: [hosts[name]!], ttlMs: 60_000 }),
    },
    maxConnections: 10_000,
    maxConnectionsPerHost: 10_000,
    maxConnectionsPerIp: 10_000,
    maxConcurrentDials: 10_000,
    maxConcurrentDialsPerHost: 10_000,
    maxWaiters: 10_000,
    connectTimeoutMs: 60_000,
    acquireTimeoutMs: 60_000,
    ...ca !== undefined && { tls: { ca } },
  });
}

/** A thousand handshakes at once, beside as many that the program begins in one loop by itself. */
export async function manyHandshakes(share: number): Promise<SceneResult> {
  const count = Math.max(50, Math.round(1_000 * share));
  const { ca, port } = await startServer();
  const [, bareMs] = await holding(() => shakeBare(count, port, ca));
  const pool = unboundedPool({ localhost: `127.0.0.1:${port}` }, ca);
  const host = `localhost:${port}`;
  await pool.warm(host, { connections: 1 });
  const begunAt = performance.now();
  const [, holdMs] = await holding(() => pool.warm(host, { connections: count }));
  const tookMs = performance.now() - begunAt;
  const { connections } = pool.stats();
  await pool.close({ graceMs: 0 });
  const wrong = connections === count ? null : `${connections} of ${count} connections are there`;
  return told({ count, holdMs, bareMs, tookMs }, BROKEN_MS, wrong);
}

/** How many, how long a turn was with the pool and with bare sockets, and how long all of them took. */
interface Held {
  readonly count: number;
  readonly holdMs: number;
  readonly bareMs: number;
  readonly tookMs: number;
}

/** What came of a scene: a turn may be so long, or twice as long as with bare sockets. */
function told({ count, ...times }: Held, mostMs: number, wrong: string | null): SceneResult {
  const holdMs = Math.round(times.holdMs);
  const bareMs = Math.round(times.bareMs);
  const tookMs = Math.round(times.tookMs);
  const broken = wrong === null ? [] : [wrong];
  if (holdMs > Math.max(mostMs, 2 * bareMs)) broken.push(`they held the loop for ${holdMs} ms`);
  return {
    figures: { count, holdMs, bareMs, tookMs },
    text: `${count} in ${tookMs} ms, the longest turn ${holdMs} ms `
      + `(node:tls in one loop: ${bareMs} ms)`,
    broken,
  };
}

async function shakeBare(count: number, port: number, ca: string): Promise<void> {
  const secureContext = tls.createSecureContext({ ca });
  const options = { host: "127.0.0.1", port, servername: "localhost", secureContext };
  const sockets: tls.TLSSocket[] = [];
  await Promise.all(Array.from({ length: count }, () =>
    new Promise<void>((resolve, reject) => {
      const socket = tls.connect(options, resolve);
      socket.once("error", reject);
      sockets.push(socket);
    })));
  for (const socket of sockets) socket.destroy();
}

/** Two thousand hosts that refuse, asked for in one turn. */
export async function refusedDials(share: number): Promise<SceneResult> {
  const count = Math.max(100, Math.round(2_000 * share));
  const port = await closedPort();
  const hosts: { [host: string]: string } = {};
  for (let number = 0; number < count; number++) {
    hosts[`h${number}.test`] = `127.1.${number >> 8}.${number & 255}:${port}`;
  }
  const [, bareMs] = await holding(() =>
    Promise.all(Object.values(hosts).map((address) => refusedBare(address)))
  );
  const pool = unboundedPool(hosts);
  const ask = async (name: string): Promise<boolean> => {
    try {
      (await pool.acquire(`${name}:${port}`)).release();
      return false;
    } catch {
      return true;
    }
  };
  await ask("h0.test");
  const begunAt = performance.now();
  const [refused, holdMs] = await holding(() => Promise.all(Object.keys(hosts).map(ask)));
  const tookMs = performance.now() - begunAt;
  await pool.close({ graceMs: 0 });
  const wrong = refused.every((isRefused) => isRefused) ? null : "a dial to nobody went well";
  return told({ count, holdMs, bareMs, tookMs }, 2 * BROKEN_MS, wrong);
}

function refusedBare(address: string): Promise<void> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = tls.connect({ host: host!, port: Number(port), servername: "a.test" });
    socket.on("error", () => {});
    socket.once("close", () => resolve());
  });
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
