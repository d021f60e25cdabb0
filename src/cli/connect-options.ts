import type { Command } from "commander";

/** How `connect` and `exec --connect` reach a server, as the flags say. */
export interface ConnectOptions {
  readonly ca?: string;
  readonly certificate?: string;
  readonly privateKey?: string;
  readonly serverName?: string;
  readonly jwt?: string;
  readonly deadline: string;
}

export const JWT_PLACES = `
An identity token (JWT) for --jwt is looked for again before it expires:
  file:PATH                 a file that something else keeps fresh
  env:VARIABLE              an environment variable
  exec:PROGRAM ARGUMENTS    what a program prints; split at spaces, no shell
  github[:AUDIENCE]         GitHub Actions, for the audience sops-keyd unless another is given
  gitlab[:VARIABLE]         GitLab CI: the id_tokens entry SOPS_KEYD_ID_TOKEN unless another is given
  kubernetes[:PATH]         a projected token, at /var/run/secrets/sops-keyd/token unless another path is given`;

export function addConnectOptions(command: Command): Command {
  return command
    .option("--ca <file>", "PEM file with the CAs to trust, instead of Node.js' own")
    .option("--certificate <file>", "our client certificate; read again when it changes")
    .option("--private-key <file>", "its key")
    .option("--server-name <name>", "the name in the server's certificate, where it is not the host's")
    .option("--jwt <where>", "an identity token to show, see below")
    .option("--deadline <duration>", "whole time of a call", "15s");
}
