import { homedir } from "node:os";

/** Environment variables, read when asked for. The only module that touches `process.env`. */
export interface Environment {
  /** Undefined where the variable is missing or empty. */
  get(name: string): string | undefined;
}

export const processEnvironment: Environment = {
  get: (name) => process.env[name] || undefined,
};

/** A copy of this process's environment with some variables replaced: for a child process. */
export function childEnvironment(changes: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/**
 * Undefined for a user without one: a number that no account has, as containers run as, and no HOME.
 *
 * @param find for tests
 */
export function homeDirectory(environment: Environment, find: () => string = homedir): string | undefined {
  try {
    return environment.get("HOME") ?? find();
  } catch {
    return undefined;
  }
}
