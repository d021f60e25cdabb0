import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { FaultSpec } from "../../src/emulator/faults.ts";
import { createKeyClient, type KeyClient } from "../fakes/key-client.ts";
import { type Bench, reload, testOnBench } from "./harness/bench.ts";
import { assertScanFinds, type Canary, canariesOf, findCanaries, findCanariesOnDisk } from "./harness/canaries.ts";

const keyOf = (source: string) => `projects/canaries/locations/global/keyRings/sops/cryptoKeys/${source}`;
const ECHO = "canary-of-an-answer-that-repeats-what-was-sent";
const DATA_KEY = "canary-data-key-of-32-bytes-long";

/** Credentials that work, and those that fail in a way of their own, each with something that must not be shown. */
function writeSources(bench: Bench): { sources: Record<string, object>; own: readonly string[] } {
  const { files } = bench.emulator;
  const key = JSON.parse(readFileSync(files.serviceAccount, "utf8")) as Record<string, string>;
  const own: string[] = [];
  const write = (name: string, content: unknown): string => {
    const path = bench.write(name, typeof content === "string" ? content : JSON.stringify(content));
    own.push(path);
    return path;
  };
  const account = (name: string, changes: object) => ({
    type: "service_account",
    grant: "oauth",
    file: write(`${name}.json`, { ...key, ...changes }),
  });
  const sources = {
    signed: { type: "service_account", file: files.secondServiceAccount },
    granted: { type: "service_account", file: files.serviceAccount, grant: "oauth" },
    user: { type: "authorized_user", file: files.authorizedUser },
    impersonated: {
      type: "impersonated_service_account",
      source: "granted",
      target: "target@x.iam.gserviceaccount.com",
    },
    brought: { type: "impersonated_service_account", file: files.impersonatedByUser },
    machine: { type: "metadata" },
    federated: { type: "external_account", file: files.externalAccount },
    "federated-url": { type: "external_account", file: files.externalAccountUrl },
    "federated-executable": { type: "external_account", file: files.externalAccountExecutable, allowExecutable: true },
    "federated-aws": { type: "external_account", file: files.externalAccountAws },
    "federated-on": { type: "external_account", file: files.externalAccountImpersonating },
    opaque: { type: "access_token", file: files.accessToken },
    "of-variable": { type: "service_account", env: "CANARY_KEY" },
    "no-json": { type: "service_account", file: write("no-json.json", "{ canary-in-what-is-not-json") },
    "no-pem": account("no-pem", { private_key: "canary-in-what-is-not-a-key" }),
    "of-url": account("of-url", { token_uri: "https://user:canary-in-a-url@oauth2.googleapis.com/token" }),
    "of-host": account("of-host", { token_uri: "https://evil.example/token?x=canary-in-a-query" }),
    "of-type": { type: "authorized_user", file: write("of-type.json", { ...key, type: "canary-in-a-type" }) },
    "two-tokens": { type: "access_token", file: write("two-tokens", "canary-first-token\ncanary-second-token\n") },
    "of-user": {
      type: "authorized_user",
      file: write("of-user.json", {
        type: "authorized_user",
        client_id: "client",
        client_secret: "canary-client-secret",
        refresh_token: "canary-refresh-token",
      }),
    },
  };
  return { sources, own };
}

const OWN_VALUES = [
  "canary-in-what-is-not-json",
  "canary-in-what-is-not-a-key",
  "canary-in-a-url",
  "canary-in-a-query",
  "canary-in-a-type",
  "canary-first-token",
  "canary-second-token",
  "canary-client-secret",
  "canary-refresh-token",
  ECHO,
  DATA_KEY,
];

const BODY = { error: "invalid_grant", error_description: ECHO, [ECHO]: ECHO };
const TROUBLES: readonly FaultSpec[] = [
  ...(["oauth.token", "sts.token", "iam.generateAccessToken", "metadata.token"] as const).flatMap(
    (endpoint): FaultSpec[] => [
      { endpoint, kind: "status", code: 400, body: BODY },
      { endpoint, kind: "status", code: 503, body: BODY },
      { endpoint, kind: "truncate" },
      { endpoint, kind: "corrupt" },
      { endpoint, kind: "empty" },
      { endpoint, kind: "html" },
    ],
  ),
  { endpoint: "kms.decrypt", kind: "status", code: 401, body: BODY },
  { endpoint: "kms.decrypt", kind: "status", code: 500, body: BODY },
  { endpoint: "kms.decrypt", kind: "corrupt" },
  { endpoint: "kms.decrypt", kind: "truncate" },
  { endpoint: "kms.decrypt", kind: "reset" },
];

function collect(bench: Bench): readonly Canary[] {
  const {
    directory: _directory,
    externalAccount: _,
    externalAccountImpersonating: __,
    ...files
  } = bench.emulator.files;
  return [...Object.values(files).flatMap(canariesOf), ...OWN_VALUES.map((value) => ({ name: value, value }))];
}

/** Calls with every source; what the wire said of each failure. */
async function useAll(client: KeyClient, sources: readonly string[], sealed: Map<string, Buffer>): Promise<string[]> {
  const outcomes = sources.map(async (source) => {
    const key = { keyType: "gcpKmsKey", gcpKmsKey: { resourceId: keyOf(source) } };
    try {
      const ciphertext = sealed.get(source) ?? (await client.encrypt(key, Buffer.from(DATA_KEY)));
      sealed.set(source, ciphertext);
      assert.equal((await client.decrypt(key, ciphertext)).toString(), DATA_KEY);
      return [];
    } catch (error) {
      return [`${error} ${JSON.stringify(error)}`];
    }
  });
  return (await Promise.all(outcomes)).flat();
}

testOnBench(
  "no secret is in the log, on the wire, at the emulator's or on disk, whatever goes wrong",
  async (bench) => {
    const { sources, own } = writeSources(bench);
    const canaries = collect(bench);
    assertScanFinds(canaries);
    const names = Object.keys(sources);
    const rules = names.map((name) => ({ name, match: keyOf(name), tokenSource: name, kms: { deadline: "1s" } }));
    const config = bench.writeConfig({ tokenSources: sources, rules, audit: { file: "audit.jsonl", required: true } });
    const CANARY_KEY = readFileSync(bench.emulator.files.serviceAccount, "utf8");
    // What Google's library would log requests and answers for.
    const loud = { NODE_DEBUG: "http,gaxios,google-auth-library", GOOGLE_SDK_NODE_LOGGING: "*", CANARY_KEY };
    const sealed = new Map<string, Buffer>();
    const wire: string[] = [];

    const keyd = await bench.serve(config, ["--log-level", "debug"], loud);
    const client = createKeyClient(keyd.address);
    wire.push(...(await useAll(client, names, sealed)));
    assert.equal(sealed.size, 13, "the sources that work do");
    assert.equal(wire.length, names.length - sealed.size, "and the others fail");
    for (const trouble of TROUBLES) {
      const id = bench.emulator.admin.addFault(trouble);
      // Otherwise the tokens of before would be used.
      await reload(keyd);
      wire.push(...(await useAll(client, names, sealed)));
      bench.emulator.admin.clearFaults(id);
    }
    client.close();
    const argv = readFileSync(`/proc/${keyd.child.pid}/cmdline`, "utf8");
    keyd.child.signal("SIGTERM");
    const { stdout, stderr } = await keyd.child.ended();
    const commands = [
      ["check", "--live", "--key", keyOf("signed")],
      ["check", "--live", "--json"],
      ["token", "impersonated"],
      ["token", "no-pem", "--json"],
    ];
    const cli = await Promise.all(commands.map((args) => bench.keyd([...args, "--config", config], loud)));

    assert.ok(wire.length > 7 * TROUBLES.length, `${wire.length} failures`);
    assert.ok(stderr.length > 1000);
    assert.ok(bench.read("audit.jsonl").length > 1000);
    assert.deepEqual(
      [
        ...findCanaries("the log", stderr, canaries),
        ...findCanaries("standard output", stdout, canaries),
        ...findCanaries("gRPC messages", wire.join("\n"), canaries),
        ...findCanaries("argv", argv, canaries),
        ...findCanaries("the commands", cli.map((each) => each.stdout + each.stderr).join("\n"), canaries),
        ...findCanaries("the emulator's log", JSON.stringify(bench.emulator.admin.requests()), canaries),
        ...findCanariesOnDisk(bench.directory, new Set([...own, bench.path("audit.jsonl.key")]), canaries),
      ],
      [],
    );
  },
);
