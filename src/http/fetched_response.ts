/**
 * The result of `fetch` over a pool: a web `Response` that knows where it is from.
 *
 * @module
 */

import type { Decoder } from "./content_coding.ts";
import { openStream, type PooledResponse } from "./response.ts";

/** The result of a fetch. */
export interface Fetched {
  readonly answer: PooledResponse;
  /** The URL that answered, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  /** Whether there is a body, if only an empty one: neither method nor status rules it out. */
  readonly hasBody: boolean;
  /** The decoders for the body, in order. */
  readonly decoders: readonly Decoder[];
  readonly signal: AbortSignal | undefined;
  /** The body, where it was read ahead to be verified. */
  readonly verified?: Uint8Array;
}

/** Makes a response from the result of a fetch. */
export type ResponseMaker = (fetched: Fetched) => Response;

/** What a response can be made of: the runtimes' types agree on no name for it. */
export type ResponseBody = ConstructorParameters<typeof Response>[0];

/** What a response is made with. */
type OwnInit =
  & Pick<Response, "status" | "statusText">
  & Partial<Pick<Response, "headers">>;

/** A media type, whatever its parameters. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+[\t ]*(?:;|$)/;

/** The runtimes make no response with a higher status; the server's own is shown all the same. */
const MOST_STATUS = 599;

/** A response of the runtime's own that says where it is from, as its clones do. */
function makeOwnClass() {
  return class FetchedResponse extends Response {
    readonly #fetched: Fetched;
    #isSealed = false;

    constructor(fetched: Fetched, body: ResponseBody, init: OwnInit) {
      const { headers, statusText } = init;
      const status = Math.min(init.status, MOST_STATUS);
      super(body, headers ? { headers, status, statusText } : { status, statusText });
      this.#fetched = fetched;
    }

    static {
      showAsOwn(this.prototype);
    }

    static fetchedOf(response: object): Fetched | undefined {
      return #fetched in response ? response.#fetched : undefined;
    }

    /** Makes one with the fields of the answer. */
    static whole(fetched: Fetched, body: ResponseBody): FetchedResponse {
      const { headers, status, statusText } = fetched.answer;
      const response = new FetchedResponse(fetched, body, { status, statusText });
      headers.appendTo(response.#nativeHeaders);
      return response;
    }

    override get url(): string {
      return this.#fetched.url;
    }

    override get status(): number {
      // Node's own constructor reads it before there is a value.
      return #fetched in this ? this.#fetched.answer.status : super.status;
    }

    override get redirected(): boolean {
      return this.#fetched.redirected;
    }

    override get headers(): Headers {
      const headers = this.#nativeHeaders;
      // Not before somebody sees them: on Bun this costs about as much as to fill them.
      if (!this.#isSealed) {
        this.#isSealed = true;
        immutable(headers);
      }
      return headers;
    }

    get #nativeHeaders(): Headers {
      return super.headers;
    }

    override get type(): ResponseType {
      return "basic";
    }

    override async blob(): Promise<Blob> {
      const blob = await super.blob();
      const type = this.headers.get("content-type");
      // Bun loses it if the body is a stream.
      const isForgotten = blob.type === "" && type !== null && MEDIA_TYPE.test(type);
      return isForgotten ? new Blob([blob], { type }) : blob;
    }

    override clone(): Response {
      return cloneOf(this.#fetched, super.clone());
    }
  };
}

let ownClass: ReturnType<typeof makeOwnClass> | undefined;

/** The class, made for the first response: naming `Response` makes Node load its whole `fetch`. */
function fetchedResponse(): ReturnType<typeof makeOwnClass> {
  return ownClass ??= makeOwnClass();
}

/** Makes a class look like the runtime's own to those who copy a response, or make another one. */
export function showAsOwn(prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const own = Object.getOwnPropertyDescriptor(Response.prototype, name);
    if (name === "constructor") Object.defineProperty(prototype, name, { value: Response });
    else Object.defineProperty(prototype, name, { enumerable: own?.enumerable === true });
  }
}

/** Makes a response of the runtime's own. */
export function responseOf(fetched: Fetched, body: ResponseBody, init: OwnInit): Response {
  return new (fetchedResponse())(fetched, body, init);
}

/** Where clones get their bodies from: Node cancels the body of a copy that it collects. */
const copies = new WeakMap<Response, Response>();

/** Makes a clone from a copy that the runtime has made, with the values of `init`. */
export function cloneOf(
  fetched: Fetched,
  copy: Response,
  { headers, statusText }: Pick<Response, "statusText" | "headers"> = copy,
): Response {
  const { status } = fetched.answer;
  const clone = responseOf(fetched, copy.body, { headers, status, statusText });
  copies.set(clone, copy);
  return clone;
}

/** What a response is made of; undefined if it is none of these. */
export function fetchedOf(response: object): Fetched | undefined {
  return ownClass?.fetchedOf(response);
}

/** Makes a whole response at once: the servers of some runtimes look inside it. */
export function makeResponse(fetched: Fetched): Response {
  return fetchedResponse().whole(fetched, openBody(fetched));
}

/** The body, decoded. */
export function openBody(
  { answer, decoders, hasBody, signal, verified }: Fetched,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null {
  if (!hasBody) return null;
  if (verified) return verified as Uint8Array<ArrayBuffer>;
  // A body that has arrived stays, even when the signal aborts.
  const whole = decoders.length === 0 && !signal ? answer.takeBytes() : undefined;
  if (whole) return whole as Uint8Array<ArrayBuffer>;
  const explain = (error: unknown) => bodyError(error, signal);
  return openStream(answer, { decoders, signal, explain });
}

/** The same as a stream of bytes in any case. */
export function openStreamedBody(fetched: Fetched): ReadableStream<Uint8Array> | null {
  const body = openBody(fetched);
  return body instanceof Uint8Array ? streamOf(body) : body;
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source: UnderlyingByteSource = {
    type: "bytes",
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
      controller.close();
    },
  };
  return new ReadableStream(source);
}

/** The header fields of a fetched response cannot be changed. */
export function immutable(headers: Headers): Headers {
  unchangeable ??= Object.create(Headers.prototype, {
    append: refuse,
    delete: refuse,
    set: refuse,
  }) as Headers;
  return Object.setPrototypeOf(headers, unchangeable) as Headers;
}

const refuse: PropertyDescriptor = {
  configurable: true,
  writable: true,
  value: () => {
    throw new TypeError("The headers of a response are immutable");
  },
};

let unchangeable: Headers | undefined;

/** The error for readers of a failed body: the signal's reason, or a `TypeError`. */
export function bodyError(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : new TypeError("terminated", { cause: error });
}
