import { assertEquals } from "@std/assert";
import test from "node:test";
import {
  distrusted,
  type HeardVerdict,
  isDoubtful,
  isWorthTelling,
  leavesTrialsTo,
} from "../../src/fleet/verdicts.ts";

const heard = (member: string, address = "192.0.2.1", at = 100): HeardVerdict => ({
  member,
  host: "a.test",
  address,
  reason: "refused",
  at,
  until: at + 1_000,
});
const unknown = { wellAt: 0, failing: false };
const rules = { now: 200, quorum: 1, distrusted: new Set<string>() };

test("An address is doubtful that one member has ejected, until its verdict expires", () => {
  assertEquals(isDoubtful([], unknown, rules), false);
  assertEquals(isDoubtful([heard("m1")], unknown, rules), true);
  assertEquals(isDoubtful([heard("m1")], unknown, { ...rules, now: 1_100 }), false);
});

test("Own experience outweighs hearsay at once", () => {
  assertEquals(isDoubtful([heard("m1")], { wellAt: 101, failing: false }, rules), false);
  assertEquals(isDoubtful([heard("m1")], { wellAt: 99, failing: false }, rules), true);
  assertEquals(isDoubtful([heard("m1")], { wellAt: 0, failing: true }, rules), false);
});

test("A quorum is of different members", () => {
  const two = { ...rules, quorum: 2 };
  assertEquals(isDoubtful([heard("m1"), heard("m1")], unknown, two), false);
  assertEquals(isDoubtful([heard("m1"), heard("m2")], unknown, two), true);
});

test("A member that condemns most of what is known is not believed, and harms nobody", () => {
  const known = new Set(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
  const all = [...known].map((address) => heard("broken", address));
  const verdicts = [...all, heard("m2", "192.0.2.2"), heard("m2", "203.0.113.9")];
  const members = distrusted(verdicts, known);
  assertEquals([...members], ["broken"]);
  const doubted = [...known].filter((address) =>
    isDoubtful(verdicts.filter((verdict) => verdict.address === address), unknown, {
      ...rules,
      distrusted: members,
    })
  );
  assertEquals(doubted, ["192.0.2.2"]);
});

test("Of two addresses a member may condemn one, and of few known ones nobody is distrusted", () => {
  const known = new Set(["192.0.2.1", "192.0.2.2"]);
  assertEquals([...distrusted([heard("m1"), heard("m1", "192.0.2.2")], known)], []);
});

test("Trials are left to who told of a failure, and of two who did to the first by name", () => {
  assertEquals(leavesTrialsTo(heard("m2"), "m1", false), true);
  assertEquals(leavesTrialsTo(heard("m2"), "m1", true), false);
  assertEquals(leavesTrialsTo(heard("m1"), "m2", true), true);
});

test("A verdict that as many members as the quorum have told is not told again", () => {
  assertEquals([0, 1, 2].map((told) => isWorthTelling(told, 2)), [true, true, false]);
});
