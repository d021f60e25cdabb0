import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";

const FORWARDED = [
  "SIGTERM",
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
] as const satisfies readonly NodeJS.Signals[];
/** A terminal sends these to the command as well: passed on, each would arrive twice. */
const SENT_BY_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];
const SIGNAL_EXIT_BASE = 128;

export interface ForwardedSignals extends Disposable {
  /** The first signal that came while there was no command yet. */
  readonly early: NodeJS.Signals | undefined;
  /** From now on signals go to `command`. */
  sendTo(command: ChildProcess): void;
}

/**
 * Takes the signals of this process, from this moment on: a command can be quick enough to be answered with a signal
 * before `spawn` has returned here, and that signal must not end us with the socket left behind.
 */
export function forwardSignals(): ForwardedSignals {
  const onTerminal = process.stdin.isTTY === true || process.stderr.isTTY === true;
  let command: ChildProcess | undefined;
  let early: NodeJS.Signals | undefined;
  const forward = (signal: NodeJS.Signals) => {
    if (command === undefined) early ??= signal;
    else if (!(onTerminal && SENT_BY_TERMINAL.includes(signal))) command.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return {
    get early() {
      return early;
    },
    sendTo(started) {
      command = started;
    },
    [Symbol.dispose]() {
      for (const signal of FORWARDED) process.off(signal, forward);
    },
  };
}

/** As shells report a command that a signal ended. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return SIGNAL_EXIT_BASE + constants.signals[signal];
}
