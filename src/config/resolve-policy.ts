import type { CallerLimitShape, LimitsShape, PolicyEntryShape, RuleLimitsShape } from "./document.ts";
import type { CallerLimitConfig, CallerLimitsConfig, PolicyEntryConfig, RuleLimitsConfig } from "./policy.ts";

export function resolvePolicyEntry({ callers, operations, match }: PolicyEntryShape): PolicyEntryConfig {
  return { callers, operations: operations ?? ["encrypt", "decrypt"], match };
}

export function resolveCallerLimits({ perCaller, callers }: LimitsShape): CallerLimitsConfig {
  const own = Object.entries(callers).map(([name, limit]) => [name, resolveLimit(limit, perCaller)] as const);
  return { ...resolveRuleLimits({ perCaller }), callers: new Map(own) };
}

export function resolveRuleLimits({ perCaller }: RuleLimitsShape): RuleLimitsConfig {
  return { perCaller: perCaller === undefined ? undefined : resolveLimit(perCaller, {}) };
}

/** @param general what holds where `limit` says nothing */
function resolveLimit(limit: CallerLimitShape, general: CallerLimitShape = {}): CallerLimitConfig {
  const callsPerSecond = limit.callsPerSecond ?? general.callsPerSecond;
  // A burst goes with its rate: a caller with a rate of its own does not have the general one's.
  const burst = limit.burst ?? (limit.callsPerSecond === undefined ? general.burst : undefined);
  return {
    callsPerSecond,
    burst: burst ?? Math.max(1, Math.ceil(callsPerSecond ?? 1)),
    callsAtOnce: limit.callsAtOnce ?? general.callsAtOnce,
  };
}
