/**
 * Measures what callers feel of a machine that falls silent, in four ways: steady load of GETs on
 * three machines in network namespaces. Run it as root, with a quiet machine, on each runtime:
 *
 *     node --import tsx tests/silence/main.ts
 *     deno run --allow-all tests/silence/main.ts
 *     bun run tests/silence/main.ts
 *
 * It ends with 0 if no request failed, if under the silence 99 of 100 took at most three times as
 * long as before, and if in the quiet fewer than one in a hundred were sent twice.
 *
 * @module
 */

import process from "node:process";
import { SILENCES, whyNot } from "./machines.ts";
import { sufferSilence } from "./scene.ts";

const reason = whyNot();
if (reason !== undefined) {
  console.log(`Skipped: ${reason}`);
  process.exit(0);
}
let quiet = { requests: 0, hedges: 0 };
let good = true;
for (const how of SILENCES) {
  const { before, during } = await sufferSilence(how, 5_000);
  const ratio = during.p99Ms / before.p99Ms;
  quiet = {
    requests: quiet.requests + before.requests,
    hedges: quiet.hedges + before.hedges,
  };
  const failed = before.failures.length + during.failures.length;
  good &&= failed === 0 && ratio <= 3;
  console.log(
    `${how}: ${failed} of ${before.requests + during.requests} failed; p99 `
      + `${before.p99Ms.toFixed(1)} ms before, ${during.p99Ms.toFixed(1)} ms during it `
      + `(${ratio.toFixed(2)} times), the longest ${during.longestMs.toFixed(0)} ms; `
      + `sent twice: ${before.hedges} of ${before.requests} before, `
      + `${during.hedges} of ${during.requests} during it`,
  );
  for (const error of [...before.failures, ...during.failures].slice(0, 3)) console.log(error);
}
const share = quiet.hedges / quiet.requests;
console.log(`In the quiet ${(100 * share).toFixed(2)} % were sent twice`);
good &&= share < 0.01;
process.exit(good ? 0 : 1);
