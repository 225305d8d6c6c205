import { assertEquals } from "@std/assert";
import test from "node:test";
import { CLIENT_ROUTE } from "../../adapters/dashboard/client_route.ts";
import { fromScript } from "../support/client_script.ts";

interface Place {
  readonly [name: string]: string;
}

const { START, readPlace, writePlace } = fromScript(
  [CLIENT_ROUTE],
  ["START", "readPlace", "writePlace"],
) as {
  START: Place;
  readPlace: (hash: string) => Place | undefined;
  writePlace: (place: Place) => string;
};

test("a link names the pool, and what of it is open", () => {
  const place = { ...START, pool: "shop", view: "hosts", host: "a.test:8443", address: "[::1]:1" };
  assertEquals(
    writePlace(place),
    "#/shop?view=hosts&host=a.test%3A8443&address=%5B%3A%3A1%5D%3A1",
  );
  assertEquals(
    writePlace({ ...START, pool: "shop", host: "a.test", connection: "17", panel: "limits" }),
    "#/shop?host=a.test&connection=17&panel=limits",
  );
  assertEquals(writePlace(START), "#/");
  assertEquals(writePlace({ ...START, pool: "shop" }), "#/shop");
});

test("a link leads to where it was taken, whatever was typed there", () => {
  for (const filter of ["a b", "?&=#/%", "\u00fcber", "<b>"]) {
    const place = { ...START, pool: "a.b-c_d", filter };
    assertEquals(readPlace(writePlace(place)), place);
  }
});

test("a fragment that is no place is none, and unknown names in one are passed over", () => {
  assertEquals(readPlace(""), undefined);
  assertEquals(readPlace("#map"), undefined);
  assertEquals(readPlace("#/%"), undefined);
  assertEquals(readPlace("#/shop?__proto__=1&colour=red"), { ...START, pool: "shop" });
});
