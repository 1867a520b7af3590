// Made by `python -m tools.ui_types` from helper/wire/schema/; never edit.

/** Let a user of this computer use SloPN. For root alone. */
export interface AddUser {
  name: string;
  type: "add_user";
}

/** Where a teardown leads. */
export type AfterDisconnect = "block" | "nothing" | "pause" | "reconnect";

/** A user who may use SloPN, and why. */
export interface AllowedUser {
  basis: UserBasis;
  name: string;
  uid: number;
}

/** Replace all settings. */
export interface ApplySettings {
  /** Those that the client knows: refused if others hold by now, so that nobody undoes another's change unseen. */
  instead_of?: Settings | null;
  settings: Settings;
  type: "apply_settings";
}

/** Change what a profile leaves to the user. A tunnel that uses it is made anew. */
export interface ChangeProfile {
  /** What the tunnel's packets have at most; 0: as the path is found to be. None: left as it is. */
  mtu?: number | null;
  name: string;
  /** Of an enrolled profile. None: left as it is. */
  post_quantum?: PostQuantum | null;
  type: "change_profile";
}

/** One thing that was looked at. */
export interface Check {
  code: string;
  remedy: string;
  text: string;
  verdict: Verdict;
}

/** Say what an enrolment link holds, and ask nobody. The reply is a `LinkHolds`. */
export interface CheckEnrolment {
  link: string;
  type: "check_enrolment";
}

/** Say what `ImportProfile` would make of these, and store nothing. The reply is a `Checked`. */
export interface CheckProfile {
  filename: string;
  name: string;
  text: string;
  type: "check_profile";
}

/** Reply to `CheckProfile`: what would be stored, or what is wrong and where. */
export interface Checked {
  column: number | null;
  /** Counted from 1, as `column`. None: it is about the name, or about all profiles together. */
  line: number | null;
  /** Without the place; empty: nothing is wrong. */
  problem: string;
  profile: Profile | null;
  type: "checked";
}

/** Repeat the number that the helper shows. The reply is `Paired`. Allowed without a certificate. */
export interface ConfirmPairing {
  number: string;
  pairing: string;
  type: "confirm_pairing";
}

/** Bring up `profile`; None: the one used last, or the only one. */
export interface Connect {
  profile?: string | null;
  type: "connect";
}

/** Traffic flows through the tunnel: the handshake is done, the host configured, the policy in force. */
export interface Connected {
  endpoints: Endpoint[];
  interface: string;
  profile: string;
  type: "connected";
}

/** A tunnel is wanted and not up yet. `attempt` > 0 after a failure, whose cause is then in `cause`. */
export interface Connecting {
  attempt: number;
  cause: ErrorCause | null;
  /** IP literals once resolved: the most promising one of each of the profile's peers, then all others. */
  endpoints: Endpoint[];
  interface: string | null;
  profile: string;
  step: Step;
  type: "connecting";
}

/** A paired front end: a program of one user that holds a certificate of the helper's. */
export interface Device {
  /** Unix time, as all times here. */
  created: number;
  expires: number;
  /** Stays the same when the certificate is renewed. */
  id: string;
  /** By the day: it isn't a log. */
  last_seen: number | null;
  name: string;
  rights: Right[];
  /** On Windows the last part of the user's SID. */
  uid: number;
  user: string;
}

/** All paired front ends. */
export interface DevicesChanged {
  devices: Device[];
  type: "devices";
}

/** The reply is a `Diagnosis`: checks with verdicts, and what a support person needs, redacted. */
export interface Diagnose {
  type: "diagnose";
}

/** Reply to `Diagnose`. `files`: name → redacted text. */
export interface Diagnosis {
  checks: Check[];
  files: Record<string, string>;
  type: "diagnosis";
}

/** Take the tunnel down, and want none. */
export interface Disconnect {
  type: "disconnect";
}

/** No tunnel and none wanted, or none for now. */
export interface Disconnected {
  /** Paused: the profile to connect to again when the pause is over. */
  resume: string | null;
  type: "disconnected";
}

/** The tunnel is being taken down. `profile` is the one to connect to next when `then` is RECONNECT. */
export interface Disconnecting {
  /** Failed tries of the teardown itself. */
  attempt: number;
  /** What to report when `then` is BLOCK. */
  cause: ErrorCause | null;
  profile: string;
  /** Failed attempts of the connection that is being torn down: back-off goes on from here. */
  retries: number;
  then: AfterDisconnect;
  type: "disconnecting";
}

/** Resolvers to use while connected. Empty `servers`: leave the host's resolvers alone. */
export interface DnsConfig {
  /** Non-empty: only these suffixes go to `servers` (split DNS). */
  match: string[];
  search: string[];
  servers: IPAddress[];
}

/** Accepted; the outcome comes as events. `notes` are sentences for the user. */
export interface Done {
  notes: string[];
  type: "done";
}

/** Where a peer listens. `host` is an IP literal or a name; a name is resolved by the helper alone. */
export interface Endpoint {
  host: string;
  port: number;
}

/**
 * Enrol this computer at the gateway of `link`, and store a profile. The reply is an `Enrolled`, within half a minute.
 *
 *     Asked again after a failure it goes on where it was: the same link gives the same device.
 */
export interface Enrol {
  link: string;
  /** The profile's; None: made of the gateway's host. */
  name?: string | null;
  replace?: boolean;
  type: "enrol";
}

/** Reply to `Enrol` and `RenewEnrolment`: the profile as it is stored now. */
export interface Enrolled {
  profile: Profile;
  type: "enrolled";
}

/** One of the servers that take an enrolled device; all know its key and its addresses. */
export interface EnrolledGateway {
  /** Where it takes renewals. */
  api: Endpoint;
  endpoint: Endpoint;
  /** SHA-256 of its enrolment certificate's SubjectPublicKeyInfo, hexadecimal. */
  pin: string;
  /** Base64, 44 characters. */
  public_key: string;
}

/** What a profile has that came by an enrolment link. */
export interface Enrolment {
  /** Its id at the gateways. */
  device: string;
  /** None: never. */
  expires: number | null;
  /** At least one. The profile's one peer has the first one's key and endpoint; whichever answers takes its place. */
  gateways: EnrolledGateway[];
  /** Every gateway's own addresses in the tunnel. */
  inside: IPAddress[];
  /** When it was made or renewed last, Unix time; a renewal is due after two thirds of the time to `expires`. */
  since: number;
}

/** Why there is no tunnel, or why this attempt failed. `slopn_wire.words` has a sentence for each. */
export type ErrorCause = "bad_profile" | "engine" | "firewall" | "handshake" | "host" | "offline" | "overlap" | "resolve" | "restore" | "stale" | "stopped" | "tun_device" | "unprotected";

/** Why a request was refused; decides the command line's exit status. */
export type ErrorKind = "conflict" | "failed" | "invalid" | "limited" | "not_paired" | "not_permitted";

/** No tunnel is possible until something changes; tried again from time to time. */
export interface ErrorState {
  attempt: number;
  /** False: traffic is not held back; the user must be told loudly. */
  blocking: boolean;
  cause: ErrorCause;
  profile: string;
  type: "error";
}

/** One numbered change. */
export interface Event {
  body: StateChanged | SettingsChanged | ProfilesChanged | HealthChanged | NetworkInfo | Stats | DevicesChanged | PairingsChanged;
  /** The previous number + 1; a gap means: ask for a new snapshot. */
  seq: number;
  type: "event";
}

/** The reply is an `Exported`: a wg-quick file with the private key. */
export interface ExportProfile {
  name: string;
  type: "export_profile";
}

/** Reply to `ExportProfile`. */
export interface Exported {
  text: string;
  type: "exported";
}

/**
 * The reply is `Done`; then `Logs` come as lines do, from the first one numbered above `after`.
 *
 *     A second one replaces the first.
 */
export interface FollowLogs {
  after?: number;
  filter?: LogFilter;
  /** Unix time. */
  since?: number;
  type: "follow_logs";
}

/** The reply is a `Logs`: what the helper still holds, oldest first. */
export interface GetLogs {
  filter?: LogFilter;
  /** Unix time. */
  since?: number;
  type: "get_logs";
}

/** The reply is `Pairings`: who waits to be paired, with the numbers to repeat. */
export interface GetPairings {
  type: "get_pairings";
}

/** The reply is a `Snapshot`. */
export interface GetSnapshot {
  type: "get_snapshot";
}

/** The reply is `Users`: who may use SloPN on this computer, and why. */
export interface GetUsers {
  type: "get_users";
}

/** The whole health list. */
export interface HealthChanged {
  health: Warning[];
  type: "health";
}

/** An IPv4 or IPv6 address, without a zone. */
export type IPAddress = string;

/** An address with its prefix length. */
export type IPInterface = string;

/** A network; no bit is set below its prefix length. */
export type IPNetwork = string;

/** Store the wg-quick file `text` as profile `name`. `filename` appears in errors. */
export interface ImportProfile {
  filename: string;
  name: string;
  replace?: boolean;
  text: string;
  type: "import_profile";
}

/** When the host is closed to traffic outside the tunnel. */
export type KillSwitchMode = "always" | "off" | "on";

/** The reader fell too far behind; events were dropped. Ask for a new snapshot. */
export interface Lagged {
  type: "lagged";
}

/** Reply to `CheckEnrolment`: all of a link that may be shown. A link that makes no sense is refused. */
export interface LinkHolds {
  host: string;
  /** What the profile would be called. */
  name: string;
  /** SHA-256 of the public key of the gateway's certificate, hexadecimal. */
  pin: string;
  port: number;
  type: "link_holds";
}

/** What is true of the tunnel right now, beside its state. Empty while there is none. */
export interface Live {
  addresses: IPInterface[];
  dns: DnsConfig;
  /** Of an enrolment's gateways, the one in use, as its profile names it. */
  gateway: Endpoint | null;
  interface: string | null;
  mtu: number | null;
  /** Bytes of the largest packet that the way to the gateways carries, outside; None: not known. */
  path_mtu: number | null;
  /** None: the profile doesn't want it. */
  post_quantum: Protection | null;
}

/** Which lines are wanted; the helper leaves out the others. */
export interface LogFilter {
  /** `tunnel` takes `tunnel.driver` too. */
  component?: string;
  /** And graver. */
  level?: LogLevel;
  /** Somewhere in the message, in any case. */
  text?: string;
}

/** From talkative to grave. */
export type LogLevel = "critical" | "debug" | "error" | "info" | "warning";

/** One redacted line. */
export interface LogLine {
  /** Unix time. */
  at: number;
  /** The part of the helper that speaks: `tunnel.driver`, `engine`, `ipc.server`. */
  component: string;
  level: string;
  message: string;
  /** From 1 at each start of the helper, rising by 1; a line that isn't there was filtered out or is in `missed`. */
  number: number;
}

/** Lines of the log, oldest first: the reply to `GetLogs`, and what `FollowLogs` sends. */
export interface Logs {
  /** The helper's run that the numbers belong to, as in `Snapshot.epoch`. */
  epoch: string;
  lines: LogLine[];
  /** Lines before these that the helper no longer had when this reader was ready for them. */
  missed: number;
  type: "logs";
}

/** The network the host is on. */
export interface Network {
  interface: string | null;
  /** Traffic there costs money, as far as the system knows. */
  metered: boolean;
  mtu: number;
  online: boolean;
  /** The Wi-Fi's name, if there is one and it is known. */
  ssid: string | null;
}

/** The host moved to another network, or lost it. */
export interface NetworkInfo {
  network: Network;
  type: "network";
}

/** Reply to `Pair`: the user must repeat a number that the helper shows elsewhere, before `expires` (Unix time). */
export interface NumberNeeded {
  expires: number;
  pairing: string;
  type: "number_needed";
}

/**
 * Become a paired front end. Allowed without a certificate.
 *
 *     The reply is `Paired`, or `NumberNeeded`: the user reads a number where the helper shows it, and repeats it.
 */
export interface Pair {
  /** For people: `command line`, `window`. */
  name: string;
  /** Certificate signing request, PEM, of a key that never leaves the front end. */
  request: string;
  rights?: Right[];
  type: "pair";
}

/** Reply to `Pair`, `ConfirmPairing` and `Renew`: the certificate to connect with from now on. */
export interface Paired {
  /** PEM, signed by the greeting's authority. */
  certificate: string;
  device: string;
  rights: Right[];
  type: "paired";
}

/** Reply to `GetPairings`. A user sees the own ones, root all of them. */
export interface Pairings {
  pairings: ShownPairing[];
  type: "pairings";
}

/** All front ends that wait to be paired. */
export interface PairingsChanged {
  pairings: PendingPairing[];
  type: "pairings";
}

/** Take the tunnel down and bring it up again after `seconds` (1 to `LONGEST_PAUSE`). */
export interface Pause {
  seconds: number;
  type: "pause";
}

/** One WireGuard peer, in the words of wg(8). */
export interface Peer {
  allowed_ips: IPNetwork[];
  endpoint: Endpoint | null;
  has_preshared_key: boolean;
  /** Seconds; None: off. */
  persistent_keepalive: number | null;
  /** Base64, 44 characters. */
  public_key: string;
}

/** A front end that waits for its number to be repeated. The number itself comes with `Pairings` alone. */
export interface PendingPairing {
  expires: number;
  id: string;
  name: string;
  /** Path of the executable that asks, as the system says it; empty if it doesn't. */
  program: string;
  rights: Right[];
  uid: number;
  user: string;
}

/** What is in force on this host, in one word. */
export type PolicyKind = "blocked" | "open" | "tunnelled" | "unknown";

/** Whether fresh preshared keys are agreed by ML-KEM-768 inside the tunnel (docs/decisions/0008). */
export type PostQuantum = "demand" | "off" | "on";

/** A tunnel the user can choose by name; what a `.conf` file becomes on import. */
export interface Profile {
  addresses: IPInterface[];
  dns: DnsConfig;
  /** None: imported from a file. */
  enrolment: Enrolment | null;
  /** None: the helper's own mark. */
  fwmark: number | null;
  listen_port: number | null;
  /** None: as the path is found to be, at most 80 bytes below the link's, as wg-quick does. */
  mtu: number | null;
  name: string;
  /** Sentences about lines of the imported file that are kept but never obeyed (PostUp and its kin). */
  notes: string[];
  peers: Peer[];
  /** Means something with an enrolment only: other servers don't speak the protocol. */
  post_quantum: PostQuantum;
  /** `auto`, `off` (no routes) or a table's number in decimal, as wg-quick(8) has it. */
  table: string;
}

/** The whole list of profiles. */
export interface ProfilesChanged {
  profiles: Profile[];
  type: "profiles";
}

/** Of the tunnel's preshared key by ML-KEM-768, where the profile wants one. */
export interface Protection {
  demanded: boolean;
  /** Exchanges that the gateway left unanswered since the last one that succeeded. */
  failed: number;
  /** Unix time at which the key in force was agreed; None: there is none. */
  since: number | null;
}

/** Take the tunnel down and bring the same one up again. */
export interface Reconnect {
  type: "reconnect";
}

/** The request was not carried out; nothing changed. */
export interface Refused {
  kind: ErrorKind;
  message: string;
  type: "refused";
}

/** Forget a profile and its keys. Refused while it is in use. */
export interface RemoveProfile {
  name: string;
  type: "remove_profile";
}

/** Take back `AddUser`; the user's connections end at once. For root alone. */
export interface RemoveUser {
  name: string;
  type: "remove_user";
}

/** Call a paired front end something else. */
export interface RenameDevice {
  device: string;
  name: string;
  type: "rename_device";
}

/** Call a profile something else. Refused while it is in use, and when there is one of the new name. */
export interface RenameProfile {
  name: string;
  to: string;
  type: "rename_profile";
}

/** Another certificate for this front end and another key; the old one holds until the new one is used. */
export interface Renew {
  request: string;
  type: "renew";
}

/** Ask the gateways how `profile` is configured now, and prolong it. The reply is an `Enrolled`. */
export interface RenewEnrolment {
  profile: string;
  /** Change its key as well. */
  rotate?: boolean;
  type: "renew_enrolment";
}

/** Run a recording through the pure core again, without touching anything. The reply is `Replayed`. */
export interface Replay {
  /** The flight recorder's lines, compressed by zlib (RFC 1950). */
  recording: string;
  type: "replay";
}

/** Reply to `Replay`. `problem`: why the rest of the recording could not be run; empty if there is no rest. */
export interface Replayed {
  problem: string;
  steps: ReplayedStep[];
  type: "replayed";
  /** Of the SloPN that made the recording. */
  version: string;
}

/** One input of a recording, run through the core again. */
export interface ReplayedStep {
  /** Unix time of the recording. */
  at: number;
  /** Its JSON. */
  input: string;
  number: number;
  /** After it, as the core said then. */
  recorded: Disconnected | Connecting | Connected | Disconnecting | ErrorState;
  /** After it, as the core says now. */
  state: Disconnected | Connecting | Connected | Disconnecting | ErrorState;
}

/** The answer to the request with the same `id`. */
export interface Reply {
  id: number;
  result: Snapshot | Resumed | Logs | Exported | Checked | LinkHolds | Enrolled | Done | Refused | Paired | NumberNeeded | Pairings | Users | Diagnosis | Replayed;
  type: "reply";
}

/** One frame from a client. `id` is the client's own and comes back in the reply. */
export interface Request {
  command: Connect | Disconnect | Reconnect | Pause | Unlock | ImportProfile | CheckProfile | CheckEnrolment | Enrol | RenewEnrolment | RenameProfile | ExportProfile | ChangeProfile | RemoveProfile | ApplySettings | GetSnapshot | Watch | GetLogs | FollowLogs | Pair | ConfirmPairing | Renew | GetPairings | RenameDevice | RevokeDevice | GetUsers | AddUser | RemoveUser | Diagnose | Replay;
  id: number;
  /**
   * Chosen at random by the client and sent again with a retry: a command with a key is carried out once.
   *
   * Empty: each request stands for itself.
   */
  key?: string;
}

/** Reply to `Watch` with `after`: the events after it follow, without a gap. */
export interface Resumed {
  seq: number;
  type: "resumed";
}

/** End a pairing; its connections end at once. */
export interface RevokeDevice {
  device: string;
  type: "revoke_device";
}

/** What a front end may do. */
export type Right = "configure" | "connect" | "view";

/** All settings; a client sends the whole, the helper stores the whole. */
export interface Settings {
  /** Private ranges and multicast stay reachable while blocked or tunnelled. */
  allow_lan: boolean;
  /** Override of the choice of DNS mechanism (`resolved`, `resolv_conf`), for support. */
  dns_mechanism: string | null;
  /** Reached beside the tunnel, whatever its state; never for DNS. */
  exclude: IPNetwork[];
  /** Not empty: these alone go through the tunnel, everything else goes out directly and isn't held back. */
  include: IPNetwork[];
  kill_switch: KillSwitchMode;
  /** The user who sits at this computer's screen may use SloPN, also without being in its group. */
  local_user: boolean;
  /** Off: IP addresses and host names are blotted out of the log before it is written anywhere. */
  log_addresses: boolean;
  /** What is logged, from this level up. */
  log_level: LogLevel;
  /** Asked, by plain HTTP and while connecting fails alone, whether a captive portal answers instead. Empty: nobody is. */
  portal_url: string;
  /** Who is asked for an endpoint's name. Empty: the resolvers the host had before we changed it. */
  resolvers: IPAddress[];
}

/** New settings are in force. */
export interface SettingsChanged {
  settings: Settings;
  type: "settings";
}

/** How much a warning matters. */
export type Severity = "error" | "info" | "warning";

/** A waiting front end with the number that its user must repeat. */
export interface ShownPairing {
  number: string;
  pairing: PendingPairing;
}

/** Everything a fresh client needs to draw itself, as of event `seq`. */
export interface Snapshot {
  devices: Device[];
  /** The helper's run that `seq` belongs to: another one after each start. */
  epoch: string;
  health: Warning[];
  live: Live;
  network: Network;
  /** Unix time of the next attempt; None: there is none to wait for. */
  next_try: number | null;
  pairings: PendingPairing[];
  /** Unix time; None unless `target` is PAUSED. */
  paused_until: number | null;
  policy: PolicyKind;
  profiles: Profile[];
  protocol: [number, number];
  seq: number;
  settings: Settings;
  /** Unix time at which `state` was entered. */
  since: number;
  state: Disconnected | Connecting | Connected | Disconnecting | ErrorState;
  stats: Stats;
  target: TargetState;
  target_profile: string | null;
  type: "snapshot";
  version: string;
}

/** The tunnel's state, and all that changes with it, in one event. */
export interface StateChanged {
  live: Live;
  next_try: number | null;
  paused_until: number | null;
  policy: PolicyKind;
  since: number;
  state: Disconnected | Connecting | Connected | Disconnecting | ErrorState;
  target: TargetState;
  target_profile: string | null;
  type: "state";
}

/** Counters of the tunnel, over all peers, in bytes; times are Unix seconds. */
export interface Stats {
  /** Where packets to the first gateway go by now: it may have moved (roaming). */
  endpoint: Endpoint | null;
  last_handshake: number | null;
  /** Seconds to the first gateway and back, at the last handshake. */
  latency: number | null;
  rx_bytes: number;
  tx_bytes: number;
  type: "stats";
}

/** What a connecting tunnel is doing right now. */
export type Step = "configuring" | "handshake" | "protecting" | "resolving" | "waiting";

/** What the user wants; survives restarts. The machine works towards it. */
export type TargetState = "paused" | "secured" | "unsecured";

/** Let this computer's traffic out directly: want no tunnel, and block no longer while there is none. */
export interface Unlock {
  type: "unlock";
}

/** Why somebody may use SloPN. */
export type UserBasis = "added" | "group" | "root" | "seat";

/** Reply to `GetUsers`. */
export interface Users {
  type: "users";
  users: AllowedUser[];
}

/** What a check found. */
export type Verdict = "broken" | "fine" | "notice" | "unknown";

/** One entry of the health list. */
export interface Warning {
  /** What was filled into the sentence, by name, for who has the code's sentence in another language. */
  args: Record<string, string>;
  code: string;
  /** What to do about it; empty: nothing. */
  remedy: string;
  severity: Severity;
  /** What is wrong and what it means: one or two sentences. */
  text: string;
}

/**
 * The reply is a `Snapshot`, then `Event`s with rising `seq` follow.
 *
 *     With `after` and the `epoch` of the snapshot that it belongs to: the reply is `Resumed` if every event after `after`
 *     is still there, and they follow without a gap; else it is a `Snapshot` all the same.
 */
export interface Watch {
  after?: number | null;
  epoch?: string;
  type: "watch";
}

/** What a client may ask. */
export type Command = Connect | Disconnect | Reconnect | Pause | Unlock | ImportProfile | CheckProfile | CheckEnrolment | Enrol | RenewEnrolment | RenameProfile | ExportProfile | ChangeProfile | RemoveProfile | ApplySettings | GetSnapshot | Watch | GetLogs | FollowLogs | Pair | ConfirmPairing | Renew | GetPairings | RenameDevice | RevokeDevice | GetUsers | AddUser | RemoveUser | Diagnose | Replay;

/** What the helper answers. */
export type Result = Snapshot | Resumed | Logs | Exported | Checked | LinkHolds | Enrolled | Done | Refused | Paired | NumberNeeded | Pairings | Users | Diagnosis | Replayed;

/** What an event may say. */
export type EventBody = StateChanged | SettingsChanged | ProfilesChanged | HealthChanged | NetworkInfo | Stats | DevicesChanged | PairingsChanged;
