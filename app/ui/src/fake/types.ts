import type { Snapshot } from "../wire.ts";

export type { Profile, Snapshot } from "../wire.ts";
export type TunnelStateOf<T extends Snapshot["state"]["type"]> = Extract<Snapshot["state"], { type: T }>;
