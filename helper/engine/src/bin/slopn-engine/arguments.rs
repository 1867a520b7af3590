//! The command line and the environment, as wireguard-go reads them.
use slopn_engine::events::Level;
use slopn_engine::load::Stages;
use std::os::fd::RawFd;

const USAGE: &str = "usage: slopn-engine [-f|--foreground] INTERFACE-NAME
       slopn-engine --version

A WireGuard interface without the kernel's help, configured by wg(8).

  -f, --foreground   stay attached; else return once the interface and its socket exist

environment:
  LOG_LEVEL               verbose (or debug), error (the default), silent
  WG_PROCESS_FOREGROUND   1: as -f
  WG_TUN_FD               number of an open descriptor of the TUN device, instead of making one
  SLOPN_ENGINE_STAGES     threads that share the cipher's work, each way: 0 none, or auto (the default): as needed";

#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Run(Arguments),
    /// Print this and end.
    Say(String),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub interface: String,
    pub foreground: bool,
    /// None: silent.
    pub log_level: Option<Level>,
    pub tun_fd: Option<RawFd>,
    pub stages: Stages,
    log_asked: bool,
}

impl Arguments {
    /// Whether a daemon goes on writing to where its parent wrote: only when somebody wants to read it.
    pub fn keeps_output(&self) -> bool {
        self.log_asked && self.log_level.is_some()
    }
}

/// An error is what to tell the user.
pub fn parse(arguments: impl Iterator<Item = String>, env: impl Fn(&str) -> Option<String>) -> Result<Action, String> {
    let mut foreground = env("WG_PROCESS_FOREGROUND").as_deref() == Some("1");
    let mut interface = None;
    for argument in arguments {
        match argument.as_str() {
            "-f" | "--foreground" => foreground = true,
            "-h" | "--help" => return Ok(Action::Say(USAGE.to_owned())),
            "--version" => return Ok(Action::Say(format!("slopn-engine {}", env!("CARGO_PKG_VERSION")))),
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{USAGE}")),
            name if interface.is_none() => interface = Some(name.to_owned()),
            name => return Err(format!("one interface only, but also {name:?}\n{USAGE}")),
        }
    }
    let interface = interface.ok_or_else(|| format!("no interface named\n{USAGE}"))?;
    let valid = !interface.is_empty()
        && interface.len() < 16
        && !matches!(interface.as_str(), "." | "..")
        && !interface.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
    if !valid {
        return Err(format!("{interface:?} is no name for an interface: up to 15 characters, no space, / or :"));
    }
    if env("WG_UAPI_FD").is_some_and(|fd| !fd.is_empty()) {
        return Err("WG_UAPI_FD cannot be used: the socket is always made here".to_owned());
    }
    let log = env("LOG_LEVEL");
    let log_level = match log.as_deref() {
        Some("verbose" | "debug") => Some(Level::Debug),
        Some("silent") => None,
        _ => Some(Level::Error),
    };
    let number = |text: String| match text.parse() {
        Ok(fd) if fd >= 0 => Ok(fd),
        _ => Err(format!("WG_TUN_FD is {text:?}, not the number of a descriptor")),
    };
    let tun_fd = env("WG_TUN_FD").filter(|t| !t.is_empty()).map(number).transpose()?;
    let stages = match env("SLOPN_ENGINE_STAGES").as_deref() {
        None | Some("" | "auto") => Stages::Auto,
        Some(text) => match text.parse() {
            Ok(threads @ 0..=64) => Stages::Fixed(threads),
            _ => return Err(format!("SLOPN_ENGINE_STAGES is {text:?}, neither auto nor a number up to 64")),
        },
    };
    Ok(Action::Run(Arguments { interface, foreground, log_level, tun_fd, stages, log_asked: log.is_some() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, env: &[(&str, &str)]) -> Result<Action, String> {
        let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        parse(line.split_whitespace().map(str::to_owned), env)
    }

    fn arguments(line: &str, env: &[(&str, &str)]) -> Arguments {
        match run(line, env) {
            Ok(Action::Run(a)) => a,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_name_may_stand_anywhere() {
        for line in ["-f wg0", "wg0 --foreground"] {
            let a = arguments(line, &[]);
            assert_eq!((a.interface.as_str(), a.foreground), ("wg0", true));
        }
        assert!(!arguments("wg0", &[]).foreground);
    }

    #[test]
    fn the_environment_counts_as_in_wireguard_go() {
        let a = arguments("wg0", &[("WG_PROCESS_FOREGROUND", "1"), ("WG_TUN_FD", "3"), ("LOG_LEVEL", "verbose")]);
        assert_eq!((a.foreground, a.tun_fd, a.log_level, a.keeps_output()), (true, Some(3), Some(Level::Debug), true));
        let a = arguments("wg0", &[("LOG_LEVEL", "silent")]);
        assert_eq!((a.log_level, a.keeps_output()), (None, false));
        assert!(!arguments("wg0", &[]).keeps_output());
    }

    #[test]
    fn the_number_of_threads_may_be_fixed() {
        let stages = |text| arguments("wg0", &[("SLOPN_ENGINE_STAGES", text)]).stages;
        assert_eq!([stages(""), stages("auto"), arguments("wg0", &[]).stages], [Stages::Auto; 3]);
        assert_eq!([stages("0"), stages("3")], [Stages::Fixed(0), Stages::Fixed(3)]);
        for text in ["x", "-1", "65"] {
            assert!(run("wg0", &[("SLOPN_ENGINE_STAGES", text)]).is_err(), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["", "-x wg0", "wg0 wg1", "../x", "a-name-that-is-too-long", ".."] {
            assert!(run(line, &[]).is_err(), "{line}");
        }
        for fd in ["x", "-1", "99999999999"] {
            assert!(run("wg0", &[("WG_TUN_FD", fd)]).is_err(), "{fd}");
        }
        assert!(run("wg0", &[("WG_UAPI_FD", "4")]).is_err());
    }

    #[test]
    fn help_and_version_are_said() {
        let version = Action::Say(format!("slopn-engine {}", env!("CARGO_PKG_VERSION")));
        assert_eq!(run("--version", &[]), Ok(version));
        assert_eq!(run("--help", &[]), Ok(Action::Say(USAGE.to_owned())));
    }
}
