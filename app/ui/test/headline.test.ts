import { expect, test } from "vitest";
import type { Link } from "../src/bridge.ts";
import { base, SCENES } from "../src/fake/scenes.ts";
import { brief, headline, type Headline } from "../src/lib/headline.ts";
import { answers } from "../src/lib/protection.ts";

function shown(name: string): Headline {
  const { view, link } = SCENES[name]!();
  return headline(view, link, Date.now() / 1000);
}

test.each([
  ["disconnected", "Not protected", "open", "exposed", "connect"],
  ["blocked", "Blocked", "bar", "attention", "connect"],
  ["connecting", "Connecting to Berlin…", "filling", "attention", "disconnect"],
  ["attempt3", "Reconnecting to Berlin…", "filling", "attention", "disconnect"],
  ["connected", "Protected through Berlin", "tick", "protected", "disconnect"],
  ["warning", "Protected, with a problem", "dot", "attention", "disconnect"],
  ["off", "Connected through Berlin", "dot", "attention", "disconnect"],
  ["error", "Blocked: the profile can't be used", "bar", "exposed", "reconnect"],
  ["error-open", "Not protected: the firewall can't be set", "broken", "exposed", "reconnect"],
  ["paused", "Paused", "clock", "exposed", "connect"],
  ["no-helper", "SloPN's service isn't running", "question", "attention", "start_helper"],
  ["locked", "Your keyring is locked, and this program's key belongs into it", "question", "attention", "ready"],
  ["not-permitted", "This window may not use SloPN", "question", "attention", undefined],
  ["unknown", "Not connected", "question", "attention", "connect"],
])("%s: %s", (name, title, look, tone, act) => {
  const found = shown(name);
  expect([found.title, found.look, found.tone, found.primary?.act]).toEqual([title, look, tone, act]);
});

test("protected is said of no policy but tunnelled", () => {
  for (const name of Object.keys(SCENES)) {
    const { view, link } = SCENES[name]!();
    const words = `${shown(name).title} ${brief(view, link)}`.replace(/not protected/gi, "");
    if (view?.policy !== "tunnelled") expect(words, name).not.toMatch(/protected/i);
    if (view && link.up && view.policy !== "blocked") expect(words, name).not.toMatch(/blocked/i);
  }
});

test("a step that takes long gets a hint, a new one none", () => {
  expect(shown("connecting").hint).toBe("");
  expect(shown("slow").hint).toMatch(/^Check that it runs/);
});

test("waiting for the next try counts down to it", () => {
  expect(shown("attempt3").line).toMatch(/^The gateway doesn't answer · try 3 · next try in (19|20) s · nothing leaves meanwhile$/); // prettier-ignore
});

test("the title stays the same while seconds pass", () => {
  const { view, link } = SCENES["paused"]!();
  const now = Date.now() / 1000;
  expect(headline(view, link, now).title).toBe(headline(view, link, now + 5).title);
  expect(headline(view, link, now).count).not.toBe(headline(view, link, now + 5).count);
});

test("no snapshot and no link: nothing is claimed", () => {
  expect(headline(null, null, 0).tone).toBe("neutral");
  const up: Link = { up: true, text: "", permitted: true };
  expect(brief(null, up)).toBe("Not known");
});

test("what is protected follows from profile, settings and policy", () => {
  const verdicts = (change: (view: ReturnType<typeof base>) => void): string => {
    const view = SCENES["connected"]!().view!;
    change(view);
    return answers(view)
      .map((answer) => `${answer.label} ${answer.verdict}`)
      .join(", ");
  };
  expect(verdicts(() => undefined)).toBe("All traffic yes, DNS yes, IPv6 yes, Local network off");
  expect(verdicts((view) => void (view.settings.include = ["10.0.0.0/8"]))).toBe(
    "Some traffic no, DNS yes, IPv6 no, Local network off",
  );
  expect(verdicts((view) => void (view.settings.allow_lan = true))).toContain("Local network no");
  expect(verdicts((view) => void (view.live.dns.servers = []))).toContain("DNS no");
  expect(verdicts((view) => void (view.live.dns.match = ["corp.example"]))).toContain("Some DNS no");
  expect(verdicts((view) => void (view.profiles[0]!.peers[0]!.allowed_ips = ["0.0.0.0/1", "128.0.0.0/1"]))).toBe(
    "All traffic yes, DNS yes, IPv6 yes, Local network off",
  );
  const open = (view: ReturnType<typeof base>): void => {
    view.policy = "open";
    view.profiles[0]!.peers[0]!.allowed_ips = ["10.0.0.0/8"];
  };
  expect(verdicts(open)).toBe("1 network no, DNS yes, IPv6 no, Local network off");
  expect(answers(base())).toEqual([]);
});
