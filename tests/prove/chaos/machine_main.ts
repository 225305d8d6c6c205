/**
 * A machine of the chaos: an HTTPS server in its own process that does wrong what it is told,
 * and counts what it was asked.
 *
 * @module
 */

import http2 from "node:http2";
import net from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import type { OriginCertificate } from "../../support/origin_types.ts";
import { bodyOf, hashOf } from "./echo.ts";
import type { MachineFault } from "./faults.ts";

/** What a machine is made with: the first line that it reads. */
export interface MachineInput {
  readonly address: string;
  readonly port: number;
  readonly good: OriginCertificate;
  readonly foreign: OriginCertificate;
}

/** What it is told after that, a line each. */
export type MachineOrder =
  | { readonly fault: MachineFault | null }
  | { readonly report: true };

/** What it answers: its port first, and then an answer to each order. */
export interface MachineReport {
  readonly port: number;
  readonly sockets: number;
  /** Requests that may not be sent twice, and that it was asked more than once. */
  readonly asked: readonly string[];
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
process.stdin.on("close", () => process.exit());
const input: MachineInput = JSON.parse((await lines.next()).value);

let fault: MachineFault | null = null;
const raws = new Set<net.Socket>();
/** Those that nothing will ever come of. */
const stuck = new Set<net.Socket>();
const byPort = new Map<number, net.Socket>();
/** Requests that may not be sent twice, each as often as it was acted on. */
const asked: string[] = [];

const server = (certificate: OriginCertificate) => {
  const { cert, key } = certificate;
  const server = http2.createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    answer(request, response).catch(() => {});
  });
  server.on("sessionError", () => {});
  server.on("tlsClientError", () => {});
  server.on("session", (session) => session.on("error", () => {}));
  server.on("error", () => {});
  server.setTimeout(0);
  return server;
};
const good = server(input.good);
const foreign = server(input.foreign);

const listener = net.createServer({ noDelay: true }, (raw) => {
  raws.add(raw);
  const { remotePort = 0 } = raw;
  byPort.set(remotePort, raw);
  raw.on("error", () => {});
  raw.on("close", () => {
    raws.delete(raw);
    stuck.delete(raw);
    byPort.delete(remotePort);
  });
  if (fault === "black hole before the handshake") {
    stuck.add(raw);
    raw.resume();
  } else (fault === "wrong certificate" ? foreign : good).emit("connection", raw);
});

type Request = http2.Http2ServerRequest;
type Response = http2.Http2ServerResponse;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Acts as the fault of the moment says, or answers as it should. */
async function answer(request: Request, response: Response): Promise<void> {
  const stream = request.stream as http2.ServerHttp2Stream | undefined;
  const isH2 = request.httpVersionMajor === 2;
  const raw = byPort.get((isH2 ? stream?.session?.socket : request.socket)?.remotePort ?? 0);
  request.on("error", () => {});
  response.on("error", () => {});
  const id = String(request.headers["x-id"]);
  const length = Number(request.headers["x-length"]);
  const now = fault;
  if (isH2 && stream?.session && now === "goaway" && stream.id! > 1 && Number(id) % 2 === 0) {
    // It says that it has not looked at this one.
    stream.session.goaway(http2.constants.NGHTTP2_NO_ERROR, stream.id! - 2);
    return;
  }
  if (isH2 && now === "reset stream" && Number(id) % 2 === 0) {
    stream?.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  if (request.headers["x-once"] !== undefined) asked.push(id);
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part);
  const whole = Buffer.concat(parts);
  switch (now) {
    case "black hole after the handshake":
      if (raw) stuck.add(raw);
      return;
    case "reset":
      raw?.resetAndDestroy();
      return;
    case "reset stream":
      if (isH2) stream?.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else raw?.resetAndDestroy();
      return;
    case "503":
      response.writeHead(503, { "x-id": id, "content-length": 0 });
      response.end();
      return;
    case "slow":
      await pause(50 + Number(id) % 100);
  }
  const body = bodyOf(id, length);
  response.writeHead(200, {
    "x-id": id,
    "x-method": String(request.method),
    "x-received": hashOf(whole),
    "content-length": length,
  });
  if (now === "half a body" || now === "stall" || now === "truncated") {
    if (now === "stall" && raw) stuck.add(raw);
    response.write(body.subarray(0, now === "truncated" ? length - 1 : length >> 1), () => {
      if (now === "half a body") raw?.end();
      else if (now === "truncated") raw?.destroy();
    });
    return;
  }
  response.end(body);
  if (now === "goaway" && isH2) stream?.session?.close();
}

function listen(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(port, input.address, resolve);
  });
}

async function follow(order: MachineOrder): Promise<void> {
  if ("report" in order) return;
  const before = fault;
  fault = order.fault;
  if (before === "refused") await listen(at);
  if (fault === "refused") {
    listener.close();
    for (const raw of raws) raw.destroy();
  }
  // Machines that are well again have nothing left over.
  if (fault === null) { for (const raw of stuck) raw.destroy(); }
}

await listen(input.port);
const at = (listener.address() as net.AddressInfo).port;
const tell = () => {
  const report: MachineReport = { port: at, sockets: raws.size, asked: asked.splice(0) };
  process.stdout.write(`${JSON.stringify(report)}\n`);
};
tell();
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  await follow(JSON.parse(line));
  tell();
}
