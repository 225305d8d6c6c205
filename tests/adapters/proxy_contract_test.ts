/**
 * The dialer contract with a proxy in between: what a dialer promises, it keeps behind one. Of an
 * ending only what a proxy passes on is asked.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import type { Dialer } from "../../src/core/dialer.ts";
import { httpConnect } from "../../src/pool/proxy/http_connect.ts";
import { startConnectProxy } from "../support/connect_proxy.ts";
import { startNodeProgram } from "../support/node_program.ts";
import { createAuthority } from "../support/pki.ts";
import { testEndings } from "./contract/endings.ts";
import { testHandshake } from "./contract/handshake.ts";
import { testStream } from "./contract/stream.ts";
import { type DialerUnderTest, IMPATIENT_MS } from "./contract/support.ts";

const ca = await createAuthority();

const plain = await startConnectProxy({ unref: true });
const secured = await startNodeProgram("connect_proxy_main.ts", {
  credentials: await ca.issue({ names: ["proxy.test"] }),
}) as { readonly port: number; readonly statusPort: number };

/** A dialer that goes through a proxy. */
function through(dialer: Dialer, kind: "plain" | "tls"): Dialer {
  const { port } = kind === "tls" ? secured : plain;
  const proxy = `${kind === "tls" ? "https" : "http"}://proxy.test:${port}`;
  return {
    name: dialer.name,
    capabilities: dialer.capabilities,
    tunnels: dialer.tunnels,
    tellsCertificate: dialer.tellsCertificate === true,
    checkTls: (tls) => dialer.checkTls?.(tls),
    dial: (target, signal) =>
      dialer.dial({
        ...target,
        tunnel: {
          proxy,
          ip: "127.0.0.1",
          port,
          ...kind === "tls" && { tls: { serverName: "proxy.test", options: { ca: [ca.cert] } } },
          negotiate: () =>
            httpConnect(
              { proxy, host: target.host, address: target.address },
              { name: target.ip, port: target.port },
              undefined,
            ),
        },
      }, signal),
  };
}

const names = {
  deno: ["nodeDialer", "denoDialer"],
  bun: ["nodeDialer", "bunDialer"],
  node: ["nodeDialer"],
};

for (const name of names[detectRuntime()]) {
  const file = `adapters/${name.replace("Dialer", "")}.ts`;
  const module: Record<string, (options?: object) => Dialer> = await import(`../../${file}`);
  const create = module[name]!;
  for (const kind of create().tunnels as ReadonlySet<"plain" | "tls">) {
    const under: DialerUnderTest = {
      create: () => through(create(), kind),
      createImpatient: () =>
        through(
          create({
            ...name !== "denoDialer" && { closeTimeoutMs: IMPATIENT_MS },
            lingerMs: IMPATIENT_MS,
          }),
          kind,
        ),
      factory: { module: file, name },
      isTunnelled: true,
      // Of what a proxy ends that speaks TLS itself nothing comes through.
      tellsReset: kind === "plain" && (detectRuntime() !== "deno" || name === "denoDialer"),
      tellsResetInHandshake: false,
      tellsTruncation: name === "denoDialer",
      endsAbortedHandshake: name !== "denoDialer",
      tellsLackOfDescriptors: false,
      tellsLackOfPorts: false,
      refusesSuitesOfTls13: name === "bunDialer",
    };
    const label = `${name} behind ${kind === "tls" ? "an https:" : "an http:"} proxy`;
    testHandshake(label, under);
    testStream(label, under);
    testEndings(label, under);
  }
}

test("Behind proxies dialers leave no socket open", async () => {
  const openAtSecured = async () =>
    Number(await (await fetch(`http://127.0.0.1:${secured.statusPort}/`)).text());
  for (const open of [() => plain.open, openAtSecured]) {
    for (let tries = 0; tries < 200 && await open() > 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assertEquals(await open(), 0);
  }
  await plain[Symbol.asyncDispose]();
});
