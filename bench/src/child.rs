//! Starts one process, waits for it and measures it.
//!
//! Time is taken from just before the start until the kernel reports the end; processor time and peak memory come from the `rusage` that
//! `wait4` returns. The kernel counts the memory of the process image *before* `exec` into that peak too. A process started through `vfork`
//! (which the standard library prefers) shares its parent's memory, so this program's own size would be a floor under every figure; an
//! empty `pre_exec` step makes the library use `fork`, whose copy maps only the few pages that this program has written.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It ran longer than allowed and was killed.
    TimedOut,
}

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From start to end.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Peak resident memory.
    pub peak_bytes: u64,
}

/// One finished run.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What it cost.
    pub sample: Sample,
    /// Everything it printed.
    pub stdout: Vec<u8>,
    /// Everything it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// Why this run does not count, in one line; `None` if it went well.
    pub fn problem(&self) -> Option<String> {
        let mut text = match self.end {
            End::Exited(0) => return None,
            End::Exited(status) => format!("exit status {status}"),
            End::Signalled(signal) => format!("ended by signal {signal}"),
            End::TimedOut => format!("killed after {:.0} s", self.sample.wall.as_secs_f64()),
        };
        let stderr = String::from_utf8_lossy(&self.stderr);
        if let Some(line) = stderr.lines().find(|l| !l.trim().is_empty()) {
            let _ = write!(text, ": {}", line.trim());
        }
        Some(text)
    }
}

/// Runs `command` with further `arguments` and no input, for at most `timeout`. `Err` means that it could not be started.
pub fn run(command: &[String], arguments: &[&OsStr], timeout: Duration) -> io::Result<Outcome> {
    let (program, first) = command
        .split_first()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut builder = Command::new(program);
    builder
        .args(first)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // what the user's shell sets for interactive work must not act on measurements
    for name in [
        "LUA_INIT",
        "LUA_INIT_5_4",
        "LUA_PATH",
        "LUA_PATH_5_4",
        "LUA_CPATH",
        "LUA_CPATH_5_4",
    ] {
        builder.env_remove(name);
    }
    // SAFETY: the closure does nothing, so nothing in it can be unsafe between fork and exec.
    unsafe { builder.pre_exec(|| Ok(())) };

    let start = Instant::now();
    let mut child = builder.spawn()?;
    let pid = child.id().cast_signed();
    let (ended, watch) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let watchdog = scope.spawn(move || {
            let late = watch.recv_timeout(timeout).is_err();
            if late {
                // SAFETY: kill reads no memory of ours. The process is not reaped before this thread has been joined, so the id is still its own.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            late
        });
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let stderr = scope.spawn(move || read_all(err));
        let stdout = read_all(out);
        let waited = wait_for_end(pid);
        let wall = start.elapsed();
        // the watchdog may be gone already, having killed the process
        let _ = ended.send(());
        let late = watchdog.join().unwrap_or(false);
        let stderr = stderr.join().unwrap_or_default();
        waited?;
        let (status, usage) = reap(&child)?;
        let end = if late {
            End::TimedOut
        } else if libc::WIFSIGNALED(status) {
            End::Signalled(libc::WTERMSIG(status))
        } else {
            End::Exited(libc::WEXITSTATUS(status))
        };
        let sample = Sample {
            wall,
            cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
            peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        };
        Ok(Outcome {
            end,
            sample,
            stdout,
            stderr,
        })
    })
}

/// Reads a pipe to its end. A read error ends the text early, which the comparison of outputs then reports.
fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Waits until the process has ended, without reaping it.
fn wait_for_end(pid: libc::pid_t) -> io::Result<()> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: `info` is a writable siginfo_t that lives through the call.
        let result = unsafe {
            libc::waitid(
                libc::P_PID,
                pid.cast_unsigned(),
                info.as_mut_ptr(),
                libc::WEXITED | libc::WNOWAIT,
            )
        };
        match check(result) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Reaps an ended process; gives its wait status and what it used.
fn reap(child: &Child) -> io::Result<(libc::c_int, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to writable values of the right type that live through the call.
    check(unsafe {
        libc::wait4(
            child.id().cast_signed(),
            &raw mut status,
            0,
            usage.as_mut_ptr(),
        )
    })?;
    // SAFETY: all-zero bytes are a valid rusage, and the kernel has filled it in.
    Ok((status, unsafe { usage.assume_init() }))
}

/// Turns the -1 of a C function into the error that it stands for.
fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_micros(
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
            + u64::try_from(time.tv_usec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Outcome {
        let command = ["sh".to_owned(), "-c".to_owned()];
        run(&command, &[script.as_ref()], timeout).expect("sh starts")
    }

    #[test]
    fn output_and_status_are_kept() {
        let outcome = shell("echo out; echo bad >&2; exit 3", Duration::from_secs(20));
        assert_eq!(outcome.stdout, b"out\n");
        assert_eq!(outcome.end, End::Exited(3));
        assert_eq!(outcome.problem().as_deref(), Some("exit status 3: bad"));
    }

    #[test]
    fn signals_are_told_from_statuses() {
        assert_eq!(
            shell("kill -9 $$", Duration::from_secs(20)).end,
            End::Signalled(9)
        );
        assert_eq!(shell("true", Duration::from_secs(20)).problem(), None);
    }

    #[test]
    fn a_long_run_is_ended() {
        let outcome = shell("exec sleep 30", Duration::from_millis(100));
        assert_eq!(outcome.end, End::TimedOut);
        assert!(outcome.sample.wall < Duration::from_secs(20));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert!(
            run(
                &["no-such-program-here".to_owned()],
                &[],
                Duration::from_secs(1)
            )
            .is_err()
        );
    }
}
