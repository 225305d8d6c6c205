/// <reference lib="dom" />

import { assertEquals, assertMatch } from "@std/assert";
import { testVisit } from "../support/dashboard_browser.ts";
import { hugeScene, type Scene } from "../support/dashboard_scenes.ts";

function hugeTrouble(): Scene {
  const made = hugeScene();
  for (const host of Object.values(made.stats.hosts)) {
    const [, , , far] = Object.values(host.addresses).reverse();
    Object.assign(far!, { standing: "ejected", failures: 9, latencyMs: 900, p99Ms: 900 });
  }
  return made;
}

testVisit(
  "a map of five hundred addresses shows those in trouble first, and says what it leaves out",
  { scenes: { default: hugeTrouble() } },
  async ({ page }) => {
    const rows = page.getByRole("rowheader");
    const names = () => rows.allInnerTexts();
    // By host, the first few addresses of each, the bad one on top.
    await page.getByRole("button", { name: "By host", exact: true, pressed: true }).waitFor();
    assertMatch((await names())[1]!, /^10\.1\.240\.1/);
    const more = page.getByRole("rowheader", { name: "and 492 more" }).first();
    assertEquals(await page.getByRole("grid").getAttribute("aria-rowcount"), `${20 * 10 + 1}`);
    await more.click();
    assertEquals(
      await page.getByRole("grid").getAttribute("aria-rowcount"),
      `${19 * 10 + 502 + 1}`,
    );

    await page.getByRole("button", { name: "Map", exact: true }).click();
    const columns = page.getByRole("columnheader", { name: /^Address / });
    assertMatch(await columns.first().innerText(), /10\.1\.240\.1/);
    await page.getByText("The first 40 of 500 addresses in this order.").waitFor();
    assertEquals(await page.getByRole("grid").getAttribute("aria-colcount"), "41");
    await page.getByRole("button", { name: "Show all" }).click();
    assertEquals(await page.getByRole("grid").getAttribute("aria-colcount"), "501");
    await page.getByLabel("Filter by host or address").fill("10.0.77.");
    await page.getByRole("columnheader", { name: /^Address 10\.0\.77\.1/ }).waitFor();
    assertEquals(await columns.count(), 1);
  },
);

testVisit("columns sort by pointer and by keyboard, and say so", {}, async ({ page }) => {
  await page.getByRole("button", { name: "By address", exact: true }).click();
  const head = (name: string) => page.getByRole("columnheader", { name });
  const first = () => page.getByRole("rowheader").first().innerText();
  // Each address has one row.
  assertEquals(await page.getByRole("grid").getAttribute("aria-rowcount"), "11");
  await page.getByText("files.example:8443").first().waitFor();
  assertEquals(await head("State").getAttribute("aria-sort"), "descending");
  await page.getByRole("button", { name: "Address", exact: true }).click();
  assertMatch(await first(), /^192\.0\.2\.10/);
  await page.keyboard.press("Enter");
  assertEquals(await head("Address").getAttribute("aria-sort"), "descending");
  assertMatch(await first(), /^2001:db8::10/);
  for (let times = 0; times < 5; times++) await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  assertEquals(await head("Latency").getAttribute("aria-sort"), "descending");
  assertEquals(await head("Address").getAttribute("aria-sort"), "none");
  const told = await page.locator(".body .of-latency").allInnerTexts();
  const figures = told.map((text) => Number.parseFloat(text));
  assertEquals(figures, figures.toSorted((a, b) => b - a));
});
