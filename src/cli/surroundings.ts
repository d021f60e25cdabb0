import { createCallerUsage } from "../access/caller-usage.ts";
import { createTerminal } from "../approval/terminal.ts";
import type { Surroundings } from "../assembly.ts";
import { processEnvironment } from "../config/environment.ts";
import { systemClock } from "../core/clock.ts";
import { readVersion } from "./version.ts";

/** What an assembly needs of the process that it is made in. */
export function processSurroundings(warn: (message: string) => void): Surroundings {
  return {
    environment: processEnvironment,
    clock: systemClock,
    warn,
    userAgent: `sops-keyd/${readVersion()}`,
    terminal: createTerminal(systemClock),
    callerUsage: createCallerUsage(systemClock),
  };
}
