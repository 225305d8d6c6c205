/**
 * A program that dials a server with each dialer of its runtime, and prints what came of it.
 *
 * @module
 */

import process from "node:process";
import type { DialError } from "../../src/core/errors.ts";

const [port = "", ...names] = process.argv.slice(2);
const outcomes: string[] = [];
for (const name of names) {
  const module = await import(`../../adapters/${name}.ts`);
  const target = {
    host: "a.test",
    serverName: "a.test",
    address: `127.0.0.1:${port}`,
    ip: "127.0.0.1",
    port: Number(port),
    tls: {},
  };
  try {
    (await module[`${name}Dialer`]().dial(target, new AbortController().signal)).destroy();
    outcomes.push("taken");
  } catch (error) {
    outcomes.push((error as DialError).failure);
  }
}
console.log(outcomes.join());
