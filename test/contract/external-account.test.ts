import { readFile } from "node:fs/promises";
import type { TokenHolder } from "../../src/credentials/token.ts";
import type { FaultEffect } from "../../src/emulator/faults.ts";
import type { Endpoint } from "../../src/emulator/routes.ts";
import { createCertificate } from "../fakes/certificates.ts";
import {
  AWS_TYPE,
  type Federation,
  impersonationUrl,
  MTLS_TYPE,
  type Surroundings,
  startFederation,
  WORKFORCE_POOL,
} from "../fakes/federation.ts";
import {
  type CreateSubject,
  type TokenSourceUpstream,
  testTokenSource,
  testTokenSourceUpstream,
} from "./token-source-contract.ts";

const AWS_SECRET = "canary/aws+secret/access/key";
const DELEGATE = "delegate@emulated-project.iam.gserviceaccount.com";

interface Kind {
  readonly name: string;
  principal(federation: Federation): string | undefined;
  /** What its files hold and must not be shown; those of the files that the emulator wrote come along. */
  readonly secrets?: readonly string[];
  /** Where its last request goes. */
  readonly endpoint?: Endpoint;
  create(federation: Federation, more: Surroundings): Promise<TokenHolder>;
}

const federated = ({ emulator }: Federation) => emulator.principals.federated;

const KINDS: readonly Kind[] = [
  {
    name: "external_account, subject token from a file",
    principal: federated,
    create: ({ create, emulator }, more) => create(emulator.files.externalAccount, {}, more),
  },
  {
    name: "external_account, subject token from a URL",
    principal: federated,
    create: ({ create, emulator }, more) => create(emulator.files.externalAccountUrl, {}, more),
  },
  {
    name: "external_account, subject token from an executable",
    principal: federated,
    create: ({ create, emulator }, more) =>
      create(emulator.files.externalAccountExecutable, { allowExecutable: true }, more),
  },
  {
    name: "external_account, AWS metadata service",
    principal: () => undefined,
    create: ({ create, emulator }, more) => create(emulator.files.externalAccountAws, {}, more),
  },
  {
    name: "external_account, AWS environment",
    principal: () => undefined,
    secrets: [AWS_SECRET],
    create({ create, credential, emulator }, more) {
      const arn = "arn:aws:iam::123456789012:user/ci";
      emulator.admin.addAwsKey({ accessKeyId: "AKIACANARY", secretAccessKey: AWS_SECRET, arn });
      const url = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
      const origin = { environment_id: "aws1", regional_cred_verification_url: url };
      const variables = {
        AWS_REGION: "eu-central-1",
        AWS_ACCESS_KEY_ID: "AKIACANARY",
        AWS_SECRET_ACCESS_KEY: AWS_SECRET,
      };
      return create(credential(origin, { subject_token_type: AWS_TYPE }), {}, { ...more, variables });
    },
  },
  {
    name: "external_account, X.509 certificate",
    principal: ({ emulator }) => emulator.principals.federated.replace("emulated-workload", "workload.example.com"),
    async create({ create, credential, emulator, folder }, more) {
      const authority = createCertificate({ name: "root", authority: true });
      const between = createCertificate({ name: "between", authority: true, issuer: authority });
      const leaf = createCertificate({ name: "workload.example.com", issuer: between });
      emulator.admin.addCertificateAuthority(authority.certificate);
      const [cert, key, chain] = await Promise.all([
        folder.write("tls.crt", leaf.certificate),
        folder.write("tls.key", leaf.privateKey),
        folder.write("chain.pem", leaf.certificate + between.certificate),
      ]);
      const workload = { cert_path: cert.path, key_path: key.path };
      const config = await folder.write("certificate_config.json", { cert_configs: { workload } });
      const certificate = { certificate_config_location: config.path, trust_chain_path: chain.path };
      return create(credential({ certificate }, { subject_token_type: MTLS_TYPE }), {}, more);
    },
  },
  {
    name: "external_account, workforce pool",
    principal: () => `principal://iam.googleapis.com/${WORKFORCE_POOL}/subject/ann`,
    async create({ create, credential, emulator, folder }, more) {
      const audience = `//iam.googleapis.com/${WORKFORCE_POOL}/providers/oidc`;
      const token = await emulator.admin.issueSubjectToken({ subject: "ann", audience });
      const { path } = await folder.write("token.jwt", token);
      return create(credential({ file: path }, { audience, workforce_pool_user_project: "billing" }), {}, more);
    },
  },
  {
    name: "external_account, impersonating over a delegate",
    principal: ({ emulator }) => emulator.principals.impersonated,
    endpoint: "iam.generateAccessToken",
    create({ create, credential, emulator }, more) {
      const { impersonated, federated: principal } = emulator.principals;
      emulator.admin.setImpersonation(DELEGATE, { tokenCreators: [principal] });
      emulator.admin.setImpersonation(impersonated, { tokenCreators: [DELEGATE] });
      const url = impersonationUrl(emulator, impersonated);
      const changes = { service_account_impersonation_url: url };
      const options = { delegates: [DELEGATE], lifetimeMs: 600_000 };
      return create(credential({ file: emulator.files.subjectToken }, changes), options, more);
    },
  },
];

const ECHO = "an answer that repeats what was sent";
type State = Parameters<TokenSourceUpstream["become"]>[0];

function effectOf(state: Exclude<State, "well">): FaultEffect {
  switch (state) {
    case "down":
      return { kind: "status", code: 503, body: ECHO };
    case "closing":
      return { kind: "reset" };
    case "hanging":
      return { kind: "hang" };
    case "babbling":
      return { kind: "html" };
    case "flooding":
      return { kind: "status", code: 200, body: "x".repeat(100_000) };
    case "redirecting":
      return { kind: "status", code: 302, body: ECHO };
    case "refusing":
      return { kind: "status", code: 400, body: { error: "invalid_grant", error_description: ECHO } };
  }
}

function createUpstream({ emulator }: Federation, endpoint: Endpoint): TokenSourceUpstream {
  const { admin } = emulator;
  const count = (): number => Object.values(admin.requests().counts).reduce((sum, each) => sum + each, 0);
  return {
    tokenRequests: () => admin.requests().counts[endpoint] ?? 0,
    become(state) {
      admin.clearFaults();
      if (state !== "well") admin.addFault({ ...effectOf(state), endpoint });
    },
    async nextRequest() {
      const before = count();
      while (count() === before) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

async function readSecrets({ emulator }: Federation): Promise<string[]> {
  const { files } = emulator;
  const [token, url] = await Promise.all([readFile(files.subjectToken, "utf8"), readFile(files.externalAccountUrl)]);
  const bearer = /Bearer (?<bearer>[^"]+)/.exec(url.toString())?.groups?.["bearer"] ?? "";
  return [token, token.split(".")[2] ?? "", bearer, "emulated-aws.", "emulated-session.", "emulated-imds.", ECHO];
}

for (const { name, principal, secrets = [], endpoint = "sts.token", create } of KINDS) {
  const createSubject: CreateSubject = async (clock) => {
    const federation = await startFederation();
    const holder = await create(federation, { clock });
    return {
      holder,
      principal: principal(federation),
      secrets: [...secrets, ...(await readSecrets(federation))],
      upstream: createUpstream(federation, endpoint),
      [Symbol.asyncDispose]: () => federation[Symbol.asyncDispose](),
    };
  };
  testTokenSource(name, createSubject);
  testTokenSourceUpstream(name, createSubject);
}
