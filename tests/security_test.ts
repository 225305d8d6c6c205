import { assert, assertEquals } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { root } from "./support/programs.ts";

const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const page = read("SECURITY.md");
const npm = JSON.parse(read("package.json"));

/** A test that the page names. */
interface Named {
  readonly file: string;
  readonly name: string;
}

function testsNamedIn(text: string): Named[] {
  return [...text.matchAll(/`(tests\/[^`]+)`: "([^"]+)"/g)].map(([, file = "", name = ""]) => ({
    file,
    name,
  }));
}

/** Whether a file has a test of a name, in which `…` is what a template fills in. */
function hasTest(source: string, name: string): boolean {
  const pattern = name.split("…")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("\\$\\{\\w+(?:\\.\\w+)?\\}");
  return new RegExp(`^ *test\\(\\s*(?:"|\`(?:\\$\\{name\\}: )?)${pattern}["\`]`, "m").test(source);
}

test("every test that SECURITY.md names exists, in the file that it names", () => {
  const named = testsNamedIn(page);
  assert(named.length > 40, `${named.length} tests are named`);
  const missing = named.filter(({ file, name }) =>
    !existsSync(path.join(root, file)) || !hasTest(read(file), name)
  );
  assertEquals(missing, []);
});

test("a test that is not there is missed", () => {
  const source =
    "test(\"It holds\", () => {});\n  test(`${name}: dial() of ${what} (trap 1)`, f);\n"
    + "test(\n  \"It holds on\",\n// test(\"It is left out\", f);\ntest.skip(\"It is skipped\", f);";
  for (const name of ["It holds", "It holds on", "dial() of … (trap 1)"]) {
    assert(hasTest(source, name), name);
  }
  const wrong = ["It hold", "t holds", "It holds of…", "dial() of x (trap 1)", "… holds"];
  for (const name of [...wrong, "It is left out", "It is skipped"]) {
    assert(!hasTest(source, name), name);
  }
});

test("everything that SECURITY.md says cannot be done has a test", () => {
  let claims = 0;
  let isClaimed = false;
  for (const line of page.split("\n")) {
    if (line.startsWith("## A dependency")) isClaimed = true;
    else if (/\bcannot$/.test(line)) isClaimed = true;
    else if (/\bcan$|^#|^The package needs$/.test(line)) isClaimed = false;
    else if (isClaimed && line.startsWith("- ")) {
      claims++;
      assert(testsNamedIn(line).length > 0, line);
    }
    const stray = line.includes("tests/") && testsNamedIn(line).length === 0;
    assert(!stray, `A test that is not named as the others are: ${line}`);
  }
  assert(claims > 35, `${claims} claims`);
});

function tableAfter(words: string): string[] {
  const [table = ""] = /(?:^\|.*\n)+/m.exec(page.slice(page.indexOf(words))) ?? [];
  return [...table.matchAll(/^\| `([^`]+)`\s*\| \S.*\|$/gm)].map(([, name = ""]) => name);
}

test("SECURITY.md has each dependency with its reason, and no other", () => {
  const published = [
    ...Object.keys(npm.dependencies),
    ...Object.keys(npm.peerDependencies ?? {}),
  ];
  assertEquals(tableAfter("\nThe package needs").sort(), published.sort());
  assertEquals(tableAfter("\nDevelopment needs").sort(), Object.keys(npm.devDependencies).sort());
});

test("SECURITY.md says how to report, and gives no address that nobody reads", () => {
  assert(page.includes("private vulnerability reporting"));
  assertEquals(page.match(/mailto:|[\w.]+@[\w-]+\.\w+/g), null);
});

/** An entry of npm's lock file. */
interface Locked {
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly os?: readonly string[];
  readonly link?: boolean;
}

const { packages }: { readonly packages: { readonly [place: string]: Locked } } = JSON.parse(
  read("package-lock.json"),
);

test("no package that is published with this one runs at its installation, and each is locked by its hash", () => {
  const peers = Object.keys(npm.peerDependencies).map((name) => `node_modules/${name}`);
  const needed = Object.keys(packages).filter((place) => {
    const { dev = false, link = false } = packages[place]!;
    return peers.includes(place) || (place.startsWith("node_modules/") && !dev && !link);
  });
  const listed = [...Object.keys(npm.dependencies), ...Object.keys(npm.peerDependencies)];
  for (const name of listed) assert(needed.includes(`node_modules/${name}`), name);
  for (const place of needed) {
    const { hasInstallScript = false, integrity = "" } = packages[place]!;
    assertEquals([hasInstallScript, integrity.startsWith("sha512-")], [false, true], place);
  }
});

test("every package that CI installs is locked by its hash", () => {
  // Of some binaries for other platforms only the version is known.
  const isElsewhere = ({ cpu, os, libc }: Locked) =>
    os !== undefined
    && !(os.includes("linux") && cpu?.includes("x64") && libc?.includes("glibc") !== false);
  const unlocked = Object.entries(packages).filter(([place, locked]) =>
    place.startsWith("node_modules/") && !locked.link && !isElsewhere(locked)
    && !locked.integrity?.startsWith("sha512-")
  );
  assertEquals(unlocked.map(([place]) => place), []);
});
