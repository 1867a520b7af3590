import { expect, test } from "vitest";
import { LogBook, MOST } from "../src/lib/logbook.ts";
import { atEnd, visible } from "../src/lib/windowing.ts";
import type { LogLine } from "../src/wire.ts";

const line = (number: number, more: Partial<LogLine> = {}): LogLine => ({
  number,
  at: number,
  level: "info",
  component: "engine",
  message: `line ${number}`,
  ...more,
});
const lines = (from: number, count: number): LogLine[] =>
  Array.from({ length: count }, (_, index) => line(from + index));

test("what is in sight is drawn, with some to spare, and never past either end", () => {
  expect(visible(100_000, 20, 0, 400, 10)).toEqual({ first: 0, end: 30 });
  expect(visible(100_000, 20, 2000, 400, 10)).toEqual({ first: 90, end: 130 });
  expect(visible(100_000, 20, 1_999_600, 400, 10)).toEqual({ first: 99_970, end: 100_000 });
  expect(visible(3, 20, 0, 400, 10)).toEqual({ first: 0, end: 3 });
  expect(visible(0, 20, 500, 400, 10)).toEqual({ first: 0, end: 0 });
});

test("a list that became shorter than the place scrolled to draws its end", () => {
  const { first, end } = visible(50, 20, 9000, 400, 10);
  expect([first, end]).toEqual([40, 50]);
});

test("the end is in sight up to a row", () => {
  expect(atEnd(100, 20, 1600, 400)).toBe(true);
  expect(atEnd(100, 20, 1585, 400)).toBe(true);
  expect(atEnd(100, 20, 1500, 400)).toBe(false);
});

test("lines that are there already aren't taken twice", () => {
  const book = new LogBook();
  book.add(lines(1, 3), 0, "a");
  book.add(lines(2, 4), 0, "a");
  expect(book.rows.map((row) => row.number)).toEqual([1, 2, 3, 4, 5]);
  expect(book.newest).toBe(5);
});

test("another run of the helper counts anew", () => {
  const book = new LogBook();
  book.add(lines(1, 3), 0, "a");
  book.add(lines(1, 2), 0, "b");
  expect(book.rows).toHaveLength(5);
  expect(book.newest).toBe(2);
});

test("lines that were missed stand in their place, unless a text is looked for", () => {
  const book = new LogBook();
  book.add(lines(1, 1), 0, "a");
  book.add(lines(8, 1), 6, "a");
  expect(book.shown.map((row) => row.missed ?? row.number)).toEqual([1, 6, 8]);
  book.filter({ level: "debug", text: "line" });
  expect(book.shown.map((row) => row.number)).toEqual([1, 8]);
});

test("a filter takes level and text, for what is there and what comes", () => {
  const book = new LogBook();
  book.add([line(1, { level: "debug" }), line(2, { level: "error", message: "Route LOST" })], 0, "a");
  book.filter({ level: "warning", text: " route " });
  book.add([line(3, { level: "warning", component: "host.routes" }), line(4, { level: "info", message: "route" })], 0, "a"); // prettier-ignore
  expect(book.shown.map((row) => row.number)).toEqual([2, 3]);
});

test("the oldest lines go when there are too many, and it says how many of the shown ones", () => {
  const book = new LogBook();
  book.filter({ level: "debug", text: "" });
  expect(book.add(lines(1, MOST), 0, "a")).toBe(0);
  const gone = book.add(lines(MOST + 1, 10), 0, "a");
  expect(gone).toBe(5010);
  expect(book.rows).toHaveLength(MOST - 5000);
  expect(book.shown[0]!.number).toBe(5011);
  expect(book.shown.at(-1)!.number).toBe(MOST + 10);
});
