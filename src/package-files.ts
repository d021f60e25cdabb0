import { fileURLToPath } from "node:url";

/**
 * Files that lie beside the code. This module lies directly in `src/`, and what it is bundled into directly in
 * `dist/`: so the package's root is one level up in both.
 */
export const PACKAGE_FILE: URL = new URL("../package.json", import.meta.url);

/** Read for reflection alone: messages are encoded by hand. */
export const PROTO_FOLDER: string = fileURLToPath(new URL("../proto", import.meta.url));

/** Made where an image is built; elsewhere there is none, and the user's own is taken. */
export const PACKAGE_COMPILE_CACHE: string = fileURLToPath(new URL("../compile-cache", import.meta.url));
