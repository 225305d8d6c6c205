/**
 * A gRPC service, described by hand instead of by generated code. Its methods take texts and give texts.
 *
 * @module
 */

import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";

type Text = typeof StringValueSchema;

interface Method<Kind extends string> {
  methodKind: Kind;
  input: Text;
  output: Text;
}

/** The methods of the service. */
export type TalkMethods = {
  /** Gives the text back. One that is empty is an error. */
  say: Method<"unary">;
  /** Gives the text back letter by letter. An exclamation mark is an error. */
  spell: Method<"server_streaming">;
  /** Gives all texts as one. */
  join: Method<"client_streaming">;
  /** Gives each text back as it comes. */
  chat: Method<"bidi_streaming">;
  /** Gives the text back and then goes silent, until it is cancelled. */
  wait: Method<"server_streaming">;
  /** Says when the `wait` of a text was cancelled. */
  cancelled: Method<"unary">;
  /** Says how many milliseconds are left until the deadline. */
  left: Method<"unary">;
};

const wrapped = ".google.protobuf.StringValue";

function method(name: string, clientStreaming = false, serverStreaming = false): object {
  return { name, inputType: wrapped, outputType: wrapped, clientStreaming, serverStreaming };
}

const file = create(FileDescriptorProtoSchema, {
  name: "talk.proto",
  package: "talk",
  syntax: "proto3",
  dependency: [file_google_protobuf_wrappers.proto.name],
  service: [{
    name: "Talk",
    method: [
      method("Say"),
      method("Spell", false, true),
      method("Join", true),
      method("Chat", true, true),
      method("Wait", false, true),
      method("Cancelled"),
      method("Left"),
    ],
  }],
});
const registry = createFileRegistry(file, () => file_google_protobuf_wrappers.proto);

/** The service. */
export const Talk = registry.getService("talk.Talk") as unknown as GenService<TalkMethods>;
