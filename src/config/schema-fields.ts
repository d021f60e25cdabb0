import * as z from "zod";
import { PatternError, parsePattern } from "../routing/pattern.ts";
import { NAME_PARTS } from "../routing/resource-name.ts";
import { parseListenAddress } from "./address.ts";
import { DURATION_PATTERN, parseDuration, renderDuration } from "./duration.ts";
import { DOMAIN_PATTERN, parseEndpoint } from "./endpoint.ts";
import { parseProxySetting } from "./proxy.ts";

/**
 * The fields that the schema is made of. Each says in `error` what it expects and never repeats what it got: a
 * key or token pasted into the wrong place must not reach a terminal or a log.
 */

/** A mapping without unknown keys. */
export function section<S extends z.core.$ZodLooseShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "invalid_type" ? "expected a mapping (key: value lines)" : undefined),
  });
}

/** A list with a bound. */
export function list<T extends z.core.SomeType>(item: T, what: string, minimum = 0, maximum = 5000): z.ZodArray<T> {
  const error = `expected a list of ${minimum > 0 ? `${minimum} to ` : "at most "}${maximum} ${what}`;
  return z.array(item, { error }).min(minimum, { error }).max(maximum, { error });
}

/** Text of one form; `expected` goes on from "expected". */
export function text(expected: string, pattern: RegExp): z.ZodString {
  const error = `expected ${expected}`;
  return z.string({ error }).regex(pattern, { error });
}

/** Text that a parser takes; `problemOf` says what it expected. */
export function parsed(expected: string, problemOf: (value: string) => string | undefined): z.ZodString {
  return z.string({ error: `expected ${expected}` }).check((context) => {
    const message = problemOf(context.value);
    if (message !== undefined) context.issues.push({ code: "custom", message, input: context.value });
  });
}

/** A name that the config itself gives: short, and fit for messages, metrics and file names. */
export function nameField(): z.ZodString {
  return text(
    "a name of at most 63 letters, digits and . _ - (first a letter or digit)",
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  );
}

/** A duration between two others; becomes milliseconds. */
export function durationField(
  minimumMs: number,
  maximumMs: number,
): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  const range = `from ${renderDuration(minimumMs)} to ${renderDuration(maximumMs)}`;
  const error = `expected a duration ${range}, such as 500ms, 10s, 10m or 1h`;
  return z
    .string({ error })
    .regex(DURATION_PATTERN, { error, abort: true })
    .refine((value) => isWithin(parseDuration(value), minimumMs, maximumMs), { error })
    .transform((value) => parseDuration(value) ?? minimumMs);
}

function isWithin(value: number | undefined, minimum: number, maximum: number): boolean {
  return value !== undefined && value >= minimum && value <= maximum;
}

/** A whole number between two others. */
export function countField(minimum: number, maximum: number, unit = ""): z.ZodInt {
  const error = `expected a whole number${unit} from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

export function flagField(): z.ZodBoolean {
  return z.boolean({ error: "expected true or false" });
}

export function addressField(): z.ZodString {
  return parsed("unix:///absolute/path or tcp://ADDRESS:PORT", (value) => {
    const address = parseListenAddress(value);
    return typeof address === "string" ? address : undefined;
  });
}

export function endpointField(): z.ZodString {
  return parsed("an https URL", (value) => {
    const endpoint = parseEndpoint(value);
    return typeof endpoint === "string" ? endpoint : undefined;
  });
}

export function proxyField(): z.ZodString {
  return parsed("the URL of a proxy, env:VARIABLE or none", (value) => {
    const setting = parseProxySetting(value);
    return typeof setting === "string" ? setting : undefined;
  });
}

export function matchField(): z.ZodString {
  return parsed("a key name in which ids may have stars", (value) => {
    try {
      parsePattern(value);
      return undefined;
    } catch (error) {
      if (error instanceof PatternError) return error.message;
      throw error;
    }
  });
}

/** A path; content of a credential file is not one. */
export function pathField(): z.ZodString {
  const expected = "the path of a file (its content never stands in the config)";
  return text(expected, /^(?!\s*(?:\{|-----)).{1,1024}$/).refine((value) => !/\p{Cc}/u.test(value), {
    error: `expected ${expected}`,
  });
}

/** The name of an environment variable; a token of any usual form is not one. */
export function variableField(): z.ZodString {
  return text(
    "the name of an environment variable (its content never stands in the config)",
    /^(?!.*[A-Za-z0-9]{33})[A-Za-z_][A-Za-z0-9_]{0,63}$/,
  );
}

/** Goes into a URL path, so the characters are few. */
export function emailField(): z.ZodString {
  return text("the email address of a service account", /^[a-z0-9][a-z0-9._-]{0,99}@[a-z0-9][a-z0-9.-]{0,252}$/);
}

export function domainField(): z.ZodString {
  return text("a domain such as googleapis.com", DOMAIN_PATTERN);
}

/** A host, or all below a domain. */
export function hostField(): z.ZodString {
  return text(
    "the name of a host such as example.com or *.example.com",
    /^(?:\*\.(?=[^.]+\.))?[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9][a-z0-9-]{0,62}){1,10}$/,
  );
}

export function projectField(): z.ZodString {
  return text("a project id", NAME_PARTS[0]?.id ?? /^$/);
}
