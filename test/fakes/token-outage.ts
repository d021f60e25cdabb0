import { callerAt } from "../../src/access/caller.ts";
import { type Assembly, assemble } from "../../src/assembly.ts";
import type { Config } from "../../src/config/config.ts";
import { createDefaultConfig } from "../../src/config/default-config.ts";
import type { KeyServiceError } from "../../src/core/errors.ts";
import type { RefreshReport } from "../../src/credentials/refreshing.ts";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.ts";
import { createFakeClock, type FakeClock, settle } from "./clock.ts";
import { createEnvironment } from "./token-credentials.ts";

export const KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k";

const LOCAL = { caller: callerAt("test", undefined), listenerIsLocal: true } as const;
const DATA_KEY = Buffer.alloc(32, 7);
/** Enough turns of the event loop for an exchange over loopback within this process. */
const TURNS_PER_EXCHANGE = 80;

/** The whole way of a request, in front of an emulator; both clocks are turned by the test, each by itself where it asks. */
export interface OutageBench extends AsyncDisposable {
  readonly emulator: Emulator;
  /** This side's. */
  readonly clock: FakeClock;
  /** Google's. */
  readonly googleClock: FakeClock;
  readonly refreshes: readonly RefreshReport[];
  /** Both clocks go on, and what is under way gets its turns. */
  pass(ms: number): Promise<void>;
  /** Encrypts once; resolves with the error where it fails. The clocks go on while it waits. */
  call(): Promise<KeyServiceError | undefined>;
}

/** @param random what every jitter draws, from 0 up to 1 */
export async function openOutageBench(random: number): Promise<OutageBench> {
  const startMs = Date.now();
  const [clock, googleClock] = [createFakeClock({ startMs }), createFakeClock({ startMs })];
  const emulator = await startEmulator({ clock: googleClock });
  const refreshes: RefreshReport[] = [];
  const surroundings = { environment: createEnvironment(), clock, warn() {}, userAgent: "test" };
  const assembly = assemble(configFor(emulator.url), surroundings, {
    random: () => random,
    onRefresh: (report) => refreshes.push(report),
  });

  const pass = async (ms: number) => {
    googleClock.advance(ms);
    await clock.pass(ms);
    for (let turn = 0; turn < TURNS_PER_EXCHANGE; turn += 1) await settle();
  };
  return {
    emulator,
    clock,
    googleClock,
    refreshes,
    pass,
    call: () => driveToEnd(encrypt(assembly), pass),
    async [Symbol.asyncDispose]() {
      await assembly.close();
      await emulator.close();
    },
  };
}

async function encrypt({ gcpKms }: Assembly): Promise<undefined> {
  const signal = new AbortController().signal;
  await gcpKms.encrypt({ type: "gcp_kms", resourceId: KEY }, DATA_KEY, { ...LOCAL, signal });
}

async function driveToEnd(
  work: Promise<undefined>,
  pass: (ms: number) => Promise<void>,
): Promise<KeyServiceError | undefined> {
  let outcome: { readonly error: KeyServiceError | undefined } | undefined;
  work.then(
    () => {
      outcome = { error: undefined };
    },
    (error: KeyServiceError) => {
      outcome = { error };
    },
  );
  for (let turn = 0; turn < TURNS_PER_EXCHANGE && outcome === undefined; turn += 1) await settle();
  while (outcome === undefined) await pass(100);
  return outcome.error;
}

/** The metadata server's identity: its expiry is told by our clock alone, not by that of a library. */
function configFor(url: string): Config {
  const usual = createDefaultConfig(createEnvironment());
  return {
    ...usual,
    tokenSources: new Map([["machine", { type: "metadata", account: "default", timeoutMs: 3000 }]]),
    rules: usual.rules.map((rule) => ({ ...rule, tokenSource: ["machine"], kms: { ...rule.kms, endpoint: url } })),
    google: { ...usual.google, endpoints: { kms: url, oauth2: url, sts: url, iamCredentials: url, metadata: url } },
  };
}
