import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/**
 * The licence texts and notices of the packages that files were bundled from, one package after the other.
 *
 * @param root the checkout
 * @param inputs paths of bundled files, relative to it
 * @throws Error where a package has no licence text: it must not be shipped then
 */
export async function collectLicences(root: string, inputs: readonly string[]): Promise<string> {
  const folders = new Set(inputs.flatMap((input) => PACKAGE_FOLDER.exec(input) ?? []));
  const sections = [...folders].toSorted().map((folder) => describePackage(join(root, folder)));
  const head = "sops-keyd's bundles contain the following packages, each under the licence that follows its name.";
  return `${[head, ...sections].join(`\n\n${"=".repeat(80)}\n`)}\n`;
}

function describePackage(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license: string;
  };
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  if (texts.length === 0) throw new Error(`${name} ${version} (${license}) has no licence text to ship`);
  return [`${name} ${version} (${license})`, ...texts].join("\n\n");
}
