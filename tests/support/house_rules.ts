/**
 * The rules of the house that no linter knows, each as a function from a file to complaints.
 *
 * @module
 */

/** A file, by its path from the root with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What of a package's two manifests must agree. */
export interface Manifest {
  readonly version: string;
  readonly exports: { readonly [entry: string]: string };
  readonly dependencies?: { readonly [name: string]: string };
  readonly peerDependencies?: { readonly [name: string]: string };
  readonly peerDependenciesMeta?: { readonly [name: string]: { readonly optional?: boolean } };
  readonly imports?: { readonly [name: string]: string };
}

/** The layers of what is published, from the bottom up. */
export const layers: readonly string[] = [
  "src/core/",
  "src/fleet/",
  "src/map/",
  "src/hosts/",
  "src/pool/",
  "src/metrics/",
  "src/http/",
  "adapters/",
  "mod.ts",
];

/** Imports of a published file that point upward, or out of the house. */
export function checkImports(file: SourceFile, packages: readonly string[]): string[] {
  const own = layerOf(file.path);
  if (own < 0) return [];
  const complaints: string[] = [];
  for (const specifier of importsOf(file.text)) {
    const complain = (what: string) =>
      complaints.push(`${file.path} imports ${specifier}: ${what}`);
    if (specifier.startsWith(".")) {
      const layer = layerOf(resolve(file.path, specifier));
      if (layer < 0) complain("it is not published");
      else if (layer > own) complain("it stands above");
    } else if (specifier.startsWith("node:")) {
      if (file.path.startsWith("src/")) complain("only adapters know a runtime");
    } else if (!packages.some((name) => specifier === name || specifier.startsWith(`${name}/`))) {
      complain("it is no dependency of the package");
    }
  }
  return complaints;
}

/**
 * Files of `src/` and `adapters/` that import each other in a circle, types included: each circle
 * once, as the way round it.
 */
export function checkCircles(files: readonly SourceFile[]): string[] {
  const house = new Map<string, string[]>();
  for (const { path, text } of files) {
    if (!/^(?:src|adapters)\//.test(path)) continue;
    const imported = importsOf(text).filter((specifier) => specifier.startsWith("."));
    house.set(path, imported.map((specifier) => resolve(path, specifier)));
  }
  const complaints: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const walk = (path: string): void => {
    const start = way.indexOf(path);
    if (start >= 0) complaints.push(`${[...way.slice(start), path].join(" imports ")}: a circle`);
    if (start >= 0 || done.has(path)) return;
    way.push(path);
    for (const next of house.get(path) ?? []) walk(next);
    way.pop();
    done.add(path);
  };
  for (const path of house.keys()) walk(path);
  return complaints;
}

/** Names of runtimes in the code of a file under `src`, its comments excepted. */
export function checkRuntimeNames(file: SourceFile): string[] {
  if (!file.path.startsWith("src/")) return [];
  const names = withoutComments(file.text).match(
    /\b(?:Deno|Bun|Buffer)\b|\bprocess\b(?=[.?[,)};])/g,
  );
  return (names ?? []).map((name) => `${file.path} names ${name}: only adapters know a runtime`);
}

/** A file that does not begin by saying what it is for. Tests say it in their names. */
export function checkModuleDoc({ path, text }: SourceFile): string[] {
  if (path.endsWith("_test.ts")) return [];
  const doc = /^(?:#!.*\n|\/\/.*\n)*\/\*\*\n([\s\S]*?)\*\//.exec(text)?.[1] ?? "";
  return /^ \* @module$/m.test(doc) ? [] : [`${path} has no module doc`];
}

/** Tests that never run, or that keep others from it. */
export function checkSkips({ path, text }: SourceFile): string[] {
  const never =
    /^ *(?:test\.(?:skip|only|todo)\b|(?:test\(.*[{ ])?(?:skip|only|todo): (?:true|["'`]))/gm;
  const found = withoutComments(text).match(never)?.map((words) => words.trim());
  return path.startsWith("tests/")
    ? (found ?? []).map((words) => `${path} says ${words}: a test is skipped for a cause alone`)
    : [];
}

/** Timeouts among combined signals, which Node 20 may collect before they come. Tests may try it. */
export function checkTimeouts({ path, text }: SourceFile): string[] {
  // In a browser it does come.
  if (/^tests\/|^adapters\/dashboard\//.test(path)) return [];
  const found = withoutComments(text).match(/AbortSignal\.any\([^;]*AbortSignal\.timeout\(/g);
  return (found ?? []).map(() =>
    `${path} combines a timeout with other signals: it may never come`
  );
}

/** `using` in what is published: a realm of its own, such as Jest's, lacks what it needs on Node 20. */
export function checkUsing({ path, text }: SourceFile): string[] {
  if (layerOf(path) < 0) return [];
  const found = withoutComments(text).match(/^ *(?:await )?using \w+ = /gm);
  return (found ?? []).map((words) => `${path} says ${words.trim()}: not every realm can`);
}

/** A file whose name is not in snake case. */
export function checkName({ path }: SourceFile): string[] {
  return path.split("/").every((part) => /^[a-z0-9_]+(?:\.ts)?$/.test(part))
    ? []
    : [`${path} is not in snake case`];
}

/** Where the manifests for npm and for JSR disagree. */
export function checkManifests(npm: Manifest, jsr: Manifest): string[] {
  const complaints: string[] = [];
  if (npm.version !== jsr.version) complaints.push(`versions ${npm.version} and ${jsr.version}`);
  for (const entry of new Set([...Object.keys(npm.exports), ...Object.keys(jsr.exports)])) {
    const [ours, theirs] = [npm.exports[entry], jsr.exports[entry]];
    if (ours !== theirs) complaints.push(`export ${entry}: ${ours} and ${theirs}`);
  }
  const wanted: { readonly [name: string]: string } = {
    ...npm.peerDependencies,
    ...npm.dependencies,
  };
  const imported: { [name: string]: string } = {};
  for (const [name, specifier] of Object.entries(jsr.imports ?? {})) {
    const [, target = "", range = ""] = /^npm:(@?[^@]+)@(.+)$/.exec(specifier) ?? [];
    if (target !== "") imported[name] = range;
    if (target !== "" && target !== name) complaints.push(`import ${name} is ${target}`);
  }
  // An entry point may need a package that whoever does without the entry point does without too.
  for (const name of Object.keys(npm.peerDependencies ?? {})) {
    if (!npm.peerDependenciesMeta?.[name]?.optional) {
      complaints.push(`peer ${name} is not optional`);
    }
  }
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(imported)])) {
    const [ours, theirs] = [wanted[name], imported[name]];
    if (ours !== theirs) complaints.push(`dependency ${name}: ${ours} and ${theirs}`);
  }
  return complaints;
}

function layerOf(path: string): number {
  return layers.findIndex((layer) =>
    layer === path || (layer.endsWith("/") && path.startsWith(layer))
  );
}

/** The path that a relative import of a file means. */
function resolve(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

function importsOf(text: string): string[] {
  const imports = withoutComments(text).matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g);
  return [...imports].map(([, specifier = ""]) => specifier);
}

/** Comments stand on lines of their own here, or at a line's end after a space. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/(?:^|\s)\/\/ .*$/gm, "");
}
