/**
 * A program on Node, in plain JavaScript.
 *
 * @module
 */

import { connectionOf, createPool } from "hotconn";
import { memoryDialer } from "hotconn/memory";
import { nodeDialer } from "hotconn/node";

const [url, ca] = process.argv.slice(2);

const pool = createPool({ tls: { ca: [ca] } });
await pool.warm(new URL(url).host, { connections: 1 });
const first = await pool.fetch(url);
const { sni } = await first.json();
const second = await pool.fetch(url);
console.log(`${second.status} for ${sni}, reused: ${connectionOf(second).reused}`);
console.log(await second.text() !== "", typeof nodeDialer, memoryDialer().name);
await pool.close();
