/**
 * The events of a WebSocket: the runtime's own classes, or ones like them if it has none.
 *
 * @module
 */

import { messageOf } from "../../core/check.ts";

/** A WebSocket has ended. */
export interface WebSocketCloseEvent extends Event {
  /** The code that the server gave; 1005 where it gave none, 1006 where it said no good-bye. */
  readonly code: number;
  /** The reason that the server gave, which may be empty. */
  readonly reason: string;
  /** Whether both sides have said good-bye. */
  readonly wasClean: boolean;
}

/** A WebSocket has failed. */
export interface WebSocketErrorEvent extends Event {
  /** Why. It is always there; the web's own events lack it. */
  readonly error?: unknown;
  /** Its message. */
  readonly message?: string;
}

/** The events of a WebSocket. */
export interface WebSocketEvents {
  /** It is open. */
  readonly open: Event;
  /** A message: `data` is a text, or bytes as `binaryType` says. */
  readonly message: MessageEvent;
  /** It has failed; `close` follows. */
  readonly error: WebSocketErrorEvent;
  /** It has ended. Told once, and last. */
  readonly close: WebSocketCloseEvent;
}

/** A handler of an event, such as `onmessage`. */
export type WebSocketHandler<Name extends keyof WebSocketEvents> =
  | ((event: WebSocketEvents[Name]) => unknown)
  | null;

/** Who listens to an event: a function, or an object with one. */
export type WebSocketListener<E extends Event> =
  | ((event: E) => unknown)
  | { handleEvent(event: E): unknown };

/** How somebody listens. */
export interface WebSocketListenOptions {
  /** The web's own: of no effect here, where nothing is above. */
  readonly capture?: boolean;
  /** Whether to listen once only. */
  readonly once?: boolean;
  /** The web's own: of no effect here, where nothing can be prevented. */
  readonly passive?: boolean;
  /** Ends the listening when it aborts. */
  readonly signal?: AbortSignal;
}

interface CloseInit {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

interface ErrorInit {
  readonly error: unknown;
  readonly message: string;
}

type Maker<Init, Made> = new(type: string, init: Init) => Made;

const { CloseEvent, ErrorEvent } = globalThis as {
  readonly CloseEvent?: Maker<CloseInit, WebSocketCloseEvent>;
  readonly ErrorEvent?: Maker<ErrorInit, WebSocketErrorEvent>;
};

/** Makes the event `close`. */
export function closeEvent(init: CloseInit): WebSocketCloseEvent {
  return CloseEvent ? new CloseEvent("close", init) : Object.assign(new Event("close"), init);
}

/** Makes the event `error`. */
export function errorEvent(error: unknown): WebSocketErrorEvent {
  const message = messageOf(error);
  const init = { error, message };
  return ErrorEvent ? new ErrorEvent("error", init) : Object.assign(new Event("error"), init);
}
