import type { IncomingHttpHeaders } from "node:http";

/** What a request is for. Faults are set and requests are counted by it. */
export type Endpoint =
  | "kms.encrypt"
  | "kms.decrypt"
  | "kms.keyRings"
  | "kms.cryptoKeys"
  | "kms.cryptoKeyVersions"
  | "oauth.token"
  | "sts.token"
  | "sts.oauthtoken"
  | "gdch.token"
  | "iam.generateAccessToken"
  | "metadata.token"
  | "metadata.other"
  | "workload.subjectToken"
  | "aws.imds";

export interface EmulatorRequest {
  readonly method: string;
  /** Percent-decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body: object | string;
}

/** One request on its way through a route. */
export interface Call {
  readonly request: EmulatorRequest;
  /** The named groups of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** Set as soon as it is known, so that the request log has it of refused calls too. */
  principal: string | undefined;
}

export interface Route {
  readonly method: string;
  /** Anchored, linear; its named groups become `params`. */
  readonly path: RegExp;
  readonly endpoint: Endpoint;
  /** What the call is about: a key's name, an email address, a client id. Never a secret. */
  resource(call: Call): string | undefined;
  answer(call: Call): Reply | Promise<Reply>;
}

export interface RouteMatch<R> {
  readonly route: R;
  readonly params: Readonly<Record<string, string>>;
}

/** The first route for this method and path. */
export function findRoute<R extends { readonly method: string; readonly path: RegExp }>(
  routes: readonly R[],
  method: string,
  path: string,
): RouteMatch<R> | undefined {
  for (const route of routes) {
    if (route.method !== method) continue;
    const match = route.path.exec(path);
    if (match !== null) return { route, params: { ...match.groups } };
  }
  return undefined;
}

export function parameter(call: Pick<Call, "params">, name: string): string {
  const value = call.params[name];
  if (value === undefined) throw new Error(`the route has no parameter ${name}`);
  return value;
}
