// The page in a plain browser: `?scene=connected&appearance=dark&language=de&logs=1000`, and `window.fake` for tests.

import type { Preferences } from "../bridge.ts";
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
  window.fake = helper;
  return helper;
}
