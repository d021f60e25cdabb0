import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { parse, withRule } from "./parsing.ts";

test("a config that says little gets the documented defaults", () => {
  const text = withRule("listeners: [{ address: unix:///run/s }]");
  const config = parse(text);
  assert.equal(config.path, "/etc/sops-keyd/config.yaml");
  assert.equal(config.hash, createHash("sha256").update(text).digest("hex"));
  assert.deepEqual(config.listeners, [
    { kind: "unix", path: "/run/s", mode: 0o600, group: undefined, caller: undefined },
  ]);
  assert.deepEqual(config.limits, {
    maxConnections: 1024,
    maxStreamsPerConnection: 128,
    maxCalls: 1024,
    maxMessageBytes: 128 * 1024,
    handshakeMs: 10_000,
    connectionIdleMs: 15 * 60_000,
    connectionAgeMs: 12 * 3_600_000,
    drainMs: 10_000,
  });
  assert.deepEqual(config.rules, [
    {
      name: "r",
      match: "projects/p/locations/global/keyRings/r/cryptoKeys/k",
      tokenSource: ["a"],
      allow: undefined,
      deny: [],
      limits: { perCaller: undefined },
      approve: undefined,
      kms: {
        endpoint: "https://cloudkms.googleapis.com",
        quotaProject: undefined,
        transport: "rest",
        deadlineMs: 10_000,
        attemptTimeoutMs: 3000,
        proxy: undefined,
        caFile: undefined,
        maxCalls: 256,
      },
      cache: undefined,
    },
  ]);
});

test("token sources come with absolute paths, milliseconds and defaults", () => {
  const sources = parse(`version: 1
tokenSources:
  file: { type: access_token, file: ../token }
  env: { type: access_token, env: TOKEN }
  key: { type: service_account, file: /k.json, grant: oauth }
  user: { type: authorized_user, file: u.json }
  federated: { type: external_account, file: f.json }
  trusted: { type: external_account, env: FEDERATED, delegates: [c@p.iam.gserviceaccount.com], lifetime: 10m, allowExecutable: true, subjectTokenHosts: ["*.example.com", ci.example.org] }
  low: { type: impersonated_service_account, source: key, target: a@p.iam.gserviceaccount.com }
  high: { type: impersonated_service_account, source: low, target: b@p.iam.gserviceaccount.com, delegates: [c@p.iam.gserviceaccount.com], lifetime: 10m }
  written: { type: impersonated_service_account, env: JSON }
  metadata: { type: metadata }
  other: { type: metadata, account: a@p.iam.gserviceaccount.com, timeout: 500ms }
`).tokenSources;
  const type = "impersonated_service_account";
  assert.deepEqual(Object.fromEntries(sources), {
    file: { type: "access_token", token: { kind: "file", path: "/etc/token" } },
    env: { type: "access_token", token: { kind: "env", variable: "TOKEN" } },
    key: { type: "service_account", credential: { kind: "file", path: "/k.json" }, grant: "oauth" },
    user: { type: "authorized_user", credential: { kind: "file", path: "/etc/sops-keyd/u.json" } },
    federated: {
      type: "external_account",
      credential: { kind: "file", path: "/etc/sops-keyd/f.json" },
      delegates: [],
      lifetimeMs: undefined,
      allowExecutable: false,
      subjectTokenHosts: [],
      subjectTokenFrom: "credential",
    },
    trusted: {
      type: "external_account",
      credential: { kind: "env", variable: "FEDERATED" },
      delegates: ["c@p.iam.gserviceaccount.com"],
      lifetimeMs: 600_000,
      allowExecutable: true,
      subjectTokenHosts: ["*.example.com", "ci.example.org"],
      subjectTokenFrom: "credential",
    },
    low: { type, source: "key", target: "a@p.iam.gserviceaccount.com", delegates: [], lifetimeMs: 3_600_000 },
    high: {
      type,
      source: "low",
      target: "b@p.iam.gserviceaccount.com",
      delegates: ["c@p.iam.gserviceaccount.com"],
      lifetimeMs: 600_000,
    },
    written: { type, credential: { kind: "env", variable: "JSON" } },
    metadata: { type: "metadata", account: "default", timeoutMs: 3000 },
    other: { type: "metadata", account: "a@p.iam.gserviceaccount.com", timeoutMs: 500 },
  });
});

test("a universe moves every endpoint that is not given, a rule's universe or endpoint moves its own", () => {
  const config = parse(
    `${withRule("    kms: { universeDomain: other.example }")}
  - name: s
    match: projects/q/locations/global/keyRings/r/cryptoKeys/k
    tokenSource: a
    kms: { endpoint: "https://KMS.Example.com:8443/base//" }
  - name: t
    match: projects/t/locations/global/keyRings/r/cryptoKeys/k
    tokenSource: a
google:
  universeDomain: u.example
  endpoints: { sts: "http://127.0.0.1:8085/", metadata: "http://[::1]:1" }
  caFile: ca.pem
`.replace("{ type: default }", "{ type: access_token, env: TOKEN }"),
  );
  assert.deepEqual(
    config.rules.map(({ kms }) => kms.endpoint),
    ["https://cloudkms.other.example", "https://kms.example.com:8443/base", "https://cloudkms.u.example"],
  );
  assert.deepEqual(config.google, {
    universeDomain: "u.example",
    caFile: "/etc/sops-keyd/ca.pem",
    endpoints: {
      kms: "https://cloudkms.u.example",
      oauth2: "https://oauth2.u.example",
      sts: "http://127.0.0.1:8085",
      iamCredentials: "https://iamcredentials.u.example",
      metadata: "http://[::1]:1",
    },
  });
});

test("allow without operations means both, without callers anyone, without match every key, and an empty list nobody", () => {
  const allowOf = (allow: string) =>
    parse(withRule(`    allow: ${allow}\nlisteners: [{ address: unix:///s, caller: me }]`)).rules[0]?.allow;
  const both = ["encrypt", "decrypt"];
  const key = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
  assert.deepEqual(allowOf("[{ callers: [me] }]"), [{ callers: ["me"], operations: both, match: undefined }]);
  assert.deepEqual(allowOf("[{ operations: [decrypt] }]"), [
    { callers: undefined, operations: ["decrypt"], match: undefined },
  ]);
  assert.deepEqual(allowOf(`[{ match: ${key} }]`), [{ callers: undefined, operations: both, match: key }]);
  assert.deepEqual(allowOf("[]"), []);
});

test("listeners keep mode, group and caller", () => {
  const config = parse(
    withRule(`listeners:
  - { address: unix:///s, mode: "0660", group: 1000, caller: a }
  - { address: unix:///t, group: adm }
  - { address: "tcp://localhost:5000", caller: b }`),
  );
  assert.deepEqual(config.listeners, [
    { kind: "unix", path: "/s", mode: 0o660, group: "1000", caller: "a" },
    { kind: "unix", path: "/t", mode: 0o600, group: "adm", caller: undefined },
    { kind: "tcp", host: "localhost", port: 5000, insecure: false, caller: "b" },
  ]);
});

test("a deadline shorter than the default of a try shortens the try", () => {
  const kms = parse(withRule("    kms: { deadline: 2s }")).rules[0]?.kms;
  assert.deepEqual([kms?.deadlineMs, kms?.attemptTimeoutMs], [2000, 2000]);
});

test("a config cannot be changed, nor its map of token sources", () => {
  const config = parse(withRule(""));
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.rules) && Object.isFrozen(config.rules[0]?.kms));
  const map = config.tokenSources as Map<string, unknown>;
  assert.throws(() => map.set("b", {}), TypeError);
  assert.throws(() => map.clear(), TypeError);
  assert.throws(() => map.delete("a"), TypeError);
  assert.ok(Object.isFrozen(map.get("a")));
});

test("a cache is a minute and a thousand data keys unless the config says more in words", () => {
  const cacheOf = (cache: string) => parse(withRule(`    cache: ${cache}`)).rules[0]?.cache;
  assert.deepEqual(cacheOf("{}"), { ttlMs: 60_000, maxEntries: 1_000 });
  assert.deepEqual(cacheOf("{ ttl: 10m, maxEntries: 5, acceptLateRevocation: true }"), {
    ttlMs: 600_000,
    maxEntries: 5,
  });
});
