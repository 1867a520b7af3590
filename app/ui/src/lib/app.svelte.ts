// What the page knows and what it is doing, in one place: fed by the bridge, drawn by the components.

import type { Command, Done, Result, Settings, Snapshot } from "../wire.ts";
import { Bridge, type Api, type Link, type Local, type LocalResults, type Preferences, type Push } from "../bridge.ts"; // prettier-ignore
import { apply, Gap } from "../store.ts";
import { speak, type Catalogue } from "./i18n.svelte.ts";
import { LogBook } from "./logbook.ts";
import { Rates } from "./rates.ts";
import { collect, type Incoming } from "./incoming.ts";

export const PAGES = ["status", "profiles", "devices", "logs", "health", "settings"] as const;
export type Page = (typeof PAGES)[number];

/** Milliseconds in which a deletion can be taken back. */
export const UNDO = 8000;

/** A text in the editor. `old`: the profile that it replaces. */
export interface Draft {
  name: string;
  text: string;
  old: string | null;
}

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action: { label: string; run: () => void } | null;
}

/** A profile that is removed when its time is up, unless the user takes it back. */
export interface Leaving {
  name: string;
  until: number;
  timer: ReturnType<typeof setTimeout>;
}

const catalogues = import.meta.glob<Catalogue>("../generated/locale/*.json", { import: "default" });

class App {
  view = $state.raw<Snapshot | null>(null);
  link = $state.raw<Link | null>(null);
  preferences = $state.raw<Preferences | null>(null);
  page = $state<Page>("status");
  /** Unix seconds, to the second; stands still while nobody looks. */
  now = $state(Date.now() / 1000);
  /** What was asked and not yet answered, in a word: shown on the control that asked. */
  pending = $state<string | null>(null);
  /** The last refusal of the big control. */
  problem = $state<string | null>(null);
  toasts = $state.raw<Toast[]>([]);
  leaving = $state.raw<Leaving[]>([]);
  incoming = $state.raw<Incoming[]>([]);
  /** The enrolment link that is being looked at; empty: none was pasted yet; null: nobody enrols. */
  enrolling = $state.raw<string | null>(null);
  palette = $state(false);
  draft = $state.raw<Draft | null>(null);
  /** Counted up when the log or the rates have changed: both are too large to be watched. */
  logged = $state(0);
  measured = $state(0);
  logCut = 0;

  readonly book = new LogBook();
  readonly rates = new Rates();
  private wire: (bridge: Bridge) => void = () => undefined;
  /** What is asked before Python is there waits for it. */
  private readonly bridge = new Promise<Bridge>((resolve) => (this.wire = resolve));
  private counting = false;
  private asking = false;
  private toastNumber = 0;
  private tunnel: string | null = null;

  /** Take up work: hear from Python first, then ask for everything. */
  async start(api: Api): Promise<void> {
    this.wire(new Bridge(api));
    window.slopn = { receive: (batch) => this.receive(batch) };
    const [preferences] = await Promise.allSettled([this.local({ do: "preferences" }), this.ready()]);
    if (preferences.status === "fulfilled") this.prefer(preferences.value);
    document.addEventListener("visibilitychange", () => void this.seen());
    setInterval(() => {
      if (!document.hidden) this.now = Date.now() / 1000;
    }, 1000);
  }

  async ask(command: Command): Promise<Result> {
    return (await this.bridge).ask(command);
  }

  async local<D extends Local["do"]>(what: Extract<Local, { do: D }>): Promise<LocalResults[D]> {
    return (await this.bridge).local(what);
  }

  /** Go to a page. The address keeps it, so that a reload comes back; nothing is navigated. */
  show(page: Page): void {
    this.page = page;
    history.replaceState(null, "", `#${page}`);
  }

  receive(batch: Push[]): void {
    for (const push of batch) this.take(push);
  }

  /** Carry out what the big control says; the outcome comes as an event. */
  async act(command: Command): Promise<void> {
    this.pending = command.type;
    this.problem = null;
    try {
      notes(await this.ask(command)).forEach((note) => this.say(note));
    } catch (error) {
      this.problem = sentence(error);
    } finally {
      this.pending = null;
    }
  }

  /** Other settings, on top of those that the helper has. True: they are stored. */
  async set(changed: Partial<Settings>): Promise<boolean> {
    const known = this.view?.settings;
    if (!known) return false;
    try {
      const settings = { ...known, ...changed };
      notes(await this.ask({ type: "apply_settings", settings, instead_of: known })).forEach((note) => this.say(note));
      return true;
    } catch (error) {
      this.complain(error);
      return false;
    }
  }

  async setPreferences(changed: Partial<Preferences>): Promise<void> {
    if (!this.preferences) return;
    try {
      this.prefer(await this.local({ do: "set_preferences", preferences: { ...this.preferences, ...changed } }));
    } catch (error) {
      this.complain(error);
    }
  }

  say(text: string, action: Toast["action"] = null, milliseconds = 6000): number {
    return this.toast({ text, bad: false, action }, milliseconds);
  }

  complain(error: unknown): void {
    this.toast({ text: sentence(error), bad: true, action: null }, 0);
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  /** Forget a profile when `UNDO` is over. Until then it is there, and says that it is going. */
  leave(name: string): void {
    const timer = setTimeout(() => void this.remove(name), UNDO);
    this.leaving = [...this.leaving, { name, until: Date.now() + UNDO, timer }];
  }

  stay(name: string): void {
    const found = this.leaving.find((one) => one.name === name);
    if (found) clearTimeout(found.timer);
    this.leaving = this.leaving.filter((one) => one !== found);
  }

  async remove(name: string): Promise<void> {
    const found = this.leaving.find((one) => one.name === name);
    if (found) clearTimeout(found.timer);
    try {
      await this.ask({ type: "remove_profile", name });
    } catch (error) {
      this.complain(error);
    } finally {
      this.leaving = this.leaving.filter((one) => one.name !== name);
    }
  }

  private async seen(): Promise<void> {
    this.now = Date.now() / 1000;
    if (document.hidden) {
      this.counting = false;
      await this.local({ do: "hidden" }).catch(() => undefined);
    } else {
      await this.ready();
    }
  }

  /** Ask for the link and a snapshot, and for events from then on. */
  private async ready(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      await this.local({ do: "ready" });
    } catch (error) {
      this.link = { up: false, text: sentence(error), permitted: true };
    } finally {
      this.asking = false;
    }
  }

  private take(push: Push): void {
    switch (push.kind) {
      case "snapshot":
        this.counting = true;
        this.draw(push.snapshot);
        return;
      case "event":
        if (this.counting) this.follow(push.event);
        return;
      case "logs":
        this.logCut += this.book.add(push.lines, push.missed, push.epoch);
        this.logged += 1;
        return;
      case "link":
        this.link = push;
        if (!push.up) this.counting = false;
        return;
      case "preferences":
        this.prefer(push.preferences);
        return;
      case "open":
        void collect(push.files, push.link).then((found) => (this.incoming = [...this.incoming, ...found]));
        return;
      case "enrol":
        this.enrolling = push.link;
        return;
      case "show":
        if ((PAGES as readonly string[]).includes(push.page)) this.show(push.page as Page);
    }
  }

  private follow(event: Extract<Push, { kind: "event" }>["event"]): void {
    if (!this.view) return;
    try {
      this.draw(apply(this.view, event));
    } catch (error) {
      if (!(error instanceof Gap)) throw error;
      this.counting = false;
      void this.ready();
    }
  }

  private draw(view: Snapshot): void {
    const tunnel = view.state.type === "connected" ? `${view.epoch} ${view.since}` : null;
    if (tunnel !== this.tunnel) this.rates.clear();
    this.tunnel = tunnel;
    if (tunnel && view.stats !== this.view?.stats) this.rates.add(view.stats, performance.now() / 1000);
    this.measured += 1;
    this.now = Date.now() / 1000;
    this.view = view;
  }

  private prefer(preferences: Preferences): void {
    this.preferences = preferences;
    document.documentElement.dataset.theme = preferences.appearance;
    const wanted = preferences.language === "auto" ? (navigator.language.split("-")[0] ?? "en") : preferences.language;
    void this.learn(wanted);
  }

  private async learn(wanted: string): Promise<void> {
    const load = catalogues[`../generated/locale/${wanted}.json`];
    speak(load ? await load() : null);
    document.documentElement.lang = load ? wanted : "en";
  }

  private toast(toast: Omit<Toast, "id">, milliseconds: number): number {
    const id = ++this.toastNumber;
    this.toasts = [...this.toasts.slice(-3), { ...toast, id }];
    if (milliseconds) setTimeout(() => this.dismiss(id), milliseconds);
    return id;
  }
}

/** What a person reads of an error. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function notes(result: Result): string[] {
  return result.type === "done" ? (result as Done).notes : [];
}

export const app = new App();
