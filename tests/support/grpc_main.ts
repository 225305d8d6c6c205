/**
 * A gRPC server of `@grpc/grpc-js`, in its own process.
 *
 * @module
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import grpc from "@grpc/grpc-js";
import { Talk } from "./grpc_service.ts";
import { readInput, sayReady } from "./node_program.ts";
import type { Credentials } from "./pki.ts";

type Text = StringValue;

const { cert, key } = await readInput() as Credentials;
const waiting = new Map<string, Promise<void>>();

function text(value: string): Text {
  return create(StringValueSchema, { value });
}

function serialize(message: Text): Buffer {
  return Buffer.from(toBinary(StringValueSchema, message));
}

function deserialize(bytes: Buffer): Text {
  return fromBinary(StringValueSchema, bytes);
}

const definition: grpc.ServiceDefinition = Object.fromEntries(
  Talk.methods.map(({ localName, methodKind, name }) => [localName, {
    path: `/${Talk.typeName}/${name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  }]),
);

const server = new grpc.Server();
server.addService(definition, {
  say({ metadata, request }: grpc.ServerUnaryCall<Text, Text>, answer: grpc.sendUnaryData<Text>) {
    const { INVALID_ARGUMENT } = grpc.status;
    if (request.value === "") return answer({ code: INVALID_ARGUMENT, details: "Say ‘something’" });
    const trailers = new grpc.Metadata();
    for (const value of metadata.get("x-asked")) trailers.add("x-answered", value);
    answer(null, text(request.value), trailers);
  },
  spell(call: grpc.ServerWritableStream<Text, Text>) {
    for (const letter of call.request.value) {
      if (letter === "!") {
        call.emit("error", { code: grpc.status.OUT_OF_RANGE, details: "No letter" });
        return;
      }
      call.write(text(letter));
    }
    call.end();
  },
  join(call: grpc.ServerReadableStream<Text, Text>, answer: grpc.sendUnaryData<Text>) {
    let all = "";
    call.on("data", ({ value }: Text) => all += value);
    call.on("end", () => answer(null, text(all)));
  },
  chat(call: grpc.ServerDuplexStream<Text, Text>) {
    call.on("data", (message: Text) => call.write(message));
    call.on("end", () => call.end());
  },
  wait(call: grpc.ServerWritableStream<Text, Text>) {
    waiting.set(call.request.value, new Promise((resolve) => call.on("cancelled", resolve)));
    call.write(call.request);
  },
  cancelled(
    { request }: grpc.ServerUnaryCall<Text, Text>,
    answer: grpc.sendUnaryData<Text>,
  ) {
    void waiting.get(request.value)?.then(() => answer(null, request));
  },
  left(call: grpc.ServerUnaryCall<Text, Text>, answer: grpc.sendUnaryData<Text>) {
    answer(null, text(`${Number(call.getDeadline()) - Date.now()}`));
  },
});

const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createSsl(null, [pair]), (error, port) => {
  if (error) throw error;
  sayReady({ port });
});
