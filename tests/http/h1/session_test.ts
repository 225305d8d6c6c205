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

test("A response keeps its head where the next request has the connection before the head is told", async () => {
  const statuses = [201, 404];
  const socket = memorySocket({
    onWrite: (socket) => {
      const status = statuses.shift();
      socket.receive(encoder.encode(`HTTP/1.1 ${status} It\r\ncontent-length: 0\r\n\r\n`));
    },
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
  assertEquals(heard, [["second", 404], ["first", 201]]);
});
