import assert from "node:assert/strict";
import { test } from "node:test";
import { createDefaultConfig } from "../../../src/config/default-config.ts";
import { ConfigError } from "../../../src/config/issue.ts";
import { parse } from "./parsing.ts";

function defaultsWith(variables: Readonly<Record<string, string>>) {
  return createDefaultConfig({ get: (name) => variables[name] });
}

test("without a config one rule serves every key with what sops itself would take", () => {
  const { hash, path, ...defaults } = defaultsWith({});
  const written = parse(`version: 1
tokenSources: { default: { type: default } }
rules: [{ name: default, match: projects/*/locations/*/keyRings/*/cryptoKeys/*, tokenSource: default }]
`);
  const { hash: _hash, path: _path, ...expected } = written;
  assert.deepEqual(defaults, expected);
  assert.equal(path, undefined);
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.ok(Object.isFrozen(defaults.rules[0]?.kms));
});

const endpoints: readonly (readonly [variables: Readonly<Record<string, string>>, url: string])[] = [
  [{ SOPS_GCP_KMS_ENDPOINT: "https://kms.example.com/" }, "https://kms.example.com"],
  [{ SOPS_GCP_KMS_ENDPOINT: "http://127.0.0.1:8085" }, "http://127.0.0.1:8085"],
  [{ SOPS_GCP_KMS_ENDPOINT: "kms.example.com:443" }, "https://kms.example.com"],
  [{ SOPS_GCP_KMS_UNIVERSE_DOMAIN: "u.example" }, "https://cloudkms.u.example"],
  [
    { SOPS_GCP_KMS_ENDPOINT: "https://kms.example.com", SOPS_GCP_KMS_UNIVERSE_DOMAIN: "u.example" },
    "https://kms.example.com",
  ],
];

for (const [variables, url] of endpoints) {
  test(`${JSON.stringify(variables)} asks ${url}`, () => {
    const config = defaultsWith(variables);
    assert.equal(config.rules[0]?.kms.endpoint, url);
    assert.equal(config.google.endpoints.kms, url);
  });
}

test("the universe moves the token endpoints as well, an endpoint for Cloud KMS does not", () => {
  assert.equal(
    defaultsWith({ SOPS_GCP_KMS_UNIVERSE_DOMAIN: "u.example" }).google.endpoints.oauth2,
    "https://oauth2.u.example",
  );
  assert.equal(
    defaultsWith({ SOPS_GCP_KMS_ENDPOINT: "https://k.example" }).google.endpoints.oauth2,
    "https://oauth2.googleapis.com",
  );
});

test("a variable that cannot be used is an error that names it and not its value", () => {
  for (const [name, value] of [
    ["SOPS_GCP_KMS_ENDPOINT", "http://kms.example.com/secret"],
    ["SOPS_GCP_KMS_ENDPOINT", "https://user:secret@kms.example.com"],
    ["SOPS_GCP_KMS_UNIVERSE_DOMAIN", "secret/evil"],
    ["SOPS_GCP_KMS_UNIVERSE_DOMAIN", "secret"],
  ] as const) {
    assert.throws(
      () => defaultsWith({ [name]: value }),
      (error) =>
        error instanceof ConfigError &&
        error.message.startsWith(`${name}: expected`) &&
        !error.message.includes("secret"),
    );
  }
});
