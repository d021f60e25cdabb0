import assert from "node:assert/strict";
import { test } from "node:test";
import { explainRequest } from "../../../src/access/explanation.ts";
import { parse } from "../config/parsing.ts";

const config = parse(`version: 1
listeners:
  - { address: unix:///run/a.sock, caller: team-a }
  - { address: "tcp://0.0.0.0:5000", insecure: true, caller: outside }
tokenSources:
  key: { type: service_account, file: key.json }
  token: { type: access_token, env: TOKEN }
  user: { type: authorized_user, env: USER_JSON }
  deep: { type: impersonated_service_account, source: key, target: sa@p.iam.gserviceaccount.com, delegates: [d@p.iam.gserviceaccount.com] }
  written: { type: impersonated_service_account, file: written.json }
  machine: { type: metadata }
  ambient: { type: default }
rules:
  - name: all
    match: projects/p/locations/*/keyRings/*/cryptoKeys/*
    tokenSource: [deep, written, key, token, user, machine, ambient]
    allow: [{ callers: [team-a, outside], operations: [decrypt] }]
    kms: { quotaProject: billing, transport: grpc, deadline: 4s, attemptTimeout: 1s }
    cache: { ttl: 30s }
`);
const KEY = "projects/p/locations/us/keyRings/r/cryptoKeys/k";

test("an allowed request is told with its rule, its chain of sources and its listener", () => {
  const explanation = explainRequest(config, KEY, "team-a", "decrypt");
  assert.equal(explanation.decision, "allowed");
  assert.equal(explanation.rule, "all");
  assert.equal(explanation.listener, "unix:///run/a.sock");
  assert.equal(explanation.endpoint, "https://cloudkms.googleapis.com");
  assert.equal(explanation.quotaProject, "billing");
  assert.deepEqual(explanation.kms, { transport: "grpc", deadlineMs: 4_000, attemptTimeoutMs: 1_000 });
  assert.equal(explanation.cacheTtlMs, 30_000);
  assert.deepEqual(
    explanation.tokenSources.map(({ name, type, detail }) => `${name} ${type}: ${detail}`),
    [
      "deep impersonated_service_account: sa@p.iam.gserviceaccount.com by way of d@p.iam.gserviceaccount.com, from key (service_account: file /etc/sops-keyd/key.json, grant self_signed)",
      "written impersonated_service_account: file /etc/sops-keyd/written.json",
      "key service_account: file /etc/sops-keyd/key.json, grant self_signed",
      "token access_token: environment variable TOKEN",
      "user authorized_user: environment variable USER_JSON",
      "machine metadata: account default",
      "ambient default: what sops itself would take",
    ],
  );
});

test("an allowed request comes with its approval, and every limit that its caller's calls are held to", () => {
  const limited = parse(`version: 1
listeners: [{ address: unix:///run/a.sock, caller: team-a }]
tokenSources: { machine: { type: metadata } }
rules:
  - name: all
    match: projects/p/locations/*/keyRings/*/cryptoKeys/*
    tokenSource: machine
    limits: { perCaller: { callsAtOnce: 2 } }
    approve: { command: [ask, secret-looking], operations: [decrypt], remember: 5m }
limits:
  perCaller: { callsPerSecond: 10, callsAtOnce: 8 }
  callers: { team-a: { callsPerSecond: 0.5 } }
`);
  assert.deepEqual(explainRequest(limited, KEY, "team-a", "decrypt").limits, [
    { whose: "caller team-a", place: "limits.callers.team-a", callsPerSecond: 0.5, burst: 1, callsAtOnce: 8 },
    {
      whose: "caller team-a",
      place: "limits.perCaller of rule all",
      callsPerSecond: null,
      burst: 1,
      callsAtOnce: 2,
    },
  ]);
  assert.deepEqual(explainRequest(limited, KEY, "team-a", "decrypt").approval, {
    by: "command ask",
    timeoutMs: 30_000,
    rememberMs: 300_000,
  });
  assert.equal(explainRequest(limited, KEY, "team-a", "encrypt").approval, null);
  const [nameless] = explainRequest(limited, KEY, undefined, "decrypt").limits;
  assert.deepEqual(
    [nameless?.whose, nameless?.callsPerSecond, nameless?.burst],
    ["callers without a name at a local listener", 10, 10],
  );
});

test("a refused operation is told with its error's code and remedy", () => {
  const explanation = explainRequest(config, KEY, "outside", "encrypt");
  assert.equal(explanation.decision, "refused");
  assert.equal(explanation.code, "caller_not_allowed");
  assert.match(explanation.remedy ?? "", /add encrypt/);
});

test("a caller that no listener names is refused, and the reader told why", () => {
  const explanation = explainRequest(config, KEY, "mallory", "decrypt");
  assert.equal(explanation.decision, "refused");
  assert.deepEqual(explanation.notes, ["neither a listener nor callers of the config has the name mallory"]);
});

test("a caller without a name is refused, and the reader told of --caller", () => {
  const explanation = explainRequest(config, KEY, undefined, "decrypt");
  assert.equal(explanation.decision, "refused");
  assert.match(explanation.notes.join(), /--caller/);
});

test("a name that is no key's is refused before any rule is tried", () => {
  const explanation = explainRequest(config, `${KEY}/cryptoKeyVersions/1`, "team-a", "decrypt");
  assert.equal(explanation.code, "key_name_invalid");
  assert.equal(explanation.rule, null);
  assert.deepEqual(explanation.trail, []);
});

test("a key that no rule matches comes with what was tried", () => {
  const explanation = explainRequest(config, KEY.replace("/p/", "/q/"), "team-a", "decrypt");
  assert.equal(explanation.code, "rule_not_found");
  assert.deepEqual(explanation.trail, [
    { rule: "all", match: "projects/p/locations/*/keyRings/*/cryptoKeys/*", matched: false, mismatch: "project id" },
  ]);
});
