import { assertEquals } from "@std/assert";
import test from "node:test";
import { CLIENT_API } from "../../adapters/dashboard/client_api.ts";
import { fromScript } from "../support/client_script.ts";

interface Api {
  open(): Promise<Response>;
  stream(
    path: string,
    lastId: string,
    signal: AbortSignal,
    onOpen: () => void,
    onEvent: (event: { readonly name: string; readonly data: string }) => void,
  ): Promise<void>;
}

const { Api } = fromScript([CLIENT_API], ["Api"]) as { Api: new() => Api };

test("an event stream over a connection that has died without a word is given up", async () => {
  const real = { setTimeout, clearTimeout };
  const timers = new Map<number, () => void>();
  let number = 0;
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, ms: number) => {
      if (ms !== 40_000) return real.setTimeout(callback, ms);
      timers.set(++number, callback);
      return number;
    },
    clearTimeout: (timer: number) => timers.delete(timer) || real.clearTimeout(timer),
  });
  try {
    const api = new Api();
    let letGo = () => {};
    const isLetGo = new Promise<void>((resolve) => letGo = resolve);
    let server!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (server = controller),
      cancel: () => letGo(),
    });
    api.open = () => Promise.resolve(new Response(body));
    const told: string[] = [];
    let heard = () => {};
    const reading = api.stream("/events", "", new AbortController().signal, () => {}, (event) => {
      told.push(event.data);
      heard();
    });
    for (const text of ["one", "two"]) {
      const hears = new Promise<void>((resolve) => heard = resolve);
      server.enqueue(new TextEncoder().encode(`event: x\ndata: ${text}\n\n`));
      await hears;
    }
    await new Promise((resolve) => real.setTimeout(resolve, 0));
    assertEquals([told, timers.size], [["one", "two"], 1]);
    for (const fire of timers.values()) fire();
    await reading;
    // The server learns of it, too.
    await isLetGo;
    assertEquals(timers.size, 0);
  } finally {
    Object.assign(globalThis, real);
  }
});
