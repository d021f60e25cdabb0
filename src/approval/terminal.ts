import { constants, openSync, readFileSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import type { Clock } from "../core/clock.ts";
import { abortReason, delay } from "../core/deadline.ts";

/** Whoever sits in front of this process. */
export interface Terminal {
  /**
   * Shows a question and gives the line that is typed.
   *
   * @throws NoTerminal, or the signal's reason
   */
  ask(question: string, signal: AbortSignal): Promise<string>;
}

/** There is nobody to ask. The message says why. */
export class NoTerminal extends Error {
  override readonly name = "NoTerminal";
}

export const CONTROLLING_TERMINAL = "/dev/tty";
/** Who is in the foreground of it, on Linux. */
export const PROCESS_STATUS = "/proc/self/stat";
/** What was typed before the question comes within this. */
const TYPED_AHEAD_MS = 50;

/** The controlling terminal of this process, opened for each question. */
export function createTerminal(clock: Clock): Terminal {
  return {
    async ask(question, signal) {
      if (!isInForeground()) throw new NoTerminal("sops-keyd runs in the background of its terminal");
      const input = openTerminal();
      const line = Promise.withResolvers<string>();
      const onAbort = () => line.reject(abortReason(signal));
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        let asked = false;
        let typed = "";
        input.setEncoding("utf8");
        input.on("error", line.reject);
        input.on("end", () => line.resolve(""));
        input.on("data", (text: string) => {
          // Whoever has not seen the question has not answered it.
          if (asked) typed += text;
          if (typed.includes("\n")) line.resolve(typed.slice(0, typed.indexOf("\n")).trim());
        });
        await delay(clock, TYPED_AHEAD_MS, signal);
        writeSync(input.fd, question);
        asked = true;
        return await line.promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
        if (signal.aborted) writeSync(input.fd, "\nsops-keyd: the question is withdrawn\n");
        input.destroy();
      }
    },
  };
}

interface TerminalInput extends ReadStream {
  readonly fd: number;
}

function openTerminal(): TerminalInput {
  try {
    const fd = openSync(CONTROLLING_TERMINAL, constants.O_RDWR | constants.O_NOCTTY);
    return Object.assign(new ReadStream(fd), { fd });
  } catch (thrown) {
    throw new NoTerminal("sops-keyd has no terminal", { cause: thrown });
  }
}

/**
 * Whether reading from the terminal is ours to do: who reads from the background is stopped by the kernel (SIGTTIN).
 * Told by /proc/self/stat (proc_pid_stat(5)), of which fields 5 and 8 are the process group and the terminal's
 * foreground group; where there is no such file, it is taken to be.
 */
function isInForeground(): boolean {
  try {
    const stat = readFileSync(PROCESS_STATUS, "utf8");
    // The command's name stands in brackets and may hold anything.
    const [, , group, , , foregroundGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // -1: there is no terminal, which is told when it is opened.
    return group === foregroundGroup || foregroundGroup === "-1";
  } catch {
    return true;
  }
}
