import * as z from "zod";
import { DEFAULT_EXEC_TIMEOUT_MS, DEFAULT_LIFETIME_MS, DEFAULT_METADATA_TIMEOUT_MS } from "./defaults.ts";
import type { TokenSourceShape } from "./document.ts";
import { renderDuration } from "./duration.ts";
import {
  durationField,
  emailField,
  flagField,
  hostField,
  list,
  nameField,
  pathField,
  section,
  text,
  variableField,
} from "./schema-fields.ts";

/** The types of token sources that this version has, in the order of the documentation. */
const TOKEN_SOURCE_TYPES = [
  "default",
  "access_token",
  "service_account",
  "authorized_user",
  "external_account",
  "impersonated_service_account",
  "metadata",
  "exec",
  "module",
  "gdch_service_account",
  "external_account_authorized_user",
] as const;

const location = () => ({
  file: pathField().optional().meta({ description: "Path of the file that holds it; read again when it changes." }),
  env: variableField().optional().meta({ description: "Name of the environment variable that holds it." }),
});

// What zod's checks would tell only once all else is right stands in `semantics-sources.ts`; editors read it here.
// Validators differ in what they make of a bare `required`, so type and properties are said again.
const having = (...keys: string[]) => ({
  type: "object",
  properties: Object.fromEntries(keys.map((key) => [key, {}])),
  required: keys,
});
const ONE_LOCATION = { oneOf: [having("file"), having("env")] };

/** How an account is impersonated, whoever does it. */
const impersonation = () => ({
  delegates: list(emailField(), "email addresses", 0, 8)
    .optional()
    .meta({ description: "Service accounts in between, the first hop first. Default: none." }),
  lifetime: durationField(60_000, 43_200_000)
    .optional()
    .meta({
      description: "How long its tokens live. More than 1h needs an organization policy.",
      shownDefault: renderDuration(DEFAULT_LIFETIME_MS),
    }),
});

const accessToken = section({
  type: z.literal("access_token"),
  ...location(),
}).meta({ description: "An access token that something else keeps fresh.", ...ONE_LOCATION });

const serviceAccount = section({
  type: z.literal("service_account"),
  ...location(),
  grant: z.enum(["self_signed", "oauth"], { error: "expected self_signed or oauth" }).prefault("self_signed").meta({
    description: "self_signed: a JWT of our own, no token endpoint. oauth: the JWT is exchanged for a token.",
  }),
}).meta({ description: "A service account's key file.", ...ONE_LOCATION });

const authorizedUser = section({
  type: z.literal("authorized_user"),
  ...location(),
}).meta({
  description: "A user's refresh token, as `gcloud auth application-default login` writes it.",
  ...ONE_LOCATION,
});

const externalAccount = section({
  type: z.literal("external_account"),
  ...location(),
  ...impersonation(),
  allowExecutable: flagField().prefault(false).meta({ description: "Runs the command that the credential names." }),
  subjectTokenHosts: list(hostField(), "names of hosts", 0, 32)
    .optional()
    .meta({ description: "Hosts that subject tokens may be got from by https. Default: those of the universe." }),
  subjectToken: section({
    from: z.literal("caller", { error: "expected caller" }).meta({ description: "The JWT that a call brings along." }),
  })
    .optional()
    .meta({ description: "Whose token is exchanged. Default: what credential_source of the file says." }),
}).meta({
  description: "Workload or workforce identity federation: a token of another issuer is exchanged for Google's.",
  ...ONE_LOCATION,
});

const impersonated = section({
  type: z.literal("impersonated_service_account"),
  source: nameField().optional().meta({ description: "Name of the token source that impersonates." }),
  target: emailField().optional().meta({ description: "Email address of the service account to become." }),
  ...impersonation(),
  ...location(),
}).meta({
  description: "A service account that another token source impersonates; or, with file or env, as gcloud wrote it.",
  oneOf: [having("source", "target"), having("file"), having("env")],
});

const metadata = section({
  type: z.literal("metadata"),
  account: text(
    "default or the email address of a service account",
    /^(?:default|[a-z0-9][a-z0-9._-]{0,99}@[a-z0-9][a-z0-9.-]{0,252})$/,
  )
    .prefault("default")
    .meta({ description: "Which of the machine's service accounts." }),
  timeout: durationField(100, 60_000)
    .prefault(renderDuration(DEFAULT_METADATA_TIMEOUT_MS))
    .meta({ description: "How long to wait for the metadata server." }),
}).meta({ description: "The service account of the machine, from its metadata server." });

const exec = section({
  type: z.literal("exec"),
  command: list(
    text("text of at most 4096 characters", /^[^\0]{0,4096}$/),
    "texts: the program and its arguments",
    1,
    64,
  ).meta({ description: "A program, by absolute path or by a name on PATH, and its arguments. No shell reads it." }),
  env: list(variableField(), "names of environment variables", 0, 100)
    .prefault([])
    .meta({ description: "Names of the environment variables that it gets, besides PATH and HOME." }),
  cwd: pathField()
    .optional()
    .meta({ description: "Directory that it runs in. Without it: the directory of the config file." }),
  timeout: durationField(100, 120_000)
    .optional()
    .meta({
      description: "How long the command may run.",
      shownDefault: renderDuration(DEFAULT_EXEC_TIMEOUT_MS),
    }),
}).meta({ description: "A command that prints a token as JSON." });

const esModule = section({
  type: z.literal("module"),
  path: pathField().meta({ description: "ES module (.js, .mjs or .ts) that exports createTokenSource." }),
  options: z
    .record(z.string(), z.unknown(), { error: "expected a mapping (key: value lines)" })
    .prefault({})
    .meta({ description: "Handed to createTokenSource. No place for secrets." }),
}).meta({ description: "A token source of your own." });

const gdchServiceAccount = section({
  type: z.literal("gdch_service_account"),
  ...location(),
  audience: text("an audience of at most 512 characters without spaces", /^[\x21-\x7e]{1,512}$/).meta({
    description: "Whom the tokens are for: the URL of the service that will be asked.",
  }),
}).meta({ description: "A service identity of Google Distributed Cloud.", ...ONE_LOCATION });

const externalAccountAuthorizedUser = section({
  type: z.literal("external_account_authorized_user"),
  ...location(),
}).meta({
  description: "A workforce pool's user, as `gcloud auth application-default login --login-config` writes it.",
  ...ONE_LOCATION,
});

const sopsDefault = section({
  type: z.literal("default"),
}).meta({
  description:
    "What sops itself would take: GOOGLE_CREDENTIALS, GOOGLE_OAUTH_ACCESS_TOKEN, application default credentials.",
});

export const tokenSourceSchema: z.ZodType<TokenSourceShape> = z.discriminatedUnion(
  "type",
  [
    sopsDefault,
    accessToken,
    serviceAccount,
    authorizedUser,
    externalAccount,
    impersonated,
    exec,
    metadata,
    esModule,
    gdchServiceAccount,
    externalAccountAuthorizedUser,
  ],
  {
    error: (issue) =>
      issue.code === "invalid_union"
        ? `expected one of ${TOKEN_SOURCE_TYPES.join(", ")}`
        : "expected a mapping with a type (key: value lines)",
  },
);
