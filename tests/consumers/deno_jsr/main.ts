/**
 * A program on Deno that has the package as JSR gives it.
 *
 * @module
 */

import { createPool } from "@hotconn/hotconn";

const [url = "", ca = ""] = Deno.args;

try {
  await using pool = createPool({ tls: { ca: [ca] } });
  await pool.warm(new URL(url).host, { connections: 1 });
  const first = await pool.request(url);
  const { sni } = await first.json() as { readonly sni: string };
  const second = await pool.request(url);
  console.log(`${second.status} for ${sni}, reused: ${second.connection.reused}`);
  await second.text();
} catch (error) {
  console.log((error as Error).message);
  Deno.exitCode = 1;
}
