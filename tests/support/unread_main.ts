/**
 * A program that makes a request, does something with the body, or nothing, and has nothing else to
 * live for.
 *
 * @module
 */

import process from "node:process";
import { createPool } from "../../adapters/detect.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";

/** What the program is told, as JSON. */
export interface UnreadTask {
  readonly url: string;
  readonly ca: string;
  readonly addresses: readonly string[];
  /** How it asks. */
  readonly call: "request" | "fetch";
  /** How much of the body it waits for. */
  readonly reads: "nothing" | "part" | "dump" | "all";
}

const task: UnreadTask = JSON.parse(process.argv[2]!);
const pool = createPool({
  resolver: staticResolver({ "a.test": [...task.addresses] }),
  tls: { ca: task.ca },
});
const response = await pool[task.call](task.url);
process.stdout.write(`${response.status}\n`);
if (task.reads === "all") process.stdout.write(`${(await response.text()).length}\n`);
if (task.reads === "dump") {
  await ("dump" in response ? response.dump() : response.blob());
  process.stdout.write("dumped\n");
}
const reader = task.reads === "part" ? response.body!.getReader() : undefined;
await reader?.read();
// Held: what was collected would be dropped.
Object.assign(globalThis, { reader });
