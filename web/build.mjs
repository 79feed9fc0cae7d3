// The static site, without a model, in dist/: `tfwavesep web` puts one in.

import { build } from "esbuild";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";

const RUNTIME = "node_modules/@litertjs/core";
const BUILDS = ["litert_wasm_internal", "litert_wasm_compat_internal"]; // with relaxed SIMD, and for older browsers

const common = { bundle: true, minify: true, target: ["es2022"], logLevel: "warning" };

await rm("dist", { recursive: true, force: true });
await cp("public", "dist", { recursive: true });
await mkdir("dist/wasm");
for (const name of BUILDS) {
  for (const suffix of ["js", "wasm"]) await cp(`${RUNTIME}/wasm/${name}.${suffix}`, `dist/wasm/${name}.${suffix}`);
}
await build({ ...common, entryPoints: ["src/main.js"], outfile: "dist/main.js", format: "esm" });
// The runtime loads its program by importScripts, which only classic workers have.
await build({ ...common, entryPoints: ["src/worker.js", "src/offline.js"], outdir: "dist", format: "iife" });
await writeFile("dist/licences.txt", await licences());

/** The texts that whoever passes the site on must pass on too; the runtime's package leaves out its own. */
async function licences() {
  const runtime = JSON.parse(await readFile(`${RUNTIME}/package.json`, "utf8"));
  return [
    "tfwavesep, under the MIT licence:",
    await readFile("../LICENSE", "utf8"),
    "the model `default`, whose U-Net began with weights of Spleeter, under the MIT licence:",
    await readFile("../saved_models/LICENSE.spleeter", "utf8"),
    `LiteRT.js (${runtime.name} ${runtime.version}), under the Apache licence:`,
    await readFile("licences/apache-2.0.txt", "utf8"),
    "client-zip, under the MIT licence:",
    await readFile("node_modules/client-zip/LICENSE.txt", "utf8"),
  ].join("\n\n");
}
