import { generateKeyPairSync, hash, sign } from "node:crypto";
import type { Random } from "../../fakes/random.ts";

/** The files of a log by name, as an attacker finds them. */
export type Files = Map<string, Buffer>;

export interface Tampering {
  readonly name: string;
  /** Changes the files. */
  readonly apply: (files: Files, random: Random) => void;
}

const CURRENT = "audit.jsonl";

function logFiles(files: Files): readonly string[] {
  return [...files.keys()].filter((name) => /^audit\.jsonl(\.\d+)?$/.test(name));
}

function pick<T>(items: readonly T[], random: Random): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("there is nothing to pick from");
  return item;
}

function linesOf(files: Files, name: string): string[] {
  return (files.get(name) ?? Buffer.alloc(0)).toString("utf8").trimEnd().split("\n");
}

function setLines(files: Files, name: string, lines: readonly string[]): void {
  files.set(name, Buffer.from(lines.map((line) => `${line}\n`).join("")));
}

function editLines(edit: (lines: string[], random: Random) => void): Tampering["apply"] {
  return (files, random) => {
    const name = pick(logFiles(files), random);
    const lines = linesOf(files, name);
    edit(lines, random);
    setLines(files, name, lines);
  };
}

/** Chains all lines from `from` on anew, as whoever knows the format can. Signatures stay as they were. */
function rechain(lines: string[], from: number, end: number = lines.length): void {
  for (let index = Math.max(1, from); index < end; index += 1) {
    const before = JSON.parse(lines[index - 1] ?? "") as { readonly hash: string };
    const body = (lines[index] ?? "").replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${before.hash}"`).slice(0, -75);
    lines[index] = `${body},"hash":"${hash("sha256", body, "hex")}"}`;
  }
}

function seal(line: string): string {
  const body = line.slice(0, -75);
  return `${body},"hash":"${hash("sha256", body, "hex")}"}`;
}

const forger = generateKeyPairSync("ed25519");

/** Chains the whole log anew, over all its files, after one record was changed, and removes its head. */
function rewriteAll(files: Files, random: Random, resign: boolean): void {
  const names = logFiles(files).toSorted((one, other) => order(one) - order(other));
  const lengths = names.map((name) => linesOf(files, name).length);
  const lines = names.flatMap((name) => linesOf(files, name));
  const at = random(lines.length - 1);
  lines[at] = seal((lines[at] ?? "").replace(/"time":"2/, '"time":"1'));
  for (let index = at; index < lines.length; index += 1) {
    rechain(lines, index, index + 1);
    if (resign) lines[index] = resignLine(lines[index] ?? "");
  }
  for (const [index, name] of names.entries()) setLines(files, name, lines.splice(0, lengths[index]));
  files.delete(`${CURRENT}.head`);
}

function order(name: string): number {
  return name === CURRENT ? Number.POSITIVE_INFINITY : Number(name.slice(CURRENT.length + 1));
}

function resignLine(line: string): string {
  if (!line.includes('"event":"checkpoint"')) return line;
  const text = line.replace(/,"signature".*$/, "");
  const signature = sign(null, Buffer.from(`sops-keyd audit checkpoint\n${text}`), forger.privateKey).toString(
    "base64",
  );
  return seal(`${text},"signature":"${signature}","hash":"${"0".repeat(64)}"}`);
}

/** Every way to change a log that its reader has to notice. */
export const TAMPERINGS: readonly Tampering[] = [
  {
    name: "change a byte",
    apply(files, random) {
      const name = pick(logFiles(files), random);
      const bytes = Buffer.from(files.get(name) ?? "");
      const at = random(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 + random(255));
      files.set(name, bytes);
    },
  },
  {
    name: "insert bytes",
    apply(files, random) {
      const name = pick(logFiles(files), random);
      const bytes = files.get(name) ?? Buffer.alloc(0);
      const at = random(bytes.length + 1);
      const inserted = Buffer.from([random(256), 10, random(256)].slice(0, 1 + random(3)));
      files.set(name, Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]));
    },
  },
  { name: "remove a record", apply: editLines((lines, random) => lines.splice(random(lines.length), 1)) },
  {
    name: "remove a run of records",
    apply: editLines((lines, random) => lines.splice(random(lines.length), 1 + random(5))),
  },
  {
    name: "exchange two records",
    apply: editLines((lines, random) => {
      const at = random(lines.length - 1);
      lines.splice(at, 2, lines[at + 1] ?? "", lines[at] ?? "");
    }),
  },
  {
    name: "repeat a record",
    apply: editLines((lines, random) => {
      const line = pick(lines, random);
      lines.splice(random(lines.length + 1), 0, line);
    }),
  },
  {
    name: "cut the end off at a byte",
    apply(files, random) {
      const bytes = files.get(CURRENT) ?? Buffer.alloc(0);
      files.set(CURRENT, bytes.subarray(0, random(bytes.length)));
    },
  },
  {
    name: "cut the end off at a record",
    apply(files, random) {
      const lines = linesOf(files, CURRENT);
      setLines(files, CURRENT, lines.slice(0, 1 + random(lines.length - 1)));
    },
  },
  {
    name: "cut the end of a rotated file off",
    apply(files, random) {
      const name = pick(
        logFiles(files).filter((each) => each !== CURRENT),
        random,
      );
      const lines = linesOf(files, name);
      setLines(files, name, lines.slice(0, 1 + random(lines.length - 1)));
    },
  },
  {
    name: "exchange two files",
    apply(files, random) {
      const names = logFiles(files);
      const at = random(names.length - 1);
      const [one = "", other = ""] = names.slice(at, at + 2);
      const bytes = files.get(one) ?? Buffer.alloc(0);
      files.set(one, files.get(other) ?? Buffer.alloc(0));
      files.set(other, bytes);
    },
  },
  {
    name: "remove a file",
    apply(files, random) {
      files.delete(
        pick(
          logFiles(files).filter((name) => name !== CURRENT),
          random,
        ),
      );
    },
  },
  {
    name: "put an old file in place of a newer one",
    apply(files, random) {
      const rotated = logFiles(files).filter((name) => name !== CURRENT);
      files.set(CURRENT, files.get(pick(rotated, random)) ?? Buffer.alloc(0));
    },
  },
  {
    name: "change a record and chain all after it anew",
    apply: editLines((lines, random) => {
      const at = random(lines.length - 1);
      const line = lines[at] ?? "";
      const changed = line.replace(/problem \d+/, `problem ${1000 + random(1000)}`).replace(/"time":"2/, '"time":"1');
      lines[at] = seal(changed);
      rechain(lines, at + 1);
    }),
  },
  {
    name: "sign a checkpoint with another key",
    apply: editLines((lines, random) => {
      const at = pick(
        lines.flatMap((line, index) => (line.includes('"event":"checkpoint"') ? [index] : [])),
        random,
      );
      lines[at] = resignLine(lines[at] ?? "");
      rechain(lines, at + 1);
    }),
  },
  { name: "chain the whole log anew", apply: (files, random) => rewriteAll(files, random, false) },
  { name: "chain and sign the whole log anew", apply: (files, random) => rewriteAll(files, random, true) },
  {
    name: "name another key as the log's own",
    apply: editLines((lines) => {
      const publicKey = forger.publicKey.export({ format: "der", type: "spki" }).toString("base64");
      lines[0] = seal((lines[0] ?? "").replace(/"publicKey":"[^"]*"/, `"publicKey":"${publicKey}"`));
      rechain(lines, 1);
    }),
  },
  {
    name: "put an old head beside a log that was cut",
    apply(files, random) {
      const lines = linesOf(files, CURRENT);
      const [head = ""] = linesOf(files, `${CURRENT}.head`);
      files.set(`${CURRENT}.head`, Buffer.from(`${head.replace(/"seq":\d+/, `"seq":${1 + random(5)}`)}\n`));
      setLines(files, CURRENT, lines.slice(0, -1));
    },
  },
];
