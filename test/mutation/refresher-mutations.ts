import type { Mutation } from "../../scripts/mutations.ts";

const CLAIM = `flight = refresh(lastGeneration);
    // In the background nobody waits for it; its failure is remembered all the same.
    flight.catch(() => {});
    return flight;`;
const FETCH = "const token: Token = await untilAborted(source.fetchToken(deadline.signal), deadline.signal);";

const SINGLE_FLIGHT: readonly Mutation[] = [
  {
    broken: "one refresh at a time",
    file: "refreshing.ts",
    edits: [["if (flight !== undefined) return flight;", ""]],
  },
  {
    broken: "claimed before anything is awaited",
    file: "refreshing.ts",
    edits: [
      [
        CLAIM,
        `const late = refresh(lastGeneration);
    late.catch(() => {});
    void Promise.resolve().then(() => { flight = late; });
    return late;`,
      ],
    ],
  },
  { broken: "a refresh that ended makes way", file: "refreshing.ts", edits: [["      flight = undefined;\n", ""]] },
  {
    broken: "a failure in the background is nobody's unhandled rejection",
    file: "refreshing.ts",
    edits: [["    flight.catch(() => {});\n", ""]],
  },
];

const EARLY: readonly Mutation[] = [
  {
    broken: "refreshed before it expires",
    file: "token-lifetime.ts",
    edits: [['leftMs <= lifetime.refreshLeadMs ? "stale" : "fresh"', '"fresh"']],
  },
  {
    broken: "spread at random",
    file: "token-lifetime.ts",
    edits: [["const spread = 0.5 + 0.5 * random;", "const spread = 1;"]],
  },
  {
    broken: "a short-lived token is not refreshed at each call",
    file: "token-lifetime.ts",
    edits: [
      [
        "Math.min(MAX_REFRESH_LEAD_MS - SERVE_SKEW_MS, REFRESH_SHARE * (lifeMs - SERVE_SKEW_MS))",
        "MAX_REFRESH_LEAD_MS - SERVE_SKEW_MS",
      ],
    ],
  },
];

const FAILURE: readonly Mutation[] = [
  {
    broken: "a failed refresh displaces nothing",
    file: "refreshing.ts",
    edits: [["remember(error);\n      throw error;", "remember(error);\n      held = undefined;\n      throw error;"]],
  },
  {
    broken: "retried through the whole window",
    file: "refresh-backoff.ts",
    edits: [["const CAP_WHILE_VALID_MS = 15_000;", "const CAP_WHILE_VALID_MS = 3_600_000;"]],
  },
  {
    broken: "soon back after an outage",
    file: "refresh-backoff.ts",
    edits: [["const CAP_WHILE_INVALID_MS = 2000;", "const CAP_WHILE_INVALID_MS = 60_000;"]],
  },
  {
    broken: "full jitter between attempts",
    file: "refresh-backoff.ts",
    edits: [["return failure.random * Math.min(", "return Math.min("]],
  },
  {
    broken: "what only an operator can mend is remembered",
    file: "refresh-backoff.ts",
    edits: [["if (isForOperator(failure.error.code)) return OPERATOR_MS * (0.5 + 0.5 * failure.random);", ""]],
  },
  {
    broken: "failures hold the next refresh back",
    file: "refreshing.ts",
    edits: [["if (heldBack !== undefined) return heldBack;", ""]],
  },
  {
    broken: "a success ends the memory of failures",
    file: "refreshing.ts",
    edits: [["      failure = undefined;\n", ""]],
  },
  {
    broken: "the refresh's own deadline is told as an outage",
    file: "refreshing.ts",
    edits: [['error.code !== "deadline_exceeded" && error.code !== "cancelled"', "true"]],
  },
];

const CALLERS: readonly Mutation[] = [
  {
    broken: "no caller waits longer than its signal",
    file: "refreshing.ts",
    edits: [["return untilAborted(joined, signal);", "return joined;"]],
  },
  {
    broken: "a caller that gave up before it came gets nothing",
    file: "refreshing.ts",
    edits: [["if (signal.aborted) throw abortReason(signal);", ""]],
  },
  {
    broken: "an abort detaches only its caller",
    file: "refreshing.ts",
    edits: [
      ["let lastGeneration = 0;", "let lastGeneration = 0;\n  let first;"],
      ["const joined = joinRefresh(state);", "first = signal;\n      const joined = joinRefresh(state);"],
      ["/ 1000} seconds`);", "/ 1000} seconds`, first);"],
    ],
  },
  {
    broken: "a refresh has its own deadline",
    file: "refreshing.ts",
    edits: [[FETCH, "const token: Token = await source.fetchToken(deadline.signal);"]],
  },
  {
    broken: "no timer is left behind",
    file: "refreshing.ts",
    edits: [["using deadline = createDeadline(", "const deadline = createDeadline("]],
  },
];

const GENERATIONS: readonly Mutation[] = [
  {
    broken: "a late answer never replaces a newer token",
    file: "refreshing.ts",
    edits: [
      [
        FETCH,
        `const answer = source.fetchToken(deadline.signal);
    answer.then((late) => {
      const now = readInstant(clock);
      held = { token: { ...late, generation }, lifetime: computeLifetime(late.expiresAtMs, requested, now, 0) };
    }).catch(() => {});
    const token: Token = await untilAborted(answer, deadline.signal);`,
      ],
    ],
  },
  {
    broken: "only the generation that was refused is given up",
    file: "refreshing.ts",
    edits: [
      ["if (held?.token.generation !== generation || held.isDoubted) return;", "if (held === undefined) return;"],
    ],
  },
  {
    broken: "a refused token is given up",
    file: "refreshing.ts",
    edits: [["{ ...held, isDoubted: true } : undefined;", "{ ...held, isDoubted: true } : held;"]],
  },
  {
    broken: "refused calls do not become a flood of token requests",
    file: "refreshing.ts",
    edits: [["if (held !== undefined) remember(refusedAgain(source.name));", ""]],
  },
  {
    broken: "generations go up",
    file: "refreshing.ts",
    edits: [["lastGeneration += 1;", "lastGeneration = 1;"]],
  },
];

const LEFT = "Math.min(lifetime.expiresAtWallMs - now.wallMs, lifetime.expiresAtMonotonicMs - now.monotonicMs)";

const TIME: readonly Mutation[] = [
  {
    broken: "the monotonic clock is watched",
    file: "token-lifetime.ts",
    edits: [[LEFT, "lifetime.expiresAtWallMs - now.wallMs"]],
  },
  {
    broken: "the wall clock is watched",
    file: "token-lifetime.ts",
    edits: [[LEFT, "lifetime.expiresAtMonotonicMs - now.monotonicMs"]],
  },
  {
    broken: "an expired token is served to nobody",
    file: "token-lifetime.ts",
    edits: [["if (leftMs < SERVE_SKEW_MS)", "if (leftMs < -600_000)"]],
  },
  {
    broken: "a token is not served in its last five seconds",
    file: "token-lifetime.ts",
    edits: [["if (leftMs < SERVE_SKEW_MS)", "if (leftMs < 0)"]],
  },
  {
    broken: "a jump while the token was fetched is taken off its life",
    file: "token-lifetime.ts",
    edits: [["Math.abs(elapsedWallMs - elapsedMonotonicMs)", "0"]],
  },
  {
    broken: "a missing expiry is refused",
    file: "token-lifetime.ts",
    edits: [["!Number.isFinite(lifeMs)", "lifeMs === Number.POSITIVE_INFINITY"]],
  },
  {
    broken: "a life longer than any is refused",
    file: "token-lifetime.ts",
    edits: [["lifeMs > MAX_LIFETIME_MS", "lifeMs > 100 * MAX_LIFETIME_MS"]],
  },
  {
    broken: "a life too short to use is refused",
    file: "token-lifetime.ts",
    edits: [["lifeMs < MIN_LIFETIME_MS", "lifeMs < -600_000"]],
  },
];

/** Every property that issue and docstrings promise, each broken once or more. */
export const REFRESHER_MUTATIONS: readonly Mutation[] = [
  ...SINGLE_FLIGHT,
  ...EARLY,
  ...FAILURE,
  ...CALLERS,
  ...GENERATIONS,
  ...TIME,
];
