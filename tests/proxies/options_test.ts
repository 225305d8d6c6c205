import { assert, assertEquals, assertThrows } from "@std/assert";
import process from "node:process";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { proxyFromEnv } from "../../adapters/proxy_from_env.ts";
import { createPool, parseHost, staticResolver } from "../../mod.ts";
import { readProxies } from "../../src/pool/proxy/proxy_options.ts";

const VARIABLES = ["https_proxy", "http_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

/** Runs something in an environment that names these proxies, and no others. */
function within<T>(environment: { readonly [name: string]: string }, body: () => T): T {
  const names = [...VARIABLES, "REQUEST_METHOD"];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, environment);
  try {
    return body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

test("Proxies are read from URLs, with their ports, and named without their credentials", () => {
  const labels = (given: Parameters<typeof readProxies>[1]) =>
    readProxies("proxy", given).https.map(({ label }) => label);
  assertEquals(labels("http://user:secret@Proxy.test"), ["http://proxy.test:80"]);
  assertEquals(labels(new URL("https://proxy.test")), ["https://proxy.test:443"]);
  assertEquals(labels("http://[::1]:3128/"), ["http://[::1]:3128"]);
  assertEquals(labels(["socks5://a.test", { url: "socks5://b.test:9" }]), [
    "socks5://a.test:1080",
    "socks5://b.test:9",
  ]);
  const [there] = readProxies("proxy", "socks5h://u%40x:p%3A@a.test").https;
  assertEquals([there!.resolve, there!.credentials], ["there", {
    username: "u@x",
    password: "p:",
  }]);
  const rules = readProxies("proxy", { https: "http://a.test:1", http: null });
  assertEquals([rules.https.length, rules.http.length], [1, 0]);
});

test("What is wrong with a proxy is said without repeating it", () => {
  const refuses = (given: unknown, detail: string, kind: typeof Error = TypeError) => {
    const error = assertThrows(() => readProxies("proxy", given as never), kind, detail);
    assert(!error.message.includes("secret"), error.message);
  };
  refuses(
    "user:secret@proxy.test:3128",
    "proxy must be a URL of http:, https:, socks5: or socks5h:",
  );
  refuses("ftp://user:secret@proxy.test", "got ftp:");
  refuses("secret", "got no URL");
  refuses("", "got no URL");
  refuses(5, "must be the URL of a proxy, such as http://proxy.example:3128, got 5");
  refuses(["http://a.test", 5], "proxy[1] must be the URL");
  refuses([], "at least one proxy");
  refuses("http://user:secret@a.test/path", "without a path");
  refuses(
    ["http://user:secret@a.test:0"],
    "proxy[0]: The host \"a.test:0\" has no valid",
    RangeError,
  );
  refuses({ url: "http://a.test", resolve: "both" }, "proxy.resolve must be \"here\" or \"there\"");
  refuses({ url: "socks5h://a.test", resolve: "here" }, "take socks5:");
  refuses({ url: "http://a.test", tls: { alpn: ["x"] } }, "proxy.tls is for an https: proxy");
  refuses({ url: "http://a.test", password: "secret" }, "Unknown option \"password\" of proxy");
  refuses({ https: "http://a.test", ftp: "x" }, "Unknown option \"ftp\" of proxy");
  refuses({ https: "secret" }, "proxy.https must be a URL");
  refuses({ except: "a.test" }, "proxy.except must be a list");
  refuses({ except: ["10.0.0.1/8"] }, "bits set beyond");
  refuses({ except: [""] }, "proxy.except must hold hosts and ranges");
  refuses("http://us%3Aer:secret@a.test", "a colon in its user name");
  refuses("http://%ff:secret@a.test", "no UTF-8");
  refuses(`socks5://${"u".repeat(256)}:secret@a.test`, "more than 255 bytes", RangeError);
  refuses(["socks5://a.test", "socks5h://a.test"], "take one kind");
});

test("A pool refuses proxies that resolve names where it has access rules", async () => {
  const make = (options: object) => () =>
    createPool({ dialer: memoryDialer(), access: { denyPrivate: true }, ...options });
  assertThrows(make({ proxy: "socks5h://a.test" }), TypeError, "proxy has a proxy that resolves");
  assertThrows(
    make({ hosts: { "x.test": { proxy: "socks5h://a.test" } } }),
    TypeError,
    "hosts[\"x.test\"].proxy has a proxy that resolves names",
  );
  assertThrows(
    make({ hosts: { "x.test": { proxy: "secret" } } }),
    TypeError,
    "hosts[\"x.test\"].proxy must be a URL",
  );
  const proxy = "socks5h://a.test";
  for (const access of [{ deny: ["192.0.2.1"] }, { allow: ["192.0.2.1"] }, { allow: [] }]) {
    assertThrows(make({ access, proxy }), TypeError, "proxy has a proxy that resolves names");
  }
  for (const access of [{}, { deny: [], denyPrivate: false }]) {
    await make({ access, proxy })().close();
  }
});

test("Exceptions are hosts with all below them, IP addresses and ranges, each with a port or without", () => {
  const { except } = readProxies("proxy", {
    except: ["a.test", ".b.test", "*.c.test", "d.test:8443", "127.0.0.1", "::1", "10.0.0.0/8"],
  });
  const excepted = [
    "a.test",
    "x.a.test:81",
    "b.test",
    "x.b.test",
    "c.test",
    "d.test:8443",
    "127.0.0.1:5",
    "[::1]:443",
    "10.9.8.7",
    "A.TEST.",
  ];
  const others = ["xa.test", "test", "d.test", "127.0.0.2", "11.0.0.1", "10.test"];
  for (const host of excepted) assert(except(parseHost(host)), host);
  for (const host of others) assert(!except(parseHost(host)), host);
  assert(readProxies("proxy", { except: ["*"] }).except(parseHost("a.test")));
});

test("proxyFromEnv() reads the environment as curl does", () => {
  const read = (environment: { readonly [name: string]: string }) =>
    within(environment, proxyFromEnv);
  assertEquals(read({}), {});
  assertEquals(
    read({ HTTPS_PROXY: "http://a:1", HTTP_PROXY: "b:2", NO_PROXY: "x.test, 10.0.0.0/8" }),
    {
      https: "http://a:1",
      http: "http://b:2",
      except: ["x.test", "10.0.0.0/8"],
    },
  );
  assertEquals(read({ https_proxy: "http://a:1", HTTPS_PROXY: "http://b:2" }), {
    https: "http://a:1",
  });
  assertEquals(read({ ALL_PROXY: "socks5://a:1", http_proxy: "http://b:2" }), {
    https: "socks5://a:1",
    http: "http://b:2",
  });
  assertEquals(read({ HTTPS_PROXY: "", all_proxy: " " }), {});
  assertEquals(read({ HTTP_PROXY: "http://evil:1", REQUEST_METHOD: "GET" }), {});
  const wrong = { HTTPS_PROXY: "ftp://user:secret@a" };
  const error = assertThrows(() => read(wrong), TypeError, "HTTPS_PROXY must be a URL");
  assert(!error.message.includes("secret"));
  assertThrows(() => read({ NO_PROXY: "10.0.0.1/8" }), TypeError, "NO_PROXY.except");
});

test("A pool whose environment names a proxy says so once, unless it was told what to do", async () => {
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  const dialer = memoryDialer();
  const kinds = async (options: object, environment = {}) => {
    await using pool = createPool({ dialer, resolver, ...options });
    const told: string[] = [];
    pool.on("proxyUnused", ({ message }) => told.push(message));
    const looks = [1, 2].map(() => within(environment, () => pool.diagnose()));
    await Promise.resolve();
    const { host, message } = looks[0]![0] ?? {};
    assertEquals(host, undefined);
    assert(!message?.includes("secret"));
    assertEquals(told.length, looks[0]!.length);
    return looks.map((findings) => findings.map(({ what }) => what));
  };
  const named = { HTTPS_PROXY: "http://user:secret@a.test:1" };
  assertEquals(await kinds({}, named), [["proxyUnused"], []]);
  assertEquals(await kinds({ proxy: null }, named), [[], []]);
  assertEquals(await kinds({ proxy: "http://b.test:1" }, named), [[], []]);
  assertEquals(await kinds({}), [[], []]);
});
