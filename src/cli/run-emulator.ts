import { readFile } from "node:fs/promises";
import type { ServerCertificate } from "../emulator/connections.ts";
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
  const tls = await readCertificate(flags);
  try {
    return await startEmulator({
      ...flags.listen,
      strict: flags.strict === true,
      ...(flags.state !== undefined && { stateDirectory: flags.state }),
      ...(flags.credentials !== undefined && { credentialsDirectory: flags.credentials }),
      ...(flags.tokenLifetime !== undefined && { tokenLifetimeMs: flags.tokenLifetime }),
      ...(tls !== undefined && { tls }),
    });
  } catch (error) {
    if (!(error instanceof EmulatorStartError)) throw error;
    throw new CommandError(`emulator: ${error.message}`, { exitCode: EXIT_FAILED, cause: error });
  }
}

async function readCertificate({ tlsCertificate, tlsKey }: EmulatorFlags): Promise<ServerCertificate | undefined> {
  if (tlsCertificate === undefined || tlsKey === undefined) return undefined;
  return { certificate: await readPem(tlsCertificate), privateKey: await readPem(tlsKey) };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new CommandError(`emulator: ${path} cannot be read: check the path and its permissions`, {
      exitCode: EXIT_FAILED,
      cause,
    });
  }
}

// Node reads NO_COLOR itself: https://no-color.org
function hasColors(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors();
}
