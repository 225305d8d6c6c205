import { assert, assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

test("A pool without a fleet loads nothing of one", () => {
  const root = new URL("../../", import.meta.url);
  const files = ["mod.ts", "src", "adapters"].flatMap((place) =>
    place.endsWith(".ts") ? [place] : readdirSync(new URL(place, root), {
      recursive: true,
      encoding: "utf8",
    }).filter((name) => name.endsWith(".ts")).map((name) => `${place}/${name}`)
  ).filter((name) => !/^src\/fleet\/|^adapters\/redis/.test(name));
  const loaded: string[] = [];
  let types = 0;
  for (const name of files) {
    const text = readFileSync(new URL(name, root), "utf8");
    const statements = text.matchAll(
      /^(?:im|ex)port\b[^;]*?from "[^"]*\/(?:fleet|redis)\/[^"]*";/gm,
    );
    for (const [statement] of statements) {
      if (/^(?:im|ex)port type /.test(statement)) types++;
      else loaded.push(`${name}: ${statement}`);
    }
  }
  assertEquals(loaded, []);
  assert(types > 5);
});
