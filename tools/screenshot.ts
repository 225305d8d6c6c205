/**
 * Takes the picture of the dashboard that the README shows: the demo's own pool, while one of its
 * machines has stopped. Needs Chromium.
 *
 *     node --import tsx tools/screenshot.ts [/usr/bin/chromium]
 *
 * @module
 */

import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startChild } from "../tests/support/child_program.ts";

const picture = "docs/images/dashboard.png";

/** Of each 40 seconds, the demo's machine is away from the tenth to the twentieth: in the third round. */
const TROUBLE_MS = 95_000;

const [executablePath = "/usr/bin/chromium"] = process.argv.slice(2);
await using demo = startChild("examples/demo/main.ts", ["--admin", "--json"]);
const url = (await demo.errorLine()).replace("Dashboard: ", "");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1_340, height: 960 } });
  await page.goto(url);
  await setTimeout(TROUBLE_MS);
  await page.screenshot({ path: picture });
  console.log(`Written to ${picture}`);
} finally {
  await browser.close();
  await demo.end();
}
