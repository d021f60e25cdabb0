import { CommanderError } from "commander";
import { describeCause } from "../core/describe-cause.ts";
import { KeyServiceError } from "../core/errors.ts";
import { CommandError, EXIT_FAILED } from "./exit.ts";

/** Says why a command failed, in words where it was foreseen, and sets the exit code. */
export function reportFailure(thrown: unknown): void {
  // commander has printed its message, and the exit code is set.
  if (thrown instanceof CommanderError) return;
  process.exitCode = thrown instanceof CommandError ? thrown.exitCode : EXIT_FAILED;
  process.stderr.write(`sops-keyd: ${describe(thrown)}\n`);
}

function describe(thrown: unknown): string {
  if (thrown instanceof CommandError || thrown instanceof KeyServiceError) return thrown.message;
  return `failed in a way it did not foresee: ${describeCause(thrown)}`;
}
