import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../../..", import.meta.url));

type SopsBinary = { readonly path: string } | { readonly missing: string };

/** It may have to be fetched first. */
const FETCH_TIMEOUT_MS = 600_000;
const EXIT_NONE = 3;

/** $SOPS_BIN, or what `scripts/get-sops` finds. @throws Error where that fails for another reason than having none */
function findSops(): SopsBinary {
  const given = process.env["SOPS_BIN"] ?? "";
  if (given !== "")
    return existsSync(given) ? { path: given } : { missing: `SOPS_BIN names ${given}, which is not there` };
  const script = `${ROOT}scripts/get-sops`;
  if (!existsSync(script)) return { missing: "set SOPS_BIN to a sops binary, 3.13 or later" };
  const { status, stdout, stderr, error } = spawnSync(script, { encoding: "utf8", timeout: FETCH_TIMEOUT_MS });
  if (status === 0 && existsSync(stdout.trim())) return { path: stdout.trim() };
  if (status === EXIT_NONE) return { missing: stderr.trim() };
  throw new Error(`scripts/get-sops exited ${status}: ${stderr}`, { cause: error });
}

const found: SopsBinary = findSops();

/** Why tests with sops are to be skipped. Where CI is set they are not: they fail. */
export const skipWithoutSops: string | false = "missing" in found ? skipUnlessCi(found.missing) : false;

/** The same for tests in which sops asks an emulated Cloud KMS itself: SOPS_GCP_KMS_ENDPOINT came with 3.13. */
export const skipWithoutDirectSops: string | false = skipWithoutSops === false ? judgeVersion() : skipWithoutSops;

function skipUnlessCi(reason: string): string | false {
  return process.env["CI"] ? false : reason;
}

function judgeVersion(): string | false {
  if ("missing" in found) return false;
  const { stdout } = spawnSync(found.path, ["--disable-version-check", "--version"], { encoding: "utf8" });
  const [, minor = "0"] = /^sops 3\.(\d+)\./.exec(stdout) ?? [];
  return Number(minor) >= 13 ? false : skipUnlessCi(`this sops cannot be pointed at an emulator: ${stdout.trim()}`);
}

/** @throws Error where there is no sops */
export function sopsPath(): string {
  if ("path" in found) return found.path;
  throw new Error(`the real sops is missing, and CI asks for it: ${found.missing}`);
}
