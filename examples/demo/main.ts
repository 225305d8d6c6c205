/**
 * A pool under steady load, while one of the machines behind it stops and comes back.
 *
 *     npm run demo -- --help
 *
 * @module
 */

import process from "node:process";
import { detectRuntime } from "../../mod.ts";
import { interruption, type Outcome, runDemo } from "./demo.ts";
import { type DemoOptions, help, parseOptions, UsageError } from "./options.ts";
import { Stage } from "./stage.ts";

const runtime = detectRuntime();
const runtimeName = { deno: "Deno", bun: "Bun", node: "Node" }[runtime];
const title = `hotconn on ${runtimeName} ${process.versions[runtime]}`;

function summarize(
  { handshakes, openSockets, repeated, tally }: Outcome,
  options: DemoOptions,
): string {
  const { failures, longestWaitMs, requests, waited } = tally;
  if (options.json) {
    return JSON.stringify({ runtime, requests, failures, repeated, handshakes, openSockets });
  }
  return `
${requests} requests, ${failures} of them failed, ${repeated} were sent again on another connection
${handshakes} handshakes; ${waited} requests waited for a connection, ${
    longestWaitMs.toFixed(1)
  } ms at most
${openSockets} sockets open after the pool closed`;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    console.log(help);
    return 0;
  }
  const { signal, stop } = interruption();
  let stage: Stage | undefined;
  try {
    if (!options.url) stage = await Stage.open();
    const outcome = await runDemo(options, title, stage, signal);
    console.log(summarize(outcome, options));
    return outcome.tally.failures + outcome.openSockets > 0 ? 1 : 0;
  } finally {
    stop();
    await stage?.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  console.error(usage ? `${text}\nTry --help` : text);
  process.exitCode = usage ? 2 : 1;
}
