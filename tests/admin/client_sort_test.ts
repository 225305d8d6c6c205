import { assertEquals } from "@std/assert";
import test from "node:test";
import { CLIENT_SORT } from "../../adapters/dashboard/client_sort.ts";
import { fromScript } from "../support/client_script.ts";

interface Sortable {
  readonly name: string;
  readonly rank: number;
  readonly latency: number | null;
}

const names = "const names = new Intl.Collator(\"en\", { numeric: true });";
const { ariaSort, inOrder, nextOrder } = fromScript(
  [names, CLIENT_SORT],
  ["ariaSort", "inOrder", "nextOrder"],
) as {
  ariaSort: (order: string, key: string) => string;
  inOrder: <T>(items: readonly T[], order: string, read: (item: T) => T) => T[];
  nextOrder: (order: string, key: string) => string;
};

const items: readonly Sortable[] = [
  { name: "h10", rank: 0, latency: null },
  { name: "h2", rank: 5, latency: 9 },
  { name: "h1", rank: 0, latency: 40 },
  { name: "h3", rank: 1, latency: 9 },
];
const sorted = (order: string) => inOrder(items, order, (item) => item).map(({ name }) => name);

test("what is not known comes last either way, and among the alike trouble comes first", () => {
  assertEquals(sorted("latency"), ["h1", "h2", "h3", "h10"]);
  assertEquals(sorted("-latency"), ["h2", "h3", "h1", "h10"]);
});

test("names are sorted by the numbers in them, and an unknown order is trouble first", () => {
  assertEquals(sorted("name"), ["h1", "h2", "h3", "h10"]);
  assertEquals(sorted("-name"), ["h10", "h3", "h2", "h1"]);
  for (const order of ["trouble", "", "__proto__", "-constructor"]) {
    assertEquals(sorted(order), ["h2", "h3", "h10", "h1"], order);
  }
});

test("a column is turned by a second click, and says which way it goes", () => {
  assertEquals([nextOrder("name", "latency"), nextOrder("latency", "latency")], [
    "latency",
    "-latency",
  ]);
  assertEquals(nextOrder("-latency", "latency"), "latency");
  assertEquals(ariaSort("latency", "latency"), "descending");
  assertEquals(ariaSort("-latency", "latency"), "ascending");
  assertEquals(ariaSort("name", "name"), "ascending");
  assertEquals(ariaSort("name", "latency"), "none");
});
