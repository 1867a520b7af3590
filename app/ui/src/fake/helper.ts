// A helper inside the page: answers commands as the real one does, a moment later, and tells what changed by events.

import type { Command, Event, EventBody, Lagged, LogLine, Logs, Reply, Result, Snapshot } from "../wire.ts";
import type { Api, Local, Preferences, Push } from "../bridge.ts";
import { apply } from "../store.ts";
import { judge, SAMPLE } from "./conf.ts";
import { enrolled, holds, Refused } from "./enrolment.ts";
import { DIAGNOSIS, LINES } from "./samples.ts";
import { base, ENDPOINT, live, SCENES, type Scene } from "./scenes.ts";

const DELAY = 60;
const RECORDINGS = import.meta.glob<string>("../../../../tests/data/events/*.jsonl", {
  query: "?raw",
  import: "default",
  eager: true,
});

type ServerMessage = Reply | Event | Logs | Lagged;

export class FakeHelper implements Api {
  scene: Scene;
  view: Snapshot;
  preferences: Preferences;
  /** Everything that was asked, for tests. */
  asked: Command[] = [];
  saved: { name: string; text: string }[] = [];
  copied = "";
  /** What the page has. */
  shown: () => Snapshot | null = () => null;
  /** What the next file dialog gives. */
  picked: { name: string; data: string }[] = [];
  /** Milliseconds of each step of connecting. */
  pace = 500;
  /** Refuse the next command with this sentence. */
  refuse: string | null = null;
  private texts = new Map<string, string>();
  private following = false;
  private lines = 0;
  private story = 0;
  private burst: ReturnType<typeof setInterval> | null = null;

  constructor(name: string) {
    this.scene = (SCENES[name] ?? SCENES["disconnected"]!)();
    this.view = this.scene.view ?? base();
    this.preferences = {
      start_at_login: false,
      connect_at_start: false,
      notifications: { connected: true, lost: true, back: true, blocked: true, portal: true },
      appearance: "auto",
      language: "auto",
      welcomed: !this.scene.fresh,
      favourites: [],
    };
    setInterval(() => this.flow(), 1000);
  }

  async ask(json: string): Promise<string> {
    return this.answer(() => this.command(JSON.parse(json) as Command));
  }

  async local(json: string): Promise<string> {
    return this.answer(() => this.here(JSON.parse(json) as Local));
  }

  push(...batch: Push[]): void {
    window.slopn?.receive(JSON.parse(JSON.stringify(batch)) as Push[]);
  }

  /** Change the view, and say so as the helper does. */
  tell(body: EventBody): void {
    const { type, ...fields } = body;
    this.view = { ...this.view, seq: this.view.seq + 1, ...(body.type === "stats" ? { stats: body } : fields) };
    void type;
    this.push({ kind: "event", event: { type: "event", seq: this.view.seq, body } });
  }

  /** Another scene from now on. */
  show(name: string): void {
    this.story += 1;
    this.scene = SCENES[name]!();
    if (this.scene.view) this.view = { ...this.scene.view, seq: this.view.seq + 1 };
    this.ready();
  }

  /** A recording of tests/data/events, as the window's other half passes it on: what doesn't follow is kept back. */
  replay(name: string): void {
    const lines = RECORDINGS[`../../../../tests/data/events/${name}.jsonl`]!.trim().split("\n").slice(0, -1);
    let counting = false;
    this.push({ kind: "link", ...this.scene.link });
    for (const line of lines) {
      const message = JSON.parse(line) as ServerMessage;
      if (message.type === "reply" && (message.result.type === "snapshot" || message.result.type === "resumed")) {
        this.view = message.result.type === "snapshot" ? message.result : { ...this.view, seq: message.result.seq };
        this.push({ kind: "snapshot", snapshot: this.view });
        counting = true;
      } else if (message.type === "event" && counting && message.seq === this.view.seq + 1) {
        this.view = apply(this.view, message);
        this.push({ kind: "event", event: message });
      } else if (message.type === "logs") {
        this.push({ kind: "logs", lines: message.lines, missed: message.missed, epoch: message.epoch });
      } else if (message.type !== "reply") {
        counting = false;
      }
    }
  }

  /** `count` log lines at once, numbered on. */
  log(count: number, of: (number: number) => Partial<LogLine> = () => ({})): void {
    const lines = Array.from({ length: count }, () => this.line(of));
    this.push({ kind: "logs", lines, missed: 0, epoch: this.view.epoch });
  }

  /** Lines for as long as the page wants them, in batches every 100 ms. */
  stream(perSecond: number): void {
    if (this.burst) clearInterval(this.burst);
    this.burst = setInterval(() => this.following && this.log(perSecond / 10), 100);
  }

  stopStream(): void {
    if (this.burst) clearInterval(this.burst);
    this.burst = null;
  }

  private async answer(work: () => unknown): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, DELAY));
    try {
      return JSON.stringify({ ok: (await work()) ?? null });
    } catch (error) {
      const code = error instanceof Refused ? error.code : "failed";
      return JSON.stringify({ error: { code, text: error instanceof Error ? error.message : String(error) } });
    }
  }

  private ready(): void {
    this.push({ kind: "link", ...this.scene.link });
    if (this.scene.link.up) this.push({ kind: "snapshot", snapshot: this.view });
  }

  private here(what: Local): unknown {
    switch (what.do) {
      case "ready":
        this.ready();
        return null;
      case "preferences":
        return this.preferences;
      case "set_preferences":
        this.preferences = what.preferences;
        return this.preferences;
      case "pick_files":
        return { files: this.picked };
      case "save":
        this.saved.push({ name: what.name, text: what.text });
        return { saved: `/home/ann/${what.name}` };
      case "save_bundle":
        return { saved: "/home/ann/slopn-report.zip" };
      case "copy":
        this.copied = what.text;
        return null;
      case "follow_logs":
        this.following = true;
        if (what.after === 0) setTimeout(() => this.log(40), 20);
        return null;
      case "stop_logs":
        this.following = false;
        return null;
      case "bundle_preview":
        return {
          name: "slopn-report.zip",
          files: { "snapshot.json": JSON.stringify(this.view, null, 2), "log.txt": "…" },
        };
      case "confirm_pairing":
        if (what.number !== "123456") throw new Refused("invalid", "This isn't the number. You can try twice more.");
        this.show("disconnected");
        return null;
      case "start_helper":
        this.show("disconnected");
        return null;
      case "hidden":
        return null;
    }
  }

  private async command(command: Command): Promise<Result> {
    this.asked.push(command);
    if (!this.scene.link.up) throw new Refused("unreachable", "SloPN's service isn't running.");
    if (this.refuse !== null) {
      const text = this.refuse;
      this.refuse = null;
      throw new Refused("failed", text);
    }
    const view = this.view;
    switch (command.type) {
      case "connect":
        void this.connect(command.profile ?? view.target_profile ?? view.profiles[0]?.name ?? "");
        break;
      case "disconnect":
      case "unlock":
        this.down(command.type === "unlock");
        break;
      case "reconnect":
        void this.connect(view.target_profile ?? "");
        break;
      case "pause":
        this.state({ type: "disconnected", resume: view.target_profile }, "open", {
          target: "paused",
          paused_until: Date.now() / 1000 + command.seconds,
        });
        break;
      case "check_profile":
        return judge(command.name, command.text);
      case "import_profile": {
        const found = judge(command.name, command.text);
        if (!found.profile) throw new Refused("invalid", `${command.filename}:${found.line}:${found.column}: ${found.problem}`); // prettier-ignore
        if (!command.replace && view.profiles.some((one) => one.name === command.name)) {
          throw new Refused("invalid", `There is a profile “${command.name}” already.`);
        }
        this.texts.set(command.name, command.text);
        this.profiles([...view.profiles.filter((one) => one.name !== command.name), found.profile]);
        return { type: "done", notes: found.profile.notes };
      }
      case "check_enrolment":
        return holds(command.link);
      case "enrol": {
        const profile = enrolled(holds(command.link), command.name ?? null);
        if (view.profiles.some((one) => one.name === profile.name)) throw new Refused("invalid", `There is a profile “${profile.name}” already.`); // prettier-ignore
        this.profiles([...view.profiles, profile]);
        return { type: "enrolled", profile };
      }
      case "renew_enrolment": {
        const profile = view.profiles.find((one) => one.name === command.profile);
        if (!profile?.enrolment) throw new Refused("invalid", "Nothing renews it.");
        return { type: "enrolled", profile };
      }
      case "export_profile":
        return { type: "exported", text: this.texts.get(command.name) ?? SAMPLE };
      case "remove_profile":
        this.profiles(view.profiles.filter((one) => one.name !== command.name));
        break;
      case "change_profile": {
        const { name, mtu, post_quantum } = command;
        const changed = { ...(mtu == null ? {} : { mtu: mtu || null }), ...(post_quantum ? { post_quantum } : {}) };
        this.profiles(view.profiles.map((one) => (one.name === name ? { ...one, ...changed } : one)));
        break;
      }
      case "rename_profile":
        if (view.profiles.some((one) => one.name === command.to)) throw new Refused("invalid", `There is a profile “${command.to}” already.`); // prettier-ignore
        this.profiles(view.profiles.map((one) => (one.name === command.name ? { ...one, name: command.to } : one)));
        break;
      case "apply_settings":
        this.tell({ type: "settings", settings: command.settings });
        break;
      case "rename_device":
        this.tell({ type: "devices", devices: view.devices.map((one) => (one.id === command.device ? { ...one, name: command.name } : one)) }); // prettier-ignore
        break;
      case "revoke_device":
        this.tell({ type: "devices", devices: view.devices.filter((one) => one.id !== command.device) });
        break;
      case "get_pairings":
        return {
          type: "pairings",
          pairings: view.pairings.map((pairing) => ({ pairing, number: "481 516".replace(" ", "") })),
        };
      case "get_users":
        return { type: "users", users: [{ name: "ann", uid: 1000, basis: "seat" }] };
      case "diagnose":
        await new Promise((resolve) => setTimeout(resolve, 1200));
        return DIAGNOSIS;
      default:
        throw new Refused("invalid", `The fake helper doesn't know ${command.type}.`);
    }
    return { type: "done", notes: [] };
  }

  private state(state: Snapshot["state"], policy: Snapshot["policy"], more: Partial<Snapshot> = {}): void {
    const { target, target_profile, paused_until } = { ...this.view, ...more };
    this.tell({
      type: "state",
      state,
      policy,
      since: Date.now() / 1000,
      target,
      target_profile,
      paused_until,
      live: more.live ?? base().live,
      next_try: null,
    });
  }

  private async connect(profile: string): Promise<void> {
    if (!this.view.profiles.some((one) => one.name === profile)) throw new Refused("invalid", `There is no profile “${profile}”.`); // prettier-ignore
    const mine = (this.story += 1);
    const wish = { target: "secured" as const, target_profile: profile, paused_until: null };
    for (const step of ["resolving", "handshake", "configuring"] as const) {
      const endpoints = step === "resolving" ? [] : [ENDPOINT];
      this.state({ type: "connecting", profile, attempt: 0, step, endpoints, interface: null, cause: null }, "blocked", wish); // prettier-ignore
      await new Promise((resolve) => setTimeout(resolve, this.pace));
      if (mine !== this.story) return;
    }
    this.scene = { ...this.scene, flows: true };
    this.state({ type: "connected", profile, endpoints: [ENDPOINT], interface: "slopn0" }, "tunnelled", { ...wish, live: live() }); // prettier-ignore
    this.tell({
      type: "stats",
      rx_bytes: 148,
      tx_bytes: 92,
      last_handshake: Date.now() / 1000,
      endpoint: ENDPOINT,
      latency: 0.021,
    });
  }

  private down(unlock: boolean): void {
    this.story += 1;
    if (unlock) this.tell({ type: "settings", settings: { ...this.view.settings, kill_switch: "on" } });
    const policy = this.view.settings.kill_switch === "always" ? "blocked" : "open";
    this.state({ type: "disconnected", resume: null }, policy, { target: "unsecured", paused_until: null });
  }

  private profiles(profiles: Snapshot["profiles"]): void {
    this.tell({ type: "profiles", profiles: profiles.toSorted((a, b) => (a.name < b.name ? -1 : 1)) });
  }

  private flow(): void {
    if (!this.scene.flows || this.view.state.type !== "connected" || !this.scene.link.up) return;
    const at = Date.now() / 1000;
    const wave = (period: number): number => (1 + Math.sin(at / period)) / 2;
    this.tell({
      ...this.view.stats,
      latency: 0.018 + 0.004 * wave(2.3),
      rx_bytes: this.view.stats.rx_bytes + Math.round(9e6 * wave(5) * (0.6 + wave(1.7)) + 4e5),
      tx_bytes: this.view.stats.tx_bytes + Math.round(9e5 * wave(3.1) + 5e4),
    });
  }

  private line(of: (number: number) => Partial<LogLine>): LogLine {
    const number = (this.lines += 1);
    const [level, component, message] = LINES[number % LINES.length]!;
    return {
      number,
      at: Date.now() / 1000,
      level,
      component,
      message: message.replace("#", String(number)),
      ...of(number),
    };
  }
}
