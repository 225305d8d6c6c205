/**
 * Questions to DNS servers of which node:dns does not tell the answer, or not its time: over UDP,
 * and over TCP where an answer is cut short.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomInt } from "node:crypto";
import dgram from "node:dgram";
import net from "node:net";
import { parseAddress } from "../../src/core/address.ts";
import { systemClock } from "../../src/core/clock.ts";
import {
  DnsDenial,
  encodeQuestion,
  type Found,
  isTruncated,
  readRecords,
  type RecordType,
} from "./dns_message.ts";

/** After how long a silent server is given up for the next. */
const TRY_MS = 1_500;

/** How often the servers are gone through. */
const ROUNDS = 2;

/** The longest message that is taken, in bytes. */
const MAX_BYTES = 16_384;

/**
 * Asks one server after the other.
 *
 * @param servers Each with its port
 * @throws {DnsDenial} There is no such record
 * @throws {Error} Why none of them answered
 * @throws The signal's reason, when it aborts first
 */
export async function queryDns<Type extends RecordType>(
  servers: readonly string[],
  name: string,
  type: Type,
  signal: AbortSignal,
): Promise<Found<Type>> {
  let failure: unknown = new Error("there is no server to ask");
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of servers) {
      signal.throwIfAborted();
      try {
        return await askServer(server, name, type, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof DnsDenial) throw error;
        failure = error;
      }
    }
  }
  throw failure;
}

async function askServer<Type extends RecordType>(
  server: string,
  name: string,
  type: Type,
  signal: AbortSignal,
): Promise<Found<Type>> {
  const { ip, port } = parseAddress(server, 53);
  const id = randomInt(0x10000);
  const question = encodeQuestion(name, type, id, true);
  const bytes = await withLimit(signal, (signal) => overUdp(ip, port, question, signal));
  const whole = isTruncated(bytes)
    ? await withLimit(signal, (signal) => overTcp(ip, port, question, signal))
    : bytes;
  return readRecords(whole, name, type);
}

/** Ends an attempt with the caller's signal, or after a while. */
async function withLimit<T>(
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = systemClock.setTimer(
    () => stop.abort(new Error(`no answer within ${TRY_MS} ms`)),
    TRY_MS,
  );
  try {
    return await attempt(stop.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

function overUdp(ip: string, port: number, question: Buffer, signal: AbortSignal): Promise<Buffer> {
  const socket = dgram.createSocket(ip.includes(":") ? "udp6" : "udp4");
  return new Promise<Buffer>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    socket.on("error", reject);
    // Whoever else sends something is not heard, nor an answer to another question.
    socket.on("message", (bytes, from) => {
      const answer = Buffer.from(bytes);
      if (from.port === port && isAnswerTo(question, answer)) resolve(answer);
    });
    socket.send(question, port, ip, (error) => error && reject(error));
  }).finally(() => socket.close());
}

function overTcp(ip: string, port: number, question: Buffer, signal: AbortSignal): Promise<Buffer> {
  const socket = net.connect(port, ip);
  return new Promise<Buffer>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server hung up")));
    let received = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, Buffer.from(bytes)]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (length > MAX_BYTES) {
        reject(new Error(`the server answered with more than ${MAX_BYTES} bytes`));
      }
      if (received.length < length + 2) return;
      const answer = received.subarray(2, length + 2);
      if (isAnswerTo(question, answer)) resolve(answer);
      else reject(new Error("the message answers another question"));
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(question.length);
    socket.write(Buffer.concat([size, question]));
  }).finally(() => socket.destroy());
}

/** Whether an answer has a question's ID. */
function isAnswerTo(question: Buffer, answer: Buffer): boolean {
  return answer.length >= 12 && answer.readUInt16BE(0) === question.readUInt16BE(0);
}
