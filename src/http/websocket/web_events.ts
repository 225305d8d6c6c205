/**
 * The events of a WebSocket: the runtime's own classes, or ones like them if it has none.
 *
 * @module
 */

import { messageOf } from "../../core/check.ts";

/** A WebSocket has ended. */
export interface WebSocketCloseEvent extends Event {
  /** The code that the server sent; 1005 if it sent none, 1006 if there was no close frame. */
  readonly code: number;
  /** The reason that the server gave, which may be empty. */
  readonly reason: string;
  /** Whether both sides have sent a close frame. */
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
  /** It has ended. The last event, once. */
  readonly close: WebSocketCloseEvent;
}

/** A handler of an event, such as `onmessage`. */
export type WebSocketHandler<Name extends keyof WebSocketEvents> =
  | ((event: WebSocketEvents[Name]) => unknown)
  | null;

/** A listener for an event: a function, or an object with one. */
export type WebSocketListener<E extends Event> =
  | ((event: E) => unknown)
  | { handleEvent(event: E): unknown };

/** Options of a listener. */
export interface WebSocketListenOptions {
  /** As on the web, but without effect here: there is nothing to capture from. */
  readonly capture?: boolean;
  /** Whether to listen once only. */
  readonly once?: boolean;
  /** As on the web, but without effect here: nothing can be prevented. */
  readonly passive?: boolean;
  /** Removes the listener when it aborts. */
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

// Named only when one is made: Node loads its whole `fetch` for `CloseEvent`.
const web = globalThis as {
  readonly CloseEvent?: Maker<CloseInit, WebSocketCloseEvent>;
  readonly ErrorEvent?: Maker<ErrorInit, WebSocketErrorEvent>;
};

/** Makes the event `close`. */
export function closeEvent(init: CloseInit): WebSocketCloseEvent {
  const { CloseEvent } = web;
  return CloseEvent ? new CloseEvent("close", init) : Object.assign(new Event("close"), init);
}

/** Makes the event `error`. */
export function errorEvent(error: unknown): WebSocketErrorEvent {
  const message = messageOf(error);
  const init = { error, message };
  const { ErrorEvent } = web;
  return ErrorEvent ? new ErrorEvent("error", init) : Object.assign(new Event("error"), init);
}
