// Files on their way in, whatever they came by: wg-quick text, a ZIP of several, a picture of a QR code. What the text means is
// the helper's alone to say; here it is only found.

import { bytes, type Offered, type PickedFile } from "../bridge.ts";
import { t } from "./i18n.svelte.ts";

/** Largest file that is looked at, in bytes. */
const LARGEST = 20 << 20;
/** Most files of one ZIP. */
const MOST = 200;

/** One file to review, or why there is none. */
export type Incoming = Offered & { problem?: string };

/** What is in these files. `link`: the slopn:// link that they stand for, which names the profile. */
export async function collect(files: readonly PickedFile[], link?: string): Promise<Incoming[]> {
  const found = await Promise.all(files.map((file) => open(file.name, bytes(file.data))));
  return found.flat().map((one) => (link && !one.filename ? { ...one, filename: link } : one));
}

/** What is in one file. Never throws: what can't be read says so in its place. */
export async function open(name: string, data: Uint8Array): Promise<Incoming[]> {
  if (data.length > LARGEST) return [broken(name, t("The file is too large."))];
  try {
    if (isZip(data)) return await unzip(name, data);
    if (isPicture(data)) return [await scan(name, data)];
    return [{ filename: name, text: decode(data) }];
  } catch (error) {
    return [broken(name, error instanceof Error ? error.message : String(error))];
  }
}

/** Whether a text is an enrolment link and no file: what it holds is the helper's to say. */
export function isLink(text: string): boolean {
  return /^\s*slopn:\/\/enrol\?/i.test(text);
}

/** A profile's name as the helper makes it of a file's: without folders and `.conf`. */
export function nameOf(filename: string): string {
  const last = filename.split(/[/\\]/).at(-1) ?? "";
  return last.replace(/\.conf$/i, "").normalize("NFC");
}

/** `name`, or with a number behind it, so that it isn't one of `taken`. */
export function free(name: string, taken: Iterable<string>): string {
  const known = new Set(taken);
  if (!known.has(name)) return name;
  for (let number = 2; ; number += 1) {
    const next = `${name} ${number}`;
    if (!known.has(next)) return next;
  }
}

function isZip(data: Uint8Array): boolean {
  return data[0] === 0x50 && data[1] === 0x4b && data[2] === 3 && data[3] === 4;
}

/** PNG, JPEG, GIF, WebP and BMP, by their first bytes. */
function isPicture(data: Uint8Array): boolean {
  const begin = String.fromCharCode(...data.slice(0, 12));
  return /^(\x89PNG|\xff\xd8\xff|GIF8|BM|RIFF....WEBP)/s.test(begin);
}

async function unzip(name: string, data: Uint8Array): Promise<Incoming[]> {
  const { unzipSync } = await import("fflate");
  let total = 0;
  const entries = unzipSync(data, {
    filter: (entry) => {
      total += entry.originalSize;
      return /\.conf$/i.test(entry.name) && !/(^|\/)(\.|__MACOSX)/.test(entry.name) && total < LARGEST;
    },
  });
  const found = Object.entries(entries).slice(0, MOST);
  if (found.length === 0) return [broken(name, t("There is no .conf file in this ZIP."))];
  return found.map(([filename, content]) => ({ filename, text: decode(content) }));
}

async function scan(name: string, data: Uint8Array): Promise<Incoming> {
  const { default: decodeQR } = await import("qr/decode.js");
  const picture = await createImageBitmap(new Blob([data as Uint8Array<ArrayBuffer>]));
  const scale = Math.min(1, 2000 / Math.max(picture.width, picture.height));
  const [width, height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  if (!context) return broken(name, t("The picture can't be read."));
  context.drawImage(picture, 0, 0, width, height);
  try {
    const text = decodeQR(context.getImageData(0, 0, width, height), { timeLimit: 3000 });
    return { filename: `${name.replace(/\.\w+$/, "")}.conf`, text };
  } catch {
    return broken(name, t("No QR code is found in this picture."));
  }
}

function decode(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    throw new Error(t("This is no text file, no ZIP and no picture."));
  }
}

function broken(filename: string, problem: string): Incoming {
  return { filename, text: "", problem };
}
