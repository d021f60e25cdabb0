import { KeyServiceError } from "../core/errors.ts";
import type { HeldToken, TokenHolder } from "./token.ts";

/**
 * Asks one holder after the other. The next is asked only where the one before has no credential to offer; one that
 * has a credential and is refused ends the chain with its error, since another identity is no cure for a bad one.
 *
 * Generations of a chain name the member as well: `member + members × the member's generation`, so that nothing has
 * to be remembered to find whose token was refused.
 *
 * @throws RangeError for an empty list
 */
export function createChain(name: string, members: readonly TokenHolder[]): TokenHolder {
  if (members.length === 0) throw new RangeError("a chain needs a member");
  return {
    name,
    async getToken(signal) {
      const passedOver: KeyServiceError[] = [];
      for (const [index, member] of members.entries()) {
        const token = await offer(member, signal, () => describePassedOver(members, passedOver));
        if (!(token instanceof KeyServiceError)) return tell(token, index, members, passedOver);
        passedOver.push(token);
      }
      throw allMissing(name, members, passedOver);
    },
    invalidate(generation) {
      members[generation % members.length]?.invalidate(Math.floor(generation / members.length));
    },
  };
}

/**
 * The member's token, or why it has none to offer.
 *
 * @param before what was passed over until here, for the error that ends the chain
 */
async function offer(
  member: TokenHolder,
  signal: AbortSignal,
  before: () => readonly string[],
): Promise<HeldToken | KeyServiceError> {
  try {
    return await member.getToken(signal);
  } catch (error) {
    if (!(error instanceof KeyServiceError)) throw error;
    if (error.code === "credential_missing") return error;
    const reasons = before();
    // The caller's own reason goes through untouched; a failure says as well why it is this member's.
    if (reasons.length === 0 || !error.code.startsWith("credential_")) throw error;
    const problem = `${error.detail.problem} (${reasons.join("; ")})`;
    throw new KeyServiceError(error.code, { ...error.detail, problem, cause: error });
  }
}

function describePassedOver(members: readonly TokenHolder[], errors: readonly KeyServiceError[]): readonly string[] {
  return errors.map((error, at) => `passed over ${members[at]?.name}: ${error.detail.problem}`);
}

function tell(
  token: HeldToken,
  index: number,
  members: readonly TokenHolder[],
  passedOver: readonly KeyServiceError[],
): HeldToken {
  const reasons = describePassedOver(members, passedOver);
  return { ...token, generation: token.generation * members.length + index, steps: [...reasons, ...token.steps] };
}

function allMissing(name: string, members: readonly TokenHolder[], errors: readonly KeyServiceError[]) {
  const reasons = errors.map((error, index) => `${members[index]?.name}: ${error.detail.problem}`);
  return new KeyServiceError("credential_missing", {
    source: name,
    problem: `no token source of this rule has a credential (${reasons.join("; ")})`,
    remedy: "give one of them a credential",
    cause: errors.at(-1),
  });
}
