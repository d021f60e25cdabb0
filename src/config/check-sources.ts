import type {
  ExternalAccountShape,
  ImpersonatedShape,
  LocationShape,
  PartialShape,
  TokenSourceShape,
} from "./document.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement, warning } from "./judgement.ts";
import { didYouMean } from "./spelling.ts";

export function* checkTokenSources(config: PartialShape): Generator<Judgement> {
  for (const [name, source] of config.tokenSources) {
    if (source !== undefined) yield* checkSource(source, ["tokenSources", name], config);
  }
  yield* checkCircles(config);
  yield* checkUse(config);
}

/** A name that no token source has. */
export function unknownSource(path: KeyPath, name: string, { tokenSources }: PartialShape): Judgement {
  return error(path, `no token source has this name${didYouMean(name, tokenSources.keys())}`);
}

function* checkSource(source: TokenSourceShape, path: KeyPath, config: PartialShape): Generator<Judgement> {
  switch (source.type) {
    case "access_token":
    case "service_account":
    case "authorized_user":
    case "gdch_service_account":
    case "external_account_authorized_user":
      yield* checkLocation(source, path);
      return;
    case "external_account":
      yield* checkLocation(source, path);
      if (source.subjectToken !== undefined) yield* checkCallerToken(source, path, config);
      return;
    case "impersonated_service_account":
      yield* checkImpersonated(source, path, config);
      return;
    case "exec":
      yield* checkCommand(source.command[0] ?? "", path);
      return;
    case "metadata":
    case "default":
    case "module":
      return;
  }
}

function* checkLocation({ file, env }: LocationShape, path: KeyPath): Generator<Judgement> {
  if (file === undefined && env === undefined) yield error(path, "expected file or env, to say where it lies", "key");
  if (file !== undefined && env !== undefined) yield error(path, "expected either file or env, not both", "key");
}

function* checkCallerToken(source: ExternalAccountShape, path: KeyPath, config: PartialShape): Generator<Judgement> {
  if (source.allowExecutable) yield error([...path, "allowExecutable"], CALLER_BRINGS_IT, "key");
  if (source.subjectTokenHosts !== undefined) yield error([...path, "subjectTokenHosts"], CALLER_BRINGS_IT, "key");
  const callers = [...config.callerProofs.values()];
  if (callers.every((caller) => caller !== undefined && caller.jwt === undefined)) {
    yield warning([...path, "subjectToken"], "no caller of the config is known by a JWT, so nobody brings one", "key");
  }
}

const CALLER_BRINGS_IT = "has no effect with subjectToken: the caller brings it; take one out";

/** @param path of what has the command */
export function* checkCommand(program: string, path: KeyPath): Generator<Judgement> {
  if (program === "" || (program.includes("/") && !program.startsWith("/"))) {
    yield error([...path, "command", 0], "expected an absolute path, or the name of a program on PATH");
  }
}

function* checkImpersonated(source: ImpersonatedShape, path: KeyPath, config: PartialShape): Generator<Judgement> {
  const ofFile = source.file !== undefined || source.env !== undefined;
  const ownKeys = (["source", "target", "delegates", "lifetime"] as const).filter((key) => source[key] !== undefined);
  if (ofFile) {
    yield* checkLocation(source, path);
    for (const key of ownKeys)
      yield error([...path, key], "the file or variable brings this along; take one out", "key");
    return;
  }
  if (ownKeys.length === 0) yield error(path, "expected source and target, or a credential by file or env", "key");
  else if (source.source === undefined)
    yield error([...path, "source"], "is missing, expected the token source that impersonates");
  else if (source.target === undefined)
    yield error([...path, "target"], "is missing, expected the service account to become");
  if (source.source !== undefined && !config.tokenSources.has(source.source)) {
    yield unknownSource([...path, "source"], source.source, config);
  }
}

function* checkCircles({ tokenSources }: PartialShape): Generator<Judgement> {
  const done = new Set<string>();
  for (const start of tokenSources.keys()) {
    const way = new Set<string>();
    let name: string | undefined = start;
    while (name !== undefined && !done.has(name) && !way.has(name)) {
      way.add(name);
      name = sourceOf(tokenSources.get(name));
    }
    if (name !== undefined && way.has(name)) {
      const circle = [...way].slice([...way].indexOf(name));
      yield error(["tokenSources", name, "source"], `impersonates itself: ${[...circle, name].join(" → ")}`);
    }
    for (const each of way) done.add(each);
  }
}

function* checkUse({ tokenSources, rules }: PartialShape): Generator<Judgement> {
  // A rule that could not be read may use any of them.
  if (rules.includes(undefined)) return;
  const used = new Set<string>();
  for (const direct of rules.flatMap((rule) => rule?.tokenSource ?? [])) {
    let name: string | undefined = direct;
    while (name !== undefined && !used.has(name)) {
      used.add(name);
      name = sourceOf(tokenSources.get(name));
    }
  }
  for (const name of tokenSources.keys()) {
    if (!used.has(name)) yield warning(["tokenSources", name], "no rule uses this token source", "key");
  }
}

function sourceOf(source: TokenSourceShape | undefined): string | undefined {
  return source?.type === "impersonated_service_account" ? source.source : undefined;
}
