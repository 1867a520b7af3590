// The page's two ways out and the one way in; README.md has the contract. Everything is JSON text: what comes from Python is
// ASCII, and what goes there is validated there.

import type { Command, Event, LogFilter, LogLine, Result, Snapshot } from "./wire.ts";

/** pywebview's `window.pywebview.api`, or the fake helper's. Both answer `{"ok": …}` or `{"error": {"code", "text"}}`. */
export interface Api {
  ask(json: string): Promise<string>;
  local(json: string): Promise<string>;
}

export type Notice = "connected" | "lost" | "back" | "blocked" | "portal";

/** What belongs to this user and this program, not to the helper. */
export interface Preferences {
  start_at_login: boolean;
  connect_at_start: boolean;
  notifications: Record<Notice, boolean>;
  appearance: "auto" | "light" | "dark";
  language: "auto" | "en" | "de";
  /** The first run is behind this user. */
  welcomed: boolean;
  /** Names of profiles that stand first. */
  favourites: string[];
}

/** A file as the user chose it; `data` is base64. */
export interface PickedFile {
  name: string;
  data: string;
}

/** What a problem report would hold: file name → redacted text. */
export interface BundlePreview {
  name: string;
  files: Record<string, string>;
}

/** What isn't the helper's to do. */
export type Local =
  | { do: "ready" }
  | { do: "hidden" }
  | { do: "pick_files" }
  | { do: "save"; name: string; text: string }
  | { do: "copy"; text: string }
  | { do: "preferences" }
  | { do: "set_preferences"; preferences: Preferences }
  | { do: "follow_logs"; filter: LogFilter; after: number; epoch: string }
  | { do: "stop_logs" }
  | { do: "bundle_preview" }
  | { do: "save_bundle" }
  | { do: "start_helper" }
  | { do: "confirm_pairing"; number: string };

/** What each of them answers under `ok`. `saved` is the path; null: the user changed their mind. */
export interface LocalResults {
  ready: null;
  hidden: null;
  pick_files: { files: PickedFile[] };
  save: { saved: string | null };
  copy: null;
  preferences: Preferences;
  set_preferences: Preferences;
  follow_logs: null;
  stop_logs: null;
  bundle_preview: BundlePreview;
  save_bundle: { saved: string | null };
  start_helper: null;
  confirm_pairing: null;
}

/** How the window stands with the helper. */
export interface Link {
  up: boolean;
  /** Why it isn't: three short lines at most, joined by spaces. */
  text: string;
  /** False: this user or this program may not. */
  permitted: boolean;
  /** This window's own pairing, to mark it in the list. */
  device?: string;
  /** Unix time until which the user may repeat the number that the helper shows elsewhere. */
  number_until?: number;
}

/** One wg-quick file on its way in. */
export interface Offered {
  filename: string;
  text: string;
}

/** What Python pushes, in batches, by `window.slopn.receive([...])`. */
export type Push =
  | { kind: "snapshot"; snapshot: Snapshot }
  | { kind: "event"; event: Event }
  | { kind: "logs"; lines: LogLine[]; missed: number; epoch: string }
  | ({ kind: "link" } & Link)
  | { kind: "preferences"; preferences: Preferences }
  | { kind: "open"; files: PickedFile[]; link?: string }
  | { kind: "enrol"; link: string }
  | { kind: "show"; page: string };

declare global {
  interface Window {
    pywebview?: { api?: Partial<Api> };
    slopn?: { receive(batch: Push[]): void };
  }
}

/** A command that was refused, or couldn't be sent: a code for programs, sentences for people. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    text: string,
  ) {
    super(text);
  }
}

/** Typed calls over an `Api`. */
export class Bridge {
  constructor(private readonly api: Api) {}

  /** One wire command. Throws `Refusal`. */
  async ask(command: Command): Promise<Result> {
    return (await unwrap(this.api.ask(JSON.stringify(command)))) as Result;
  }

  /** Something that isn't the helper's. Throws `Refusal`. */
  async local<D extends Local["do"]>(what: Extract<Local, { do: D }>): Promise<LocalResults[D]> {
    return (await unwrap(this.api.local(JSON.stringify(what)))) as LocalResults[D];
  }
}

async function unwrap(answer: Promise<string>): Promise<unknown> {
  let found: { ok?: unknown; error?: { code: string; text: string } };
  try {
    found = JSON.parse(await answer) as typeof found;
  } catch (error) {
    throw new Refusal("bridge", `The window's other half gave no answer: ${String(error)}`);
  }
  if (typeof found !== "object" || found === null)
    throw new Refusal("bridge", "The window's other half made no sense.");
  if (found.error) throw new Refusal(found.error.code, found.error.text);
  return found.ok;
}

/** pywebview's bridge once it is there; it comes some time after the page. */
export function connect(): Promise<Api> {
  const found = (): Api | null => {
    const api = window.pywebview?.api;
    return api?.ask && api.local ? (api as Api) : null;
  };
  const now = found();
  if (now) return Promise.resolve(now);
  return new Promise((resolve) => {
    window.addEventListener("pywebviewready", () => {
      const api = found();
      if (api) resolve(api);
    });
  });
}

/** Bytes of base64 text. */
export function bytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
