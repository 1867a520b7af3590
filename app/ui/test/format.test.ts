import { expect, test } from "vitest";
import { address, countdown, Scale, size } from "../src/lib/format.ts";
import { isTag, n, number, speak, t } from "../src/lib/i18n.svelte.ts";

test("a unit gives way only when a number no longer fits it well", () => {
  const scale = new Scale();
  expect(scale.text(0)).toBe("0.0 KB/s");
  expect(scale.text(999_900)).toBe("999.9 KB/s");
  expect(scale.text(1_000_000)).toBe("1.0 MB/s");
  expect(scale.text(400_000)).toBe("0.4 MB/s");
  expect(scale.text(99_000)).toBe("99.0 KB/s");
  expect(scale.text(2_500_000_000)).toBe("2.5 GB/s");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 KB"],
  [487_700_000, "487.7 MB"],
  [3.2e15, "3,200.0 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test.each([
  [-3, "0:00"],
  [59.4, "0:59"],
  [59.5, "1:00"],
  [299, "4:59"],
  [3723, "1:02:03"],
])("%d seconds left are %s", (seconds, text) => {
  expect(countdown(seconds)).toBe(text);
});

test("an IPv6 address stands in brackets", () => {
  expect(address({ host: "2001:db8::7", port: 443 })).toBe("[2001:db8::7]:443");
  expect(address({ host: "vpn.example.org", port: 51820 })).toBe("vpn.example.org:51820");
});

test("a sentence is the catalogue's, and English without one", () => {
  try {
    speak({ language: "de", forms: ["one", "other"], messages: { "Hello, {name}": "Hallo, {name}", "{count} line": ["{count} Zeile", "{count} Zeilen"] } }); // prettier-ignore
    expect(t("Hello, {name}", { name: "{x}" })).toBe("Hallo, {x}");
    expect(t("Not there")).toBe("Not there");
    expect(n("{count} line", "{count} lines", 1)).toBe("1 Zeile");
    expect(n("{count} line", "{count} lines", 1200)).toBe("1.200 Zeilen");
    expect(number(12345)).toBe("12.345");
  } finally {
    speak(null);
  }
  expect(t("Hello, {name}", { name: "you" })).toBe("Hello, you");
  expect(n("{count} line", "{count} lines", 1200)).toBe("1,200 lines");
});

test("a language with more than two forms picks by its own rules", () => {
  try {
    speak({ language: "pl", forms: ["one", "few", "many"], messages: { "{count} line": ["{count} wiersz", "{count} wiersze", "{count} wierszy"] } }); // prettier-ignore
    expect([1, 3, 5, 22].map((count) => n("{count} line", "{count} lines", count))).toEqual([
      "1 wiersz",
      "3 wiersze",
      "5 wierszy",
      "22 wiersze",
    ]);
  } finally {
    speak(null);
  }
});

test("a locale that is no language's breaks nothing", () => {
  expect([isTag("de-AT"), isTag("C"), isTag(""), isTag("en_US")]).toEqual([true, false, false, false]);
});
