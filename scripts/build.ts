import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { collectLicences } from "./licences.ts";

/**
 * Makes `dist/`: the program and the library surface as bundles that share their chunks, declarations for the surface,
 * and the licences of what was bundled. What package.json names in `dependencies` stays outside; the rest is bundled.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist");
/** Neither a path nor `node:…`. */
const PACKAGE_NAME = /^[^./][^:]*$/;

/**
 * Dynamic imports of CommonJS packages, with the names that Node gives them: esbuild would give `default` alone where
 * it splits. https://github.com/evanw/esbuild/issues/3637
 */
const namedDynamicImports: Plugin = {
  name: "named-dynamic-imports",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: PACKAGE_NAME }, ({ kind, path, importer, resolveDir }) => {
      const isOurs = importer.startsWith(join(ROOT, "src"));
      if (kind !== "dynamic-import" || !isOurs || isExternal(path)) return undefined;
      return { path, namespace: "named", pluginData: resolveDir };
    });
    onLoad({ filter: /./, namespace: "named" }, async ({ path, pluginData }) => {
      const names = Object.keys(await import(path)).filter((name) => name !== "module.exports");
      return { contents: `export { ${names.join(", ")} } from ${JSON.stringify(path)};`, resolveDir: pluginData };
    });
  },
};

const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
/** It comes with `@google-cloud/kms` in any case, and our declarations name its types; bundled it loads 40 ms faster. */
const BUNDLED_AS_WELL = ["google-auth-library"];
/** What its HTTP client would load where there is no `fetch`. */
const NEVER_LOADED = ["node-fetch"];
const external = [...Object.keys(manifest.dependencies), ...NEVER_LOADED].filter(
  (name) => !BUNDLED_AS_WELL.includes(name),
);

function isExternal(path: string): boolean {
  return external.some((name) => path === name || path.startsWith(`${name}/`));
}

/** A checkout needs neither declarations nor licence texts to run. */
const programAlone = process.argv.includes("--program");

rmSync(DIST, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ["src/main.ts", "src/index.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node26",
  external,
  plugins: [namedDynamicImports],
  // Flat, as `src/package-files.ts` counts on.
  chunkNames: "[name]-[hash]",
  // What is CommonJS among the bundled asks for Node's own modules by `require`, which an ES module does not have.
  banner: {
    js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
  },
  // They stand in one file, below.
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
if (!programAlone) {
  const tsc = join(ROOT, "node_modules", ".bin", "tsc");
  execFileSync(tsc, ["-p", "tsconfig.build.json"], { cwd: ROOT, stdio: "inherit" });
  writeFileSync(join(DIST, "THIRD-PARTY-LICENCES.txt"), await collectLicences(ROOT, Object.keys(metafile.inputs)));
}
