import { assert, assertEquals } from "@std/assert";
import { Ajv2020 } from "ajv/dist/2020.js";
import test from "node:test";
import { dashboard } from "../../adapters/dashboard/page.ts";
import { adminRouter } from "../../adapters/hono.ts";
import { type AdminScene, adminScene, type Json, TOKENS } from "../support/admin_scene.ts";
import { memoryPool } from "../support/memory_pool.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: Json;
  readonly responses: { readonly [status: string]: { readonly content: Json } };
  readonly security: readonly object[];
}

interface Document {
  readonly openapi: string;
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: Json; readonly securitySchemes: object };
}

const document = (scene: AdminScene): Promise<Document> => scene.json("/openapi.json");

/** A validator that finds no fault with the place where the document has its schemas. */
function validator(): Ajv2020 {
  return new Ajv2020({ strict: true, allErrors: true }).addVocabulary(["components"]);
}

/** Says what of a value is not as a schema of the document wants it. */
function checker({ components }: Document): (schema: Json, value: unknown) => string {
  const ajv = validator();
  return (schema, value) => {
    const validate = ajv.compile({ ...schema, components });
    return validate(value) ? "" : ajv.errorsText(validate.errors);
  };
}

/** A body for each action, and what it is to answer. */
async function actionBodies(scene: AdminScene): Promise<{ readonly [action: string]: Json }> {
  const { connection, release } = await scene.pool.acquire("b.test").then((lease) => ({
    connection: lease.connection,
    release: () => lease.release(),
  }));
  release();
  return {
    warm: { host: "a.test", connections: 2 },
    drain: { target: "192.0.2.7" },
    evict: { id: connection.id },
    block: { ip: "192.0.2.9", forMs: 1_000, reason: "a test" },
    unblock: { ip: "192.0.2.9" },
    weight: { ip: "192.0.2.9", weight: 0.5 },
    limits: { maxConnections: 10 },
    close: {},
  };
}

test("the document has every route of the router, and no other", async () => {
  await using scene = adminScene();
  const router = adminRouter(scene.pool, { auth: TOKENS, clock: scene.clock });
  const routed = router.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  const described = Object.entries((await document(scene)).paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`)
  );
  assertEquals(described.toSorted(), routed.toSorted());
  assert(routed.length > 15);
});

test("every schema of the document is one, and every operation has its own name", async () => {
  await using scene = adminScene();
  const { components, openapi, paths } = await document(scene);
  assertEquals(openapi, "3.1.0");
  const ajv = validator();
  for (const [name, schema] of Object.entries<Json>(components.schemas)) {
    ajv.compile({ ...schema, components });
    assertEquals(ajv.errors ?? null, null, name);
  }
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId)
  );
  assertEquals(new Set(ids).size, ids.length);
  assert(ids.every((id) => /^[a-z][A-Za-z]+$/.test(id)), ids.join());
  for (const [path, operations] of Object.entries(paths)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const { parameters } of Object.values(operations)) {
      assertEquals(parameters.filter(({ in: place }) => place === "path").map(({ name }) => name), [
        ...inPath as string[],
      ]);
    }
  }
});

test("every route in the document answers, and as its schema says", async () => {
  await using scene = adminScene({ eventHistory: 10 }, {
    hosts: {
      "a.test": ["192.0.2.1", "192.0.2.2"],
      "b.test": ["192.0.2.1"],
      "c.test": ["192.0.2.3"],
    },
    script: ({ address }) => address === "192.0.2.3" ? { failure: "refused" } : {},
    maxRetries: 0,
    hostOptions: { "a.test": { addresses: ["192.0.2.1", "192.0.2.2"] } },
  });
  await scene.pool.warm("a.test", { connections: 3 });
  await scene.pool.acquire("c.test").catch(() => {});
  scene.pool.block("192.0.2.2", { forMs: 60_000 });
  const lease = await scene.pool.acquire("a.test");
  const described = await document(scene);
  const check = checker(described);
  const bodies = await actionBodies(scene);
  const { folder } = await dashboard();
  let answers = 0;
  for (const [template, operations] of Object.entries(described.paths)) {
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      const path = template.replace("{pool}", "default").replace("{host}", "c.test")
        .replace("{id}", `${lease.connection.id}`).replace("{folder}", folder);
      const body = bodies[template.slice(template.lastIndexOf("/") + 1)];
      const action = requestBody !== undefined;
      if (action) {
        const { schema } = requestBody.content["application/json"];
        assertEquals(check(schema, body), "", path);
      }
      const response = await scene.ask(path, {
        method: method.toUpperCase(),
        ...action ? { body } : {},
      });
      const told = responses[response.status];
      assert(told, `${path} answered ${response.status}`);
      const type = response.headers.get("content-type") ?? "";
      assertEquals(Object.keys(told.content), [type], path);
      assertEquals(response.status, 200, path);
      if (type === "application/json") {
        assertEquals(check(told.content[type].schema, await response.json()), "", path);
      } else await response.body?.cancel();
      answers++;
    }
  }
  assert(answers > 15);
  lease.release();
});

test("every kind of refusal is as its schema says", async () => {
  await using scene = adminScene();
  const described = await document(scene);
  const check = checker(described);
  const warm = "/api/pools/default/actions/warm";
  const large = { host: "x".repeat(20_000), connections: 1 };
  for (
    const [path, status, options] of [
      ["/api/pools", 401, { as: null }],
      [warm, 403, { as: "read", body: {} }],
      ["/api/pools/other/stats", 404, {}],
      [warm, 400, { body: {} }],
      [warm, 413, { body: large }],
      [warm, 415, { body: {}, headers: { "content-type": "text/plain" } }],
    ] as const
  ) {
    const error = await scene.json(path, status, options);
    const template = path.replace(/default|other/, "{pool}");
    const operation = Object.values(described.paths[template] ?? {})[0];
    const schema = operation?.responses[status]?.content["application/json"].schema;
    assertEquals(schema, { $ref: "#/components/schemas/Error" }, `${path} ${status}`);
    assertEquals(check(schema, error), "");
  }
});

test("the document names tokens only where they are what lets in", async () => {
  await using scene = adminScene();
  const described = await document(scene);
  assertEquals(Object.keys(described.components.securitySchemes), ["token", "ownHeader"]);
  assertEquals(described.paths["/healthz"]?.["get"]?.security, []);
  assertEquals(described.paths["/metrics"]?.["get"]?.security, [{ token: [] }, { ownHeader: [] }]);
  await using memory = memoryPool();
  const open = adminRouter(memory.pool, { insecure: true });
  const other: Document = await (await open.request("/openapi.json")).json();
  assertEquals(other.components.securitySchemes, {});
  assertEquals(other.paths["/metrics"]?.["get"]?.security, []);
});
