// The log as the page keeps it: the newest lines up to a limit, and those of them that a filter lets through.

import type { LogLevel, LogLine } from "../wire.ts";

export const MOST = 100_000;
/** Cut off together, so that a full book isn't copied for each batch. */
const CHUNK = 5_000;

export const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error", "critical"];

/** A line, or in its place how many are missing. */
export interface Row extends LogLine {
  missed?: number;
}

export interface Wanted {
  level: LogLevel;
  text: string;
}

export class LogBook {
  rows: Row[] = [];
  shown: Row[] = [];
  epoch = "";
  /** Number of the newest line: `follow_logs` goes on after it. */
  newest = 0;
  private wanted: Wanted = { level: "debug", text: "" };

  /** Lines from the helper. Answers how many shown rows were cut off at the front. */
  add(lines: LogLine[], missed: number, epoch: string): number {
    if (epoch !== this.epoch) {
      this.epoch = epoch;
      this.newest = 0;
    }
    const fresh: Row[] = lines.filter((line) => line.number > this.newest);
    if (missed > 0) fresh.unshift(gap(missed, fresh[0]));
    this.newest = fresh.at(-1)?.number ?? this.newest;
    this.rows.push(...fresh);
    const passes = this.test();
    this.shown.push(...fresh.filter(passes));
    return this.rows.length > MOST ? this.cut() : 0;
  }

  /** Let other lines through. */
  filter(wanted: Wanted): void {
    this.wanted = wanted;
    this.shown = this.rows.filter(this.test());
  }

  clear(): void {
    this.rows = [];
    this.shown = [];
  }

  private cut(): number {
    const gone = new Set(this.rows.splice(0, this.rows.length - MOST + CHUNK));
    const kept = this.shown.findIndex((row) => !gone.has(row));
    const count = kept < 0 ? this.shown.length : kept;
    this.shown.splice(0, count);
    return count;
  }

  private test(): (row: Row) => boolean {
    const least = LEVELS.indexOf(this.wanted.level);
    const text = this.wanted.text.trim().toLowerCase();
    return (row) => {
      if (row.missed !== undefined) return text === "";
      const level = LEVELS.indexOf(row.level as LogLevel);
      if (level >= 0 && level < least) return false;
      return !text || row.message.toLowerCase().includes(text) || row.component.toLowerCase().includes(text);
    };
  }
}

function gap(missed: number, before: LogLine | undefined): Row {
  return { number: 0, at: before?.at ?? 0, level: "", component: "", message: "", missed };
}
