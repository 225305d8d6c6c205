/**
 * The manifest of the package on npm, made from that of this repository: `package.json` is the one
 * place that names the version, the entry points and the dependencies.
 *
 * @module
 */

/** What is read of `package.json`. */
export interface SourceManifest {
  readonly name: string;
  readonly version: string;
  readonly exports: { readonly [entry: string]: string };
  readonly [field: string]: unknown;
}

/** An entry point of the package, compiled. */
export interface BuiltEntry {
  readonly types: string;
  readonly default: string;
}

/** The manifest that is published. */
export interface BuiltManifest {
  readonly name: string;
  readonly version: string;
  readonly exports: { readonly [entry: string]: BuiltEntry | string };
  readonly [field: string]: unknown;
}

/** What is for work on the package, and no concern of those who install it. */
const OWN_FIELDS = ["private", "scripts", "devDependencies"];

/**
 * Makes the manifest of the package. The package's root is the build's folder, so that the sources
 * stay what this repository's own manifest exports: npm puts no other exports in place when it
 * packs.
 *
 * There are no conditions for runtimes: all three run the same code, and load their dialer only
 * when they need it.
 *
 * @param repository The URL of the repository that publishes, where one does
 */
export function builtManifest(source: SourceManifest, repository?: string): BuiltManifest {
  const { exports, name, version, ...rest } = source;
  const kept = Object.entries(rest).filter(([field]) => !OWN_FIELDS.includes(field));
  const entries = Object.entries(exports).map(([entry, file]) => [entry, builtEntry(file)]);
  return {
    name,
    version,
    ...Object.fromEntries(kept),
    ...repository !== undefined && { repository: { type: "git", url: repository } },
    exports: { ...Object.fromEntries(entries), "./package.json": "./package.json" },
  };
}

/** Where a source file's code and types are, compiled. */
function builtEntry(file: string): BuiltEntry {
  const stem = file.replace(/\.ts$/, "");
  if (stem === file) throw new TypeError(`Only .ts files can be entry points, got ${file}`);
  return { types: `${stem}.d.ts`, default: `${stem}.js` };
}

/**
 * The URL of the repository that a release runs in, which npm compares with the manifest's before
 * it vouches for where a package comes from. Undefined anywhere else.
 */
export function publishingRepository(
  environment: { readonly [name: string]: string | undefined },
): string | undefined {
  const { GITHUB_REPOSITORY, GITHUB_SERVER_URL = "https://github.com" } = environment;
  return GITHUB_REPOSITORY && `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`;
}
