import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { CLIENT, dashboard, FILES } from "../../adapters/dashboard/page.ts";
import { POOL_EVENTS } from "../../src/pool/events.ts";
import { run } from "../support/programs.ts";

test("the page has its style and its script in its own files, and nothing inline or from elsewhere", async () => {
  const { folder, page: pageAt } = await dashboard();
  const page = pageAt({ root: "", tokenHeader: "x-hotconn-token", isOpen: false });
  assertEquals(page.match(/<script[^>]*>[^<]/g), null);
  assertEquals(page.match(/<style/g), null);
  assertEquals(page.match(/\s(style|on\w+)=/g), null);
  const named = [...page.matchAll(/(?:src|href)="([^#"]*)"/g)].map(([, name]) => name);
  // The other signs are loaded when they are needed.
  const loaded = FILES.filter(({ name }) => !/^(critical|stale|warning)\.svg$/.test(name));
  assertEquals(named, loaded.map(({ name }) => `assets/${folder}/${name}`));
  assertMatch(folder, /^[0-9a-f]{24}$/);
  // The one address is a namespace's name, which nothing is loaded from.
  const texts = [page, ...FILES.map(({ body }) => body)];
  const addresses = texts.flatMap((text) => text.match(/\w+:\/\/[^"'\s%]+/g) ?? []);
  assertEquals(addresses.filter((address) => address !== "http://www.w3.org/2000/svg"), []);
});

test("the page is in ASCII: Bun would change other characters", async () => {
  const page = (await dashboard()).page({
    root: "",
    tokenHeader: "x-hotconn-token",
    isOpen: false,
  });
  for (const text of [page, ...FILES.map(({ body }) => body)]) {
    assertEquals(text.match(/[^\n -~].{0,20}/), null);
  }
});

test("the script puts no markup together", () => {
  for (const name of ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]) {
    assert(!CLIENT.includes(name), name);
  }
});

async function complaints(script: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "hotconn-dashboard-"));
  try {
    const file = path.join(folder, "client.js");
    await writeFile(file, script);
    const { output } = await run("tsc", [
      ...["--ignoreConfig", "--noEmit", "--allowJs", "--checkJs", "--strict"],
      ...["--noFallthroughCasesInSwitch", "--noUnusedLocals", "--noUnusedParameters"],
      ...["--target", "ES2022", "--lib", "ES2024,DOM,DOM.Iterable", "--types", "", file],
    ]);
    return output.split("\n").filter((line) => line.includes("error TS")).join("\n");
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the script is as its types say", { timeout: 120_000 }, async () => {
  assertEquals(await complaints(CLIENT), "");
  // The proof that this can fail.
  const wrong = await complaints(`${CLIENT}\nsetText(byId("drawer"), 1);`);
  assert(wrong.includes("TS2345"), wrong);
});

test("the page offers each event that there is, and words for none besides", () => {
  const listed = (name: string) => {
    const [, list = ""] = new RegExp(`const ${name} = \\[(.*)\\];`).exec(CLIENT) ?? [];
    return [...list.matchAll(/"(\w+)"/g)].map(([, event]) => event!);
  };
  const events = Object.entries(POOL_EVENTS);
  const usual = events.filter(([, kind]) => kind === "usual").map(([event]) => event);
  // What was done over the router is told by the router itself.
  assertEquals([...listed("USUAL"), ...listed("FOUND")].sort(), [...usual, "audit"].sort());
  const others = events.filter(([, kind]) => kind === "frequent").map(([event]) => event);
  assertEquals([...listed("FREQUENT"), "check"].sort(), others.sort());
});
