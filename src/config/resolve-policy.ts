import { DEFAULT_APPROVE_TIMEOUT_MS } from "./defaults.ts";
import type { ApproveShape, CallerLimitShape, LimitsShape, PolicyEntryShape, RuleLimitsShape } from "./document.ts";
import type {
  ApproveConfig,
  CallerLimitConfig,
  CallerLimitsConfig,
  Operation,
  PolicyEntryConfig,
  RuleLimitsConfig,
} from "./policy.ts";

const BOTH: readonly Operation[] = ["encrypt", "decrypt"];

export function resolvePolicyEntry({ callers, operations, match }: PolicyEntryShape): PolicyEntryConfig {
  return { callers, operations: operations ?? BOTH, match };
}

export function resolveApprove(shape: ApproveShape, absolute: (path: string) => string): ApproveConfig {
  const { command, env = [], cwd = ".", operations = BOTH, timeout, remember = 0 } = shape;
  const common = { operations, timeoutMs: timeout ?? DEFAULT_APPROVE_TIMEOUT_MS, rememberMs: remember };
  if (command === undefined) return { by: "terminal", ...common };
  return { by: "command", command, env, cwd: absolute(cwd), ...common };
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
