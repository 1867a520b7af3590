// What the page says that the wire's schema doesn't have yet. Each line goes away when `make wire` brings it.

import type { Command, Profile, Result } from "./wire.ts";

/** Judge a wg-quick file without storing it. The reply is a `Checked`. */
export interface CheckProfile {
  type: "check_profile";
  name: string;
  text: string;
  filename: string;
}

/** What would be stored, or what is wrong and where (from 1; null: not about a place in the text). */
export interface Checked {
  type: "checked";
  profile: Profile | null;
  line: number | null;
  column: number | null;
  problem: string;
}

/** Call a profile something else. The reply is `Done`. */
export interface RenameProfile {
  type: "rename_profile";
  name: string;
  to: string;
}

export type AnyCommand = Command | CheckProfile | RenameProfile;
export type AnyResult = Result | Checked;
