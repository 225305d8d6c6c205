import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { denoDialer } from "../../adapters/deno.ts";
import type { DialTarget, TlsOptions, TlsSocket } from "../../src/core/dialer.ts";
import { HotconnError, UnsupportedOptionError } from "../../src/core/errors.ts";
import { type OriginOptions, startRemoteOrigin } from "../support/origin_process.ts";
import { pattern } from "../support/pattern.ts";
import { RecordingSink } from "../support/recording_sink.ts";
import { ca, leaf, settled, targetOf } from "./contract/support.ts";

const onDeno = "Deno" in globalThis;
const denoOnly = { skip: onDeno ? false : "the Deno dialer is for Deno" };

async function dial(target: DialTarget): Promise<{ socket: TlsSocket; sink: RecordingSink }> {
  const socket = await denoDialer().dial(target, new AbortController().signal);
  const sink = new RecordingSink();
  socket.attach(sink);
  return { socket, sink };
}

const startOrigin = (options: OriginOptions = {}) =>
  startRemoteOrigin({ certificates: [leaf], behaviour: { kind: "discard" }, ...options });

/** Runs a program on Deno, with these permissions, and resolves to what it prints. */
async function run(permissions: readonly string[], program: string): Promise<string> {
  // Through a shell: where Deno's node:child_process sees Deno called, it grants all permissions.
  const command = `exec "$DENO" run --no-lock --no-check --no-prompt ${permissions.join(" ")} -`;
  const child = spawn("sh", ["-c", command], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    env: { ...process.env, DENO: process.execPath },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (bytes) => output += bytes);
  child.stdin.end(program);
  const [code] = await once(child, "close");
  assertEquals(code, 0);
  return output.trim();
}

test("denoDialer() says where it works when it is called elsewhere", {
  skip: onDeno ? "this is Deno" : false,
}, () => {
  assertThrows(() => denoDialer(), HotconnError, "needs the Deno namespace");
});

test("denoDialer() refuses bad options, and those that it does not know", () => {
  assertThrows(() => denoDialer({ lingerMs: -1 }), RangeError, "lingerMs must be a number of at");
  assertThrows(() => denoDialer({ highWaterMarkBytes: NaN }), TypeError, "highWaterMarkBytes must");
  assertThrows(() => denoDialer({ linger: 1 } as object), TypeError, "did you mean lingerMs?");
});

test(
  "trap 19: the deno dialer verifies and sends the server name, whatever address it dials",
  denoOnly,
  async () => {
    await using origin = await startOrigin();
    const { socket } = await dial(targetOf(origin.port, {}, "a.test"));
    assertEquals((await origin.until({ handshakes: 1 })).connections[0]?.sni, "a.test");
    socket.close();
  },
);

test(
  "trap 19: dials aborted at the moment they connect leave no connection",
  denoOnly,
  async () => {
    // It has to be the right moment: Deno loses a connection that it made, but has not reported yet.
    await using origin = await startOrigin({ behaviour: { kind: "mute" } });
    const dialer = denoDialer();
    for (let i = 0; i < 40; i++) {
      const abort = new AbortController();
      setTimeout(() => abort.abort("enough"), 1);
      const dialling = dialer.dial(targetOf(origin.port), abort.signal).catch((reason) => reason);
      const start = performance.now();
      while (performance.now() - start < 3);
      assertEquals(await dialling, "enough");
    }
    for (let i = 0; i < 5; i++) {
      await settled(origin);
      // Of what came as far as the handshake the peer has to let go first.
      await origin.act({ kind: "fin" });
    }
    await origin.until({ openSockets: 0 });
  },
);

test("trap 19: a handshake that was aborted keeps no program alive", denoOnly, async () => {
  await using origin = await startOrigin({ behaviour: { kind: "mute" } });
  const target = JSON.stringify(targetOf(origin.port));
  const output = await run(
    ["--allow-net"],
    `import { denoDialer } from "./adapters/deno.ts";
     try { await denoDialer().dial(${target}, AbortSignal.timeout(50)); }
     catch (reason) { console.log(reason.name); }`,
  );
  assertEquals(output, "TimeoutError");
});

test(
  "trap 20: the deno dialer dials nothing for options that Deno cannot honour",
  denoOnly,
  async () => {
    await using origin = await startOrigin();
    const options: TlsOptions[] = [
      { pins: [ca.pin] },
      { clientCertificate: leaf },
      { minVersion: "TLSv1.3" },
      { maxVersion: "TLSv1.2" },
      { ciphers: ["TLS_AES_128_GCM_SHA256"] },
      { groups: ["X25519"] },
      { dangerouslyAcceptAnyCertificate: true },
    ];
    for (const option of options) {
      const error = await assertRejects(
        () => dial(targetOf(origin.port, option)),
        UnsupportedOptionError,
        "it honours serverName, ca, alpn",
      );
      assertEquals([error.option], Object.keys(option));
    }
    assertEquals((await origin.report()).accepted, 0);
  },
);

test("trap 21: destroy() with a read pending is seen on the wire", denoOnly, async () => {
  await using origin = await startOrigin();
  const { socket } = await dial(targetOf(origin.port));
  await origin.until({ handshakes: 1 });
  await settled(origin);
  socket.destroy();
  const { connections } = await origin.until({ openSockets: 0 });
  assertEquals(connections[0]?.ended, ["close_notify", "fin"]);
});

test(
  "trap 23: big and small writes to Deno, which writes 64 KiB a call, arrive in order",
  denoOnly,
  async () => {
    await using origin = await startOrigin({ behaviour: { kind: "echo" } });
    const { socket, sink } = await dial(targetOf(origin.port));
    let length = 0;
    for (const size of [1, 65_536, 65_537, 7, 7, 200_000, 16_384, 1, 1]) {
      socket.write(pattern(length, size));
      length += size;
    }
    await sink.bytes(length);
    assertEquals(sink.mismatch, -1);
    socket.close();
  },
);

test("a dial without --allow-net tells which permission it lacks", denoOnly, async () => {
  const output = await run(
    [],
    `import { denoDialer } from "./adapters/deno.ts";
     try { await denoDialer().dial(${
      JSON.stringify(targetOf(443))
    }, new AbortController().signal); }
     catch (error) { console.log(error.phase, error.failure, error.message); }`,
  );
  assert(output.startsWith("tcp permission "), output);
  assert(output.includes("--allow-net"), output);
});

test("certificate authorities that cannot be read are the caller's error", denoOnly, async () => {
  await using origin = await startOrigin();
  const broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
  await assertRejects(
    () => dial(targetOf(origin.port, { ca: [broken] })),
    TypeError,
    "The TLS options cannot be used",
  );
  await origin.until({ openSockets: 0 });
});
