/**
 * What `fetch` over a pool gives: a web `Response` that knows where it is from.
 *
 * @module
 */

import { type ByteReader, ofStream } from "./body_reader.ts";
import type { Decoder } from "./content_coding.ts";
import type { PooledResponse } from "./response.ts";

/** What a fetch came to. */
export interface Fetched {
  readonly answer: PooledResponse;
  /** The URL that answered, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  /** Whether there is a body, if only an empty one: neither method nor status rules it out. */
  readonly hasBody: boolean;
  /** What takes the codings off the body, in this order. */
  readonly decoders: readonly Decoder[];
  readonly signal: AbortSignal | undefined;
}

/** Makes a response of what a fetch came to. */
export type ResponseMaker = (fetched: Fetched) => Response;

/** What a response can be made of: the runtimes' types agree on no name for it. */
export type ResponseBody = ConstructorParameters<typeof Response>[0];

/** What a response is made with. */
type OwnInit =
  & Pick<Response, "status" | "statusText">
  & Partial<Pick<Response, "headers">>;

/** Beyond this the runtimes make no response; what a server has said beyond it is told all the same. */
const MOST_STATUS = 599;

class FetchedResponse extends Response {
  readonly #fetched: Fetched;

  constructor(fetched: Fetched, body: ResponseBody, init: OwnInit) {
    const { headers, statusText } = init;
    const status = Math.min(init.status, MOST_STATUS);
    super(body, headers ? { headers, status, statusText } : { status, statusText });
    this.#fetched = fetched;
  }

  static fetchedOf(response: object): Fetched | undefined {
    return #fetched in response ? response.#fetched : undefined;
  }

  override get url(): string {
    return this.#fetched.url;
  }

  override get status(): number {
    // Node's own constructor asks for it, before there is anything to tell.
    return #fetched in this ? this.#fetched.answer.status : super.status;
  }

  override get redirected(): boolean {
    return this.#fetched.redirected;
  }

  override get type(): ResponseType {
    return "basic";
  }

  override clone(): Response {
    return cloneOf(this.#fetched, super.clone());
  }
}

/** What clones have their bodies of: Node cancels the body of a copy that it collects. */
const copies = new WeakMap<Response, Response>();

/** Makes a response of the runtime's own that says where it is from, as its clones do. */
export function responseOf(
  fetched: Fetched,
  body: ResponseBody,
  init: OwnInit,
): Response {
  return new FetchedResponse(fetched, body, init);
}

/** Makes a clone of a copy that the runtime has made, with what `init` tells. */
export function cloneOf(
  fetched: Fetched,
  copy: Response,
  { headers, statusText }: Pick<Response, "statusText" | "headers"> = copy,
): Response {
  const { status } = fetched.answer;
  const clone = new FetchedResponse(fetched, copy.body, { headers, status, statusText });
  copies.set(clone, copy);
  return clone;
}

/** What a response is made of; undefined where `responseOf` has not made it. */
export function fetchedOf(response: object): Fetched | undefined {
  return FetchedResponse.fetchedOf(response);
}

/** Makes a response at once, whole: servers of some runtimes look inside it. */
export function makeResponse(fetched: Fetched): Response {
  const { headers, status, statusText } = fetched.answer;
  const response = responseOf(fetched, openBody(fetched), { status, statusText });
  headers.appendTo(response.headers);
  return response;
}

/** The body, decoded. */
export function openBody({ answer, decoders, hasBody, signal }: Fetched): ResponseBody {
  if (!hasBody) return null;
  const whole = decoders.length === 0 ? answer.takeBytes() : undefined;
  if (whole) return whole as Uint8Array<ArrayBuffer>;
  // Opened by the first read, so that a body that nobody reads is known as such.
  let reader: ByteReader | undefined;
  const open = () =>
    reader ??= decoders.reduce((coded, decode) => decode(coded), ofStream(answer.body));
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const part = await open().read();
        if (part) controller.enqueue(part);
        else controller.close();
      } catch (error) {
        throw bodyError(error, signal);
      }
    },
    cancel: (reason) => open().cancel(reason),
  }, { highWaterMark: 0 });
}

/** What readers of a body expect where it fails: the signal's reason, or a `TypeError`. */
export function bodyError(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : new TypeError("terminated", { cause: error });
}
