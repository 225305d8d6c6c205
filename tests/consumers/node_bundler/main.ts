/**
 * A program compiled by `tsc` for a bundler, whose types are those of the DOM.
 *
 * @module
 */

import { ConnectionManager, createPool, type PoolEvents } from "hotconn";
import type { MemoryDialerOptions } from "hotconn/memory";

declare const process: { readonly argv: readonly string[] };

const [url = "", ca = ""] = process.argv.slice(2);

const pool = createPool({ tls: { ca: [ca] } });
const events: (keyof PoolEvents)[] = [];
const options: MemoryDialerOptions = {};
const first: Response = await pool.fetch(url, { signal: AbortSignal.timeout(10_000) });
const { sni } = await first.json() as { readonly sni: string };
const second = await pool.request(url);
console.log(`${second.status} for ${sni}, reused: ${second.connection.reused}`);
console.log(await second.text() !== "", pool.manager instanceof ConnectionManager);
console.log(events.length + Object.keys(options).length);
await pool.close();
