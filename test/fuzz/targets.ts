import type { OpenTarget, Target } from "./harness/target.ts";

export type TargetGroup = "requests" | "callers" | "files" | "answers";

interface Row {
  readonly group: TargetGroup;
  /** A run's executions are spread over the targets by what one costs: 1 is some microseconds. */
  readonly cost: number;
  /** Its process needs no other target's code. */
  load(): Promise<Target>;
}

/** Everything that takes bytes from outside. The corpus of each is in `corpus/NAME`. */
const TARGETS: Readonly<Record<string, Row>> = {
  "resource-name": { group: "requests", cost: 2, load: async () => (await import("./targets/names.ts")).resourceName },
  pattern: { group: "requests", cost: 4, load: async () => (await import("./targets/names.ts")).pattern },
  policy: { group: "requests", cost: 5, load: async () => (await import("./targets/policy.ts")).policy },
  "key-request": { group: "requests", cost: 5, load: async () => (await import("./targets/messages.ts")).keyRequest },
  health: { group: "requests", cost: 3, load: async () => (await import("./targets/messages.ts")).health },
  base64: { group: "requests", cost: 2, load: async () => (await import("./targets/base64.ts")).base64 },
  http2: { group: "requests", cost: 250, load: async () => (await import("./targets/http2.ts")).http2 },
  jwt: { group: "callers", cost: 8, load: async () => (await import("./targets/jwt.ts")).jwt },
  "issuer-keys": {
    group: "callers",
    cost: 8,
    load: async () => (await import("./targets/issuer-keys.ts")).issuerKeys,
  },
  "identity-token": { group: "callers", cost: 2, load: async () => (await import("./targets/jwt.ts")).identityToken },
  certificate: {
    group: "callers",
    cost: 4,
    load: async () => (await import("./targets/certificates.ts")).certificate,
  },
  "alternative-names": {
    group: "callers",
    cost: 2,
    load: async () => (await import("./targets/certificates.ts")).alternativeNames,
  },
  "spiffe-id": { group: "callers", cost: 2, load: async () => (await import("./targets/certificates.ts")).spiffeId },
  config: { group: "files", cost: 40, load: async () => (await import("./targets/config.ts")).config },
  settings: { group: "files", cost: 3, load: async () => (await import("./targets/settings.ts")).settings },
  "no-proxy": { group: "files", cost: 2, load: async () => (await import("./targets/network.ts")).noProxy },
  credential: { group: "files", cost: 8, load: async () => (await import("./targets/credentials.ts")).credential },
  "tls-files": { group: "files", cost: 12, load: async () => (await import("./targets/tls.ts")).tlsFiles },
  "audit-log": { group: "files", cost: 80, load: async () => (await import("./targets/audit.ts")).auditLog },
  "audit-line": { group: "files", cost: 4, load: async () => (await import("./targets/audit.ts")).auditLine },
  "kms-answer": { group: "answers", cost: 3, load: async () => (await import("./targets/kms.ts")).kmsAnswer },
  "kms-refusal": { group: "answers", cost: 4, load: async () => (await import("./targets/kms.ts")).kmsRefusal },
  "retry-info": { group: "answers", cost: 2, load: async () => (await import("./targets/kms.ts")).retryInfo },
  "retry-after": { group: "answers", cost: 2, load: async () => (await import("./targets/kms.ts")).retryAfter },
  "metadata-answer": {
    group: "answers",
    cost: 4,
    load: async () => (await import("./targets/sources.ts")).metadataAnswer,
  },
  "module-answer": { group: "answers", cost: 3, load: async () => (await import("./targets/sources.ts")).moduleAnswer },
  "token-refusal": { group: "answers", cost: 3, load: async () => (await import("./targets/tokens.ts")).tokenRefusal },
  "exec-answer": { group: "answers", cost: 2, load: async () => (await import("./targets/tokens.ts")).execAnswer },
  "executable-response": {
    group: "answers",
    cost: 3,
    load: async () => (await import("./targets/tokens.ts")).executableResponse,
  },
};

export const TARGET_NAMES: readonly string[] = Object.keys(TARGETS);

export function targetsOf(group: TargetGroup): readonly string[] {
  return TARGET_NAMES.filter((name) => TARGETS[name]?.group === group);
}

/** How many of `total` executions are a target's. */
export function shareOf(name: string, total: number): number {
  const weight = (each: string) => 1 / (TARGETS[each]?.cost ?? 1);
  const all = TARGET_NAMES.reduce((sum, each) => sum + weight(each), 0);
  return Math.ceil((total * weight(name)) / all);
}

export async function openTarget(name: string): Promise<{ readonly target: Target; readonly opened: OpenTarget }> {
  const target = await TARGETS[name]?.load();
  if (target === undefined) throw new Error(`there is no target ${name}, but ${TARGET_NAMES.join(", ")}`);
  return { target, opened: await target.open() };
}
