import assert from "node:assert/strict";
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Something that must be shown nowhere, by a name that may be. */
export interface Canary {
  readonly name: string;
  readonly value: string;
}

/** Any token of the emulator, any JWT, and any part of a PEM file, whoever made them. */
const SHAPES: readonly (readonly [string, RegExp])[] = [
  ["a token of the emulator", /emulated\.[a-z]+\.[A-Za-z0-9_-]{20,}/],
  ["a secret of an emulated AWS machine", /emulated-(?:aws|session|imds)\.[A-Za-z0-9_-]{8,}/],
  ["a JWT", /eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}/],
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY/],
];
/** A shorter value may stand somewhere by chance. */
const MIN_LENGTH = 12;
const SECRET_FIELDS = new Set([
  "private_key",
  "refresh_token",
  "client_secret",
  "private_key_id",
  "authorization",
  "id_token",
]);

/** Every secret of a credential file; of a key, its single lines. */
export function canariesOf(path: string): readonly Canary[] {
  const text = readFileSync(path, "utf8").trim();
  const document = parse(text);
  if (document === undefined) return [{ name: path, value: text }];
  return secretsIn(document, path).flatMap(({ name, value }) =>
    value
      .split("\n")
      .flatMap((line) => (line.length < MIN_LENGTH || line.startsWith("---") ? [] : { name, value: line })),
  );
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function secretsIn(document: object, path: string): readonly Canary[] {
  return Object.entries(document).flatMap(([key, value]: [string, unknown]) => {
    if (typeof value === "object" && value !== null) return secretsIn(value, path);
    return SECRET_FIELDS.has(key.toLowerCase()) && typeof value === "string"
      ? [{ name: `${key} of ${path}`, value }]
      : [];
  });
}

/** As it is, in base64 of either alphabet, and in hex. */
function formsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const base64 = bytes.toString("base64").replace(/=+$/, "");
  return [value, base64, base64.replaceAll("+", "-").replaceAll("/", "_"), bytes.toString("hex")];
}

/** What is found of them, by name and place; never the value itself. */
export function findCanaries(where: string, text: string, canaries: readonly Canary[]): readonly string[] {
  const named = canaries.filter(({ value }) => formsOf(value).some((form) => text.includes(form)));
  const shaped = SHAPES.filter(([, shape]) => shape.test(text));
  return [...named.map(({ name }) => `${name} in ${where}`), ...shaped.map(([name]) => `${name} in ${where}`)];
}

/** Every regular file below a directory but those that are named. */
export function findCanariesOnDisk(
  directory: string,
  except: ReadonlySet<string>,
  canaries: readonly Canary[],
): readonly string[] {
  const files = globSync("**/{*,.*}", { cwd: directory }).map((name) => join(directory, name));
  const scanned = files.filter((file) => !except.has(file) && statSync(file).isFile());
  return scanned.flatMap((file) => findCanaries(file, readFileSync(file, "latin1"), canaries));
}

/** So that the scan itself is known to find what it looks for. */
export function assertScanFinds(canaries: readonly Canary[]): void {
  assert.ok(canaries.length > 0);
  for (const canary of canaries) {
    for (const form of formsOf(canary.value)) {
      assert.ok(findCanaries("here", `before ${form} after`, [canary]).includes(`${canary.name} in here`));
    }
  }
}
