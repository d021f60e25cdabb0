import type { AwsKey } from "./identities.ts";
import type { Call, Reply, Route } from "./routes.ts";

/** What a workload elsewhere finds around it. */
export interface WorkloadDependencies {
  readonly workload: Workload;
  readonly issueSubjectToken: () => Promise<string>;
}

export interface Workload {
  /** What the subject token endpoint wants to see in `Authorization`. */
  readonly bearer: string;
  readonly aws: AwsKey;
  /** Of the AWS machine's metadata service. */
  readonly imdsToken: string;
}

export const AWS_REGION = "eu-west-1";
export const AWS_ROLE = "emulated-role";
export const SUBJECT_TOKEN_PATH = "/subject-token";

/** An issuer of subject tokens as CI systems have it, and an AWS machine's metadata service (IMDSv2). */
export function createWorkloadRoutes({ workload, issueSubjectToken }: WorkloadDependencies): readonly Route[] {
  const imds = (method: string, path: RegExp, answer: (call: Call) => Reply): Route => ({
    method,
    path,
    endpoint: "aws.imds",
    resource: () => undefined,
    answer,
  });
  const withSession = (answer: () => Reply) => (call: Call) =>
    call.request.headers["x-aws-ec2-metadata-token"] === workload.imdsToken ? answer() : text(401, "");
  return [
    {
      method: "GET",
      path: new RegExp(`^${SUBJECT_TOKEN_PATH}$`),
      endpoint: "workload.subjectToken",
      resource: () => undefined,
      async answer({ request }) {
        if (request.headers.authorization !== `Bearer ${workload.bearer}`) return text(401, "");
        return { status: 200, body: { value: await issueSubjectToken() } };
      },
    },
    imds("PUT", /^\/latest\/api\/token$/, ({ request }) => {
      const seconds = Number(request.headers["x-aws-ec2-metadata-token-ttl-seconds"]);
      return seconds >= 1 && seconds <= 21_600 ? text(200, workload.imdsToken) : text(400, "");
    }),
    imds(
      "GET",
      /^\/latest\/meta-data\/placement\/availability-zone$/,
      withSession(() => text(200, `${AWS_REGION}a`)),
    ),
    imds(
      "GET",
      /^\/latest\/meta-data\/iam\/security-credentials\/?$/,
      withSession(() => text(200, AWS_ROLE)),
    ),
    imds(
      "GET",
      new RegExp(`^/latest/meta-data/iam/security-credentials/${AWS_ROLE}$`),
      withSession(() => ({ status: 200, body: renderAwsKey(workload.aws) })),
    ),
  ];
}

function renderAwsKey({ accessKeyId, secretAccessKey, sessionToken }: AwsKey): object {
  const common = { Code: "Success", Type: "AWS-HMAC" };
  return { ...common, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken };
}

function text(status: number, body: string): Reply {
  return { status, body };
}
