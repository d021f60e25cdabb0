import { createGooglePeer } from "./google.ts";
import { createKeydPeer } from "./keyd.ts";
import { nullPeer } from "./null.ts";
import type { Peer } from "./peer.ts";
import { createSopsPeer } from "./sops.ts";

/** In the order of the tables. */
export const PEER_NAMES = [
  "keyd-rest",
  "keyd-rest-audited",
  "keyd-grpc",
  "sops-rest-account",
  "sops-rest-token",
  "sops-grpc-account",
  "sops-grpc-token",
  "google-rest",
  "google-grpc",
  "null",
] as const;

export type PeerName = (typeof PEER_NAMES)[number];

export type Peers = Readonly<Record<PeerName, Peer>>;

export function createPeers(sops: string): Peers {
  return {
    "keyd-rest": createKeydPeer("rest"),
    "keyd-rest-audited": createKeydPeer("rest", { file: "audit.jsonl", required: true }),
    "keyd-grpc": createKeydPeer("grpc"),
    "sops-rest-account": createSopsPeer(sops, "rest", "service account"),
    "sops-rest-token": createSopsPeer(sops, "rest", "static token"),
    "sops-grpc-account": createSopsPeer(sops, "grpc", "service account"),
    "sops-grpc-token": createSopsPeer(sops, "grpc", "static token"),
    "google-rest": createGooglePeer("rest"),
    "google-grpc": createGooglePeer("grpc"),
    null: nullPeer,
  };
}
