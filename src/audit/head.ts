import { type ChainPosition, parseChainedLine, parseFields, splitSignature } from "./chain.ts";
import { headPath } from "./file-names.ts";
import { type FileSystem, unlessMissing } from "./file-system.ts";
import { verifySignature } from "./signing-key.ts";

/** The last signed checkpoint, as it stands beside the log. */
export interface Head extends ChainPosition {
  readonly file: number;
}

/** A checkpoint's line, with its signature verified by the key. */
export function parseCheckpoint(line: Uint8Array, publicKey: string): Head | undefined {
  const chained = parseChainedLine(line);
  const signed = chained?.intact === true ? splitSignature(chained.body) : undefined;
  if (chained === undefined || signed === undefined) return undefined;
  const { event, file } = parseFields(line) ?? {};
  if (event !== "checkpoint" || typeof file !== "number") return undefined;
  if (!verifySignature(publicKey, signed.text, signed.signature)) return undefined;
  return { seq: chained.seq, hash: chained.hash, file };
}

/** Undefined where there is none; "invalid" where it is not a checkpoint that this key has signed. */
export async function readHead(fs: FileSystem, path: string, publicKey: string): Promise<Head | "invalid" | undefined> {
  const text = await unlessMissing(fs.readFile(headPath(path), "utf8"));
  if (text === undefined) return undefined;
  return parseCheckpoint(Buffer.from(text.trimEnd()), publicKey) ?? "invalid";
}

/** Replaced as a whole. It needs no sync: one that is a little old says less, and nothing wrong. */
export async function writeHead(fs: FileSystem, path: string, line: string): Promise<void> {
  const temporary = `${headPath(path)}.new`;
  {
    await using handle = await fs.open(temporary, "w", 0o600);
    await handle.writeFile(`${line}\n`);
  }
  await fs.rename(temporary, headPath(path));
}
