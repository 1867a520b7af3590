// The recordings of tests/data/events, read by the five rules of their README.md.

import { expect, test } from "vitest";
import { apply, Gap } from "../src/store.ts";
import type { Event, Lagged, Logs, Reply, Snapshot } from "../src/wire.ts";

const recordings = import.meta.glob<string>("../../../tests/data/events/*.jsonl", {
  query: "?raw",
  import: "default",
  eager: true,
});

function played(lines: string[]): Snapshot | null {
  let view = null as Snapshot | null;
  let counting = false;
  for (const line of lines) {
    const message = JSON.parse(line) as Reply | Event | Logs | Lagged;
    if (message.type === "reply" && message.result.type === "snapshot") {
      view = message.result;
      counting = true;
    } else if (message.type === "reply" && message.result.type === "resumed" && view) {
      view = { ...view, seq: message.result.seq };
      counting = true;
    } else if (message.type === "lagged") {
      counting = false;
    } else if (message.type === "event" && counting && view) {
      try {
        view = apply(view, message);
      } catch (error) {
        if (!(error instanceof Gap)) throw error;
        counting = false;
      }
    }
  }
  return view;
}

test("there are recordings", () => {
  expect(Object.keys(recordings).length).toBeGreaterThan(10);
});

test.each(Object.entries(recordings))("%s ends in the view of its last line", (_, text) => {
  const lines = text.trim().split("\n");
  expect(played(lines.slice(0, -1))).toEqual(JSON.parse(lines.at(-1)!));
});

test("an event that doesn't follow is a gap, and changes nothing", () => {
  const lines = recordings["../../../tests/data/events/connect.jsonl"]!.trim().split("\n");
  const view = JSON.parse(lines.at(-1)!) as Snapshot;
  const event = { ...(JSON.parse(lines[1]!) as Event), seq: view.seq + 2 };
  const before = structuredClone(view);
  expect(() => apply(view, event)).toThrow(Gap);
  expect(() => apply(view, { ...event, seq: view.seq })).toThrow(Gap);
  expect(view).toEqual(before);
});
