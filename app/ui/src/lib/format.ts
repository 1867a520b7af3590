// Numbers and times for people. Numbers stand still: units change rarely, figures are equally wide.

import { locale, t } from "./i18n.svelte.ts";

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** A unit that gives way only when a number no longer fits it well: above 1000, or below a tenth of it. */
export class Scale {
  private power = 1;

  /** Bytes a second in the unit of before, if that will do. */
  text(speed: number): string {
    while (this.power < 3 && speed >= 1000 ** (this.power + 1)) this.power += 1;
    while (this.power > 1 && speed < 100 * 1000 ** (this.power - 1)) this.power -= 1;
    return `${decimal(speed / 1000 ** this.power)} ${UNITS[this.power]}/s`;
  }
}

/** An amount of data: 12.4 MB. */
export function size(bytes: number): string {
  let power = 0;
  while (power < 4 && bytes >= 1000 ** (power + 1)) power += 1;
  return power === 0 ? `${bytes} B` : `${decimal(bytes / 1000 ** power)} ${UNITS[power]}`;
}

/** What is left, to the second: 4:59, 1:02:03. Never less than nothing. */
export function countdown(seconds: number): string {
  const whole = Math.max(Math.floor(seconds + 0.5), 0);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A point in time, with its day unless that is today. Unix seconds. */
export function clock(at: number, now: number): string {
  const [then, today] = [new Date(at * 1000), new Date(now * 1000)];
  const time = then.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
  return then.toDateString() === today.toDateString() ? time : `${day(at)}, ${time}`;
}

/** A day. */
export function day(at: number): string {
  return new Date(at * 1000).toLocaleDateString(locale(), { year: "numeric", month: "short", day: "numeric" });
}

/** A log line's time, to the millisecond, the same everywhere: 14:02:07.123. */
export function stamp(at: number): string {
  const then = new Date(at * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const millis = String(then.getMilliseconds()).padStart(3, "0");
  return `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}.${millis}`;
}

/** How long ago, roughly. */
export function ago(seconds: number): string {
  if (seconds < 60) return t("{count} s ago", { count: Math.max(Math.floor(seconds), 0) });
  if (seconds < 3600) return t("{count} min ago", { count: Math.floor(seconds / 60) });
  return t("{count} h ago", { count: Math.floor(seconds / 3600) });
}

/** host:port, an IPv6 address in brackets. */
export function address(found: { host: string; port: number }): string {
  return found.host.includes(":") ? `[${found.host}]:${found.port}` : `${found.host}:${found.port}`;
}

/** A pin in groups of four, as people compare them. */
export function grouped(pin: string): string {
  return pin.replace(/(.{4})(?=.)/g, "$1 ");
}

function decimal(value: number): string {
  return value.toLocaleString(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}
