/**
 * The admin router's contract over scripted figures, for the dashboard's tests.
 *
 * @module
 */

import { poolAtGlance } from "../../adapters/admin/figures.ts";
import { outlookOf } from "../../adapters/admin/outlook.ts";
import type { WatchedStats } from "../../adapters/admin/pool_watch.ts";
import { dashboard, FILES, PAGE_POLICY } from "../../adapters/dashboard/page.ts";
import type { OptionsInfo } from "../../src/pool/option_info.ts";
import type { Scene } from "./dashboard_scenes.ts";

/** The tokens that the stub knows. */
export const ACT_TOKEN = "a-token-that-may-act";
export const READ_TOKEN = "a-token-that-may-look";

/** A router as far as its page goes: what serves it needs no more. */
export interface StubRouter {
  fetch(request: Request): Promise<Response>;
  /** Sends an event to who follows. */
  tell(name: string, data: object): void;
  /** Sends the figures to who follows, after a step of the scene. */
  tick(ms?: number): void;
  /** The actions that were asked for, oldest first. */
  readonly actions: {
    readonly name: string;
    readonly body: { readonly [name: string]: unknown };
  }[];
  /** How many event streams are open. */
  readonly following: number;
  /** The paths that were asked for. */
  readonly paths: string[];
  /** Answers nothing but this status from now on, or nothing at all; undefined: all is as before. */
  fail(how: number | "silent" | undefined): void;
  /** Takes the tokens' rights away. */
  revoke(): void;
  /** Ends all event streams. */
  close(): void;
}

/** What every pool of a stub tells of its options. */
const OPTIONS: OptionsInfo = {
  options: {
    ejectionMs: { value: 30_000, isSet: true },
    failoverStatuses: { value: [502, 503], isSet: true },
    hedge: { value: true, isSet: false },
    idleTimeoutMs: { value: 60_000, isSet: false },
    maxIdleConnections: { value: null, isSet: false },
    proxy: { value: { http: [], https: ["http://proxy.example:3128"] }, isSet: true },
  },
  hosts: { "api.example": { minIdle: 4, tls: ["clientCertificate"] } },
};

/** Makes a router of scenes: pools by their names. */
export function stubRouter(scenes: { readonly [pool: string]: Scene }): StubRouter {
  const encoder = new TextEncoder();
  const followers = new Set<{ pool: string; stream: ReadableStreamDefaultController }>();
  const kept: string[] = [];
  let nextId = 1;
  let revoked = false;
  let failing: number | "silent" | undefined;
  const begun = Date.now();

  // The scenes' time goes on: figures that stand still are stale.
  const watched = ({ findings, recent, stats }: Scene): WatchedStats => {
    const now = { ...stats, at: stats.at + Date.now() - begun } as unknown as WatchedStats;
    const parts = { stats: now, recent, findings, closed: false };
    return { ...now, outlook: outlookOf(parts as Parameters<typeof outlookOf>[0]) };
  };

  const send = (pool: string | undefined, text: string): void => {
    for (const follower of followers) {
      if (pool === undefined || follower.pool === pool) {
        follower.stream.enqueue(encoder.encode(text));
      }
    }
  };

  const router: StubRouter = {
    actions: [],
    paths: [],
    get following() {
      return followers.size;
    },
    tell(name, data) {
      const event = { at: Date.now(), ...data };
      const text = `id: ${nextId++}\nevent: ${name}\ndata: ${JSON.stringify(event)}\n\n`;
      kept.push(text);
      send(undefined, text);
    },
    tick(ms = 2_000) {
      for (const [pool, scene] of Object.entries(scenes)) {
        scene.step(ms);
        send(pool, `event: stats\ndata: ${JSON.stringify(watched(scene))}\n\n`);
      }
    },
    fail(how) {
      failing = how;
    },
    revoke() {
      revoked = true;
    },
    close() {
      for (const { stream } of followers) stream.close();
      followers.clear();
    },
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname.startsWith("/assets/")) return await page(url.pathname);
      router.paths.push(url.pathname);
      if (failing === "silent") await new Promise(() => {});
      if (typeof failing === "number") return refuse(failing, `The server answered ${failing}`);
      if (url.pathname === "/") return await page(url.pathname);
      const token = request.headers.get("x-hotconn-token");
      const canAct = token === ACT_TOKEN;
      if (revoked || (!canAct && token !== READ_TOKEN)) return refuse(401, "A token is wanted");
      const [, , , name = "", what, action] = url.pathname.split("/");
      const pool = decodeURIComponent(name);
      if (url.pathname === "/api/pools") {
        const pools = Object.keys(scenes).map((name) => ({ name }));
        return json({ pools, rights: canAct ? ["read", "act"] : ["read"] });
      }
      if (url.pathname === "/api/overview") {
        const told = Object.entries(scenes).map(([name, scene]) =>
          poolAtGlance(name, watched(scene))
        );
        return json({ pools: told });
      }
      const scene = scenes[pool];
      if (!scene) return refuse(404, "There is no such pool");
      if (what === "stats") return json(watched(scene));
      if (what === "options") return json(OPTIONS);
      if (what === "fleet") return json({ fleet: scene.fleet ?? null });
      if (what === "diagnose") return json({ findings: scene.findings });
      if (what === "history") {
        const kept = { everyMs: 10_000, keptMs: 1_800_000, hosts: 5, hostsLeftOut: 0, kept: true };
        return json({ ...kept, samples: scene.history ?? [] });
      }
      if (what === "connections" && action !== undefined) {
        const { connections } = scene.connections("", "", 0, 1_000);
        const found = connections.find(({ id }) => `${id}` === action);
        return found ? json(found) : refuse(404, "There is no such connection");
      }
      if (what === "connections") return json(connectionsOf(scene, url.searchParams));
      if (what === "events") return follow(pool, request);
      if (what !== "actions" || request.method !== "POST") return refuse(404, "No such path");
      if (!canAct) return refuse(403, "You may not act here");
      const body = await request.json();
      router.actions.push({ name: action ?? "", body });
      const failure = act(scene, action ?? "", body);
      if (failure) return refuse(400, failure);
      router.tell("audit", { who: "Operators", action, target: body.ip ?? "", outcome: "done" });
      return json({ ok: true, ...action === "weight" && { weight: body.weight ?? null } });
    },
  };

  function follow(pool: string, request: Request): Response {
    let follower: { pool: string; stream: ReadableStreamDefaultController };
    const stream = new ReadableStream({
      start(controller) {
        follower = { pool, stream: controller };
        followers.add(follower);
        controller.enqueue(encoder.encode("retry: 2000\n\n"));
        const after = Number(request.headers.get("last-event-id") ?? Infinity);
        for (const [index, text] of kept.entries()) {
          if (index + 1 > after) controller.enqueue(encoder.encode(text));
        }
      },
      cancel: () => void followers.delete(follower),
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }

  return router;
}

interface ActBody {
  readonly ip?: string;
  readonly forMs?: number;
  readonly reason?: string;
  readonly weight?: number;
}

function act(scene: Scene, action: string, body: ActBody) {
  const { at: since, blocks, hosts, weights } = scene.stats;
  if (action === "weight") {
    const known = weights.findIndex(({ ip }) => ip === body.ip);
    if (known >= 0) weights.splice(known, 1);
    if (body.weight !== undefined) weights.push({ ip: body.ip ?? "", weight: body.weight, since });
    for (const { addresses } of Object.values(hosts)) {
      const stats = addresses[body.ip ?? ""];
      if (stats) stats.weight = body.weight ?? 1;
    }
  }
  if (action === "unblock") {
    blocks.splice(blocks.findIndex(({ ip }) => ip === body.ip), 1);
  }
  if (action !== "block") return undefined;
  const ip = String(body.ip);
  if (!/^[\d.:a-f]+$/.test(ip)) return `Address ${ip} is not an IP address`;
  const until = body.forMs === undefined ? Infinity : since + body.forMs;
  blocks.push({ ip, reason: body.reason, since, until });
  for (const { addresses } of Object.values(hosts)) {
    const stats = addresses[ip];
    if (stats) Object.assign(stats, { standing: "gone", deniedBy: `a block of ${ip}` });
  }
  return undefined;
}

function connectionsOf(scene: Scene, query: URLSearchParams): object {
  const offset = Number(query.get("offset") ?? 0);
  const limit = Number(query.get("limit") ?? 100);
  const address = (query.get("address") ?? "").replace(/:443$/, "").replace(/^\[(.*)\]$/, "$1");
  return { offset, limit, ...scene.connections(query.get("host") ?? "", address, offset, limit) };
}

const STRICT = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

async function page(pathname: string): Promise<Response> {
  const { page } = await dashboard();
  const file = FILES.find(({ name }) => pathname.endsWith(`/${name}`));
  return new Response(
    file?.body ?? page({ root: "", tokenHeader: "x-hotconn-token", isOpen: false }),
    {
      headers: {
        ...STRICT,
        "content-type": file?.type ?? "text/html; charset=utf-8",
        "content-security-policy": `${PAGE_POLICY}; frame-ancestors 'none'`,
      },
    },
  );
}

function json(value: object): Response {
  return Response.json(value, { headers: STRICT });
}

function refuse(status: number, message: string): Response {
  return Response.json({ error: { code: "ERR", message } }, { status, headers: STRICT });
}
