/**
 * Takes pictures of the dashboard in each trouble, at three widths and in both themes:
 *
 *   node --import tsx tests/dashboard_shots.ts <folder> [trouble…]
 *
 * It runs by hand, for eyes.
 *
 * @module
 */

import { serve } from "@hono/node-server";
import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import process from "node:process";
import { chromium } from "playwright-core";
import { ACT_TOKEN, stubRouter } from "./support/dashboard_stub.ts";
import { TROUBLES } from "./support/dashboard_troubles.ts";

const WIDTHS = [390, 768, 1_440];

const [folder, ...wanted] = process.argv.slice(2);
if (folder === undefined) throw new Error("Which folder are the pictures to go to?");
await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
for (const name of wanted.length > 0 ? wanted : [...Object.keys(TROUBLES), "dead", "pool"]) {
  const router = stubRouter((TROUBLES[name === "pool" ? "pools" : name] ?? TROUBLES["errors"]!)());
  let onListening: (address: AddressInfo) => void = () => {};
  const listening = new Promise<AddressInfo>((resolve) => {
    onListening = resolve;
  });
  const server = serve(
    { fetch: router.fetch, hostname: "127.0.0.1", port: 0 },
    (at) => onListening(at),
  );
  const { port } = await listening;
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await browser.newPage({ colorScheme, reducedMotion: "reduce" });
    await page.clock.install();
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.fill("#token", ACT_TOKEN);
    await page.click("#gate-go");
    await page.locator("#subline:not(:empty)").waitFor();
    for (let tick = 0; tick < 60; tick++) {
      router.tick();
      await page.clock.runFor(100);
    }
    if (name === "pool") {
      await page.evaluate("location.hash = '#/payments'");
      await page.locator("#page[data-place=pool]").waitFor();
      await page.locator("#subline:not(:empty)").waitFor();
    }
    if (name === "dead") {
      router.fail("silent");
      await page.clock.fastForward(21_000);
      await page.locator("h1", { hasText: "No figures for" }).waitFor();
    }
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 700 ? 844 : 900 });
      await page.clock.runFor(400);
      const file = path.join(folder, `${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path: file, fullPage: true });
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      if (Number(overflow) > 0) process.stderr.write(`${file}: ${overflow} px too wide\n`);
    }
    router.fail(undefined);
    await page.close();
  }
  router.close();
  server.close();
  process.stdout.write(`${name}\n`);
}
await browser.close();
