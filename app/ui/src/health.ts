// Made by `python -m tools.ui_types` from helper/src/slopn_helper/health.py; never edit.
// Sentence and remedy by code, from slopn_helper.health.

export const HEALTH: Record<string, string[]> = {
  "firewall_refused": ["{what}", "SloPN tries again by itself; `slopn logs` says why the firewall refused."],
  "no_tunnel": ["No tunnel comes up: {why}.", "SloPN tries again, at once when something changes here."],
  "restore_incomplete": ["Not everything could be put back as it was: {what}.", "Run `sudo slopn-helper restore`."],
  "packet_sockets": ["Programs of root that send by packet sockets get past the kill switch: {why}.", "Use a kernel from 5.16 on; other programs are held back all the same."],
  "changed_by_others": ["Another program has changed what SloPN had set, and SloPN has put it back: {what}.", "If it comes again, find out which program does it: two of them can't manage the same thing."],
  "dns_silent": ["{what}.", "Names don't resolve through the tunnel: check the profile's DNS line, or ask whoever runs the gateway."],
  "dns_elsewhere": ["{what}.", "Another program manages DNS here; `slopn diagnose` says which, `slopn settings set dns_mechanism` chooses another way."],
  "journal_damaged": ["{what}.", "Compare this computer's routes and resolv.conf with what you expect once you are disconnected."],
  "kill_switch_off": ["The kill switch is off: if the tunnel drops, your traffic goes out directly.", "Turn it on with `slopn settings set kill_switch on`."],
  "profile_damaged": ["A stored profile was damaged and is set aside as {file}.", "Import it again."],
  "profile_without_keys": ["The profile “{profile}” can't be used: {why}.", "Import it again with `slopn import --replace`."],
  "settings_damaged": ["The settings were damaged and are set aside as {file}. The kill switch is on always until you set it otherwise.", "Look at the settings with `slopn settings` and set what you want."],
  "wish_damaged": ["Whether you wanted to be connected was lost; the damaged file is set aside as {file}. This host stays closed until you connect or disconnect.", "Run `slopn connect` or `slopn disconnect`."],
  "pairings_lost": ["The keys that front ends are paired by were lost, so all pairings have ended: {why}.", "Nothing, for SloPN's own front ends: they pair again by themselves. Pair others with `slopn pair`."],
  "wish_unsaved": ["That you want no tunnel could not be saved, so the next start of the service may connect again: {why}.", "Put the disk right, then run `slopn disconnect` again."],
  "settings_unsaved": ["That this computer shall not be blocked could not be saved, so the next start of the service may block it again: {why}.", "Put the disk right, then run `slopn unlock` again."],
  "users_damaged": ["The list of added users was damaged and is set aside as {file}: nobody on it may use SloPN.", "Add them again with `sudo slopn users add NAME`."],
  "enrolment_expiring": ["The enrolment of “{profile}” ends in {left} and could not be renewed: {why}.", "SloPN tries again by itself; `slopn enrol --renew PROFILE` tries at once. If it goes on, ask whoever runs the gateway."],
  "enrolment_ended": ["The gateways of “{profile}” don't take this device any more: {why}.", "Ask whoever runs the gateway for a new link, then `slopn enrol --replace --name PROFILE LINK`."],
  "captive_portal": ["This network wants you to sign in before it lets you out: its page{where} answers instead of the internet.", "Run `slopn pause 5`, sign in with your browser, then `slopn connect`."],
  "captive_portal_always": ["This network wants you to sign in before it lets you out: its page{where} answers instead of the internet.", "The kill switch is always on, so that no browser reaches the page: set it with `slopn settings set kill_switch on`, run `slopn pause 5`, sign in, and set it to `always` again."],
  "other_vpn": ["Something else takes or drops what belongs into the tunnel: {what}.", "Disconnect it while you use SloPN, or give each of them routes of its own; `slopn diagnose` shows more."],
  "path_narrow": ["The way to the gateway carries packets of {mtu} bytes only, fewer than IPv6 needs inside a tunnel: full ones go in pieces, which is slower, and which some networks drop.", "Use another network if large transfers stall; or a profile without IPv6, which may have a smaller MTU."],
  "clock_wrong": ["This computer's clock stands before the day SloPN was set up on it.", "Set the clock; until then times in SloPN's log are wrong."],
};
