// A file in the helper's judgement: what it would become, or what is wrong with it and where.

import type { Checked, Profile } from "../wire.ts";
import { Refusal } from "../bridge.ts";
import { app } from "./app.svelte.ts";

export interface Judgement {
  profile: Profile | null;
  problem: string;
  /** From 1; null: not about a place in the text. */
  line: number | null;
  column: number | null;
}

/** Throws `Refusal` if the helper can't be asked. */
export async function check(name: string, text: string, filename: string): Promise<Judgement> {
  const found = (await app.ask({ type: "check_profile", name, text, filename })) as Checked;
  return { profile: found.profile, problem: found.problem, line: found.line, column: found.column };
}

/** The place that a refused import names: `file:line:column: what; what is allowed`. */
export function located(error: unknown, filename: string): Judgement {
  const text = error instanceof Error ? error.message : String(error);
  const place = /:(\d+):(\d+): /.exec(text);
  if (!(error instanceof Refusal) || !place || !text.startsWith(filename.slice(0, 8))) {
    return { profile: null, problem: text, line: null, column: null };
  }
  return {
    profile: null,
    problem: text.slice(place.index + place[0].length),
    line: Number(place[1]),
    column: Number(place[2]),
  };
}
