/**
 * Puts the admin router's routes into a Hono app.
 *
 * @module
 */

import { type Context, Hono } from "hono";
import { actRoutes, tellDenied } from "./act_routes.ts";
import { openApi } from "./openapi.ts";
import { Refusal } from "./refusal.ts";
import { replyError } from "./replies.ts";
import { type AdminRequest, readRoutes, type Route } from "./routes.ts";
import type { AdminState } from "./state.ts";

/** A Hono app that `app.route()` mounts. */
export type AdminRouter = Hono;

/** Makes the app. */
export function routerOf(state: AdminState): AdminRouter {
  const routes: Route[] = [
    ...readRoutes(() => openApi(routes, state.options.hasTokens)),
    ...actRoutes(),
  ];
  const router = new Hono();
  for (const route of routes) {
    router.on(route.method, route.path, (c) => answer(() => serve(route, state, c)));
    const allow = route.method === "GET" ? "GET, HEAD" : route.method;
    router.all(route.path, () => answer(() => otherMethod(allow)));
  }
  const [page] = routes;
  // Matches every character: a dot does not match a line end, which may come as %0A.
  router.all("/:rest{[^]*}", (c) =>
    answer(() => {
      // Mounted at /admin, the page is at /admin/, which is another path to Hono.
      if (c.req.param("rest") !== "" || !page) throw new Refusal(404, "There is no such path");
      if (c.req.method !== "GET" && c.req.method !== "HEAD") return otherMethod("GET, HEAD");
      return serve(page, state, c);
    }));
  return router;
}

async function answer(serve: () => Promise<Response> | Response): Promise<Response> {
  try {
    return await serve();
  } catch (error) {
    return replyError(error);
  }
}

function otherMethod(allow: string): never {
  throw new Refusal(405, `This path takes ${allow}`, { allow });
}

async function serve(route: Route, state: AdminState, c: Context): Promise<Response> {
  if (route.right === "none") {
    return await route.serve({ c, state, access: { read: false, act: false, who: "anyone" } });
  }
  let known = false;
  const response = await answer(() =>
    state.options.gate(c, async (access) => {
      known = true;
      const request: AdminRequest = { c, state, access };
      return await answer(() => {
        if (route.right === "read" && access.read) return route.serve(request);
        if (route.right === "act" && access.act) return route.serve(request);
        if (route.right === "act") tellDenied(route, state, c, access.who);
        throw new Refusal(403, `You may not ${route.right === "act" ? "act" : "look"} here`, {
          "www-authenticate": "Bearer realm=\"hotconn\", error=\"insufficient_scope\"",
        });
      });
    })
  );
  if (route.right === "act" && !known && (response.status === 401 || response.status === 403)) {
    tellDenied(route, state, c, "");
  }
  return response;
}
