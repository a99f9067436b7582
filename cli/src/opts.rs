//! Command line. The short options are those of the `lua` program, to the letter (their rules about attached and
//! separate arguments and about the order of execution fit no general parser); the long ones are our own.

use std::ffi::CString;

use traceorus::raw::trace::Config;

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
    /// Options that say something to the trace compiler, in the order given: option and text.
    pub settings: Vec<(&'static str, String)>,
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
    /// `-j help`.
    JitHelp,
    /// Wrong use: the message.
    Bad(String),
}

/// Long options that have a value and say something to the trace compiler.
const LONG: [&str; 4] = ["--dump", "--stats", "--perf", "--log"];

fn utf8(option: &str, value: &[u8]) -> Result<String, Stop> {
    String::from_utf8(value.to_vec())
        .map_err(|_| Stop::Bad(format!("argument of '{option}' is not UTF-8")))
}

impl Options {
    /// Adds what the options say to settings that come from the environment. The error names the option.
    pub fn configure(&self, mut config: Config) -> Result<Config, String> {
        for (option, text) in &self.settings {
            match *option {
                "-j" => config.apply_jit(text),
                "-O" => config.apply_opt(text),
                "--dump" => config.apply_dump(text),
                "--stats" => config.apply_stats(text),
                "--perf" => config.apply_perf(text),
                "--log" => config.apply_log(text),
                "--gdbjit" => config.apply_gdb(text),
                _ => {
                    config.explain = true;
                    Ok(())
                }
            }
            .map_err(|e| format!("{option}: {e}"))?;
        }
        Ok(config)
    }
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
            b"--stats" => o.settings.push(("--stats", String::new())),
            b"--explain" => o.settings.push(("--explain", String::new())),
            b"--gdbjit" => o.settings.push(("--gdbjit", "1".into())),
            [b'-', b'-', ..] => {
                let known = LONG.iter().find_map(|name| {
                    let rest = arg.strip_prefix(name.as_bytes())?;
                    match rest {
                        [] => Some((*name, None)),
                        [b'=', value @ ..] => Some((*name, Some(value))),
                        _ => None,
                    }
                });
                let Some((name, value)) = known else {
                    return Err(bad());
                };
                let value = match value {
                    Some(v) => v,
                    None => {
                        i += 1;
                        text(i).ok_or_else(|| Stop::Bad(format!("'{name}' needs argument")))?
                    }
                };
                let value = utf8(name, value)?;
                if name == "--dump" && value == "bytecode" {
                    o.dump = true;
                } else {
                    o.settings.push((name, value));
                }
            }
            [b'-', b'O', level @ ..] => {
                let level = utf8("-O", level)?;
                let level = if level.is_empty() { "3".into() } else { level };
                o.settings.push(("-O", level));
            }
            [b'-', b'j', rest @ ..] => {
                let value = if rest.is_empty() {
                    i += 1;
                    text(i).ok_or_else(|| Stop::Bad("'-j' needs argument".into()))?
                } else {
                    rest
                };
                match utf8("-j", value)? {
                    v if v == "help" => return Err(Stop::JitHelp),
                    v => o.settings.push(("-j", v)),
                }
            }
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
  -j off    compile nothing ('on': the default)
  -j name=value,...  set parameters of the trace compiler
  -j help   list these parameters and exit
  -Olevel   optimise traces: 0 to 3, or +pass,-pass
  --dump bytecode  print the bytecode of each loaded chunk
  --dump stage,...[:file]  print what the trace compiler does (bc, rec, ir, snap, ra, mc, exit, trace; sym: names, not addresses)
  --stats[=[json:]file]    write statistics of the trace compiler at the end
  --explain        say at the end which hot lines were not compiled, and why
  --perf map|jitdump  tell Linux perf about traces
  --gdbjit         tell debuggers about traces
  --log filter     log what the trace compiler does, e.g. record=debug
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
            (&["--dump"], "'--dump' needs argument"),
            (&["--dumb"], "unrecognized option '--dumb'"),
            (&["--statistics"], "unrecognized option '--statistics'"),
            (&["-j"], "'-j' needs argument"),
            (&["--perf"], "'--perf' needs argument"),
        ] {
            assert_eq!(p(args), Err(Stop::Bad(msg.into())), "{args:?}");
        }
        assert_eq!(p(&["--help", "-h"]), Err(Stop::Help));
        assert_eq!(p(&["-jhelp"]), Err(Stop::JitHelp));
    }

    #[test]
    fn settings() {
        let args = [
            "-j",
            "hotloop=2",
            "-joff",
            "-O1",
            "-O",
            "--dump",
            "ir:f",
            "--stats",
            "--stats=json:x",
            "--explain",
            "--perf=map",
            "--dump=bytecode",
            "x.lua",
            "-j",
        ];
        let o = p(&args).expect("valid");
        let want = [
            ("-j", "hotloop=2"),
            ("-j", "off"),
            ("-O", "1"),
            ("-O", "3"),
            ("--dump", "ir:f"),
            ("--stats", ""),
            ("--stats", "json:x"),
            ("--explain", ""),
            ("--perf", "map"),
        ];
        let got: Vec<(&str, &str)> = o.settings.iter().map(|s| (s.0, s.1.as_str())).collect();
        assert_eq!(got, want);
        assert!(o.dump);
        assert_eq!(o.script, Some(13));
        let c = o.configure(Config::default()).expect("valid");
        assert!(!c.params.on && c.explain && c.params.hotloop == 2);
        for (args, message) in [
            (
                &["-j", "hotloop=0"][..],
                "-j: parameter 'hotloop' must be 1 to 65534",
            ),
            (&["-O9"], "-O: '9' is neither"),
            (&["--dump", "irr"], "--dump: no stage 'irr'"),
            (&["--perf", "x"], "--perf: 'x' is neither map nor jitdump"),
        ] {
            let e = p(args).expect("options").configure(Config::default());
            let e = e.expect_err("a bad value");
            assert!(e.starts_with(message), "{e}");
        }
    }
}
