import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "./body.ts";
import { createKeyState, type KeyState } from "./key-state.ts";
import { EmulatorStartError } from "./start-error.ts";

const FILE_NAME = "state.json";

const keyBytesShape = z
  .string()
  .transform((text) => Buffer.from(text, "base64"))
  .refine(({ length }) => length === 32);

const keyShape = z.strictObject({
  name: z.string(),
  createTimeMs: z.number(),
  labels: z.record(z.string(), z.string()),
  primary: z.int().positive().nullable(),
  versions: z.array(
    z.strictObject({
      number: z.int().positive(),
      createTimeMs: z.number(),
      state: z.enum(["ENABLED", "DISABLED", "DESTROY_SCHEDULED", "DESTROYED"]),
      destroyTimeMs: z.number().nullable(),
      reference: z.string().regex(/^[0-9a-f]{32}$/),
      keyBytes: keyBytesShape.nullable(),
    }),
  ),
});

const fileShape = z.strictObject({
  version: z.literal(1),
  rings: z.array(z.strictObject({ name: z.string(), createTimeMs: z.number() })),
  keys: z.array(keyShape),
});

/** Keeps the state of keys in a directory that only its owner can enter. */
export interface StateFile {
  readonly state: KeyState;
  /** Writes the state as it is now; resolves when it will survive a crash. */
  save(): Promise<void>;
  /** Resolves when nothing is being written any more, however that went. */
  settled(): Promise<void>;
}

/**
 * Reads what is there, or starts empty.
 *
 * @throws EmulatorStartError where the directory is open to others, or the file is not one that the emulator wrote;
 * it is then left as it is.
 */
export async function openStateFile(directory: string): Promise<StateFile> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { mode } = await stat(directory);
  if ((mode & 0o077) !== 0) {
    throw new EmulatorStartError(`${directory} is open to other users: chmod 700 it, or name another directory`);
  }
  const path = join(directory, FILE_NAME);
  const state = await readState(path);
  const write = () => replaceFile(path, directory, renderState(state));
  return { state, ...coalesce(write) };
}

async function readState(path: string): Promise<KeyState> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return createKeyState();
    throw new EmulatorStartError(`cannot read ${path}`, { cause: error });
  }
  const parsed = fileShape.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new EmulatorStartError(
      `${path} is not a state file of the emulator, or is damaged; it was left as it is: mend it, or move it away`,
    );
  }
  return {
    rings: new Map(parsed.data.rings.map((ring) => [ring.name, ring])),
    keys: new Map(
      parsed.data.keys.map((key) => [
        key.name,
        {
          ...key,
          primary: key.primary ?? undefined,
          versions: key.versions.map((version) => ({
            ...version,
            destroyTimeMs: version.destroyTimeMs ?? undefined,
            keyBytes: version.keyBytes ?? undefined,
          })),
        },
      ]),
    ),
  };
}

function renderState(state: KeyState): string {
  const keys = [...state.keys.values()].map((key) => ({
    ...key,
    primary: key.primary ?? null,
    versions: key.versions.map((version) => ({
      ...version,
      destroyTimeMs: version.destroyTimeMs ?? null,
      keyBytes: version.keyBytes?.toString("base64") ?? null,
    })),
  }));
  return `${JSON.stringify({ version: 1, rings: [...state.rings.values()], keys }, undefined, 2)}\n`;
}

/** All or nothing, also when the machine goes down in between. */
async function replaceFile(path: string, directory: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await using file = await open(temporary, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await using folder = await open(directory, "r");
  await folder.sync();
}

/** One write at a time; whoever asks during one shares the next. */
function coalesce(write: () => Promise<void>): Pick<StateFile, "save" | "settled"> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return {
    save() {
      next ??= running
        .catch(() => {})
        .then(() => {
          next = undefined;
          running = write();
          return running;
        });
      return next;
    },
    settled: () => (next ?? running).catch(() => {}),
  };
}
