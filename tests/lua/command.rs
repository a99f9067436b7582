//! Finding, building and running the `traceorus` command, for the tests that run scripts with it.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Names another program to test instead of the built one, for instance to try the tests themselves with `lua5.4`.
const OVERRIDE: &str = "TRACEORUS_BIN";
/// Set in CI: a test that has to be skipped because something is not installed fails instead.
const NO_SKIP: &str = "TRACEORUS_NO_SKIP";

/// How a finished or killed run looks from outside.
pub struct Outcome {
    /// The exit status; `None` if a signal ended it, a timeout included.
    pub status: Option<i32>,
    /// Whether it was killed because it took too long.
    pub timed_out: bool,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// The folder of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The command under test, built on first use. Cargo gives a test the path of programs of its own package only, so this asks cargo to
/// build the command into the target folder, and the profile, that this test itself was built in.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        env::var_os(OVERRIDE).map_or_else(build, |path| find(&path.to_string_lossy()))
    })
}

/// Reports that a test cannot run, with the reason. Panics where nothing may be skipped.
pub fn skip(why: &str) {
    assert!(
        env::var_os(NO_SKIP).is_none(),
        "{why}, and {NO_SKIP} is set"
    );
    eprintln!("SKIPPED: {why}");
}

/// Runs `command` to its end or for at most `timeout`. Its standard input is a pipe at its end; output goes through files, so that a
/// grandchild that outlives the run cannot keep this waiting.
pub fn run(command: &mut Command, timeout: Duration) -> io::Result<Outcome> {
    let (out, err) = (Scratch::new("out"), Scratch::new("err"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LUA_")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").env("TZ", "UTC");
    command
        .stdin(Stdio::piped())
        .stdout(File::create(&out.0)?)
        .stderr(File::create(&err.0)?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn()?;
    drop(child.stdin.take());
    let deadline = Instant::now() + timeout;
    let mut pause = Duration::from_micros(200);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            kill(&mut child)?;
            break None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    Ok(Outcome {
        status: status.and_then(|s| s.code()),
        timed_out: status.is_none(),
        stdout: fs::read(&out.0)?,
        stderr: fs::read(&err.0)?,
    })
}

/// Ends a child with everything that it started.
fn kill(child: &mut Child) -> io::Result<()> {
    let group = format!("kill -9 -- -{}", child.id());
    let _ = Command::new("sh")
        .args(["-c", &group])
        .stderr(Stdio::null())
        .status();
    let _ = child.kill();
    child.wait().map(drop)
}

/// A file in cargo's folder for temporary files, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(kind: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        Scratch(
            Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("{}-{n}.{kind}", std::process::id())),
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The target folder and the profile that this test was built in.
pub fn target() -> (PathBuf, String) {
    let exe = env::current_exe().expect("a test knows its own path");
    // <target>/<profile>/deps/<this test>
    let profile_dir = exe
        .parent()
        .and_then(Path::parent)
        .expect("cargo puts tests two folders deep");
    let target_dir = profile_dir
        .parent()
        .expect("the profile's folder lies in the target folder");
    let profile = match profile_dir
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .as_deref()
    {
        None | Some("debug") => "dev".to_owned(),
        Some(name) => name.to_owned(),
    };
    (target_dir.to_owned(), profile)
}

/// Builds the command with cargo; gives its path.
fn build() -> PathBuf {
    let (target_dir, profile) = target();
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "traceorus-cli",
            "--profile",
            &profile,
            "--target-dir",
        ])
        .arg(&target_dir)
        .current_dir(repository())
        .status()
        .expect("cargo starts");
    assert!(status.success(), "cargo could not build traceorus-cli");
    let folder = if profile == "dev" { "debug" } else { &profile };
    let binary = target_dir.join(folder).join("traceorus");
    assert!(binary.is_file(), "cargo did not make {}", binary.display());
    binary
}

/// The path of a program given by name or path, since tests run it from other folders.
fn find(name: &str) -> PathBuf {
    let candidates = if name.contains('/') {
        vec![repository().join(name)]
    } else {
        env::split_paths(&env::var_os("PATH").unwrap_or_default())
            .map(|dir| dir.join(name))
            .collect()
    };
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{OVERRIDE} names '{name}', which is no program"))
}
