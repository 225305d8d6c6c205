import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { STORE_LIMITS } from "../../src/fleet/store.ts";
import { read, type Word, write } from "../../src/fleet/words.ts";
import { FleetScene, standings } from "../support/fleet_scene.ts";
import { Random, withSeed } from "../support/random.ts";

const WORDS: readonly Word[] = [
  { kind: "bad", member: "m", host: "b.test", address: "192.0.2.1", reason: "x", forMs: 9, at: 1 },
  { kind: "well", member: "m", host: "b.test", address: "[2001:db8::1]:8443" },
  { kind: "block", ip: "192.0.2.1", reason: "", until: 0 },
  { kind: "unblock", ip: "2001:db8::1", reason: "", until: 0 },
  { kind: "weight", ip: "192.0.2.1", weight: 0.5, until: 0 },
  { kind: "weight", ip: "192.0.2.1", weight: null, until: 1 },
  { kind: "drain", target: "b.test", id: "1", at: 1 },
  { kind: "lack", key: "a 192.0.2.1" },
  {
    kind: "member",
    member: "m",
    since: 1,
    connections: 2,
    leased: 1,
    places: [["h b.test", 2, 1]],
  },
  { kind: "load", member: "m", places: [["a 192.0.2.1", 2, 1]] },
  { kind: "lesson", host: "b.test", address: "192.0.2.1", idleMs: 5_000, streams: 100, at: 1 },
];

const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    "",
    "x",
    "192.0.2.999",
    "a b",
    "\u0000",
    "__proto__",
    "\ud800",
    "a".repeat(3_000),
  ],
  ...[-1, 0.5, 1e308, Number.MAX_SAFE_INTEGER + 2, -0, [], {}, [[]], [["a ", 1, 1]], [[
    "z x",
    1,
    1,
  ]]],
  ...[[["a 192.0.2.1", -1, 0]], [["a 192.0.2.1", 1e9, 0]], Array(300).fill(["h b.test", 1, 1])],
];

/** What another version, or somebody else, may have written. */
function foreign(random: Random): string {
  const word = JSON.parse(write(random.pick(WORDS))) as Record<string, unknown>;
  const name = random.pick(Object.keys(word));
  const what = random.below(6);
  if (what === 0) return "garbage".repeat(random.below(2_000));
  if (what === 1) return write(random.pick(WORDS)).slice(0, random.below(60));
  if (what === 2) delete word[name];
  else if (what === 3) word.v = random.pick([0, 2, "1", null]);
  else word[name] = random.pick(VALUES);
  return JSON.stringify(word);
}

test("What is read is a word of this version, whole, or nothing; and nothing is thrown", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    for (const word of WORDS) {
      const text = write(word);
      assertEquals(read(text), word);
      const { v, ...fields } = JSON.parse(text);
      for (const other of [v + 1, `${v}`, null]) {
        assertEquals(read(JSON.stringify({ ...fields, v: other })), undefined);
      }
    }
    let passedOver = 0;
    for (let count = 0; count < 5_000; count++) {
      const word = read(foreign(random));
      if (!word) passedOver++;
      else assertEquals(read(write(word)), word);
    }
    assert(passedOver > 3_000, `${passedOver} of 5000`);
  }));

test("A store full of what is foreign is passed over and found, and harms no caller and no address", () =>
  withSeed(async (seed) => {
    const random = new Random(seed);
    await using scene = new FleetScene();
    const events = { onHint: () => {}, onLost: () => {} };
    const link = await scene.store.connect(events, new AbortController().signal);
    for (const section of ["verdicts", "blocks", "drains", "members", "lessons"]) {
      for (let count = 0; count < 200; count++) {
        await link.put(section, `${count}`, foreign(random), 3_600_000);
      }
      await link.put(section, "huge", "x".repeat(5_000_000), 3_600_000);
    }
    const pool = scene.add();
    for (let count = 0; count < 200; count++) {
      await link.hint(foreign(random));
      const serving = pool.acquire("b.test", { timeoutMs: 60_000 }).then(
        (lease) => lease.release(),
        (error) => {
          // A word that is whole may block, or drain: whoever can write there may say so.
          if (pool.stats().blocks.length === 0) throw error;
        },
      );
      await scene.pass(40);
      await serving;
    }
    const { foreign: found, peers, verdicts } = await pool.fleet!.look();
    assert(found > 300, `${found} were found`);
    assert(peers.length <= 1 + 200 && verdicts.length <= 200);
    assert(pool.diagnose().some(({ what }) => what === "fleetForeign"));
    const bad = Object.values(standings(pool)).filter((standing) => standing === "doubtful");
    assert(bad.length <= 2, `${bad.length} of 4 are doubted`);
  }));

test("More entries than a section may have are left out, and members go on", async () => {
  await using scene = new FleetScene();
  const events = { onHint: () => {}, onLost: () => {} };
  const link = await scene.store.connect(events, new AbortController().signal);
  const { entries } = STORE_LIMITS;
  for (let count = 0; count < entries + 100; count++) {
    const word: Word = { ...WORDS[0]!, kind: "bad", member: `m${count}` } as Word;
    await link.put("verdicts", `${count}`, write(word), 3_600_000);
  }
  const pool = scene.add();
  await scene.pass(1_000);
  const { foreign: found, state, verdicts } = pool.fleet!.stats();
  assertEquals([state, found], ["joined", 100]);
  assert(verdicts.length <= 5_000);
  await Promise.all([pool.acquire("b.test").then((lease) => lease.release()), scene.pass(500)]);
});
