//! Twins: the same algorithm in another language, for a scale beside the ratios between Lua implementations.
//!
//! The twin of `common/NAME.lua` is `twins/NAME.c` or `twins/NAME.py`; it takes the same argument and prints the same line. A program without one
//! has no cell under that peer. C is built before the first round, into a folder of its own that goes away when the run ends.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use crate::child;
use crate::program::{COMMON, Program};

/// Folder of the twins, beside the folders of the sets.
const FOLDER: &str = "twins";
/// The longest time that one compilation may take.
const BUILD_LIMIT: Duration = Duration::from_secs(120);

/// What a twin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C; the command of the peer is a compiler with its options.
    C,
    /// Python 3; the command of the peer is an interpreter.
    Python,
}

impl Language {
    /// Both of them.
    pub const ALL: [Language; 2] = [Language::C, Language::Python];

    /// The language of a peer with this name; `None` means Lua.
    pub fn of_peer(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.peer() == name)
    }

    /// The name of its peer.
    pub fn peer(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Python => "python3",
        }
    }

    /// The command of its peer unless another is given. Contraction of `a * b + c` is off, since it would change results on some machines.
    pub fn command(self) -> &'static str {
        match self {
            Language::C => "cc -O2 -ffp-contract=off",
            Language::Python => "python3",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Python => "py",
        }
    }

    /// The twin of `program`, if it has one in this language.
    pub fn file(self, program: &Program) -> Option<PathBuf> {
        if program.set != COMMON {
            return None;
        }
        let root = program.path.parent()?.parent()?;
        let file = root
            .join(FOLDER)
            .join(&program.name)
            .with_extension(self.extension());
        file.is_file().then_some(file)
    }
}

/// A folder for built programs; it is removed with this value.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder. It must not exist yet, so that nobody else's files are run.
    pub fn new() -> io::Result<Self> {
        let unique = (0..100).map(|n| format!("traceorus-bench-{}-{n}", process::id()));
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for name in unique {
            let dir = env::temp_dir().join(name);
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(Scratch(dir)),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Compiles `source` with the command `compiler`. `Err` says in one line why that failed.
    pub fn build(&self, compiler: &[String], source: &Path) -> Result<PathBuf, String> {
        let target = self
            .0
            .join(source.file_stem().unwrap_or(OsStr::new("twin")));
        let arguments = [
            source.as_os_str(),
            "-o".as_ref(),
            target.as_os_str(),
            "-lm".as_ref(),
        ];
        let outcome = child::run(compiler, &arguments, BUILD_LIMIT)
            .map_err(|e| format!("cannot be compiled: {e}"))?;
        match outcome.problem() {
            Some(why) => Err(format!("cannot be compiled: {why}")),
            None => Ok(target),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // a folder left behind in the place for temporary files does no harm
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::find;

    #[test]
    fn peers_are_known_by_name() {
        assert_eq!(Language::of_peer("c"), Some(Language::C));
        assert_eq!(Language::of_peer("python3"), Some(Language::Python));
        assert_eq!(Language::of_peer("lua5.4"), None);
    }

    #[test]
    fn twins_belong_to_programs_of_the_common_set() {
        let root = Path::new("programs");
        let all = find(root, &[]).expect("the folder is readable");
        let names = |language: Language| -> Vec<&str> {
            let with = all.iter().filter(|p| language.file(p).is_some());
            with.map(|p| p.name.as_str()).collect()
        };
        let (c, python) = (names(Language::C), names(Language::Python));
        assert!(c.len() >= 8, "{c:?}");
        assert_eq!(c, python);
        // and no file is there that nothing runs
        let files = fs::read_dir(root.join(FOLDER)).expect("the folder is readable");
        assert_eq!(files.count(), c.len() + python.len());
        for p in all.iter().filter(|p| p.set != COMMON) {
            assert_eq!(Language::C.file(p), None);
        }
    }

    #[test]
    fn a_failed_build_says_why_and_the_folder_goes() {
        let scratch = Scratch::new().expect("a folder can be made");
        let dir = scratch.0.clone();
        let fail = [
            "sh".to_owned(),
            "-c".to_owned(),
            "echo no >&2; exit 1".to_owned(),
        ];
        assert_eq!(
            scratch.build(&fail, Path::new("x.c")),
            Err("cannot be compiled: exit status 1: no".into())
        );
        let copy = ["sh", "-c", "echo built > \"$2\""].map(str::to_owned);
        let built = scratch.build(&copy, Path::new("x.c"));
        assert_eq!(built, Ok(dir.join("x")));
        assert!(dir.join("x").is_file());
        drop(scratch);
        assert!(!dir.exists());
    }
}
