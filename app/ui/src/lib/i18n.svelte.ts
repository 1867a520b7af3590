// Words in the user's language: English in the source, the others from assets/locale through tools/locale.py.

/** A compiled catalogue: `forms` are the categories of Intl.PluralRules in the order of gettext's msgstr[0], msgstr[1], … */
export interface Catalogue {
  language: string;
  forms: string[];
  messages: Record<string, string | string[]>;
}

type Args = Record<string, string | number>;

let catalogue = $state.raw<Catalogue | null>(null);

/** Speak this language from now on; null: English. */
export function speak(next: Catalogue | null): void {
  catalogue = next;
}

/** What is spoken: a BCP 47 tag. */
export function language(): string {
  return catalogue?.language ?? "en";
}

/** How numbers and times are written: the user's own way, if it belongs to the language that is spoken. */
export function locale(): string {
  const own = typeof navigator === "undefined" ? [] : (navigator.languages ?? []);
  return own.find((tag) => tag.split("-")[0] === language() && isTag(tag)) ?? language();
}

/** A browser may name what is none, as WebKitGTK does in the locale “C”; every formatter would refuse it. */
export function isTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** `msgid` in the user's language, with `{names}` filled in. */
export function t(msgid: string, args: Args = {}): string {
  const found = catalogue?.messages[msgid];
  return fill(typeof found === "string" && found ? found : msgid, args);
}

/** The form for `count`, which fills in `{count}` too. */
export function n(one: string, many: string, count: number, args: Args = {}): string {
  const filled = { count: number(count), ...args };
  const found = catalogue?.messages[one];
  if (!catalogue || !Array.isArray(found)) return fill(count === 1 ? one : many, filled);
  const form = catalogue.forms.indexOf(new Intl.PluralRules(catalogue.language).select(count));
  return fill(found[form] ?? found.at(-1) ?? many, filled);
}

/** A whole number as people there write it. */
export function number(value: number): string {
  return value.toLocaleString(locale());
}

function fill(text: string, args: Args): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in args ? String(args[name]) : whole));
}
