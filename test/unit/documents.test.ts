import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createProgram } from "../../src/cli/program.ts";
import { parseConfig } from "../../src/config/parse.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENTS = [...globSync("*.md", { cwd: ROOT }), ...globSync("docs/**/*.md", { cwd: ROOT })];

interface Snippet {
  readonly language: string;
  readonly text: string;
}

function snippetsOf(document: string): readonly Snippet[] {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language = "", body = ""]) => ({
    language,
    text: body,
  }));
}

/** Whole configs say their version; the others are parts of one. */
function configsOf(document: string): readonly string[] {
  return snippetsOf(document).flatMap(({ language, text }) =>
    language === "yaml" && /^version: 1$/m.test(text) ? [text] : [],
  );
}

/** `sops-keyd WORD --option …`, wherever a document tells a reader to type it. */
function commandLinesOf(document: string): readonly string[] {
  const shell = snippetsOf(document).filter(({ language }) => language === "sh" || language === "");
  return shell.flatMap(({ text }) =>
    [...text.matchAll(/^\s*(?:\$ )?(?:scripts\/)?sops-keyd (.*)$/gm)].map(([, words = ""]) => words),
  );
}

describe("the documents", () => {
  test("have links that lead somewhere", () => {
    const dead = DOCUMENTS.flatMap((document) => {
      const text = readFileSync(join(ROOT, document), "utf8");
      const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target = ""]) => target);
      return targets
        .filter((target) => !existsSync(join(ROOT, dirname(document), target)))
        .map((target) => `${document}: ${target}`);
    });
    assert.deepEqual(dead, []);
  });

  test("argue for every dependency, and for none that is not there", () => {
    const [, section = ""] = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8").split("## Run-time dependencies");
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const named = new Set([...section.matchAll(/`(@?[a-z][\w./-]+)`/g)].map(([, name]) => name));
    const all = Object.keys({ ...dependencies, ...devDependencies });
    assert.deepEqual(
      all.filter((name) => !named.has(name)),
      [],
    );
    const table = [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = ""]) => cell.match(/[^`, ]+/g) ?? []);
    assert.deepEqual(
      table.filter((name) => !all.includes(name)),
      [],
    );
  });

  test("show only configs that are valid", () => {
    const configs = DOCUMENTS.flatMap((document) => configsOf(document).map((text) => ({ document, text })));
    assert.ok(configs.length > 0);
    for (const { document, text } of configs) parseConfig(Buffer.from(text), join(ROOT, document));
  });

  test("show only programs that run", () => {
    const programs = DOCUMENTS.flatMap(snippetsOf).filter(({ language }) => language === "ts");
    assert.ok(programs.length > 0);
    for (const { text } of programs) {
      const source = text.replaceAll(
        'from "sops-keyd"',
        `from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)}`,
      );
      const args = ["--input-type=module-typescript", "--eval", source];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, {
        cwd: ROOT,
        encoding: "utf8",
        timeout: 30_000,
      });
      assert.equal(status, 0, `${stdout}${stderr}`);
    }
  });

  test("tell of no command and no option that is not there", async () => {
    const program = await createProgram(undefined);
    const lines = DOCUMENTS.flatMap(commandLinesOf);
    assert.ok(lines.length > 5);
    const unknown = lines.filter((line) => {
      const [name, ...words] = (line.split(/ -- | #|[|>&]/)[0] ?? "").trim().split(/\s+/);
      const group = program.commands.find((each) => each.name() === name);
      const command = group?.commands.find((each) => each.name() === words[0]) ?? group;
      const options = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]);
      const known = command?.options.map(({ long }) => long) ?? [];
      return command === undefined || options.some((option) => option !== "--help" && !known.includes(option));
    });
    assert.deepEqual(unknown, []);
  });
});
