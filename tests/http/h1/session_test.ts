import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { memorySocket } from "../../../adapters/memory.ts";
import { Parsers } from "../../../src/http/h1/parsers.ts";
import { Http1Session } from "../../../src/http/h1/session.ts";
import { checkLimits } from "../../../src/http/limits.ts";
import { prepareRequest } from "../../../src/http/request.ts";
import type { StreamUser } from "../../../src/http/session.ts";
import { Connection } from "../../../src/map/connection.ts";

const encoder = new TextEncoder();

/** The statuses that two requests hear, the second of which is sent before the first one's head is told. */
async function heardOf(
  answers: string[],
  later = "",
): Promise<readonly [name: string, status: number][]> {
  const socket = memorySocket({
    onWrite: (socket) => socket.receive(encoder.encode(answers.shift())),
  });
  const connection = new Connection({ host: "a.test", address: "192.0.2.1", socket });
  const session = new Http1Session(connection, new Parsers(checkLimits()));
  const request = await prepareRequest("https://a.test/");
  const heard: [name: string, status: number][] = [];
  const user = (name: string, onComplete = () => {}): StreamUser => ({
    onHead: (status) => heard.push([name, status]),
    onBody() {},
    onTrailers() {},
    onComplete,
    onFailure: ({ error }) => {
      throw error;
    },
    onUploadFailure() {},
  });
  connection.beginLease(0);
  const next = () => session.open(user("second")).send(request, undefined);
  session.open(user("first", next)).send(request, undefined);
  if (later !== "") socket.receive(encoder.encode(later));
  return heard;
}

const FIRST = "HTTP/1.1 201 It\r\ncontent-length: 0\r\n\r\n";

test("A response keeps its head where the next request has the connection before the head is told", async () => {
  const second = "HTTP/1.1 404 It\r\ncontent-length: 0\r\n\r\n";
  assertEquals(await heardOf([FIRST, second]), [["second", 404], ["first", 201]]);
});

test("A head that is not told yet is not taken for that of the next response, of which a part is there", async () => {
  const heard = await heardOf([FIRST, "HTTP/1.1 404 It\r\n"], "content-length: 0\r\n\r\n");
  assertEquals(heard, [["first", 201], ["second", 404]]);
});
