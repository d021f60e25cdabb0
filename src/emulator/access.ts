import type { Operation } from "../config/config.ts";

/** Principals that may do some operations. Email addresses, `principal://…`, or either as an IAM member. */
export interface AccessGrant {
  readonly principals: readonly string[];
  readonly operations: readonly Operation[];
}

export interface ImpersonationPolicy {
  /** Who may get tokens for the account; left out: everybody. */
  readonly tokenCreators?: readonly string[];
  /** Tokens for up to 12 hours instead of one, as an organisation policy can allow it. */
  readonly extendedLifetime?: boolean;
}

/** Who may do what. Everybody may do everything, until somebody has been named. */
export interface AccessLists {
  /** An empty list refuses everybody; undefined takes the entry away. */
  setAccess(key: string, grants: readonly AccessGrant[] | undefined): void;
  access(): ReadonlyMap<string, readonly AccessGrant[]>;
  mayUse(principal: string, key: string, operation: Operation): boolean;
  setImpersonation(account: string, policy: ImpersonationPolicy | undefined): void;
  impersonation(): ReadonlyMap<string, ImpersonationPolicy>;
  mayImpersonate(principal: string, account: string): boolean;
}

export function createAccessLists(): AccessLists {
  const keys = new Map<string, readonly AccessGrant[]>();
  const accounts = new Map<string, ImpersonationPolicy>();
  return {
    setAccess: (key, grants) => put(keys, key, grants),
    access: () => keys,
    mayUse(principal, key, operation) {
      const grants = keys.get(key);
      if (grants === undefined) return true;
      return grants.some(
        ({ principals, operations }) => operations.includes(operation) && names(principals, principal),
      );
    },
    setImpersonation: (account, policy) => put(accounts, account, policy),
    impersonation: () => accounts,
    mayImpersonate(principal, account) {
      const creators = accounts.get(account)?.tokenCreators;
      return creators === undefined || names(creators, principal);
    },
  };
}

function names(members: readonly string[], principal: string): boolean {
  return members.some((member) => member.replace(/^(?:serviceAccount|user):/, "") === principal);
}

function put<T>(map: Map<string, T>, name: string, value: T | undefined): void {
  if (value === undefined) map.delete(name);
  else map.set(name, value);
}
