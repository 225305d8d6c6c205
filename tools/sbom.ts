/**
 * The software bill of materials of the package: what is installed with it, in CycloneDX's form.
 *
 * @module
 */

import { run } from "../tests/support/programs.ts";

/** What a bill says of one package. */
export interface BillComponent {
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly licenses?: readonly unknown[];
  readonly properties?: readonly unknown[];
}

/** A bill, as far as it is looked at. */
export interface Bill {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: BillComponent };
  readonly components: readonly BillComponent[];
}

/** A manifest, as far as a bill is held against it. */
export interface BilledManifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: { readonly [name: string]: string };
  readonly devDependencies?: { readonly [name: string]: string };
}

/**
 * Has npm write the bill, without what is only for work on the package and what is optional.
 *
 * @throws {Error} npm cannot write it
 */
export async function makeBill({ name }: BilledManifest): Promise<Bill> {
  const omitted = ["dev", "optional", "peer"].map((kind) => `--omit=${kind}`);
  const args = ["sbom", "--sbom-format=cyclonedx", "--sbom-type=library", "--package-lock-only"];
  const { broken, code, output, stdout } = await run("npm", [...args, ...omitted]);
  if (code !== 0 || broken !== undefined) throw new Error(`${output}${broken ?? ""}`);
  const bill: Bill = JSON.parse(stdout);
  const { component } = bill.metadata;
  // npm names it for the folder that it is in, and tells that the repository's own manifest is private.
  return {
    ...bill,
    metadata: { ...bill.metadata, component: { ...component, name, properties: [] } },
  };
}

/** What is wrong with a bill for a package, each as a complaint. */
export function complaintsAbout(bill: Bill, manifest: BilledManifest): string[] {
  const { bomFormat, components, metadata: { component }, specVersion } = bill;
  const found: string[] = [];
  if (bomFormat !== "CycloneDX") found.push(`It is ${bomFormat}, not CycloneDX`);
  if (!/^1\.\d+$/.test(specVersion)) found.push(`It is of version ${specVersion}`);
  if (component.name !== manifest.name || component.version !== manifest.version) {
    found.push(`It is for ${component.name} ${component.version}`);
  }
  const names = new Set(components.map(({ name }) => name));
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!names.has(name)) found.push(`${name} is not in it`);
  }
  for (const { licenses = [], name, purl, version } of components) {
    if (name in (manifest.devDependencies ?? {})) {
      found.push(`${name} is only for work on the package`);
    }
    if (licenses.length === 0) found.push(`${name} has no licence`);
    if (purl !== `pkg:npm/${name.replace("@", "%40")}@${version}`) {
      found.push(`${name} is told as ${purl}`);
    }
  }
  return found;
}
