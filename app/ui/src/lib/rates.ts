// How fast the tunnel's counters rise, and the last minute of it for the graph. Pure: the caller brings the time.

import type { Stats } from "../wire.ts";

/** Seconds without a new counter after which nothing is flowing. */
const STALE = 3;
/** Seconds: counters nearer to each other say too little. */
const SHORTEST = 0.2;
/** Seconds that the graph shows. */
export const SPAN = 60;

export interface Sample {
  at: number;
  down: number;
  up: number;
}

export class Rates {
  /** Oldest first; one more than the span holds, so that the line goes to the edge. */
  samples: Sample[] = [];
  private last: { at: number; rx: number; tx: number } | null = null;

  /** Counters as of `at`, in seconds of a clock that never goes back. */
  add(stats: Stats, at: number): void {
    const last = this.last;
    if (last && at - last.at < SHORTEST) return;
    if (last) {
      const seconds = at - last.at;
      // A tunnel that begins anew counts from nothing.
      const down = Math.max(stats.rx_bytes - last.rx, 0) / seconds;
      const up = Math.max(stats.tx_bytes - last.tx, 0) / seconds;
      this.samples = [...this.samples.filter((sample) => at - sample.at <= SPAN + 2), { at, down, up }];
    }
    this.last = { at, rx: stats.rx_bytes, tx: stats.tx_bytes };
  }

  /** Bytes a second at `at`. */
  now(at: number): { down: number; up: number } {
    const newest = this.samples.at(-1);
    return newest && at - newest.at < STALE ? newest : { down: 0, up: 0 };
  }

  /** Begin anew: another tunnel. */
  clear(): void {
    this.samples = [];
    this.last = null;
  }
}
