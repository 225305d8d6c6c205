import { assert, assertEquals } from "@std/assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import test from "node:test";
import { detectDialer, detectRuntime } from "../adapters/detect.ts";
import { nodeDialer } from "../adapters/node.ts";
import { startRemoteOrigin } from "./support/origin_process.ts";
import { createAuthority } from "./support/pki.ts";
import { root, run } from "./support/programs.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const readme = read("README.md");
const runtime = detectRuntime();
const runtimeName = { deno: "Deno", bun: "Bun", node: "Node" }[runtime];

test("the page on TLS tells what this runtime's dialers can honour", async () => {
  const rows = read("docs/tls-and-pins.md").split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const head = rows.find(([first]) => first === "TLS option");
  assert(head);
  const table = rows.slice(rows.indexOf(head) + 2);
  const told = (column: string) =>
    table.filter((row) => row[head.indexOf(column)] === "yes")
      .map(([option = ""]) => option.replaceAll("`", "")).sort();
  assertEquals(told(runtimeName), [...(await detectDialer()).capabilities].sort());
  if (runtime === "node") return;
  assertEquals(told(`\`nodeDialer()\` on ${runtimeName}`), [...nodeDialer().capabilities].sort());
});

test("the first lines that the README gives for this runtime run as they stand", async () => {
  const code = new RegExp(`\`\`\`ts no-run ${runtime}\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  assert(code);
  const authority = await createAuthority();
  const certificate = await authority.issue({ names: ["localhost"] });
  await using origin = await startRemoteOrigin({ certificates: [certificate] });
  // Inside the package, where it goes by its own name.
  const folder = mkdtempSync(path.join(root, ".readme-"));
  const ca = path.join(folder, "ca.pem");
  writeFileSync(ca, authority.cert);
  const program = path.join(folder, "first.ts");
  writeFileSync(program, code.replaceAll("example.com", `localhost:${origin.port}`));
  try {
    const args = { deno: ["run", "--allow-net"], bun: ["run"], node: ["--import", "tsx"] }[runtime];
    const { code: exitCode, output } = await run(process.execPath, [...args, program], {
      environment: { DENO_CERT: ca, NODE_EXTRA_CA_CERTS: ca },
      timeoutMs: 30_000,
    });
    assertEquals(exitCode, 0, output);
    assert((await origin.report()).requests > 0, output);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
