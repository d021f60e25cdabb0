import type { CallerLimitConfig, CallerLimitsConfig, RuleConfig } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { Caller } from "./caller.ts";
import type { CallerUsage, Usage } from "./caller-usage.ts";

/** What the limits need of a rule. */
export type LimitedRule = Pick<RuleConfig, "name" | "limits">;

/** A limit that a call has to keep to. */
export interface AppliedLimit {
  /** Whose calls are counted: `caller team-a`. */
  readonly whose: string;
  /** Where it stands in the config: `limits.callers.team-a`. */
  readonly place: string;
  readonly limit: CallerLimitConfig;
  /** Under which the calls are counted. */
  readonly countedAs: string;
}

export interface CallerLimits {
  /** Takes a place for a call, given back when it is disposed of. @throws KeyServiceError `caller_limit_exceeded` */
  enter(caller: Caller, rule: LimitedRule): Disposable;
}

const NO_PLACE: Disposable = { [Symbol.dispose]() {} };

/** @param usage what callers have used; one for the process, so that a reload forgets nothing */
export function createCallerLimits(config: CallerLimitsConfig, usage: CallerUsage): CallerLimits {
  return {
    enter(caller, rule) {
      const limits = limitsFor(caller, rule, config);
      if (limits.length === 0) return NO_PLACE;
      const counted = limits.map((applied) => ({ applied, of: usage.of(applied.countedAs) }));
      // All are asked before any is charged: a call that is refused uses up nothing.
      for (const { applied, of } of counted) refuseIfUsedUp(applied, of);
      for (const { applied, of } of counted) of.enter(applied.limit);
      return {
        [Symbol.dispose]() {
          for (const { of } of counted) of.leave();
        },
      };
    },
  };
}

/** Every limit that a caller's call has to keep to under a rule; the server and `explain` both ask here. */
export function limitsFor(caller: Caller, rule: LimitedRule, config: CallerLimitsConfig): readonly AppliedLimit[] {
  const ofRule = rule.limits.perCaller;
  if (config.perCaller === undefined && config.callers.size === 0 && ofRule === undefined) return [];
  return subjectsOf(caller).flatMap(({ name, whose }) => {
    const own = name === undefined ? undefined : config.callers.get(name);
    const general = own ?? config.perCaller;
    const place = own === undefined ? "limits.perCaller" : `limits.callers.${name}`;
    return [
      ...(general === undefined ? [] : [{ whose, place, limit: general, countedAs: whose }]),
      ...(ofRule === undefined
        ? []
        : [
            {
              whose,
              place: `limits.perCaller of rule ${rule.name}`,
              limit: ofRule,
              countedAs: `${whose} by ${rule.name}`,
            },
          ]),
    ];
  });
}

interface Subject {
  readonly name: string | undefined;
  readonly whose: string;
}

/** Whose calls they are: each name's that the caller has; without one, those of all who come the same way. */
function subjectsOf({ names, listener, proofs }: Caller): readonly Subject[] {
  if (names.length > 0) return names.map((name) => ({ name, whose: `caller ${name}` }));
  const peer = proofs.find((proof) => proof.kind === "unix_peer");
  const user = peer === undefined ? "" : ` of uid ${peer.uid}`;
  return [{ name: undefined, whose: `callers without a name${user} at ${listener}` }];
}

function refuseIfUsedUp({ whose, place, limit }: AppliedLimit, usage: Usage): void {
  const { callsAtOnce, callsPerSecond } = limit;
  const raise = `if that is too few, raise it in the config of sops-keyd`;
  if (callsAtOnce !== undefined && usage.inFlight >= callsAtOnce) {
    throw new KeyServiceError("caller_limit_exceeded", {
      problem: `${whose}: ${callsAtOnce} calls at once are the limit (callsAtOnce in ${place}), and so many are in flight`,
      remedy: `try again when one of them has ended; ${raise}`,
    });
  }
  const waitMs = usage.waitMs(limit);
  if (waitMs > 0) {
    throw new KeyServiceError("caller_limit_exceeded", {
      problem: `${whose}: ${callsPerSecond} calls a second are the limit (callsPerSecond in ${place}), and used up`,
      remedy: `try again in ${renderSeconds(waitMs)}; ${raise}`,
    });
  }
}

/** Rounded up: who waits for so long is let in. */
function renderSeconds(waitMs: number): string {
  return `${Math.ceil(waitMs / 100) / 10} s`;
}
