import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { createKeyClient } from "../fakes/key-client.ts";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, reload, testWithSops } from "./harness/bench.ts";

/** One kind of token source, and whom its tokens speak for. */
interface Identity {
  /** Name of its source, its rule and its key. */
  readonly name: string;
  readonly principal: string;
  /** What stands under `tokenSources` for it, its own name among them. */
  readonly sources: Readonly<Record<string, object>>;
  /** What the server's environment has to hold for it. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** An account of its own, in a key file of its own. */
async function accountKey(bench: Bench, email: string): Promise<string> {
  const key = await bench.emulator.admin.createServiceAccountKey(email);
  return bench.write(`${email}.json`, JSON.stringify(key));
}

const emailOf = (name: string) => `${name}@identities.iam.gserviceaccount.com`;

/** JavaScript for a promise of what the metadata server says of an account's token, as the API has it. */
async function attachedToken(bench: Bench, name: string): Promise<string> {
  await accountKey(bench, emailOf(name));
  const url = `${bench.emulator.url}/computeMetadata/v1/instance/service-accounts/${emailOf(name)}/token`;
  const headers = { "metadata-flavor": "Google" };
  return `fetch(${JSON.stringify(url)}, { headers: ${JSON.stringify(headers)} }).then((answer) => answer.text())`;
}

async function writeModule(bench: Bench, name: string): Promise<string> {
  const text = `
    export const createTokenSource = () => ({
      async fetchToken() {
        const { access_token: accessToken, expires_in: seconds } = JSON.parse(await ${await attachedToken(bench, name)});
        return { accessToken, expiresAtMs: Date.now() + seconds * 1000, steps: ["a module of this test"] };
      },
    });`;
  return bench.write(`${name}.mjs`, text);
}

/** Every type of token source there is, each as a principal that no other has. A new type is a new entry. */
async function identities(bench: Bench): Promise<readonly Identity[]> {
  const { files, principals } = bench.emulator;
  return [
    {
      name: "self-signed",
      principal: principals.secondServiceAccount,
      sources: { "self-signed": { type: "service_account", file: files.secondServiceAccount } },
    },
    {
      name: "oauth-grant",
      principal: emailOf("granted"),
      sources: {
        "oauth-grant": { type: "service_account", file: await accountKey(bench, emailOf("granted")), grant: "oauth" },
      },
    },
    {
      name: "user",
      principal: principals.user,
      sources: { user: { type: "authorized_user", file: files.authorizedUser } },
    },
    {
      name: "impersonated",
      principal: emailOf("impersonated"),
      sources: {
        below: { type: "service_account", file: await accountKey(bench, emailOf("below")) },
        impersonated: {
          type: "impersonated_service_account",
          source: "below",
          target: emailOf("impersonated"),
          delegates: [emailOf("between")],
        },
      },
    },
    {
      name: "impersonated-file",
      principal: principals.impersonated,
      sources: { "impersonated-file": { type: "impersonated_service_account", file: files.impersonatedByUser } },
    },
    {
      name: "federated",
      principal: principals.federated,
      sources: { federated: { type: "external_account", file: files.externalAccount } },
    },
    {
      name: "federated-aws",
      principal: principals.aws,
      sources: { "federated-aws": { type: "external_account", file: files.externalAccountAws } },
    },
    {
      name: "workforce",
      principal: principals.workforceUser,
      sources: { workforce: { type: "external_account_authorized_user", file: files.externalAccountAuthorizedUser } },
    },
    {
      name: "distributed-cloud",
      principal: principals.serviceIdentity,
      sources: {
        "distributed-cloud": {
          type: "gdch_service_account",
          file: files.gdchServiceAccount,
          audience: bench.emulator.url,
        },
      },
    },
    {
      name: "command",
      principal: emailOf("command"),
      sources: {
        command: {
          type: "exec",
          command: [
            process.execPath,
            "--eval",
            `${await attachedToken(bench, "command")}.then((text) => console.log(text))`,
          ],
        },
      },
    },
    {
      name: "own-module",
      principal: emailOf("own-module"),
      sources: { "own-module": { type: "module", path: await writeModule(bench, "own-module") } },
    },
    {
      name: "machine",
      principal: principals.metadata,
      sources: { machine: { type: "metadata" } },
    },
    {
      name: "finished-token",
      principal: principals.serviceAccount,
      sources: { "finished-token": { type: "access_token", file: files.accessToken } },
    },
    {
      name: "sops-order",
      principal: emailOf("ambient"),
      sources: { "sops-order": { type: "default" } },
      variables: { GOOGLE_APPLICATION_CREDENTIALS: await accountKey(bench, emailOf("ambient")) },
    },
  ];
}

const keyOf = ({ name }: Identity) => `projects/identities/locations/global/keyRings/sops/cryptoKeys/${name}`;

const keyMessage = (identity: Identity) => ({ keyType: "gcpKmsKey", gcpKmsKey: { resourceId: keyOf(identity) } });

/** A rule for each key, with the source that stands `shift` places after its own. */
function writeConfig(bench: Bench, all: readonly Identity[], shift: number): string {
  const rules = all.map((each, index) => {
    const source = all[(index + shift) % all.length] ?? each;
    return { name: each.name, match: keyOf(each), tokenSource: source.name };
  });
  return bench.writeConfig({ tokenSources: Object.assign({}, ...all.map(({ sources }) => sources)), rules });
}

async function serveAll(bench: Bench, all: readonly Identity[]): Promise<Keyd> {
  for (const each of all) {
    const grant = { principals: [each.principal], operations: ["encrypt", "decrypt"] as const };
    bench.emulator.admin.setAccess(keyOf(each), [grant]);
  }
  return bench.serve(writeConfig(bench, all, 0), [], Object.assign({}, ...all.map(({ variables }) => variables ?? {})));
}

testWithSops("one server, a kind of identity for each key: each file opens with its own", async (bench) => {
  const all = await identities(bench);
  assert.equal(new Set(all.map(({ principal }) => principal)).size, all.length, "each principal is used once");
  const keyd = await serveAll(bench, all);
  for (const each of all) {
    const plain = `password: of ${each.name}\n`;
    const file = bench.write(`${each.name}.yaml`, plain);
    assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", keyOf(each), "-i", file]));
    assert.ok(!readFileSync(file, "utf8").includes(plain));
    assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", file])).stdout, plain);
  }
  const used = bench.emulator.admin.requests().requests.filter(({ endpoint }) => endpoint === "kms.decrypt");
  assert.deepEqual(
    used.map(({ resource, principal }) => [resource, principal]),
    all.map((each) => [keyOf(each), each.principal]),
  );
});

testWithSops("each key refuses all identities but its own", async (bench) => {
  const all = await identities(bench);
  const keyd = await serveAll(bench, all);
  const client = createKeyClient(keyd.address);
  try {
    const dataKey = Buffer.alloc(32, 1);
    const sealed = await Promise.all(all.map((each) => client.encrypt(keyMessage(each), dataKey)));
    for (let shift = 1; shift < all.length; shift += 1) {
      writeConfig(bench, all, shift);
      await reload(keyd);
      for (const [index, each] of all.entries()) {
        const other = all[(index + shift) % all.length] ?? each;
        const call = client.decrypt(keyMessage(each), sealed[index] ?? Buffer.alloc(0));
        await assert.rejects(call, { code: status.FAILED_PRECONDITION }, `${each.name} opened for ${other.name}`);
      }
    }
    const refused = bench.emulator.admin.requests().requests.filter(({ status: code }) => code === 403);
    assert.equal(refused.length, all.length * (all.length - 1));
  } finally {
    client.close();
  }
});
