import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { addServeCommand } from "../../src/cli/serve.ts";

const UNIT = fileURLToPath(new URL("../../deploy/systemd/sops-keyd.service", import.meta.url));
const LINES = readFileSync(UNIT, "utf8").split("\n");
const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
/** Above it, systemd's own scale leaves OK. */
const HIGHEST_EXPOSURE = 2;

describe("the systemd unit", () => {
  test("starts the program with options that it has", () => {
    const [, line = ""] = /^ExecStart=\/usr\/bin\/sops-keyd (.*)$/m.exec(LINES.join("\n")) ?? [];
    const program = new Command();
    addServeCommand(program);
    const serve = program.commands.find((command) => command.name() === "serve");
    const options = line.split(" ").filter((word) => word.startsWith("--"));
    assert.deepEqual(options, ["--sandbox", "--config"]);
    for (const option of options)
      assert.ok(
        serve?.options.some(({ long }) => long === option),
        option,
      );
  });

  test("lets V8 compile and sockets be given to their groups", () => {
    assert.ok(!LINES.some((line) => line.startsWith("MemoryDenyWriteExecute")));
    const filters = LINES.filter((line) => line.startsWith("SystemCallFilter="));
    assert.equal(filters.at(-1), "SystemCallFilter=@chown");
  });

  test("is judged well by systemd itself", { skip: hasAnalyze ? false : "no systemd-analyze here" }, () => {
    const { stdout } = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", UNIT], {
      encoding: "utf8",
    });
    const [, exposure = "10"] = /Overall exposure level for \S+: ([0-9.]+)/.exec(stdout) ?? [];
    assert.ok(Number(exposure) < HIGHEST_EXPOSURE, stdout);
  });
});
