// Shows sops-keyd at work on this machine alone: an emulated Cloud KMS, the server with two tenants, real sops.
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createBuiltInRoundTrip, type RoundTrip } from "./quickstart-round-trip.ts";
import { createScreen, print, type Screen, styled } from "./quickstart-screen.ts";
import {
  admitOwnersOnly,
  configPath,
  keyOf,
  principalSeen,
  SOPS_KEYD,
  startEmulator,
  startServer,
  type Team,
  teamsOf,
  writeSampleFiles,
} from "./quickstart-services.ts";
import { createSopsRoundTrip, findSops } from "./quickstart-sops.ts";

const USAGE = `Usage: scripts/quickstart [--check]

Starts an emulated Cloud KMS and sops-keyd, encrypts and decrypts through them, and stays up until Ctrl-C.

  --check   ends after the round trip: exit code 0 if all was right, and nothing is left behind
`;

const STRANGER = "team-c";
const STEPS = 6;
const SIGNAL_EXIT_BASE = 128;
/** macOS takes the fewest bytes for the path of a socket. */
const MAX_SOCKET_PATH = 103;
const DIRECTORY_PREFIX = "sops-keyd-quickstart-";
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

class Stopped extends Error {
  readonly signal: NodeJS.Signals;
  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

/** What is up and running. */
interface Stage {
  readonly directory: string;
  readonly address: string;
  readonly sops: string | undefined;
  /** Resolves when one of the two daemons has ended, which neither should by itself. */
  readonly lost: Promise<void>;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const stop = new AbortController();
  for (const name of STOP_SIGNALS) process.on(name, () => stop.abort(new Stopped(name)));
  // Whoever reads our output has gone (`| head`): without this, an error here would leave the daemons running.
  process.stdout.on("error", () => stop.abort(new Stopped("SIGPIPE")));
  await using stack = new AsyncDisposableStack();
  const calls = { isShown: false };
  const stage = await demonstrate(stack, calls, stop.signal);
  if (values.check === true) {
    print(styled("green", "\nAll was as it should be."));
    return 0;
  }
  showNext(stage);
  calls.isShown = true;
  await Promise.race([stage.lost, untilAborted(stop.signal)]);
  if (!stop.signal.aborted) throw new Error("a daemon ended by itself");
  print("\nEnding.");
  return 0;
}

async function demonstrate(
  stack: AsyncDisposableStack,
  calls: { readonly isShown: boolean },
  signal: AbortSignal,
): Promise<Stage> {
  const screen = createScreen(STEPS);
  const directory = await mkdtemp(join(chooseParent(), DIRECTORY_PREFIX));
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  const files = join(directory, "files");
  const socket = join(directory, "keyd.sock");
  const address = `unix://${socket}`;

  screen.step("Looking for sops");
  const sops = await findSops(signal);
  screen.note(sops ?? "there is none: a built-in client of the key service protocol stands in for it");
  screen.step("Starting an emulated Cloud KMS, for tests only");
  const { daemon, emulator } = await startEmulator(directory, signal);
  stack.use(daemon);
  const teams = teamsOf(emulator);
  await admitOwnersOnly(emulator.url, teams, signal);
  for (const { name, principal } of teams) screen.note(`the key of ${name} admits ${principal} alone`);

  screen.step("Starting sops-keyd with two rules, each with an identity of its own");
  const onLine = (line: string) => {
    if (calls.isShown) showCall(line);
  };
  const server = stack.use(await startServer({ directory, socket, emulator, teams, onLine }, signal));
  screen.note(address);

  await writeSampleFiles(files, [...teams.map(({ name }) => name), STRANGER]);
  const trip =
    sops === undefined ? createBuiltInRoundTrip(address, screen) : createSopsRoundTrip(sops, files, address, screen);
  await showRoundTrip(trip, teams, emulator.url, screen, signal);
  return { directory, address, sops, lost: Promise.race([daemon.ended, server.ended]) };
}

async function showRoundTrip(
  trip: RoundTrip,
  teams: readonly Team[],
  emulatorUrl: string,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  screen.step("Encrypting: the data key goes to Cloud KMS through sops-keyd");
  for (const team of teams) await trip.encrypt(team, signal);
  screen.step("Decrypting");
  for (const team of teams) {
    await trip.decrypt(team, signal);
    const seen = await principalSeen(emulatorUrl, team.key, signal);
    if (seen !== team.principal) throw new Error(`Cloud KMS saw ${seen} instead of ${team.principal}`);
    screen.note(`Cloud KMS saw ${seen}`);
  }
  screen.step("Asking for a key that no rule allows");
  const message = await trip.refused(STRANGER, signal);
  // sops wraps what it shows, so words may stand on different lines.
  if (!/no\s+rule/.test(message)) throw new Error("the refusal does not say that no rule allows the key");
}

/** The user's directory for temporary files, unless a socket's path in it would be too long or not plain. */
function chooseParent(): string {
  const parent = tmpdir();
  const longest = join(parent, `${DIRECTORY_PREFIX}XXXXXX`, "keyd.sock");
  return Buffer.byteLength(longest) <= MAX_SOCKET_PATH && /^[\w./+-]+$/.test(longest) ? parent : "/tmp";
}

function showNext({ directory, address, sops }: Stage): void {
  const quoted = (text: string) => (/^[\w./:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  const keyd = quoted(SOPS_KEYD);
  const config = quoted(configPath(directory));
  print(`\n${styled("bold", "It is up. Now you, in another shell:")}\n`);
  print(`  cd ${quoted(join(directory, "files"))}`);
  print(`  export SOPS_KEYSERVICE=${quoted(address)} SOPS_ENABLE_LOCAL_KEYSERVICE=false`);
  if (sops === undefined) print("  # with sops 3.11 or newer:");
  const command = sops === undefined ? "sops" : quoted(sops);
  if (sops === undefined) print(`  ${command} encrypt --output team-a.enc.yaml team-a.yaml`);
  print(`  ${command} decrypt team-a.enc.yaml`);
  print(`  ${command} edit team-a.enc.yaml`);
  print(`  ${keyd} explain --config ${config} ${keyOf(STRANGER)}`);
  print(`  ${keyd} health ${quoted(address)}\n`);
  print(styled("dim", "Calls are shown below. Ctrl-C ends it all and removes the directory."));
}

/** One line for a call, from the server's log. */
function showCall(line: string): void {
  const { message, key, rule, principal, problem } = parseLogLine(line);
  if (key === undefined) return;
  const how = problem ?? `rule ${rule}, as ${principal}`;
  print(`  ${styled(problem === undefined ? "green" : "yellow", message ?? "")} ${key} ${styled("dim", `(${how})`)}`);
}

function parseLogLine(line: string): Readonly<Record<string, string | undefined>> {
  try {
    return JSON.parse(line);
  } catch {
    // Something that Node itself printed, such as a warning.
    return {};
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}

function reportFailure(thrown: unknown): number {
  if (thrown instanceof Stopped) return SIGNAL_EXIT_BASE + constants.signals[thrown.signal];
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  process.stderr.write(`quickstart: ${message}\n`);
  return thrown instanceof TypeError && "code" in thrown && String(thrown.code).startsWith("ERR_PARSE_ARGS") ? 2 : 1;
}

process.exitCode = await main().catch(reportFailure);
