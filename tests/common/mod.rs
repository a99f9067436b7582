//! What the integration tests share: the built command, child processes under a watch, random numbers.
#![allow(dead_code, reason = "each test uses a part")]

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The `traceorus` command of the profile that the tests are built with; it is built when first asked for.
/// `TRACEORUS_BIN` names another one.
pub fn traceorus() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(p) = std::env::var_os("TRACEORUS_BIN") {
            return p.into();
        }
        let exe = std::env::current_exe().expect("the test's own path");
        let dir = exe.ancestors().nth(2).expect("target/profile/deps/test");
        let profile = match dir.file_name().and_then(|n| n.to_str()) {
            Some("debug") | None => "dev",
            Some(p) => p,
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "-p",
                "traceorus-cli",
                "--profile",
                profile,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the command does not build");
        dir.join("traceorus")
    })
}

/// The reference implementation, if there is one: `TRACEORUS_REFERENCE`, or a `lua5.4` on the path.
pub fn reference() -> Option<&'static str> {
    reference_version().map(|(name, _)| name.as_str())
}

/// Its name and its version, such as "5.4.8".
pub fn reference_version() -> Option<&'static (String, String)> {
    static NAME: OnceLock<Option<(String, String)>> = OnceLock::new();
    NAME.get_or_init(|| {
        let named = std::env::var("TRACEORUS_REFERENCE").ok();
        let names = named.iter().map(String::as_str);
        names.chain(["lua5.4", "lua54", "lua"]).find_map(|name| {
            let out = Command::new(name).arg("-v").stdin(Stdio::null()).output();
            let text = String::from_utf8(out.ok()?.stdout).ok()?;
            let version = text.strip_prefix("Lua ")?.split_whitespace().next()?;
            version
                .starts_with("5.4")
                .then(|| (name.into(), version.into()))
        })
    })
    .as_ref()
}

/// What became of a child process.
#[derive(Debug)]
pub struct Ran {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// `None`: it was still running when its time was over, and was killed.
    pub status: Option<ExitStatus>,
    /// Largest resident size in KiB.
    pub peak_kib: i64,
}

impl Ran {
    /// It ended by itself, neither killed by a signal nor for lack of time.
    pub fn exited(&self) -> bool {
        self.status.is_some_and(|s| s.signal().is_none())
    }
    pub fn success(&self) -> bool {
        self.status.is_some_and(|s| s.success())
    }
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
    /// How it ended, in words.
    pub fn end(&self) -> String {
        match self.status {
            None => "hangs".into(),
            Some(s) => s.to_string(),
        }
    }
}

/// A command to run under a watch.
pub struct Run {
    command: Command,
    stdin: Vec<u8>,
    timeout: Duration,
    address_space: u64,
}

/// Variables that would change what programs print.
const CLEARED: [&str; 10] = [
    "LUA_INIT",
    "LUA_INIT_5_4",
    "LUA_PATH",
    "LUA_PATH_5_4",
    "LUA_CPATH",
    "LUA_CPATH_5_4",
    "TRACEORUS_GC_STRESS",
    "TRACEORUS_STACK_STRESS",
    "TRACEORUS_SEED",
    "TRACEORUS_DUMP",
];

impl Run {
    pub fn new(program: impl AsRef<Path>) -> Run {
        let mut command = Command::new(program.as_ref());
        for v in CLEARED {
            command.env_remove(v);
        }
        let timeout = Duration::from_secs(60);
        Run {
            command,
            stdin: Vec::new(),
            timeout,
            address_space: 4 << 30,
        }
    }
    pub fn arg(mut self, a: impl AsRef<std::ffi::OsStr>) -> Run {
        self.command.arg(a);
        self
    }
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Run {
        self.command.env(name, value);
        self
    }
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Run {
        self.stdin = text.into();
        self
    }
    /// After this it counts as hanging.
    pub fn timeout(mut self, t: Duration) -> Run {
        self.timeout = t;
        self
    }
    /// Limit of its address space in bytes.
    pub fn address_space(mut self, bytes: u64) -> Run {
        self.address_space = bytes;
        self
    }

    #[allow(
        clippy::zombie_processes,
        reason = "waited for below, by `try_wait` or after `kill`"
    )]
    pub fn run(mut self) -> Ran {
        let limit = self.address_space;
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: between fork and exec only setrlimit is called, which is safe there.
        unsafe {
            self.command.pre_exec(move || {
                let space = libc::rlimit {
                    rlim_cur: limit,
                    rlim_max: limit,
                };
                libc::setrlimit(libc::RLIMIT_AS, &space);
                let core = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                libc::setrlimit(libc::RLIMIT_CORE, &core);
                Ok(())
            })
        };
        let mut child = self.command.spawn().expect("the program starts");
        let (mut i, mut o, mut e) = (
            child.stdin.take().unwrap(),
            child.stdout.take().unwrap(),
            child.stderr.take().unwrap(),
        );
        let text = self.stdin;
        let pid = child.id() as libc::pid_t;
        std::thread::scope(|s| {
            s.spawn(move || drop(i.write_all(&text)));
            let out = s.spawn(move || {
                let mut b = Vec::new();
                let _ = o.read_to_end(&mut b);
                b
            });
            let err = s.spawn(move || {
                let mut b = Vec::new();
                let _ = e.read_to_end(&mut b);
                b
            });
            let (status, peak_kib) = wait(pid, self.timeout);
            Ran {
                stdout: out.join().unwrap(),
                stderr: err.join().unwrap(),
                status,
                peak_kib,
            }
        })
    }
}

/// Waits for the process; kills it when the time is over.
fn wait(pid: libc::pid_t, timeout: Duration) -> (Option<ExitStatus>, i64) {
    let end = Instant::now() + timeout;
    let mut nap = Duration::from_micros(200);
    let mut killed = false;
    loop {
        let mut status = 0;
        // SAFETY: rusage is plain data; the pid is our child's and was not waited for.
        let (r, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            let flags = if killed { 0 } else { libc::WNOHANG };
            (libc::wait4(pid, &mut status, flags, &mut usage), usage)
        };
        assert!(r >= 0, "wait4: {}", std::io::Error::last_os_error());
        if r == pid {
            return (
                (!killed).then(|| ExitStatus::from_raw(status)),
                usage.ru_maxrss,
            );
        }
        if Instant::now() >= end {
            // SAFETY: our own child, not yet waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            killed = true;
            continue;
        }
        std::thread::sleep(nap);
        nap = (nap * 3 / 2).min(Duration::from_millis(10));
    }
}

/// `traceorus -` on the source, with the arguments in front.
pub fn lua(source: impl Into<Vec<u8>>) -> Run {
    Run::new(traceorus()).arg("-").stdin(source)
}

/// A directory for files of one test, removed at the end.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new(name: &str) -> TempDir {
        let d = std::env::temp_dir().join(format!("traceorus-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&d).expect("a temporary directory");
        TempDir(d)
    }
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let p = self.0.join(name);
        std::fs::write(&p, content).expect("a temporary file");
        p
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Random numbers: splitmix64.
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1) as usize) as i64
    }
    /// True in `n` of 100 cases.
    pub fn chance(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Runs the tests of this program again with collections at every allocation, with traces from the second iteration on (left at random
/// guards, too), and with stacks that move; all but those whose name starts with "stressed". The memory limit's figures
/// are not for that: names in `skip`.
pub fn stressed(skip: &[&str]) {
    const HOT: &str = "hotloop=1,hotcall=1,hotexit=1";
    let exe = std::env::current_exe().expect("the test's own path");
    for vars in [
        vec![("TRACEORUS_JIT", "off")],
        vec![("TRACEORUS_JIT", HOT)],
        vec![(
            "TRACEORUS_JIT",
            "hotloop=1,hotcall=1,hotexit=1,exitrandom=5",
        )],
        vec![("TRACEORUS_GC_STRESS", "3"), ("TRACEORUS_JIT", HOT)],
        vec![
            ("TRACEORUS_GC_STRESS", "7"),
            ("TRACEORUS_JIT", "off"),
            ("TRACEORUS_VERIFY", "500"),
        ],
        vec![("TRACEORUS_STACK_STRESS", "1")],
    ] {
        let mut c = Command::new(&exe);
        for s in skip.iter().chain(&["stressed"]) {
            c.args(["--skip", s]);
        }
        let out = c
            .envs(vars.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        assert!(
            out.status.success(),
            "{vars:?}: {}\n{}{}",
            out.status,
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }
}
