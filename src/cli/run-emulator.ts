import { type Emulator, startEmulator } from "../emulator/emulator.ts";
import { EmulatorStartError } from "../emulator/start-error.ts";
import type { EmulatorFlags } from "./emulator.ts";
import { renderJson, renderText, WARNING } from "./emulator-output.ts";
import { CommandError, EXIT_FAILED } from "./exit.ts";
import { nextStopSignal } from "./stop-signal.ts";

/** Emulates until SIGTERM or SIGINT. */
export async function runEmulator(flags: EmulatorFlags): Promise<void> {
  // From the first moment on, so that a signal during the start still removes the files.
  const stopped = nextStopSignal();
  const emulator = await start(flags);
  if (flags.json === true) {
    process.stderr.write(`${WARNING}\n`);
    process.stdout.write(`${renderJson(emulator)}\n`);
  } else {
    process.stdout.write(renderText(emulator, { isKept: flags.state !== undefined, hasColors: hasColors() }));
  }
  await stopped;
  await emulator.close();
}

async function start(flags: EmulatorFlags): Promise<Emulator> {
  try {
    return await startEmulator({
      ...flags.listen,
      strict: flags.strict === true,
      ...(flags.state !== undefined && { stateDirectory: flags.state }),
      ...(flags.credentials !== undefined && { credentialsDirectory: flags.credentials }),
      ...(flags.tokenLifetime !== undefined && { tokenLifetimeMs: flags.tokenLifetime }),
    });
  } catch (error) {
    if (!(error instanceof EmulatorStartError)) throw error;
    throw new CommandError(`emulator: ${error.message}`, { exitCode: EXIT_FAILED, cause: error });
  }
}

// Node reads NO_COLOR itself: https://no-color.org
function hasColors(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors();
}
