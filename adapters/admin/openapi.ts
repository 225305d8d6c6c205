/**
 * The OpenAPI 3.1 document of the admin router, made from its routes.
 *
 * @module
 */

import { TOKEN_HEADER } from "./access.ts";
import type { RefusalStatus } from "./refusal.ts";
import type { Route } from "./routes.ts";
import type { Schema } from "./schema.ts";
import { ref, SCHEMAS } from "./schemas.ts";

const REFUSALS: { readonly [Status in RefusalStatus]: string } = {
  400: "The request makes no sense: the message says why",
  401: "Nobody knows who asks",
  403: "It is not theirs to do",
  404: "There is no such thing",
  405: "The path takes other methods",
  408: "The body did not come in time",
  409: "It cannot be done as things are: the message says why",
  413: "The body is too long",
  415: "The body is not sent as JSON",
  500: "It failed for a reason of the router's own",
  503: "It is unavailable for now",
};

const PARAMETERS: { readonly [name: string]: Schema } = {
  pool: { description: "The pool's name", schema: { type: "string" } },
  host: { description: "The host, in any spelling", schema: { type: "string" } },
  folder: { description: "The folder, as the page names it", schema: { type: "string" } },
  id: { description: "The connection's number", schema: { type: "integer", minimum: 1 } },
};

/**
 * Makes the document.
 *
 * @param hasTokens Whether tokens are what lets in
 */
export function openApi(routes: readonly Route[], hasTokens: boolean): object {
  const paths: { [path: string]: { [method: string]: object } } = {};
  for (const route of routes) {
    const path = paths[route.path.replace(/:(\w+)/g, "{$1}")] ??= {};
    path[route.method.toLowerCase()] = operation(route, hasTokens);
  }
  const securitySchemes = hasTokens
    ? {
      token: { type: "http", scheme: "bearer" },
      ownHeader: { type: "apiKey", in: "header", name: TOKEN_HEADER },
    }
    : {};
  return {
    openapi: "3.1.0",
    info: {
      title: "hotconn",
      version: "1",
      description: "Looks at pools of hot TLS connections, and acts on them",
    },
    servers: [{ url: "." }],
    paths,
    components: { schemas: SCHEMAS, securitySchemes },
  };
}

function operation(route: Route, hasTokens: boolean): object {
  const { answer, body, path, query = [], refusals = [], right, summary } = route;
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    ...PARAMETERS[name],
  }));
  const statuses: RefusalStatus[] = right === "none"
    ? [...refusals]
    : [400, 401, ...right === "act" ? [403] as const : [], ...refusals];
  // Good or bad, the health has the same form.
  const refused = path === "/healthz" ? answer : {
    type: "application/json",
    schema: ref("Error"),
  };
  return {
    operationId: operationId(route),
    summary,
    parameters: [...inPath, ...query.map((parameter) => ({ ...parameter, in: "query" }))],
    ...body && {
      requestBody: { required: true, content: { "application/json": { schema: body } } },
    },
    responses: {
      200: { description: "As asked", content: { [answer.type]: { schema: answer.schema } } },
      ...Object.fromEntries(statuses.map((status) => [status, {
        description: REFUSALS[status],
        content: { [refused.type]: { schema: refused.schema } },
      }])),
    },
    security: hasTokens && right !== "none" ? [{ token: [] }, { ownHeader: [] }] : [],
  };
}

function operationId({ method, path }: Route): string {
  const words = path.split("/").filter((word) => word !== "").map((word) =>
    word.replace(/^:/, "one ").replace(".", " ")
  );
  return [method.toLowerCase(), ...words].join(" ").replace(
    / (\w)/g,
    (_, letter: string) => letter.toUpperCase(),
  );
}
