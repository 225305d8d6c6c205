/**
 * A real browser that looks at the dashboard.
 *
 * @module
 */

import { serve } from "@hono/node-server";
import { assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import test, { after } from "node:test";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { detectRuntime } from "../../adapters/detect.ts";
import { quietScene, type Scene } from "./dashboard_scenes.ts";
import { ACT_TOKEN, type StubRouter, stubRouter } from "./dashboard_stub.ts";

// The shell first: it shows the same pages, and takes half of the time.
const PROGRAMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
  .map((name) => `/usr/bin/${name}`);
const program = PROGRAMS.find((path) => existsSync(path));

/** The browser of all visits of a file: starting one takes longer than most visits do. */
let browser: Browser | undefined;
if (detectRuntime() === "node") after(() => browser?.close());

/** Starts the browser, where there is none, or where it has crashed. */
async function openBrowser(): Promise<Browser> {
  if (!browser?.isConnected()) {
    browser = await chromium.launch({
      executablePath: program ?? "",
      // A container's root has no namespaces to make a sandbox of.
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
      timeout: 60_000,
    });
  }
  return browser;
}

/** How a visit begins. */
export interface VisitOptions {
  /** The pools by name. @default {a quiet one named default} */
  readonly scenes?: { readonly [pool: string]: Scene };
  /** Another router than the stub, below a path such as `/admin/`. */
  readonly router?: { readonly fetch: (request: Request) => Response | Promise<Response> };
  /** Where the page is. @default {"/"} */
  readonly path?: string;
  /** The width of the window, in pixels. @default {1_280} */
  readonly width?: number;
  /** What the system prefers. @default {"light"} */
  readonly theme?: "light" | "dark";
  /** The token to sign in with; null: nobody does. @default {a token that may act} */
  readonly token?: string | null;
  /** What stands before the router, at whose port the page is then; and who signs in to it. */
  readonly front?: {
    start(port: number): Promise<AsyncDisposable & { readonly port: number }>;
    readonly credentials?: { readonly username: string; readonly password: string };
  };
  /** Why it is skipped, if it is. */
  readonly skip?: string | false;
  /** Whether the browser may tell of errors, as it does of each answer such as 401. */
  readonly mayComplain?: boolean;
}

/** A browser that shows the dashboard of a router. */
export interface Visit {
  readonly page: Page;
  readonly router: StubRouter;
  readonly origin: string;
}

/**
 * Declares a test that looks at the dashboard, on Node, skipped where there is no Chromium. Whatever it does,
 * no dialog opens, no other server is asked for anything, and the browser has nothing to complain of.
 */
export function testVisit(
  name: string,
  options: VisitOptions,
  body: (visit: Visit) => Promise<void>,
): void {
  // Its server takes the place of the program's own Response, and the browser is the same for all.
  const skip = detectRuntime() !== "node"
    ? "The page runs in the browser, which is tested from Node alone"
    : program === undefined
    ? "Chromium is not installed"
    : options.skip ?? false;
  test(name, { skip, timeout: 120_000 }, async ({ signal }) => {
    const router = stubRouter(options.scenes ?? { default: quietScene() });
    let context: BrowserContext | undefined;
    // Whatever a visit waits for when its time is up ends with its page.
    signal.addEventListener("abort", () => void context?.close());
    let onListening: (address: AddressInfo) => void = () => {};
    const listening = new Promise<AddressInfo>((resolve) => {
      onListening = resolve;
    });
    const { fetch } = options.router ?? router;
    const server = serve({ fetch, hostname: "127.0.0.1", port: 0 }, (at) => onListening(at));
    const { front } = options;
    let before: Awaited<ReturnType<NonNullable<typeof front>["start"]>> | undefined;
    try {
      const { port } = await listening;
      before = await front?.start(port);
      const origin = `http://127.0.0.1:${before?.port ?? port}`;
      const { theme = "light", token = ACT_TOKEN, width = 1_280 } = options;
      context = await (await openBrowser()).newContext({
        viewport: { width, height: 800 },
        colorScheme: theme,
        reducedMotion: "reduce",
        ...front?.credentials && { httpCredentials: front.credentials },
      });
      context.setDefaultTimeout(30_000);
      const strange: string[] = [];
      context.on("console", (message) => {
        if (message.type() === "error" && !options.mayComplain) strange.push(message.text());
      });
      context.on("weberror", (error) => strange.push(`${error.error().stack}`));
      context.on("dialog", (dialog) => {
        strange.push(`A dialog says ${dialog.message()}`);
        void dialog.dismiss();
      });
      context.on("request", (request) => {
        const { origin: asked, protocol } = new URL(request.url());
        if (protocol !== "data:" && asked !== origin) strange.push(`It asks ${request.url()}`);
      });
      const page = await context.newPage();
      await page.goto(`${origin}${options.path ?? "/"}`);
      if (token !== null) await signIn(page, token);
      await body({ page, router, origin });
      assertEquals(strange, []);
    } finally {
      await context?.close();
      await before?.[Symbol.asyncDispose]();
      router.close();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}

/** Signs in, and waits for the first figures and for the event stream. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.fill("#token", token);
  await page.click("#gate-go");
  await page.locator("#live-text", { hasText: "Live" }).waitFor();
  await page.locator("#subline:not(:empty)").waitFor();
}
