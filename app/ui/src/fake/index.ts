// The page in a plain browser: `?scene=connected&appearance=dark&language=de&logs=1000`, `?replay=pause`, and `window.fake` for tests.

import type { Preferences } from "../bridge.ts";
import { app } from "../lib/app.svelte.ts";
import { FakeHelper } from "./helper.ts";

declare global {
  interface Window {
    fake?: FakeHelper;
  }
}

export function start(): FakeHelper {
  const asked = new URLSearchParams(location.search);
  const helper = new FakeHelper(asked.get("scene") ?? "disconnected");
  const { preferences } = helper;
  preferences.appearance = (asked.get("appearance") ?? "auto") as Preferences["appearance"];
  preferences.language = (asked.get("language") ?? "en") as Preferences["language"];
  if (asked.has("logs")) helper.stream(Number(asked.get("logs")));
  helper.shown = () => app.view;
  window.fake = helper;
  const recording = asked.get("replay");
  if (recording) setTimeout(() => helper.replay(recording), 500);
  return helper;
}
