import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import test from "node:test";
import tls from "node:tls";
import { startOrigin } from "./origin.ts";
import { startRemoteOrigin } from "./origin_process.ts";
import { createAuthority } from "./pki.ts";

const ca = await createAuthority();
const leaf = { ...await ca.issue({ names: ["a.test"] }), names: ["a.test"] };

async function connect(port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    servername: "a.test",
    ca: [ca.cert],
    ...options,
  });
  await once(socket, "secureConnect");
  return socket;
}

test("an origin in another process tells what it saw of a client", async () => {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    behaviour: { kind: "echo" },
  });
  const socket = await connect(origin.port);
  socket.write("hello");
  const [answer] = await once(socket, "data");
  assertEquals(String(answer), "hello");
  socket.end();
  const report = await origin.until({ openSockets: 0 });
  const [connection] = report.connections;
  assertEquals(connection?.sni, "a.test");
  assertEquals(connection?.hello?.sni, "a.test");
  assertEquals(connection?.bytesReceived, 5);
  assertEquals(connection?.ended, ["close_notify", "fin"]);
});

test("an origin stops and starts again on the same port", async () => {
  await using origin = await startRemoteOrigin({ certificates: [leaf] });
  const socket = await connect(origin.port);
  socket.on("error", () => {});
  await origin.until({ handshakes: 1 });
  const closed = new Promise((resolve) => socket.on("close", resolve));
  await origin.stop();
  await closed;
  await origin.start();
  const second = await connect(origin.port);
  second.end();
  assertEquals((await origin.until({ openSockets: 0 })).handshakes, 2);
});

test("an origin in this process answers HTTP and says who answered", async () => {
  await using origin = await startOrigin({
    certificates: [leaf],
    addresses: ["127.0.0.1", "127.0.0.2"],
  });
  const socket = await connect(origin.port, { host: "127.0.0.2" });
  socket.write("GET /who HTTP/1.1\r\nHost: a.test\r\n\r\n");
  let text = "";
  for await (const bytes of socket) {
    text += Buffer.from(bytes).toString();
    if (text.endsWith("}\n")) break;
  }
  const body = JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
  assertEquals(body.address, "127.0.0.2");
  assertEquals(body.host, "a.test");
  socket.destroy();
  await origin.until({ openSockets: 0 });
});
