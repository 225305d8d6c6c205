/**
 * Questions to DNS servers: over UDP, and over TCP if an answer is truncated. The runtimes' own
 * clients differ: some accept an answer for another name, some give up on a slow server after a
 * second, and none asks for every type of record or says how long an alias holds.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomInt } from "node:crypto";
import dgram from "node:dgram";
import net from "node:net";
import { parseAddress, readIp } from "../../src/core/address.ts";
import { setDeadline, systemClock, type Timer } from "../../src/core/clock.ts";
import {
  DnsDenial,
  encodeQuestion,
  type Found,
  isTruncated,
  readRecords,
  type RecordType,
} from "./dns_message.ts";

/** After how long the next server is asked beside a silent one. */
const TRY_MS = 1_500;

/** How often the servers are gone through. */
const ROUNDS = 2;

/** The length of a message's head, and of the record OPT at the end of a question. */
const HEADER_BYTES = 12;
const OPT_BYTES = 11;

/** The longest message that is taken, in bytes. */
const MAX_BYTES = 16_384;

/**
 * Asks one server after the other, each as soon as the one before it has failed or been silent for
 * 1.5 s, and goes on listening to those: a slow answer is better than none.
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
  signal.throwIfAborted();
  const stop = new AbortController();
  let timer: Timer | undefined;
  let onAbort = () => {};
  try {
    return await new Promise<Found<Type>>((resolve, reject) => {
      const toAsk = Array.from({ length: ROUNDS }, () => servers).flat();
      let failure: unknown = new Error("there is no server to ask");
      let listening = 0;
      const next = () => {
        timer?.cancel();
        const server = toAsk.shift();
        if (server === undefined && listening === 0) reject(failure);
        timer = setDeadline(systemClock, () => {
          failure = new Error(`no answer within ${TRY_MS} ms`);
          // The server asked last has had as much time as the others.
          if (toAsk.length === 0) reject(failure);
          else next();
        }, TRY_MS);
        if (server === undefined) return;
        listening++;
        askServer(server, name, type, stop.signal).then(resolve, (error) => {
          listening--;
          // Aborted once the question is settled.
          if (stop.signal.aborted) return;
          failure = error;
          if (error instanceof DnsDenial) reject(error);
          else next();
        });
      };
      onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      next();
    });
  } finally {
    timer?.cancel();
    signal.removeEventListener("abort", onAbort);
    stop.abort();
  }
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
  const bytes = await overUdp(ip, port, question, signal);
  signal.throwIfAborted();
  const whole = isTruncated(bytes) ? await overTcp(ip, port, question, signal) : bytes;
  return readRecords(whole, name, type);
}

function overUdp(ip: string, port: number, question: Buffer, signal: AbortSignal): Promise<Buffer> {
  const server = readIp(ip)?.toString();
  const socket = dgram.createSocket(ip.includes(":") ? "udp6" : "udp4");
  return new Promise<Buffer>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    socket.on("error", reject);
    // Anything from elsewhere is ignored, and so is an answer to another question.
    socket.on("message", (bytes, from) => {
      const answer = Buffer.from(bytes);
      const isServer = from.port === port && readIp(from.address)?.toString() === server;
      if (isServer && isAnswerTo(question, answer)) resolve(answer);
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

/** Whether an answer has a question's ID, and repeats the question, or none as some failures do. */
function isAnswerTo(question: Buffer, answer: Buffer): boolean {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== question.readUInt16BE(0)) {
    return false;
  }
  const end = question.length - OPT_BYTES;
  const asText = (bytes: Buffer) =>
    bytes.subarray(HEADER_BYTES, end).toString("latin1").toLowerCase();
  return answer.readUInt16BE(4) === 0 || asText(question) === asText(answer);
}
