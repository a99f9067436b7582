//! What the environment and the command line ask of the trace compiler. [`crate::params`] holds what a recording looks at; the rest, where
//! reports go and what is written for other programs, is here.
//!
//! One place parses all of it, so that a variable, an option of the command and `jit.opt.start` say the same things in the same
//! words. Errors are messages that name the part that is wrong; [`Config::from_env`] puts the variable's name in front.

use std::path::PathBuf;

use crate::params::{Params, dump};

/// Where a report goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Target {
    /// Standard error.
    #[default]
    Stderr,
    /// A file, which is made anew.
    File(PathBuf),
}

impl Target {
    /// `-` or nothing: standard error.
    fn of(text: &str) -> Target {
        match text {
            "" | "-" => Target::Stderr,
            name => Target::File(name.into()),
        }
    }
}

/// Statistics at the end of the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatsConfig {
    /// As JSON.
    pub json: bool,
    /// Where to.
    pub target: Target,
}

/// What is written for Linux `perf`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Perf {
    /// `/tmp/perf-PID.map`: names of traces.
    Map,
    /// `jit-PID.dump` in the working directory: names, source lines and machine code, for `perf inject --jit`.
    Jitdump,
}

/// All settings.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Numbers, passes, switches.
    pub params: Params,
    /// Bytecode of each chunk is dumped by whoever loads chunks.
    pub dump_bytecode: bool,
    /// Addresses in dumps are replaced by names, so that two runs can be compared.
    pub dump_names: bool,
    /// Where dumps go.
    pub dump_target: Target,
    /// Statistics are wanted.
    pub stats: Option<StatsConfig>,
    /// What is written for `perf`.
    pub perf: Option<Perf>,
    /// Traces are announced to debuggers through the GDB JIT interface.
    pub gdb: bool,
    /// Filter of the log, in `tracing`'s form (`record=debug,compile=trace`), for whoever sets up its output.
    pub log: Option<String>,
    /// Enough is noted for [`crate::report::explain`].
    pub explain: bool,
}

/// How a variable's text is applied.
type Apply = fn(&mut Config, &str) -> Result<(), String>;

/// Variables of the environment, and how each is applied.
pub const VARIABLES: &[(&str, Apply)] = &[
    ("TRACEORUS_JIT", Config::apply_jit),
    ("TRACEORUS_OPT", Config::apply_opt),
    ("TRACEORUS_DUMP", Config::apply_dump),
    ("TRACEORUS_STATS", Config::apply_stats),
    ("TRACEORUS_PERF", Config::apply_perf),
    ("TRACEORUS_GDBJIT", Config::apply_gdb),
    ("TRACEORUS_LOG", Config::apply_log),
];

impl Config {
    /// What the environment asks for. The error names the variable.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        let mut c = Config::default();
        for (name, apply) in VARIABLES {
            if let Some(text) = var(name) {
                apply(&mut c, &text).map_err(|e| format!("{name}: {e}"))?;
            }
        }
        Ok(c)
    }

    /// `TRACEORUS_JIT`, `-j`: `off`, `on`, or `name=value,...`.
    pub fn apply_jit(&mut self, text: &str) -> Result<(), String> {
        self.params.apply(text)
    }

    /// `TRACEORUS_OPT`, `-O`: a level, passes, or `name=value`.
    pub fn apply_opt(&mut self, text: &str) -> Result<(), String> {
        self.params.apply_opt(text)
    }

    /// `TRACEORUS_DUMP`, `--dump`: `stage,...[:file]`.
    pub fn apply_dump(&mut self, text: &str) -> Result<(), String> {
        let (stages, file) = text.split_once(':').unwrap_or((text, ""));
        for part in stages.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match part {
                "bc" => self.dump_bytecode = true,
                "sym" => self.dump_names = true,
                _ => self.params.dump |= dump::stage(part)?,
            }
        }
        self.dump_target = Target::of(file);
        Ok(())
    }

    /// `TRACEORUS_STATS`, `--stats`: `[json:]file`; without a file, standard error.
    pub fn apply_stats(&mut self, text: &str) -> Result<(), String> {
        let (json, file) = match text {
            "json" => (true, ""),
            t => match t.strip_prefix("json:") {
                Some(file) => (true, file),
                None => (false, t),
            },
        };
        self.stats = Some(StatsConfig {
            json,
            target: Target::of(file),
        });
        Ok(())
    }

    /// `TRACEORUS_PERF`: `map` or `jitdump`.
    pub fn apply_perf(&mut self, text: &str) -> Result<(), String> {
        self.perf = match text.trim() {
            "" => None,
            "map" => Some(Perf::Map),
            "jitdump" => Some(Perf::Jitdump),
            t => return Err(format!("'{t}' is neither map nor jitdump")),
        };
        Ok(())
    }

    /// `TRACEORUS_GDBJIT`: `1` or `0`.
    pub fn apply_gdb(&mut self, text: &str) -> Result<(), String> {
        self.gdb = match text.trim() {
            "" | "0" => false,
            "1" => true,
            t => return Err(format!("'{t}' is neither 0 nor 1")),
        };
        Ok(())
    }

    /// `TRACEORUS_LOG`: a filter. Its form is checked by whoever sets up the output.
    pub fn apply_log(&mut self, text: &str) -> Result<(), String> {
        self.log = (!text.trim().is_empty()).then(|| text.to_string());
        Ok(())
    }

    /// For each bytecode instruction that is compiled the source line has to be kept.
    pub(crate) fn wants_lines(&self) -> bool {
        self.stats.is_some() || self.explain || self.perf.is_some() || self.gdb
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opt::Passes;

    fn env(vars: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_env(|n| {
            let v = vars.iter().find(|v| v.0 == n)?;
            Some(v.1.to_string())
        })
    }

    #[test]
    fn nothing_is_the_default() {
        let c = env(&[]).expect("valid");
        assert!(c.params.on && c.params.dump == 0 && c.stats.is_none() && c.perf.is_none());
        assert!(!c.wants_lines());
    }

    #[test]
    fn values() {
        let c = env(&[
            ("TRACEORUS_JIT", "hotloop=3, maxtrace=0"),
            ("TRACEORUS_DUMP", "bc,ir,sym:/tmp/x:y"),
            ("TRACEORUS_STATS", "json:s.json"),
            ("TRACEORUS_PERF", "jitdump"),
            ("TRACEORUS_GDBJIT", "1"),
            ("TRACEORUS_LOG", "compile=debug"),
        ])
        .expect("valid");
        assert_eq!((c.params.hotloop, c.params.maxtrace), (3, 0));
        assert!(c.dump_bytecode && c.dump_names);
        assert_eq!(c.params.dump & dump::IR, dump::IR);
        assert_eq!(c.params.dump & dump::MC, 0);
        assert_eq!(c.dump_target, Target::File("/tmp/x:y".into()));
        let stats = StatsConfig {
            json: true,
            target: Target::File("s.json".into()),
        };
        assert_eq!(c.stats, Some(stats));
        assert_eq!((c.perf, c.gdb), (Some(Perf::Jitdump), true));
        assert_eq!(c.log.as_deref(), Some("compile=debug"));
        assert!(c.wants_lines());
        assert!(!env(&[("TRACEORUS_JIT", "off")]).expect("valid").params.on);
        let on = env(&[("TRACEORUS_JIT", "off,on")]).expect("valid");
        assert!(on.params.on);
    }

    #[test]
    fn where_statistics_go() {
        for (text, json, target) in [
            ("", false, Target::Stderr),
            ("-", false, Target::Stderr),
            ("json", true, Target::Stderr),
            ("json:", true, Target::Stderr),
            ("out.txt", false, Target::File("out.txt".into())),
        ] {
            let c = env(&[("TRACEORUS_STATS", text)]).expect("valid");
            assert_eq!(c.stats, Some(StatsConfig { json, target }), "{text}");
        }
    }

    #[test]
    fn bad_values_name_variable_and_part() {
        for (name, text, part) in [
            ("TRACEORUS_JIT", "hotlop=1", "'hotlop'"),
            ("TRACEORUS_JIT", "hotloop=0", "1 to 65534"),
            ("TRACEORUS_JIT", "on,hotloop=x", "'x'"),
            ("TRACEORUS_JIT", "maybe", "'maybe'"),
            ("TRACEORUS_DUMP", "ir,mcode", "'mcode'"),
            ("TRACEORUS_OPT", "4", "'4'"),
            ("TRACEORUS_OPT", "-flod", "'-flod'"),
            ("TRACEORUS_PERF", "yes", "'yes'"),
            ("TRACEORUS_GDBJIT", "yes", "'yes'"),
        ] {
            let e = env(&[(name, text)]).expect_err(text);
            assert!(
                e.starts_with(&format!("{name}: ")) && e.contains(part),
                "{e}"
            );
        }
    }

    #[test]
    fn optimisation() {
        let mut p = Params::default();
        p.apply_opt("0").expect("a level");
        assert_eq!(p.passes, Passes::NONE);
        p.apply_opt("+fold,+cse").expect("passes");
        assert_eq!(p.passes, Passes::FOLD.with(Passes::CSE));
        p.apply_opt("3,-sink,hotloop=5").expect("all of them");
        assert_eq!(p.passes, Passes::ALL.without(Passes::SINK));
        assert_eq!(p.hotloop, 5);
    }
}
