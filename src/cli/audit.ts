import type { Command } from "commander";
import { collect } from "./collect.ts";

export interface VerifyCommandOptions {
  readonly config?: string;
  readonly publicKey?: readonly string[];
  readonly expectHead?: string;
  readonly json?: boolean;
}

export interface ShowCommandOptions {
  readonly config?: string;
  readonly caller?: string;
  readonly key?: string;
  readonly rule?: string;
  readonly outcome?: string;
  readonly operation?: string;
  readonly event?: string;
  readonly request?: string;
  readonly since?: string;
  readonly until?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
}

const VERIFY_EXAMPLES = `
FILE is the log as it is written, which stands for what was rotated as well, or the rotated files themselves.
Default: audit.file of the config.

A signature covers all records before it. What stands after the last one is checked by the chain alone, which whoever
can write the file can make anew: keep the hash of a late record elsewhere and give it as --expect-head.

Exit codes: 0 nothing was changed, 1 something was (file and line are printed), 2 usage or config.

Examples:
  sops-keyd audit verify /var/log/sops-keyd/audit.jsonl --public-key audit.pub
  sops-keyd audit verify audit.jsonl.000001 audit.jsonl.000002 --json`;

const SHOW_EXAMPLES = `
Times are RFC 3339 (2026-11-24T07:00:00Z) or a duration back from now (15m). A record has to fit every filter. A star
in --key stands for any characters.

Examples:
  sops-keyd audit show --since 1h --outcome refused
  sops-keyd audit show --caller team-a --key 'projects/team-a-*/locations/*/keyRings/*/cryptoKeys/*' --follow
  sops-keyd audit show --request 78422c5c-9bb6-403a-a182-e3e446fb2fd2 --json`;

export function addAuditCommand(program: Command): void {
  const audit = program.command("audit").summary("verify and read the audit log").description("Works on audit logs.");
  audit
    .command("verify")
    .description("say whether any record was changed, removed, reordered or cut off, and where")
    .argument("[files...]", "the log, or files of one")
    .option("--config <file>", "the config that names the log")
    .option("--public-key <file>", "a key that may have signed it, in PEM; may be repeated", collect)
    .option("--expect-head <hash>", "hash of a record that must be in it")
    .option("--json", "answer in JSON")
    .addHelpText("after", VERIFY_EXAMPLES)
    .action(async (files: readonly string[], options: VerifyCommandOptions) => {
      const { runAuditVerify } = await import("./run-audit-verify.ts");
      await runAuditVerify(files, options);
    });
  audit
    .command("show")
    .description("print records, filtered, and follow the log")
    .argument("[files...]", "the log, or files of one")
    .option("--config <file>", "the config that names the log")
    .option("--caller <name>", "records of this caller")
    .option("--key <pattern>", "records of this key")
    .option("--rule <name>", "records of this rule")
    .option("--outcome <outcome>", "ok, failed, refused, or an error's code")
    .option("--operation <operation>", "encrypt or decrypt")
    .option("--event <event>", "decision, outcome, started, …")
    .option("--request <id>", "records of this request")
    .option("--since <time>", "not older than this")
    .option("--until <time>", "not newer than this")
    .option("-f, --follow", "go on with what is written from now on")
    .option("--json", "print the lines as they stand in the log")
    .addHelpText("after", SHOW_EXAMPLES)
    .action(async (files: readonly string[], options: ShowCommandOptions) => {
      const { runAuditShow } = await import("./run-audit-show.ts");
      await runAuditShow(files, options);
    });
}
