import { zipSync, strToU8 } from "fflate";
import { expect, test } from "vitest";
import { bytes, Bridge, Refusal } from "../src/bridge.ts";
import { free, nameOf, open } from "../src/lib/incoming.ts";
import { Rates } from "../src/lib/rates.ts";
import type { Stats } from "../src/wire.ts";

const stats = (rx_bytes: number, tx_bytes: number): Stats => ({
  type: "stats",
  rx_bytes,
  tx_bytes,
  last_handshake: null,
  endpoint: null,
  latency: null,
});

test("rates are what counters rise by, and nothing once they stand still", () => {
  const rates = new Rates();
  rates.add(stats(1000, 0), 10);
  expect(rates.now(10)).toEqual({ down: 0, up: 0 });
  rates.add(stats(3000, 500), 12);
  expect(rates.now(12)).toMatchObject({ down: 1000, up: 250 });
  expect(rates.now(15.1)).toEqual({ down: 0, up: 0 });
});

test("counters that begin anew are no flood, and those too near to each other wait", () => {
  const rates = new Rates();
  rates.add(stats(5000, 5000), 1);
  rates.add(stats(10, 10), 2);
  expect(rates.now(2)).toMatchObject({ down: 0, up: 0 });
  rates.add(stats(99_999, 10), 2.1);
  expect(rates.samples).toHaveLength(1);
});

test("the graph holds a minute", () => {
  const rates = new Rates();
  for (let second = 0; second <= 300; second += 1) rates.add(stats(second * 100, 0), second);
  expect(rates.samples.length).toBeGreaterThan(60);
  expect(rates.samples.length).toBeLessThan(66);
});

test("a ZIP gives its .conf files, and nothing of the rest", async () => {
  const zip = zipSync({
    "a/Berlin.conf": strToU8("[Interface]\n"),
    "readme.txt": strToU8("no"),
    "__MACOSX/a/._Berlin.conf": strToU8("no"),
    ".hidden.conf": strToU8("no"),
  });
  expect(await open("all.zip", zip)).toEqual([{ filename: "a/Berlin.conf", text: "[Interface]\n" }]);
  expect((await open("none.zip", zipSync({ "x.txt": strToU8("no") })))[0]!.problem).toMatch(/no \.conf/);
  expect((await open("cut.zip", zip.slice(0, 40)))[0]!.problem).toBeTruthy();
});

test("text is taken as it is, anything else says so", async () => {
  expect(await open("x.conf", strToU8("[Interface]\r\nünïcode"))).toEqual([{ filename: "x.conf", text: "[Interface]\r\nünïcode" }]); // prettier-ignore
  expect((await open("x.bin", new Uint8Array([0xff, 0xfe, 0x80])))[0]!.problem).toMatch(/no text file/);
});

test("a profile is called as its file, and never as another", () => {
  expect(nameOf("C:\\x\\Büro.CONF")).toBe("Büro");
  expect(free("Berlin", ["Home"])).toBe("Berlin");
  expect(free("Berlin", ["Berlin", "Berlin 2"])).toBe("Berlin 3");
});

test("the bridge passes what is right, and throws what is refused, in its words", async () => {
  const answered = (json: string): Bridge =>
    new Bridge({ ask: () => Promise.resolve(json), local: () => Promise.resolve(json) });
  expect(await answered('{"ok":{"type":"done","notes":[]}}').ask({ type: "disconnect" })).toEqual({ type: "done", notes: [] }); // prettier-ignore
  const refused = answered('{"error":{"code":"conflict","text":"Look again."}}');
  await expect(refused.local({ do: "ready" })).rejects.toEqual(new Refusal("conflict", "Look again."));
  await expect(answered("null").ask({ type: "disconnect" })).rejects.toBeInstanceOf(Refusal);
  await expect(answered("no JSON").ask({ type: "disconnect" })).rejects.toBeInstanceOf(Refusal);
});

test("base64 is bytes", () => {
  expect([...bytes("AP8K")]).toEqual([0, 255, 10]);
});
