// The health list's sentences in the user's language: by their code, with what the helper filled in; else as the helper says them.

import { HEALTH } from "../health.ts";
import type { Warning } from "../wire.ts";
import { language, t } from "./i18n.svelte.ts";

export interface Said {
  text: string;
  remedy: string;
}

export function said(warning: Warning): Said {
  const known = HEALTH[warning.code];
  if (language() === "en" || !known?.[0]) return { text: warning.text, remedy: warning.remedy };
  return { text: translated(known[0], warning.args), remedy: known[1] ? translated(known[1], warning.args) : "" };
}

// Not `t` by its name: these msgids are collected where the helper has them.
const translated = t;
