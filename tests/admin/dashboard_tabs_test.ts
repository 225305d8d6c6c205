/// <reference lib="dom" />

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { signIn, testVisit, type Visit } from "../support/dashboard_browser.ts";
import { quietScene, troubledScene } from "../support/dashboard_scenes.ts";
import { ACT_TOKEN, READ_TOKEN } from "../support/dashboard_stub.ts";
import { pause } from "../support/services.ts";

/** Opens another tab of the same browser, signed in. */
async function openTab(
  { origin, page }: Visit,
  token = ACT_TOKEN,
  path = "/",
): Promise<Page> {
  const tab = await page.context().newPage();
  await tab.goto(`${origin}${path}`);
  await signIn(tab, token);
  return tab;
}

const inLog = (tab: Page, text: string) => tab.locator("#log", { hasText: text }).waitFor();

/** Has the tab believe that it is out of sight, or in sight again. */
const setSight = (tab: Page, hidden: boolean) =>
  tab.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
    document.dispatchEvent(new Event("visibilitychange"));`);

async function untilFollowing({ router }: Visit, count: number): Promise<void> {
  while (router.following !== count) await pause(20);
}

const evict = (connectionId: number) => ({ host: "api.example", connectionId, reason: "idle" });

const SCENES = { default: quietScene() };

testVisit("eight tabs of a browser all load and act, with one event stream", {
  scenes: SCENES,
}, async (visit) => {
  const { page, router } = visit;
  const tabs = [page];
  while (tabs.length < 8) tabs.push(await openTab(visit));
  assertEquals(router.following, 1);
  // Any page of the origin can read what locks are called.
  const locks = JSON.stringify(await page.evaluate(() => navigator.locks.query()));
  assert(locks.includes("/api/pools/default/events") && !locks.includes(ACT_TOKEN), locks);
  router.tell("evict", evict(77));
  const { leased: before } = SCENES.default.stats;
  router.tick();
  router.tick();
  const { leased } = SCENES.default.stats;
  assertNotEquals(leased, before);
  for (const [index, tab] of tabs.entries()) {
    await tab.bringToFront();
    await inLog(tab, "connection 77, idle");
    await tab.locator(".tile", { hasText: `${leased} connections` }).waitFor();
    await tab.getByRole("button", { name: "Actions" }).click();
    await tab.getByRole("button", { name: "Block an address…" }).click();
    await tab.getByRole("dialog").getByLabel("Address").fill(`192.0.2.${index}`);
    await tab.getByRole("dialog").getByRole("button", { name: "Block", exact: true }).click();
    await tab.getByRole("dialog").waitFor({ state: "detached" });
  }
  assertEquals([router.actions.length, router.following], [8, 1]);

  // The tab that reads closes: another takes over, and misses nothing.
  const [, second, third, ...others] = tabs as [Page, Page, Page, ...Page[]];
  await page.close();
  router.tell("evict", evict(78));
  await second.bringToFront();
  await inLog(second, "connection 78, idle");
  assertEquals(router.following, 1);
  assertEquals(await second.locator("#log li", { hasText: "connection 77" }).count(), 1);

  // Tabs out of sight hold no stream, and are told by those in sight.
  for (const tab of [second, ...others]) await setSight(tab, true);
  await untilFollowing(visit, 1);
  await setSight(third, true);
  await untilFollowing(visit, 0);
  router.tell("evict", evict(79));
  await setSight(second, false);
  await inLog(second, "connection 79, idle");
  assertEquals(await second.locator("#log li", { hasText: "connection 78" }).count(), 1);
  assertEquals(router.following, 1);
});

testVisit(
  "streams of different tokens and pools do not mix, and without locks each tab has its own",
  { path: "/#/first", scenes: { first: quietScene(), second: troubledScene() } },
  async (visit) => {
    const { page, router } = visit;
    const reader = await openTab(visit, READ_TOKEN, "/#/first");
    assertEquals(router.following, 2);
    await page.bringToFront();
    await page.getByLabel("Pool", { exact: true }).selectOption("second");
    await page.locator("h1", { hasText: "Something is wrong" }).waitFor();
    await untilFollowing(visit, 2);
    router.tick();
    await reader.bringToFront();
    assertEquals(await reader.locator("h1").innerText(), "All is well");
    await reader.close();
    await untilFollowing(visit, 1);
    await page.context().addInitScript("delete Navigator.prototype.locks");
    const [first, second] = [
      await openTab(visit, ACT_TOKEN, "/#/first"),
      await openTab(visit, ACT_TOKEN, "/#/first"),
    ];
    await untilFollowing(visit, 3);
    for (const tab of [first, second]) await setSight(tab, true);
    await untilFollowing(visit, 1);
  },
);
