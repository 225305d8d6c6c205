/**
 * The program of a machine: answers each request after some 20 ms, until it is told to be mute.
 *
 * @module
 */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

/** How long an answer takes at the least, and at random besides, in milliseconds. */
const ANSWER_MS = { least: 18, besides: 6 };

let mute = false;

const lines = createInterface({ input: process.stdin });
lines.once("line", (credentials) => {
  const { cert, key } = JSON.parse(credentials);
  const server = createServer({ cert, key }, (_request, response) => {
    if (mute) return;
    const ms = ANSWER_MS.least + Math.random() * ANSWER_MS.besides;
    setTimeout(() => mute || response.end("fine"), ms);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, process.argv[2], () => {
    console.log((server.address() as AddressInfo).port);
  });
  lines.on("line", () => mute = true);
});
lines.on("close", () => process.exit());
