import * as z from "zod";
import {
  DEFAULT_ATTEMPT_TIMEOUT_MS,
  DEFAULT_CACHE_ENTRIES,
  DEFAULT_CACHE_TTL_MS,
  DEFAULT_DEADLINE_MS,
  DEFAULT_LIMITS,
  DEFAULT_RULE_CALLS,
  DEFAULT_SOCKET_MODE,
  DEFAULT_UNIVERSE_DOMAIN,
} from "./defaults.ts";
import type { ConfigShape, GoogleShape, LimitsShape, ListenerShape, RuleShape } from "./document.ts";
import { renderDuration } from "./duration.ts";
import { auditSchema } from "./schema-audit.ts";
import { callerSchema } from "./schema-callers.ts";
import {
  addressField,
  countField,
  domainField,
  durationField,
  endpointField,
  flagField,
  list,
  matchField,
  nameField,
  pathField,
  projectField,
  proxyField,
  section,
  text,
} from "./schema-fields.ts";
import { approveSchema, callerLimitSchema, policyEntries, ruleLimitsSchema } from "./schema-policy.ts";
import { tlsSchema } from "./schema-tls.ts";
import { tokenSourceSchema } from "./schema-token-sources.ts";

export const listenerSchema: z.ZodType<ListenerShape> = section({
  address: addressField().meta({
    description: "unix:///absolute/path or tcp://ADDRESS:PORT.",
    pattern: "^(unix:///|tcp://).",
  }),
  mode: text('octal digits in quotes, such as "0600"', /^0?[0-7]{3}$/)
    .optional()
    .meta({ description: "File mode of a unix socket, in quotes.", shownDefault: DEFAULT_SOCKET_MODE }),
  group: z
    .union([text("the name of a group", /^[A-Za-z_][A-Za-z0-9_-]{0,31}\$?$/), countField(0, 4_294_967_294)], {
      error: "expected the name or number of a group",
    })
    .optional()
    .meta({ description: "Group that gets the unix socket, by name or number." }),
  caller: nameField().optional().meta({ description: "The name of whoever can open this listener, for `allow`." }),
  insecure: flagField().optional().meta({
    description: "Accept clear text from other machines. Only for networks that are private by themselves.",
    shownDefault: false,
  }),
  tls: tlsSchema.optional(),
}).meta({ description: "One place to listen." });

const nameOrNames = z
  .union([nameField(), list(nameField(), "names of token sources", 1, 8)], {
    error: "expected the name of a token source or a list of 1 to 8",
  })
  .meta({
    description:
      "Whose token is used. A list is a chain: the next is asked where the one before has no credential to offer.",
  });

const ruleKms = section({
  endpoint: endpointField().optional().meta({ description: "Base URL of Cloud KMS for these keys.", format: "uri" }),
  universeDomain: domainField().optional().meta({ description: "Universe of these keys; `endpoint` goes before it." }),
  quotaProject: projectField().optional().meta({ description: "Project that quota and billing count for." }),
  transport: z
    .literal(["rest", "grpc"], { error: "expected rest or grpc" })
    .optional()
    .meta({ description: "How Cloud KMS is spoken to.", shownDefault: "rest" }),
  deadline: durationField(100, 600_000)
    .optional()
    .meta({
      description: "Total time of a call, retries included.",
      shownDefault: renderDuration(DEFAULT_DEADLINE_MS),
    }),
  attemptTimeout: durationField(100, 600_000)
    .optional()
    .meta({
      description: "Time of one try within the deadline; never more than that.",
      shownDefault: renderDuration(DEFAULT_ATTEMPT_TIMEOUT_MS),
    }),
  proxy: proxyField().optional().meta({
    description: "HTTP proxy to go through: a URL, env:VARIABLE, or none. Default: what the environment says.",
  }),
  caFile: pathField()
    .optional()
    .meta({ description: "PEM file with CAs to trust besides Node.js' own, in place of google.caFile." }),
  maxCalls: countField(1, 65_535).optional().meta({
    description: "Calls of this rule in flight; what comes beyond is refused.",
    shownDefault: DEFAULT_RULE_CALLS,
  }),
});

const ruleCache = section({
  ttl: durationField(1000, 86_400_000)
    .prefault(renderDuration(DEFAULT_CACHE_TTL_MS))
    .meta({ description: "How long a data key is kept; more than 1m needs acceptLateRevocation." }),
  maxEntries: countField(1, 100_000)
    .prefault(DEFAULT_CACHE_ENTRIES)
    .meta({ description: "Data keys at a time; the oldest makes room." }),
  acceptLateRevocation: flagField().optional().meta({
    description: "Accepts that a permission taken away in Cloud KMS still serves here for as long as the ttl.",
    shownDefault: false,
  }),
});

export const ruleSchema: z.ZodType<RuleShape> = section({
  name: nameField().meta({ description: "Its name in messages, logs and metrics." }),
  match: matchField().meta({ description: "Name of the keys, * for any part of an id.", pattern: "^projects/" }),
  tokenSource: nameOrNames,
  allow: policyEntries().optional().meta({
    description: "Who may do what. Default: every caller of a local listener, both operations. An empty list: nobody.",
  }),
  deny: policyEntries().prefault([]).meta({ description: "Who may not, whatever `allow` says." }),
  approve: approveSchema.optional().meta({ description: "Who is asked before each call. Default: nobody." }),
  limits: ruleLimitsSchema.prefault({}).meta({ description: "Bounds within this rule." }),
  kms: ruleKms.prefault({}).meta({ description: "How Cloud KMS is asked for these keys." }),
  cache: ruleCache.optional().meta({ description: "Keeps decrypted data keys in memory. Default: none is kept." }),
}).meta({ description: "Which keys, with whose token, for whom. The first rule that matches decides." });

const endpoints = section({
  kms: endpointField().optional().meta({ description: "Cloud KMS.", format: "uri" }),
  oauth2: endpointField()
    .optional()
    .meta({ description: "Token endpoint of service accounts and users.", format: "uri" }),
  sts: endpointField().optional().meta({ description: "Security token service.", format: "uri" }),
  iamCredentials: endpointField()
    .optional()
    .meta({ description: "IAM credentials, for impersonation.", format: "uri" }),
  metadata: endpointField().optional().meta({ description: "Metadata server.", format: "uri" }),
});

export const googleSchema: z.ZodType<GoogleShape> = section({
  universeDomain: domainField()
    .prefault(DEFAULT_UNIVERSE_DOMAIN)
    .meta({ description: "Domain of all of Google's endpoints." }),
  endpoints: endpoints.prefault({}).meta({ description: "Base URLs that take the place of the usual ones." }),
  caFile: pathField().optional().meta({ description: "PEM file with CAs to trust besides Node.js' own." }),
});

export const limitsSchema: z.ZodType<LimitsShape> = section({
  maxConnections: countField(1, 65_535)
    .prefault(DEFAULT_LIMITS.maxConnections)
    .meta({ description: "Connections at a time, for each listener." }),
  maxStreamsPerConnection: countField(1, 65_535)
    .prefault(DEFAULT_LIMITS.maxStreamsPerConnection)
    .meta({ description: "Calls in flight on one connection." }),
  maxCalls: countField(1, 65_535)
    .prefault(DEFAULT_LIMITS.maxCalls)
    .meta({ description: "Calls in flight, all listeners together; what comes beyond is refused at once." }),
  maxMessageBytes: countField(1024, 4_194_304, " of bytes")
    .prefault(DEFAULT_LIMITS.maxMessageBytes)
    .meta({ description: "Size of a request or answer, in bytes." }),
  handshake: durationField(1000, 60_000)
    .prefault(renderDuration(DEFAULT_LIMITS.handshakeMs))
    .meta({ description: "How long a TLS handshake may take." }),
  connectionIdle: limitDuration(DEFAULT_LIMITS.connectionIdleMs).meta({
    description: "A connection without calls ends after this.",
  }),
  connectionAge: limitDuration(DEFAULT_LIMITS.connectionAgeMs).meta({
    description: "A connection ends after this, once its calls are done.",
  }),
  drain: durationField(0, 3_600_000)
    .prefault(renderDuration(DEFAULT_LIMITS.drainMs))
    .meta({ description: "How long calls in flight may take to end after SIGTERM." }),
  perCaller: callerLimitSchema()
    .optional()
    .meta({ description: "How much each caller may ask for. Default: no limit." }),
  callers: z
    .record(nameField(), callerLimitSchema(), { error: "expected a mapping of callers' names to limits" })
    .prefault({})
    .meta({ description: "Callers with limits of their own, by name; what one does not say, perCaller says." }),
});

function limitDuration(defaultMs: number): z.ZodPrefault<ReturnType<typeof durationField>> {
  return durationField(1000, 604_800_000).prefault(renderDuration(defaultMs));
}

/** The whole document. */
export const configSchema: z.ZodType<ConfigShape> = section({
  version: z.literal(1, { error: "expected 1" }).meta({ description: "Version of this format." }),
  listeners: list(listenerSchema, "listeners", 0, 100)
    .prefault([])
    .meta({ description: "Where to listen. None: `serve` needs --network and --address." }),
  callers: z
    .record(nameField(), callerSchema, { error: "expected a mapping of names to callers" })
    .prefault({})
    .meta({ description: "Names for identities that were proven, for `allow`." }),
  tokenSources: z
    .record(nameField(), tokenSourceSchema, { error: "expected a mapping of names to token sources" })
    .prefault({})
    .meta({ description: "Google identities by name." }),
  rules: list(ruleSchema, "rules").prefault([]).meta({ description: "The first match decides; no match is refused." }),
  deny: policyEntries().prefault([]).meta({ description: "Who may not, whatever the rules say." }),
  google: googleSchema.prefault({}).meta({ description: "Google's endpoints." }),
  limits: limitsSchema.prefault({}).meta({ description: "Bounds of the server." }),
  audit: auditSchema.optional().meta({ description: "Where decisions and outcomes are recorded. None: nowhere." }),
  stateDirectory: pathField()
    .optional()
    .meta({ description: "Directory for what must survive a restart: refresh tokens that were replaced." }),
}).meta({ title: "sops-keyd config", description: "Config of sops-keyd, the SOPS key service for Cloud KMS." });
