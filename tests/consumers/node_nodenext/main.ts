/**
 * A program on Node, compiled by `tsc`, whose types are those of Node and ES2022 alone.
 *
 * @module
 */

import { ConnectionPool, createPool, type Lease, systemResolver } from "hotconn";
import { dnsResolver } from "hotconn/dns";
import { dohResolver } from "hotconn/doh";
import { memoryDialer } from "hotconn/memory";
import { nodeDialer } from "hotconn/node";
import process from "node:process";

const [url = "", ca = ""] = process.argv.slice(2);

const pool = createPool({ dialer: nodeDialer(), resolver: systemResolver(), tls: { ca: [ca] } });
await pool.warm(new URL(url).host, { connections: 1 });
const first = await pool.fetch(new Request(url));
const { sni } = await first.json() as { readonly sni: string };
const second = await pool.request(url);
console.log(`${second.status} for ${sni}, reused: ${second.connection.reused}`);
await second.text();

const lease: Lease = await pool.acquire(new URL(url).host);
lease[Symbol.dispose]();
await pool[Symbol.asyncDispose]();

await using other = new ConnectionPool({ dialer: memoryDialer(), resolver: dnsResolver() });
const pools = dohResolver.length > 0 ? [pool, other] : [];
console.log(pools.map((each) => each.stats().connections).join(" "));
