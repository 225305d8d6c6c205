/**
 * Requests to nghttpd.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { plainDialer } from "../../adapters/plain.ts";
import { createPool, staticResolver } from "../../mod.ts";
import { startNghttpd, withoutNghttpd } from "../support/nghttpd.ts";
import { mismatch, pattern } from "../support/pattern.ts";
import { credentials, poolTo, streamOf } from "./support.ts";

const TEXT = "Connections that are kept hot. ".repeat(3_000);

test("nghttpd sends files, trailers and a mebibyte to a hundred callers", {
  skip: withoutNghttpd,
}, async () => {
  const files = { "text.txt": TEXT, "large.txt": "x".repeat(1_048_576) };
  const args = ["--trailer=x-sum: 1"];
  await using server = await startNghttpd({ credentials, files, args });
  await using pool = poolTo(server.port);
  const first = await pool.request("https://a.test/text.txt");
  assertEquals([first.status, await first.text() === TEXT], [200, true]);
  assertEquals([...first.trailers ?? []], [["x-sum", "1"]]);
  assertEquals(first.connection.protocol, "h2");
  const lengths = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const response = await pool.request(`https://a.test/${i % 10 ? "text" : "large"}.txt`);
    return (await response.bytes()).length;
  }));
  assertEquals(lengths, lengths.map((_, i) => i % 10 ? TEXT.length : 1_048_576));
  const missing = await pool.fetch("https://a.test/none");
  assertEquals([missing.status, missing.ok], [404, false]);
  await missing.arrayBuffer();
  assertEquals(pool.stats().dials, 1);
  pool.manager.checkInvariants();
});

test(
  "nghttpd sends back what it is sent, and pads its frames",
  { skip: withoutNghttpd },
  async () => {
    await using server = await startNghttpd({
      credentials,
      args: ["--echo-upload", "--padding=200"],
    });
    await using pool = poolTo(server.port);
    const bytes = pattern(0, 1_048_576);
    for (const body of [bytes, streamOf(bytes, 30_000), bytes.slice(0, 10)]) {
      const response = await pool.request("https://a.test/", { method: "POST", body });
      const echoed = await response.bytes();
      const length = body === bytes || body instanceof ReadableStream ? bytes.length : 10;
      assertEquals([echoed.length, mismatch(0, echoed)], [length, -1]);
    }
    assertEquals(pool.stats().dials, 1);
  },
);

test("nghttpd with small windows, a small table and few streams gets all that it is sent", {
  skip: withoutNghttpd,
}, async () => {
  const args = [
    "--echo-upload",
    "--window-bits=12",
    "--connection-window-bits=14",
    "--header-table-size=0",
    "--max-concurrent-streams=2",
  ];
  await using server = await startNghttpd({ credentials, args });
  await using pool = poolTo(server.port, { maxConnectionsPerIp: 1 });
  const bytes = pattern(0, 200_000);
  // It takes it amiss if somebody uses the windows that held before its SETTINGS came.
  await (await pool.request("https://a.test/", { method: "POST", body: "x" })).dump();
  await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    const headers = { "x-number": `${i % 3}` };
    const response = await pool.request("https://a.test/", {
      method: "POST",
      body: bytes,
      headers,
    });
    assertEquals(mismatch(0, await response.bytes()), -1);
  }));
  assertEquals(pool.stats().dials, 1);
});

test("nghttpd is spoken to without TLS, by prior knowledge", { skip: withoutNghttpd }, async () => {
  await using server = await startNghttpd({ files: { "text.txt": TEXT } });
  await using pool = createPool({
    plainDialer: plainDialer(),
    protocols: ["h2"],
    resolver: staticResolver({ "a.test": ["127.0.0.1"] }),
  });
  const url = `http://a.test:${server.port}/text.txt`;
  const response = await pool.request(url);
  assertEquals([await response.text() === TEXT, response.connection.protocol], [true, "h2"]);
  assertEquals(response.connection.alpn, null);
  const all = await Promise.all(Array.from({ length: 20 }, () => pool.fetch(url)));
  for (const response of all) assert(await response.text() === TEXT);
  assertEquals(pool.stats().dials, 1);
});
