import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bareEnvironment, type Outcome, run } from "./quickstart-child.ts";
import type { RoundTrip } from "./quickstart-round-trip.ts";
import type { Screen } from "./quickstart-screen.ts";
import { GET_SOPS, sampleOf, type Team } from "./quickstart-services.ts";

/** Long enough for a build by Go, which says how far it is. */
const GET_SOPS_TIMEOUT_MS = 1_500_000;
const SOPS_TIMEOUT_MS = 30_000;

/** The path of a real sops; undefined where none can be had. */
export async function findSops(signal: AbortSignal): Promise<string | undefined> {
  const options = {
    cwd: join(import.meta.dirname, ".."),
    env: process.env,
    timeoutMs: GET_SOPS_TIMEOUT_MS,
    showsProgress: true,
  };
  const { exitCode, stdout } = await run(GET_SOPS, ["--quick"], options, signal);
  return exitCode === 0 ? stdout.trim() : undefined;
}

/** Real sops, asking the key service and nothing else. */
export function createSopsRoundTrip(sops: string, directory: string, address: string, screen: Screen): RoundTrip {
  const env = bareEnvironment(directory, {
    SOPS_KEYSERVICE: address,
    SOPS_ENABLE_LOCAL_KEYSERVICE: "false",
    SOPS_DISABLE_VERSION_CHECK: "true",
  });

  function ask(args: readonly string[], signal: AbortSignal): Promise<Outcome> {
    screen.command(`sops ${args.join(" ")}`);
    return run(sops, args, { cwd: directory, env, timeoutMs: SOPS_TIMEOUT_MS }, signal);
  }

  async function succeed(args: readonly string[], signal: AbortSignal): Promise<string> {
    const outcome = await ask(args, signal);
    if (outcome.exitCode === 0) return outcome.stdout;
    throw new Error(`sops ${args[0]} failed with exit code ${outcome.exitCode}:\n${outcome.stderr}`);
  }

  return {
    async encrypt({ name }: Team, signal) {
      const file = `${name}.enc.yaml`;
      await succeed(["encrypt", "--output", file, `${name}.yaml`], signal);
      const encrypted = await readFile(join(directory, file), "utf8");
      if (encrypted.includes("hunter2")) throw new Error(`${file} still shows its password`);
      screen.quote(telling(encrypted));
    },
    async decrypt({ name }: Team, signal) {
      const decrypted = await succeed(["decrypt", `${name}.enc.yaml`], signal);
      if (decrypted !== sampleOf(name)) throw new Error(`${name}.enc.yaml was decrypted to something else`);
      screen.quote(decrypted, "green");
    },
    async refused(project, signal) {
      const { exitCode, stderr } = await ask(["encrypt", `${project}.yaml`], signal);
      if (exitCode === 0) throw new Error("a key that no rule allows was not refused");
      screen.quoteAll(stderr, "yellow");
      return stderr;
    },
  };
}

/** The lines of an encrypted file that a reader looks for: the values, the key, and the data key wrapped by it. */
function telling(encrypted: string): string {
  const lines = encrypted.split("\n").filter((line) => /ENC\[|resource_id: | enc: /.test(line));
  return lines.filter((line) => !line.includes("mac: ")).join("\n");
}
