import { assertEquals, assertStringIncludes } from "@std/assert";
import { readdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import test, { after, before } from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import {
  installFromJsr,
  installWithNpm,
  openWorkshop,
  type Workshop,
} from "./support/consumers.ts";
import { type Origin, startRemoteOrigin } from "./support/origin_process.ts";
import { createAuthority } from "./support/pki.ts";
import { run } from "./support/programs.ts";

const skip = detectRuntime() !== "node"
  && "The projects start their runtimes themselves, and npm, which installs them, is Node's";

let workshop: Workshop;
let origin: Origin;
let args: readonly [url: string, ca: string];

before(async () => {
  if (skip) return;
  const authority = await createAuthority();
  const certificate = await authority.issue({ names: ["localhost"] });
  origin = await startRemoteOrigin({ certificates: [certificate] });
  args = [`https://localhost:${origin.port}/`, authority.cert];
  workshop = await openWorkshop();
});

after(async () => {
  if (skip) return;
  workshop[Symbol.dispose]();
  assertEquals((await origin.until({ openSockets: 0 })).openSockets, 0);
  await origin[Symbol.asyncDispose]();
});

test("a project on Node in plain JavaScript uses the installed package", { skip }, async () => {
  const project = workshop.copy("node_javascript");
  await installWithNpm(project, workshop.archive);
  assertEquals(await project.run(process.execPath, "main.js", ...args), project.expected);
  // An archive from npm is for all runtimes.
  const onDeno = await project.run("deno", "run", "--allow-net", "main.js", ...args);
  assertEquals(onDeno, project.expected);
  const required = "console.log(typeof require('hotconn').createPool)";
  assertEquals(await project.run(process.execPath, "--eval", required), "function\n");
});

test("a project has what the package stands on, and nothing else", { skip }, async () => {
  const project = workshop.copy("node_javascript");
  await installWithNpm(project, workshop.archive);
  const names = readdirSync(path.join(project.folder, "node_modules"))
    .filter((name) => !name.startsWith("."));
  assertEquals(names.sort(), ["@leichtgewicht", "dns-packet", "hotconn", "ipaddr.js"]);
});

test("a project compiled under nodenext as strictly as can be, with Node's types alone, uses it", {
  skip,
}, async () => {
  const project = workshop.copy("node_nodenext");
  await installWithNpm(project, workshop.archive);
  const tsc = path.join(project.folder, "node_modules/.bin/tsc");
  await project.run(tsc);
  assertEquals(await project.run(process.execPath, "built/main.js", ...args), project.expected);
  await project.run(tsc, "--noEmit", "--module", "node16", "--moduleResolution", "node16");
});

test("a project compiled for a bundler, with the DOM's types, uses it", { skip }, async () => {
  const project = workshop.copy("node_bundler");
  await installWithNpm(project, workshop.archive);
  await project.run(path.join(project.folder, "node_modules/.bin/tsc"));
  const bundle = ["--bundle", "--minify", "--platform=node", "--format=esm"];
  await project.run("esbuild", "built/main.js", ...bundle, "--outfile=built/bundle.mjs");
  assertEquals(await project.run(process.execPath, "built/bundle.mjs", ...args), project.expected);
});

test("an app on Hono mounts the router of the installed package", {
  skip,
}, async () => {
  const project = workshop.copy("hono");
  await installWithNpm(project, workshop.archive);
  // It also compiles a library that takes something from every entry point.
  await project.run(path.join(project.folder, "node_modules/.bin/tsc"));
  assertEquals(await project.run(process.execPath, "built/main.js", ...args), project.expected);
  const entries = "import('./built/entries.js').then((it) => console.log(it.makers.length))";
  assertEquals(await project.run(process.execPath, "--eval", entries), "11\n");
});

test("a project on Bun uses the installed package", { skip }, async () => {
  const project = workshop.copy("bun");
  await project.run("bun", "add", workshop.archive);
  assertEquals(await project.run("bun", "run", "main.ts", ...args), project.expected);
});

test("a project on Deno uses what JSR gives, with --allow-net alone", { skip }, async () => {
  const project = workshop.copy("deno_jsr");
  installFromJsr(project);
  await project.run("deno", "check", "main.ts");
  const flags = ["run", "--no-prompt", "--allow-net"];
  assertEquals(await project.run("deno", ...flags, "main.ts", ...args), project.expected);
  const options = { folder: project.folder, timeoutMs: 30_000 };
  for (const permission of [[], ["--allow-net=localhost"]]) {
    const { code, stdout } = await run(
      "deno",
      ["run", "--no-prompt", ...permission, "main.ts", ...args],
      options,
    );
    assertEquals(code, 1);
    assertStringIncludes(stdout, permission.length === 0 ? "Addresses of localhost" : "Dial of");
    assertStringIncludes(stdout, "equires net access");
    assertStringIncludes(stdout, "run again with");
    assertEquals(stdout.trimEnd().split("\n").length, 1);
  }
});
