/**
 * A program on Bun that has the package from npm.
 *
 * @module
 */

import { createPool } from "hotconn";
import { bunDialer } from "hotconn/bun";

const [url = "", ca = ""] = Bun.argv.slice(2);

await using pool = createPool({ tls: { ca: [ca] } });
await pool.warm(new URL(url).host, { connections: 1 });
const first = await pool.fetch(url);
const { sni } = await first.json() as { readonly sni: string };
const second = await pool.request(url);
console.log(`${second.status} for ${sni}, reused: ${second.connection.reused}`);
console.log(await second.text() !== "", bunDialer().name);
