import { supportsFeature } from "@litertjs/core";

/** The address of the runtime's program for this browser, in the site at `base`. */
export async function program(base) {
  const name = (await supportsFeature("relaxedSimd")) ? "litert_wasm_internal.js" : "litert_wasm_compat_internal.js";
  return new URL(`wasm/${name}`, base).href;
}
