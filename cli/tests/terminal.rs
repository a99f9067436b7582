//! The command on a terminal: line editing, history, completion, interrupts.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long to wait for what must come. Only failures take so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs on a terminal of its own.
struct Session {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What came and was not asked for yet, without control sequences.
    text: String,
    raw: Vec<u8>,
}

impl Session {
    /// `state` is the folder of the history.
    fn start(state: &Path) -> Session {
        let (mut ours, mut theirs) = (0, 0);
        // SAFETY: writes two descriptors, which are new, so that they belong to nobody else.
        let (ours, theirs) = unsafe {
            let null = std::ptr::null_mut();
            let r = libc::openpty(&mut ours, &mut theirs, null, null.cast(), null.cast());
            assert_eq!(r, 0, "no terminal");
            (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_traceorus"));
        for (name, _) in std::env::vars() {
            if name.starts_with("TRACEORUS_") || name.starts_with("LUA_") {
                command.env_remove(name);
            }
        }
        let end = || theirs.try_clone().expect("a descriptor");
        command
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", state)
            .stdin(end())
            .stdout(end())
            .stderr(end());
        // SAFETY: only system calls, between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().expect("it starts");
        let mut output = File::from(ours.try_clone().expect("a descriptor"));
        let (send, screen) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // a terminal whose program has ended gives an error
            while let Ok(n) = output.read(&mut piece) {
                if n == 0 || send.send(piece[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Session {
            child,
            keyboard: File::from(ours),
            screen,
            text: String::new(),
            raw: Vec::new(),
        }
    }

    fn keys(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("a terminal");
    }

    /// Waits for a text to be written, and returns what came before it.
    fn wait(&mut self, what: &str) -> String {
        loop {
            if let Some((before, after)) = self.text.split_once(what) {
                let before = before.to_string();
                self.text = after.to_string();
                return before;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(piece) => self.take(&piece),
                Err(_) => panic!("{what:?} does not come; there is {:?}", self.text),
            }
        }
    }

    /// Adds to the text, control sequences (ESC [ ... letter) apart.
    fn take(&mut self, piece: &[u8]) {
        self.raw.extend_from_slice(piece);
        let mut rest = std::mem::take(&mut self.raw);
        let mut i = 0;
        while i < rest.len() {
            if rest[i] != 0x1b {
                self.text.push(rest[i] as char);
                i += 1;
                continue;
            }
            let end = rest[i..]
                .iter()
                .skip(2)
                .position(|c| c.is_ascii_alphabetic());
            let Some(end) = end else { break };
            i += end + 3;
        }
        rest.drain(..i);
        self.raw = rest;
    }

    /// Types a line and waits for the result that it prints.
    fn line(&mut self, keys: &str, result: &str) {
        self.keys(keys);
        self.keys("\r");
        self.wait(result);
        self.wait("> ");
    }

    /// The terminal stays until the program has ended.
    fn end(mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("writable");
    dir
}

#[test]
fn a_session() {
    let state = folder("terminal-session");
    let mut s = Session::start(&state);
    s.wait("Lua 5.4");
    s.wait("> ");
    s.line("40 + 2", "\n42\r");
    s.line("'a', nil, {} ~= nil", "\na\tnil\ttrue\r");
    // a statement over several lines
    s.keys("for i = 1, 2 do\r");
    s.wait(">> ");
    s.keys("print(i * 11)\r");
    s.wait(">> ");
    s.line("end", "\n11\r\n22\r");
    // errors name the place and leave the state usable
    s.line("x = = 1", "stdin:1: unexpected symbol near '='");
    s.line(
        "local t; t.a.b = 1",
        "stdin:1: attempt to index a nil value (local 't')",
    );
    // completion of globals, of fields and of what a session defines
    s.line("setm\t{}, {}) ~= nil", "\ntrue\r");
    s.line("math.flo\t2.5)", "\n2\r");
    s.line("apparatus = { lever = 77 }", "");
    s.line("appar\t.lev\t", "\n77\r");
    // the line before
    s.line("\x1b[A", "\n77\r");
    s.keys("\x04");
    assert!(s.end().success());
    // and in the next session
    let mut s = Session::start(&state);
    s.wait("> ");
    s.line("\x1b[A\x1b[A", "lever = 77");
    s.line("apparatus.lever + 1", "\n78\r");
    s.keys("\x04");
    assert!(s.end().success());
}

#[test]
fn interrupts() {
    let state = folder("terminal-interrupts");
    let mut s = Session::start(&state);
    s.wait("> ");
    for endless in ["while true do end", "repeat local t = {} until not t"] {
        s.keys(&format!("print('run' .. 'ning') {endless}\r"));
        s.wait("running\r\n");
        s.keys("\x03");
        s.wait("interrupted!");
        s.wait("> ");
        s.line("6 * 7", "\n42\r");
    }
    // at the prompt: forgets the line
    s.keys("forgotten(\x03");
    s.wait("> ");
    s.line("6 * 8", "\n48\r");
    // a second one, before the first one had an effect, ends the program
    s.keys("pcall(function() print('run' .. 'ning') while true do end end) print('cau' .. 'ght') while true do end\r");
    s.wait("running\r\n");
    s.keys("\x03");
    s.wait("caught\r\n");
    s.keys("\x03");
    assert_eq!(s.end().signal(), Some(libc::SIGINT));
    // twice at the prompt as well
    let mut s = Session::start(&state);
    s.wait("> ");
    s.keys("\x03");
    s.wait("> ");
    s.keys("\x03");
    assert!(s.end().success());
}
