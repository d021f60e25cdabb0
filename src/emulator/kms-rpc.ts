import type { Method, Type } from "protobufjs";
import { descriptors } from "./kms-descriptors.ts";
import { fromJson, type Json, toCamelCase, toJson } from "./proto-json.ts";
import { googleRefusal } from "./refusals.ts";
import type { EmulatorRequest } from "./routes.ts";

/** A method of Cloud KMS' gRPC API, as the REST request that it stands for. */
export interface KmsRpc {
  /** @throws Refusal where the bytes are not this method's request */
  toRequest(message: Buffer): Omit<EmulatorRequest, "headers">;
  /** A REST reply's body as this method's answer. */
  toAnswer(body: object): Uint8Array;
}

const SERVICE = "google.cloud.kms.v1.KeyManagementService";

/**
 * Every method of the API by its path. Google's descriptors say what each method is in REST
 * (https://google.aip.dev/127), so what the emulator has there it has here.
 */
export function createKmsRpcs(): ReadonlyMap<string, KmsRpc> {
  const { methodsArray } = descriptors.lookupService(SERVICE);
  return new Map(methodsArray.map((method) => [`/${SERVICE}/${method.name}`, createRpc(method)]));
}

interface HttpRule {
  readonly method: string;
  readonly template: string;
  /** A field, `*` for all that the path does not have, or nothing. */
  readonly body: string | undefined;
}

function createRpc(method: Method): KmsRpc {
  method.resolve();
  const { resolvedRequestType, resolvedResponseType } = method;
  const rule = httpRuleOf(method);
  if (resolvedRequestType === null || resolvedResponseType === null) throw new Error(`${method.name} has no types`);
  return {
    toRequest: (message) => transcode(decode(resolvedRequestType, message), rule),
    toAnswer: (body) => resolvedResponseType.encode(fromJson(resolvedResponseType, body as Json)).finish(),
  };
}

function httpRuleOf({ name, options = {} }: Method): HttpRule {
  const verb = ["get", "post", "patch", "delete"].find((candidate) => `(google.api.http).${candidate}` in options);
  if (verb === undefined) throw new Error(`${name} has no REST method`);
  const body = options["(google.api.http).body"] as string | undefined;
  return { method: verb.toUpperCase(), template: String(options[`(google.api.http).${verb}`]), body };
}

function decode(type: Type, message: Buffer): Json {
  try {
    return toJson(type, type.decode(message));
  } catch (error) {
    const refusal = googleRefusal("INVALID_ARGUMENT", `The request is not a ${type.name}.`);
    refusal.cause = error;
    throw refusal;
  }
}

const VARIABLE = /\{([a-z_.]+)=[^}]*\}/g;

function transcode(message: Json, { method, template, body }: HttpRule): Omit<EmulatorRequest, "headers"> {
  const inPath = [...template.matchAll(VARIABLE)].map(([, field = ""]) => toCamelCase(field));
  const path = template.replace(VARIABLE, (_, field: string) => String(fieldAt(message, toCamelCase(field))));
  const rest = Object.entries(message).filter(([name]) => !inPath.includes(name));
  const query = new URLSearchParams();
  for (const [name, value] of rest) {
    if (body !== "*" && name !== toCamelCase(body ?? "")) query.set(name, String(value));
  }
  const content = body === "*" ? Object.fromEntries(rest) : (message[toCamelCase(body ?? "")] ?? {});
  return { method, path, query, body: Buffer.from(body === undefined ? "" : JSON.stringify(content)) };
}

function fieldAt(message: Json, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (value as Json | undefined)?.[name], message) ?? "";
}
