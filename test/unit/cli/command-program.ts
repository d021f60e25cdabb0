import { Command } from "commander";
import { addCheckCommand } from "../../../src/cli/check.ts";
import { addExplainCommand } from "../../../src/cli/explain.ts";

const program = new Command("sops-keyd");
addCheckCommand(program);
addExplainCommand(program);
await program.parseAsync();
