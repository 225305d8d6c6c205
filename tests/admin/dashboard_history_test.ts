/// <reference lib="dom" />

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { HistorySample } from "../../adapters/admin/history.ts";
import { testVisit } from "../support/dashboard_browser.ts";
import { historyBefore, troubledScene } from "../support/dashboard_scenes.ts";

function pastScene() {
  const made = troubledScene();
  made.history = historyBefore(made.stats.at);
  return made;
}

const scene = pastScene();

testVisit(
  "the last thirty minutes are there when the page opens, with axes, and values by pointer and key",
  { scenes: { default: scene }, width: 1_440 },
  async ({ page, router }) => {
    const chart = page.locator("#past .chart").first();
    const plot = page.getByRole("slider", { name: /^Answers a second/ });
    await page.waitForFunction(() =>
      (document.querySelector("#past .curve")?.getAttribute("d") ?? "").split("L").length > 150
    );
    // So are the five minutes of each figure.
    await page.waitForFunction(() =>
      (document.querySelector(".tile .spark .line")?.getAttribute("d") ?? "").split("L").length
        > 140
    );
    // Twenty requests a second, half of them 500 for the last ten minutes.
    assertEquals(await plot.locator(".top").innerText(), "20");
    assertEquals(await plot.locator(".mid").innerText(), "10");
    for (const time of await chart.locator(".times span").allInnerTexts()) {
      assertMatch(time, /^\d\d:\d\d$/);
    }
    const told = async () => (await plot.getAttribute("aria-valuetext")) ?? "";
    assertMatch(await told(), /^\d\d:\d\d:\d\d: 2xx and 3xx 10, 4xx 0, 5xx or none 10$/);
    await plot.focus();
    await page.keyboard.press("Home");
    assertMatch(await told(), /: 2xx and 3xx 20, 4xx 0, 5xx or none 0$/);
    // All charts tell of the same moment.
    const whens = await page.locator("#past .when").allInnerTexts();
    assertEquals(new Set(whens).size, 1);
    await page.keyboard.press("ArrowRight");
    assert((await told()).slice(0, 8) !== whens[0]);
    const box = await plot.boundingBox();
    assert(box);
    await page.mouse.move(box.x + box.width * 0.9, box.y + 10);
    assertMatch(await told(), /5xx or none 10$/);
    await page.locator("#past .cursor").first().waitFor();

    // It goes on with the page.
    await page.mouse.move(0, 0);
    const last = historyBefore(0).at(-1) as HistorySample;
    const at = scene.stats.at + 20_000;
    router.tell("sample", { ...last, at, statuses: { "2xx": 500 }, failures: 0 });
    await page.waitForFunction(() =>
      document.querySelector("#past .plot")?.getAttribute("aria-valuetext")?.includes("3xx 50,")
    );
    // What was missed meanwhile is read: the latest again, with what stood between.
    const between = { ...last, at: at + 10_000, statuses: { "2xx": 1_200 } };
    scene.history = [...scene.history!, between];
    router.tell("sample", { ...last, at: at + 30_000, statuses: { "2xx": 600 } });
    await plot.focus();
    await page.waitForFunction(() =>
      document.querySelector("#past .plot .top")?.textContent === "200"
    );
    await page.keyboard.press("End");
    assertMatch(await told(), /: 2xx and 3xx 60,/);
    await page.keyboard.press("ArrowLeft");
    assertMatch(await told(), /: 2xx and 3xx 120,/);
    // It goes on too where every event is asked for.
    const asked = page.waitForRequest(/events\?events=.*\bsample\b/);
    await page.locator("#events-kind").selectOption("All");
    await asked;
    await page.getByRole("button", { name: "By host", exact: true }).click();
    await page.getByRole("rowheader", { name: /^api\.example/ }).first().click();
    await page.locator("#drawer .chart .curve[d*='L']").first().waitFor({ state: "attached" });
  },
);
