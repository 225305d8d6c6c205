import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { adminScene } from "../support/admin_scene.ts";
import { readDocument } from "../support/documents.ts";

test("what docs/operating.md says to ask and do by hand is answered as it is written", async () => {
  await using scene = adminScene({}, { hosts: { "api.example": ["192.0.2.7", "192.0.2.8"] } });
  const lease = await scene.pool.acquire("api.example", { ip: "192.0.2.8" });
  const [, block = ""] = /### By hand[\s\S]*?```sh\n([\s\S]*?)```/.exec(
    readDocument("docs/operating.md"),
  ) ?? [];
  const places: { readonly [name: string]: string } = { URL: "", POOL: "/api/pools/default" };
  const line = /^(look|act) (?:-N )?"?\$(URL|POOL)(\/[^\s"]+)"?(?: -d '([^']+)')?/;
  const lines = block.split("\n").filter((text) => /^(?:look|act) /.test(text));
  assert(lines.length > 10);
  for (const text of lines) {
    const [, who, place = "", path, sent] = line.exec(text) ?? [];
    const body = sent && JSON.parse(sent.replace("\"id\":17", `"id":${lease.connection.id}`));
    const response = await scene.ask(`${places[place]}${path}`, {
      as: who === "act" ? "act" : "read",
      ...body !== undefined && { body },
    });
    assertEquals(response.status, 200, text);
    await response.body?.cancel();
  }
  lease.release();
});
