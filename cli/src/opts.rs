//! Command line. The short options are those of the `lua` program, to the letter (their rules about attached and
//! separate arguments and about the order of execution fit no general parser); the long ones are our own.

use std::ffi::CString;

/// One action in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// `-e stat`.
    Execute(Vec<u8>),
    /// `-l mod`, `-l g=mod`.
    Library(Vec<u8>),
    /// `-W`.
    Warnings,
}

/// The parsed command line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// `-e`, `-l`, `-W`.
    pub actions: Vec<Action>,
    /// `-i`.
    pub interactive: bool,
    /// `-v` or `-i`.
    pub version: bool,
    /// `-E`.
    pub no_env: bool,
    /// `--dump bytecode`.
    pub dump: bool,
    /// Number of the argument that names the script.
    pub script: Option<usize>,
}

/// What to do instead of running.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// Wrong use: the message.
    Bad(String),
}

/// Parses the arguments (with the program's name first).
pub fn parse(args: &[CString]) -> Result<Options, Stop> {
    let mut o = Options::default();
    let text = |i: usize| args.get(i).map(|a| a.as_bytes());
    let mut i = 1;
    while let Some(arg) = text(i) {
        let bad = || {
            Stop::Bad(format!(
                "unrecognized option '{}'",
                String::from_utf8_lossy(arg)
            ))
        };
        match arg {
            b"--" => {
                o.script = (i + 1 < args.len()).then_some(i + 1);
                return Ok(o);
            }
            b"--help" => return Err(Stop::Help),
            b"--version" => return Err(Stop::Version),
            b"--dump" => {
                i += 1;
                if text(i) != Some(b"bytecode") {
                    return Err(Stop::Bad("'--dump' needs argument (bytecode)".into()));
                }
                o.dump = true;
            }
            b"--dump=bytecode" => o.dump = true,
            b"-E" => o.no_env = true,
            b"-W" => o.actions.push(Action::Warnings),
            b"-v" => o.version = true,
            b"-i" => {
                o.interactive = true;
                o.version = true;
            }
            [b'-', kind @ (b'e' | b'l'), rest @ ..] => {
                let value = if rest.is_empty() {
                    i += 1;
                    match text(i) {
                        Some(v) if v.first() != Some(&b'-') => v,
                        _ => {
                            return Err(Stop::Bad(format!(
                                "'{}' needs argument",
                                String::from_utf8_lossy(arg)
                            )));
                        }
                    }
                } else {
                    rest
                };
                let value = value.to_vec();
                o.actions.push(if *kind == b'e' {
                    Action::Execute(value)
                } else {
                    Action::Library(value)
                });
            }
            b"-" => break,
            [b'-', ..] => return Err(bad()),
            _ => break,
        }
        i += 1;
    }
    o.script = (i < args.len()).then_some(i);
    Ok(o)
}

/// The usage text.
pub fn usage(program: &str) -> String {
    format!(
        "usage: {program} [options] [script [args]]
Available options are:
  -e stat   execute string 'stat'
  -i        enter interactive mode after executing 'script'
  -l mod    require library 'mod' into global 'mod'
  -l g=mod  require library 'mod' into global 'g'
  -v        show version information
  -E        ignore environment variables
  -W        turn warnings on
  --        stop handling options
  -         stop handling options and execute stdin
  --dump bytecode  print the bytecode of each loaded chunk
  --version        show version information and exit
  --help           show this text and exit
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(args: &[&str]) -> Result<Options, Stop> {
        let args: Vec<CString> = std::iter::once(&"lua")
            .chain(args)
            .map(|a| CString::new(*a).expect("no NUL"))
            .collect();
        parse(&args)
    }

    #[test]
    fn order_and_arguments() {
        let o = p(&["-eprint(1)", "-l", "g=m", "-W", "-e", "x", "-", "-h"]).expect("valid");
        assert_eq!(
            o.actions,
            [
                Action::Execute(b"print(1)".to_vec()),
                Action::Library(b"g=m".to_vec()),
                Action::Warnings,
                Action::Execute(b"x".to_vec())
            ]
        );
        assert_eq!(o.script, Some(7));
        assert_eq!(
            p(&["-i"]).map(|o| (o.interactive, o.version, o.script)),
            Ok((true, true, None))
        );
        assert_eq!(p(&["--", "-x"]).map(|o| o.script), Ok(Some(2)));
        assert_eq!(p(&["--"]).map(|o| o.script), Ok(None));
        assert_eq!(p(&["-e "]).map(|o| o.actions.len()), Ok(1));
    }

    #[test]
    fn wrong_use() {
        for (args, msg) in [
            (&["-h"][..], "unrecognized option '-h'"),
            (&["---"], "unrecognized option '---'"),
            (&["-Ex"], "unrecognized option '-Ex'"),
            (&["-vv"], "unrecognized option '-vv'"),
            (&["-iv"], "unrecognized option '-iv'"),
            (&["-e"], "'-e' needs argument"),
            (&["-e", "-v"], "'-e' needs argument"),
            (&["-l"], "'-l' needs argument"),
            (&["--dump"], "'--dump' needs argument (bytecode)"),
        ] {
            assert_eq!(p(args), Err(Stop::Bad(msg.into())), "{args:?}");
        }
        assert_eq!(p(&["--help", "-h"]), Err(Stop::Help));
    }
}
