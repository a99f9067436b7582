//! The implementations that are compared.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use crate::child;
use crate::program::{CLIFFS, COMMON, Program};
use crate::twin::Language;

/// The peers that run if none is named, in the order of the table's columns. The first command is replaced by `traceorus_command`.
const DEFAULTS: [(&str, &str); 4] = [
    ("traceorus", ""),
    ("luajit-joff", "luajit -joff"),
    ("lua5.4", "lua5.4"),
    ("luajit", "luajit"),
];

/// Prints the dialect, and the implementation's own version where it has one.
const PROBE: &str = "print(_VERSION) print(jit and jit.version or _VERSION)";

/// An implementation that answered.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The name in tables.
    pub name: String,
    /// Program and leading arguments.
    pub command: Vec<String>,
    /// What its `_VERSION` says, such as `Lua 5.4`; empty if it runs twins.
    pub dialect: String,
    /// The language of the twins that it runs, if it does not run Lua.
    pub language: Option<Language>,
    /// A longer version text if it has one, otherwise the dialect.
    pub version: String,
}

impl Peer {
    /// Whether this peer can run the program. Lua: `common` and `cliffs` always, otherwise the set must be the dialect (`lua54` for `Lua 5.4`).
    /// Other languages: if it has a twin.
    pub fn runs(&self, program: &Program) -> bool {
        match self.language {
            Some(language) => language.file(program).is_some(),
            None => {
                [COMMON, CLIFFS].contains(&program.set.as_str())
                    || program.set == set_of(&self.dialect)
            }
        }
    }
}

/// The name of the program set for a dialect: `Lua 5.4` becomes `lua54`.
fn set_of(dialect: &str) -> String {
    dialect
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

/// Turns the peers of the command line (or the default ones) into names and commands.
pub fn parse(specs: &[String]) -> Result<Vec<(String, Vec<String>)>, String> {
    let defaults: Vec<String> = DEFAULTS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let specs = if specs.is_empty() { &defaults } else { specs };
    let mut peers: Vec<(String, Vec<String>)> = Vec::new();
    for spec in specs {
        let (name, command) = match spec.split_once('=') {
            Some((name, command)) => (name, command.to_owned()),
            None => match DEFAULTS.iter().find(|(name, _)| name == spec) {
                Some((name, "")) => (*name, traceorus_command()),
                Some((name, command)) => (*name, (*command).to_owned()),
                None if let Some(language) = Language::of_peer(spec) => {
                    (language.peer(), language.command().to_owned())
                }
                None => {
                    return Err(format!(
                        "'{spec}' is no peer known by name; write NAME=COMMAND"
                    ));
                }
            },
        };
        let words = shlex::split(&command)
            .filter(|w| !w.is_empty())
            .ok_or_else(|| format!("the peer '{name}' has no usable command: '{command}'"))?;
        if name.is_empty() || peers.iter().any(|(other, _)| other == name) {
            return Err(format!("the peer name '{name}' is empty or given twice"));
        }
        peers.push((name.to_owned(), words));
    }
    Ok(peers)
}

/// The release build of the runtime, which lies beside this program's own folder in cargo's target directory.
fn traceorus_command() -> String {
    let target = env::current_exe().ok().and_then(|exe| {
        exe.parent()
            .and_then(Path::parent)
            .map(|dir| dir.join("release").join("traceorus"))
    });
    match target.filter(|p| p.is_file()) {
        Some(path) => shlex::try_quote(&path.to_string_lossy())
            .map_or_else(|_| "traceorus".into(), std::borrow::Cow::into_owned),
        None => "target/release/traceorus".into(),
    }
}

/// Asks a peer for its version. `Err` says why it cannot take part.
pub fn probe(name: String, command: Vec<String>) -> Result<Peer, String> {
    let language = Language::of_peer(&name);
    let arguments: &[&OsStr] = match language {
        Some(_) => &["--version".as_ref()],
        None => &["-e".as_ref(), PROBE.as_ref()],
    };
    let outcome = child::run(&command, arguments, Duration::from_secs(20))
        .map_err(|e| format!("{name} ({}): {e}", command.join(" ")))?;
    let text = String::from_utf8_lossy(&outcome.stdout);
    let mut lines = text.lines();
    match (outcome.problem(), lines.next(), lines.next()) {
        (None, Some(version), _) if language.is_some() => Ok(Peer {
            name,
            command,
            dialect: String::new(),
            language,
            version: version.to_owned(),
        }),
        (None, Some(dialect), Some(version)) => Ok(Peer {
            name,
            command,
            dialect: dialect.to_owned(),
            language,
            version: version.to_owned(),
        }),
        (problem, ..) => Err(format!(
            "{name} ({}): {}",
            command.join(" "),
            problem
                .unwrap_or_else(|| format!("does not answer {}", arguments[0].to_string_lossy()))
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_split_into_words() {
        let peers = parse(&[
            "a=luajit -joff".into(),
            "b='my lua' -e x=1".into(),
            "lua5.4".into(),
            "c".into(),
            "python3=pypy3".into(),
        ])
        .expect("valid");
        assert_eq!(
            peers[0],
            ("a".into(), vec!["luajit".into(), "-joff".into()])
        );
        assert_eq!(peers[1].1, ["my lua", "-e", "x=1"]);
        assert_eq!(peers[2].1, ["lua5.4"]);
        assert_eq!(peers[3].1[..2], ["cc", "-O2"]);
        assert_eq!(peers[4], ("python3".into(), vec!["pypy3".into()]));
    }

    #[test]
    fn bad_specs_are_refused() {
        for bad in [
            vec!["nosuch".to_owned()],
            vec!["a=".to_owned()],
            vec!["=lua".to_owned()],
            vec!["a=lua".to_owned(), "a=luajit".to_owned()],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sets_follow_the_dialect() {
        assert_eq!(set_of("Lua 5.4"), "lua54");
        assert_eq!(set_of("Lua 5.1"), "lua51");
    }
    #[test]
    fn twins_run_only_where_there_is_one() {
        let peer = |language, dialect: &str| Peer {
            name: String::new(),
            command: vec![],
            dialect: dialect.to_owned(),
            language,
            version: String::new(),
        };
        let program = |set: &str, name: &str| Program {
            set: set.to_owned(),
            group: String::new(),
            name: name.to_owned(),
            about: String::new(),
            path: format!("programs/{set}/{name}.lua").into(),
        };
        let (c, lua) = (peer(Some(Language::C), ""), peer(None, "Lua 5.1"));
        assert!(c.runs(&program("common", "nbody")));
        assert!(!c.runs(&program("common", "patterns")));
        assert!(!c.runs(&program("cliffs", "nbody")));
        assert!(lua.runs(&program("common", "patterns")));
        assert!(lua.runs(&program("cliffs", "holes")));
        assert!(!lua.runs(&program("lua54", "crc")));
    }
}
