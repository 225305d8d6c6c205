/// <reference lib="dom" />

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { signIn, testVisit } from "../support/dashboard_browser.ts";
import { quietScene, scene, troubledScene } from "../support/dashboard_scenes.ts";
import { ACT_TOKEN, READ_TOKEN } from "../support/dashboard_stub.ts";

testVisit("the dashboard shows a pool that is well", {}, async ({ page, router }) => {
  assertEquals(await page.locator("h1").innerText(), "All is well");
  assertMatch(
    await page.locator("#subline").innerText(),
    /^5 hosts, 10 addresses, 84 connections$/,
  );
  const cell = page.getByRole("gridcell", { name: "api.example at 192.0.2.10: good" });
  assertMatch(await cell.innerText(), /\d of 6/);
  // Both indexes at once: the address serves three hosts.
  await page.getByRole("columnheader", { name: /^Address 192\.0\.2\.10 ?, good, ?3 hosts/ })
    .waitFor();
  assert(!router.paths.some((path) => path.includes("connections")), "It asked for connections");
});

testVisit("the dashboard draws new figures as they come", {}, async ({ page, router }) => {
  const line = page.locator(".spark .line").first();
  for (let tick = 0; tick < 4; tick++) router.tick();
  await page.waitForFunction(() =>
    (document.querySelector(".spark .line")?.getAttribute("d") ?? "").includes("L")
  );
  const before = await line.getAttribute("d");
  router.tick();
  await page.waitForFunction(
    (before) => document.querySelector(".spark .line")?.getAttribute("d") !== before,
    before,
  );
  assertMatch(await page.locator(".tile").first().innerText(), /\d{3}\s+a second/);
});

testVisit(
  "the dashboard says what is wrong, where, and to who only hears it",
  { scenes: { default: troubledScene() } },
  async ({ page }) => {
    // Each part comes by an answer of its own.
    const told = (place: string, text: string) =>
      page.locator(place, { hasText: text }).waitFor({ state: "attached" });
    await told("h1", "Something is wrong");
    await told("#chips", "search.example has no usable address");
    await told("#chips", "3 addresses ejected");
    await told("#alarm", "no usable address");
    await told("#findings", "lower idleTimeoutMs");
    await told("#waits", "12 callers wait");
    await page.getByRole("button", { name: "1 address doubtful", exact: true }).click();
    await page.getByRole("rowheader", { name: "search.example" }).waitFor({ state: "detached" });
    assertEquals(await page.locator(".matrix [role=rowheader]").count(), 1);
  },
);

testVisit(
  "the dashboard says of a host how often a second machine was asked",
  {},
  async ({ page }) => {
    await page.getByRole("gridcell", { name: "api.example at 192.0.2.10: good" }).click();
    await page.getByRole("button", { name: "All of the host" }).click();
    await page.locator("#facts > div").filter({ has: page.getByText("Hedged", { exact: true }) })
      .getByText("3, the second machine faster in 2", { exact: true }).waitFor();
  },
);

function laterScene() {
  const made = quietScene();
  const { at, hosts } = made.stats;
  const told = { since: at - 2_000, until: at + 600_000 };
  Object.assign(hosts["api.example"]!.addresses["192.0.2.10"]!, {
    toldLater: { ...told, status: 503, restsUntil: at + 60_000 },
  });
  for (const address of Object.values(hosts["auth.example"]!.addresses)) {
    Object.assign(address, { toldLater: { ...told, status: 429, restsUntil: null } });
  }
  Object.assign(hosts["auth.example"]!, { toldLater: { ...told, statuses: [429] } });
  return made;
}

testVisit(
  "the dashboard says of a machine, and of a host, that it says to come back later",
  { scenes: { default: laterScene() } },
  async ({ page, router }) => {
    const fact = (name: string) =>
      page.locator("#facts > div").filter({ has: page.getByText(name, { exact: true }) });
    await page.getByRole("gridcell", { name: /^api\.example at 192\.0\.2\.10: / }).click();
    await fact("Left alone, as it says").getByText(/^for \d+ s, for another .*\(503\)$/).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("gridcell", { name: /^auth\.example at 192\.0\.2\.11: / }).click();
    await fact("Says to come back later").getByText(/\(429\)$/).waitFor();
    await page.getByRole("button", { name: "All of the host" }).click();
    await fact("All say to come back later").getByText(/^for \d+ s, for another /).waitFor();
    router.tell("toldLater", { host: "auth.example", address: "192.0.2.11", status: 429 });
    await page.locator("#log", { hasText: "toldLater" }).waitFor();
  },
);

testVisit("who goes over no proxy sees none on the dashboard", {}, async ({ page }) => {
  assertEquals(await page.locator("#proxies").isVisible(), false);
});

function proxiesScene() {
  const made = quietScene();
  const { at } = made.stats;
  const well = { failed: 0, failure: null, retryAt: null };
  made.stats.proxies = [
    { ...well, proxy: "http://well.example:3128", opened: 1_200 },
    {
      proxy: "socks5://<b>ill</b>.example:1080",
      ...{ opened: 7, failed: 3, failure: "it answered 502", retryAt: at + 600_000 },
    },
  ];
  return made;
}

testVisit(
  "the dashboard says of each proxy how it does",
  { scenes: { default: proxiesScene() } },
  async ({ page }) => {
    const lines = page.locator("#proxies-list > li");
    await lines.nth(1).waitFor();
    assertEquals(await page.locator("#proxies-count").innerText(), "2");
    // The one that fails comes first.
    assertMatch(
      await lines.nth(0).innerText(),
      /^socks5:\/\/<b>ill<\/b>\.example:1080\s+7 tunnels opened, 3 failed\. Avoided for another .*: it answered 502$/,
    );
    assertMatch(
      await lines.nth(1).innerText(),
      /^http:\/\/well\.example:3128\s+1,200 tunnels opened, 0 failed$/,
    );
  },
);

testVisit("an address is blocked, and unblocked, after a confirmation", {}, async (visit) => {
  const { page, router } = visit;
  await page.getByRole("gridcell", { name: "auth.example at 192.0.2.11: good" }).click();
  await page.getByRole("button", { name: "Block…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("For how long").selectOption("1 hour");
  await dialog.getByLabel("Reason").fill("A disk is full");
  assertEquals(router.actions, []);
  await dialog.getByRole("button", { name: "Block", exact: true }).click();
  await page.getByRole("gridcell", { name: "auth.example at 192.0.2.11: blocked" }).waitFor();
  await page.getByRole("gridcell", { name: "api.example at 192.0.2.11: blocked" }).waitFor();
  assertMatch(await page.locator("#waits").innerText(), /another 60 min: A disk is full/);
  await page.locator("#log", { hasText: "audit" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Unblock 192.0.2.11" }).click();
  await dialog.getByRole("button", { name: "Unblock" }).click();
  await page.getByRole("button", { name: "Unblock 192.0.2.11" }).waitFor({ state: "detached" });
  assertEquals(router.actions, [
    { name: "block", body: { ip: "192.0.2.11", forMs: 3_600_000, reason: "A disk is full" } },
    { name: "unblock", body: { ip: "192.0.2.11" } },
  ]);
});

testVisit(
  "what a server refuses is told in the dialog, which stays open",
  { mayComplain: true },
  async ({ page }) => {
    await page.getByRole("button", { name: "Actions" }).click();
    await page.getByRole("button", { name: "Block an address…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Address").fill("nowhere!");
    await dialog.getByRole("button", { name: "Block", exact: true }).click();
    await dialog.getByText("Address nowhere! is not an IP address").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assertEquals(await dialog.count(), 0);
  },
);

testVisit("a machine that speaks HTTP/2 shows streams open, and how many there may be", {}, async ({
  page,
}) => {
  await page.getByRole("gridcell", { name: "auth.example at 192.0.2.10: good" }).click();
  const rows = page.locator("#conns tr");
  await rows.first().waitFor();
  const facts = await page.locator("#drawer .facts").innerText();
  assertMatch(facts, /HTTP\/2\s+6 of 6 connections/);
  assertMatch(facts, /Streams\s+\d+ of 600/);
  for (const text of await rows.allInnerTexts()) assertMatch(text, / of 100 streams.*h2/s);
  await page.keyboard.press("Escape");
  await page.getByRole("gridcell", { name: "api.example at 192.0.2.10: good" }).click();
  await page.locator("#conns tr", { hasText: "http/1.1" }).first().waitFor();
  assert(!/HTTP\/2|streams/i.test(await page.locator("#drawer").innerText()));
});

testVisit("closing a pool takes its name", {}, async ({ page, router }) => {
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("button", { name: "Close the pool…" }).click();
  await dialog.getByLabel("Name of the pool").fill("other");
  await dialog.getByRole("button", { name: "Close the pool" }).click();
  await dialog.getByText("That is not the name of the pool").waitFor();
  assertEquals(router.actions, []);
  await dialog.getByLabel("Name of the pool").fill("default");
  await dialog.getByRole("button", { name: "Close the pool" }).click();
  await dialog.waitFor({ state: "detached" });
  assertEquals(router.actions, [{ name: "close", body: {} }]);
});

testVisit(
  "who may only look is shown no action",
  { token: READ_TOKEN, scenes: { default: troubledScene() } },
  async ({ page }) => {
    await page.locator("#chips button").first().click();
    await page.locator("#conns tr").first().waitFor();
    for (const name of [/^Actions/, /Block/, /Unblock/, /Drain/, /Warm/, /Evict/]) {
      assertEquals(await page.getByRole("button", { name }).count(), 0, `${name}`);
    }
  },
);

testVisit(
  "a wrong token shows nothing but the form with an error",
  { token: null, mayComplain: true },
  async ({ page, router }) => {
    await page.fill("#token", "wrong");
    await page.click("#gate-go");
    assertEquals(await page.getByRole("alert").innerText(), "The token is not accepted");
    assertEquals(await page.locator("#root > *").count(), 1);
    assertEquals(await page.locator("[role=grid], .bar, #drawer").count(), 0);
    assertEquals(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
    assertEquals(new Set(router.paths), new Set(["/", "/api/pools"]));
    await page.fill("#token", "not a t\u00f8ken \u{1f511}");
    await page.click("#gate-go");
    assertEquals(await page.getByRole("alert").innerText(), "The token is not accepted");
    await signIn(page, READ_TOKEN);
  },
);

testVisit("a token is kept for the session, and signing out forgets it", {}, async (visit) => {
  const { page } = visit;
  await page.reload();
  await page.locator(".grid [role=rowheader]").first().waitFor();
  const kept = await page.evaluate(() => [
    JSON.stringify(sessionStorage),
    JSON.stringify(localStorage) + document.cookie + location.href,
  ]);
  assertStringIncludes(kept[0] ?? "", ACT_TOKEN);
  assert(!kept[1]?.includes(ACT_TOKEN), kept[1]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.locator("#token").waitFor();
  assert(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes(ACT_TOKEN));
  assert(!(await page.content()).includes("api.example"), "Data is left in the page");
});

testVisit(
  "a token that is taken away shows the form again, and no data",
  { mayComplain: true },
  async ({ page, router }) => {
    router.revoke();
    await page.getByRole("gridcell", { name: "auth.example at 192.0.2.11: good" }).click();
    await page.getByText("The token is not accepted any more").waitFor();
    assert(!(await page.content()).includes("auth.example"), "Data is left in the page");
  },
);

const hostile = "<script>alert(1)</script>";
const broken = "\"><img src=x onerror=alert(2)>";

function hostileScene() {
  const made = scene({ [hostile]: ["192.0.2.1"], [broken]: ["192.0.2.1", broken] });
  const ends = { since: 0, until: Infinity };
  made.stats.blocks.push({ ip: "192.0.2.1", reason: broken, ...ends });
  const host = made.stats.hosts[hostile];
  if (host) host.waiting = 3;
  made.findings = [
    { severity: "critical", what: hostile, host: broken, message: hostile, advice: broken },
  ];
  made.step(0);
  return made;
}

testVisit(
  "names that look like markup stay text",
  { scenes: { [broken]: hostileScene() } },
  async ({ page, router }) => {
    router.tell("eject", { host: hostile, address: broken, reason: broken, forMs: 1_000 });
    router.tell(hostile, { host: broken });
    await page.locator("#log", { hasText: "eject" }).waitFor();
    for (const name of ["Map", "By host", "By address"]) {
      await page.getByRole("button", { name, exact: true }).click();
      const grid = page.getByRole("grid");
      for (const text of [hostile, broken]) assertStringIncludes(await grid.innerText(), text);
      await grid.getByRole("rowheader").first().click();
      await page.locator("#conns tr").first().waitFor();
      assertEquals(await page.locator("#drawer img, #drawer script").count(), 0);
      await page.getByRole("button", { name: "Block…" }).or(page.getByRole("button", {
        name: "Warm…",
      })).or(page.getByRole("button", { name: "Unblock…" })).first().click();
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
    }
    assertEquals(await page.locator("img").count(), 0);
    assertEquals(await page.locator("script").count(), 1);
  },
);

testVisit("events are filtered, and stand still while paused", {}, async ({ page, router }) => {
  const log = page.locator("#log");
  const at = { host: "api.example", address: "192.0.2.10", connectionId: 7 };
  router.tell("evict", { ...at, reason: "lifetime" });
  router.tell("dial", at);
  await log.getByText("connection 7, lifetime").waitFor();
  assertEquals(await log.getByText("dial", { exact: true }).count(), 0);
  await page.getByLabel("Kind of event").selectOption("All");
  await log.getByText("dial", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  router.tell("evict", { ...at, reason: "idle" });
  await page.locator("#events-count", { hasText: "1 new" }).waitFor();
  assertEquals(await log.getByText("connection 7, idle").count(), 0);
  await page.getByRole("button", { name: "Pause" }).click();
  await log.getByText("connection 7, idle").waitFor();
  await page.getByLabel("Filter the events").fill("lifetime");
  await log.getByText("connection 7, idle").waitFor({ state: "detached" });
  assertEquals(await log.locator("li").count(), 1);
});

testVisit("a lost event stream is told, and comes back", {}, async ({ page, router }) => {
  router.close();
  await page.locator("#live-text", { hasText: "Connection lost" }).waitFor();
  await page.locator("#live-text", { hasText: "Live" }).waitFor();
  router.tell("evict", {
    host: "api.example",
    address: "192.0.2.1",
    connectionId: 9,
    reason: "peer",
  });
  await page.locator("#log", { hasText: "connection 9" }).waitFor();
});

testVisit("an event stream that the page cannot make sense of is let go of", {}, async (visit) => {
  const { page, router } = visit;
  router.tell("stats", { blocks: 1 });
  await page.locator("#live-text", { hasText: "Connection lost" }).waitFor();
  await page.locator("#live-text", { hasText: "Live" }).waitFor();
  assertEquals(router.following, 1);
});
