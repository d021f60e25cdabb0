import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { OAuth2Server } from "oauth2-mock-server";
import { createIssuerKeys } from "../../src/access/jwt/issuer-keys.ts";
import { createJwtVerifier, type VerifyJwt } from "../../src/access/jwt/verifier.ts";
import type { JwtCallerConfig } from "../../src/config/jwt-caller.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { systemClock } from "../../src/core/clock.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { createTokenRequests } from "../../src/credentials/token-request.ts";
import { createCredentialFolder } from "../fakes/token-credentials.ts";

/** An OIDC server that is not ours stands in for each of the issuers. */
const oidc = new OAuth2Server();
await oidc.issuer.keys.generate("RS256");
await oidc.start(0, "127.0.0.1");
const issuer = oidc.issuer.url ?? "";
const folder = await createCredentialFolder();
const { path: tokenFile } = await folder.write("token", "eyJ.server.own");
after(async () => {
  await oidc.stop();
  await folder[Symbol.asyncDispose]();
});

/** The callers of an example, with the issuer and its files put here. */
function verifierOf(example: string): VerifyJwt {
  const file = `examples/${example}`;
  const { config } = parseConfig(readFileSync(new URL(`../../${file}`, import.meta.url)), file);
  const callers = [...config.callers].map(([name, caller]) => {
    assert.ok(caller.kind === "jwt" && caller.keys.kind === "discovery");
    const files = caller.keys.tokenFile === undefined ? {} : { tokenFile };
    const here: JwtCallerConfig = { ...caller, issuer, keys: { ...caller.keys, caFile: undefined, ...files } };
    return [name, here] as const;
  });
  return createJwtVerifier(new Map(callers), {
    clock: systemClock,
    issuerKeys: createIssuerKeys(systemClock),
    createGet: () => createTokenRequests(undefined),
    warn: (message) => assert.fail(message),
  });
}

type Claims = Readonly<Record<string, unknown>>;

async function sign(claims: Claims, header: Claims): Promise<Secret> {
  const token = await oidc.issuer.buildToken({
    scopesOrTransform(head, payload) {
      Object.assign(head, header);
      delete payload["scope"];
      Object.assign(payload, claims);
    },
  });
  return new Secret(token);
}

const nowS = () => Math.floor(Date.now() / 1000);
const { signal } = new AbortController();

/** https://docs.github.com/en/actions/reference/security/oidc: the tokens of GitHub Actions, all claims of them. */
const GITHUB = (): Claims => ({
  jti: "0b8e4c3a-6f0e-4a5f-8a3c-0b8e4c3a6f0e",
  sub: "repo:acme/shop:ref:refs/heads/main",
  aud: "sops-keyd",
  ref: "refs/heads/main",
  sha: "0123456789abcdef0123456789abcdef01234567",
  repository: "acme/shop",
  repository_owner: "acme",
  repository_owner_id: "98765",
  run_id: "9876543210",
  run_number: "42",
  run_attempt: "1",
  repository_visibility: "private",
  repository_id: "123456789",
  actor_id: "12",
  actor: "octocat",
  workflow: "deploy",
  head_ref: "",
  base_ref: "",
  event_name: "push",
  ref_protected: "true",
  ref_type: "branch",
  workflow_ref: "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
  workflow_sha: "0123456789abcdef0123456789abcdef01234567",
  job_workflow_ref: "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
  job_workflow_sha: "0123456789abcdef0123456789abcdef01234567",
  runner_environment: "github-hosted",
  iss: issuer,
  nbf: nowS() - 600,
  exp: nowS() + 300,
  iat: nowS(),
});

/** https://docs.gitlab.com/ci/secrets/id_token_authentication: the tokens of GitLab CI. */
const GITLAB = (): Claims => ({
  namespace_id: "72",
  namespace_path: "acme",
  project_id: "4200",
  project_path: "acme/shop",
  user_id: "1",
  user_login: "sample-user",
  user_email: "sample-user@example.com",
  user_identities: [{ provider: "github", extern_uid: "2435223452345" }],
  pipeline_id: "574",
  pipeline_source: "push",
  job_id: "302",
  ref: "main",
  ref_type: "branch",
  ref_path: "refs/heads/main",
  ref_protected: "true",
  groups_direct: ["acme"],
  environment: "production",
  environment_protected: "false",
  runner_id: 1,
  runner_environment: "gitlab-hosted",
  sha: "714a629c0b401fdce83e847fc9589983fc6f46bc",
  project_visibility: "private",
  ci_config_ref_uri: "gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main",
  jti: "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
  iss: issuer,
  iat: nowS(),
  nbf: nowS() - 5,
  exp: nowS() + 3_600,
  sub: "project_path:acme/shop:ref_type:branch:ref:main",
  aud: "sops-keyd",
});

/** https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account: projected tokens of pods. */
const KUBERNETES = (): Claims => ({
  aud: ["sops-keyd"],
  exp: nowS() + 3_600,
  iat: nowS(),
  iss: issuer,
  jti: "6ee2fa4e-1a5c-4f3e-9a2b-2f8a4a0e8f10",
  "kubernetes.io": {
    namespace: "flux-system",
    node: { name: "node-1", uid: "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1" },
    pod: { name: "kustomize-controller-7c9f", uid: "5e0bd49b-f040-43b0-99b7-22765a53f7f3" },
    serviceaccount: { name: "kustomize-controller", uid: "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798" },
  },
  nbf: nowS(),
  sub: "system:serviceaccount:flux-system:kustomize-controller",
});

interface Recipe {
  readonly example: string;
  readonly header: Claims;
  readonly token: () => Claims;
  readonly caller: string;
  /** What must not be this caller, by what its token has that differs. */
  readonly others: Readonly<Record<string, Claims>>;
}

const recipes: Readonly<Record<string, Recipe>> = {
  "GitHub Actions": {
    example: "github-actions.yaml",
    header: { typ: "JWT", x5t: "example-thumbprint" },
    token: GITHUB,
    caller: "deploy",
    others: {
      "another repository": { repository_id: "5", repository: "acme/other" },
      "one that took the name of a deleted one": { repository_id: "5", repository_owner_id: "6" },
      "a pull request": { ref: "refs/pull/7/merge", event_name: "pull_request" },
      "another branch": { ref: "refs/heads/mainline" },
      "the default audience": { aud: "https://github.com/acme" },
    },
  },
  "GitLab CI": {
    example: "gitlab-ci.yaml",
    header: { typ: "JWT" },
    token: GITLAB,
    caller: "shop",
    others: {
      "another project": { project_id: "42000" },
      "a branch that everybody may push to": { ref: "feature", ref_protected: "false" },
      "a feature branch of the other project": { project_id: "4300", ref: "feature" },
      "another audience": { aud: "https://vault.example.com" },
      "a job that runs for days": { iat: nowS() - 10_000 },
    },
  },
  Kubernetes: {
    example: "kubernetes.yaml",
    header: { typ: undefined },
    token: KUBERNETES,
    caller: "flux",
    others: {
      "another account": { sub: "system:serviceaccount:flux-system:kustomize-controller2" },
      "the same name in another namespace": { sub: "system:serviceaccount:team-a:kustomize-controller" },
      "the API server's audience": { aud: ["https://kubernetes.default.svc.cluster.local"] },
      "a token of former times": { aud: undefined, exp: undefined },
    },
  },
};

for (const [system, { example, header, token, caller, others }] of Object.entries(recipes)) {
  describe(`the recipe for ${system}`, () => {
    const verify = verifierOf(example);

    test("takes a token of the documented form for the caller of the example", async () => {
      const { proof } = await verify(await sign(token(), header), signal);
      assert.deepEqual(proof.callers, [caller]);
      assert.equal(proof.subject, token()["sub"]);
    });

    for (const [what, changes] of Object.entries(others)) {
      test(`refuses ${what}`, async () => {
        const attempt = verify(await sign({ ...token(), ...changes }, header), signal);
        await assert.rejects(attempt, (thrown: unknown) => {
          assert.ok(thrown instanceof KeyServiceError);
          assert.equal(thrown.code, "caller_unauthenticated");
          return true;
        });
      });
    }
  });
}

test("the recipe for GitLab CI tells two projects apart, and takes the branches of the second by a pattern", async () => {
  const verify = verifierOf("gitlab-ci.yaml");
  const { proof } = await verify(await sign({ ...GITLAB(), project_id: "4300", ref: "release-7" }, {}), signal);
  assert.deepEqual(proof.callers, ["billing"]);
});
