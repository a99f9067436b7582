//! Replay, for tests: what compiled code has done is compared with what the interpreter does.
//!
//! Now and then (parameter `replay`), where a root trace is entered, the process forks. The child waits. The parent goes on in compiled code
//! until it is left through a guard, and then tells the child where, and the digest of all that the running thread and the globals lead
//! to ([`digest`]). The child interprets from the entry on until it has that state at that instruction. So the state that was put back is
//! one that the interpreter comes to from where the trace began, and what follows is right, too. If it does not come to it within some
//! times the number of instructions that the parent has executed, the parent says so and aborts.
//!
//! The child's output goes nowhere, and it shares no memory with the parent. Programs that read files, ask for the time, or whose data depends on
//! addresses do something else in the child; they are not for this.

use std::mem::size_of;

use traceorus_base::Value;
use traceorus_base::objects::*;
use traceorus_gc::walk_frames;
use traceorus_vm::digest::{digest, outline};
use traceorus_vm::dispatch;
use traceorus_vm::state::Global;

use crate::jit::Jit;

/// Longer runs are not replayed.
const MOST: u64 = 300_000;

/// What the child looks for.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Wanted {
    pc: u64,
    outline: u64,
    digest: u64,
    /// Instructions to look at.
    left: u64,
}

/// A child that waits.
struct Run {
    pid: libc::pid_t,
    /// The pipe's end for [`Wanted`].
    pipe: libc::c_int,
    /// Instructions executed before.
    began: u64,
    trace: u16,
}

/// State of the replays.
#[derive(Default)]
pub(crate) struct Replay {
    /// Entries until the next one is replayed.
    left: u32,
    run: Option<Run>,
    /// This is a child.
    child: Option<Wanted>,
}

/// Values that are alive in the frames of a thread. Where the frames lie is not compared: traces may leave other gaps between them.
unsafe fn values(l: *mut Thread) -> Vec<Value> {
    let mut all = Vec::new();
    // SAFETY: [STACK-STABLE] as the callers: the thread's frames are complete, its pc is that of the running one.
    unsafe { walk_frames(l, &mut |v| all.push(v)) };
    all
}

/// Digest of what the thread and the globals lead to.
unsafe fn state_of(g: &Global, mut values: Vec<Value>) -> u64 {
    values.push(Value::ptr(g.hot.globals, traceorus_base::Tag::TABLE));
    // SAFETY: [GC-LIVE] roots of the collector.
    unsafe { digest(g, &values) }
}

/// All files but standard error lead nowhere, except `keep`.
unsafe fn silence(keep: libc::c_int) {
    // SAFETY: system calls on numbers of files.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for fd in (0..256).filter(|fd| ![2, keep, null].contains(fd)) {
            if libc::fcntl(fd, libc::F_GETFD) >= 0 {
                libc::dup2(null, fd);
            }
        }
    }
}

impl Run {
    /// Gives the child what it waits for, or nothing; its exit status.
    unsafe fn finish(self, wanted: Option<Wanted>) -> libc::c_int {
        let mut status = 0;
        // SAFETY: the pipe and the process are ours; `Wanted` is plain data.
        unsafe {
            if let Some(w) = wanted {
                libc::write(self.pipe, (&raw const w).cast(), size_of::<Wanted>());
            }
            libc::close(self.pipe);
            libc::waitpid(self.pid, &raw mut status, 0);
        }
        status
    }
}

impl Jit {
    fn executed(&self) -> u64 {
        // SAFETY: the state is live.
        let c = unsafe { (*self.g).hot.counts };
        c.interpreted + c.compiled
    }

    /// The root trace `number` is entered with this base.
    unsafe fn replay_entered(&mut self, base: *mut Value, number: u16) {
        if self.replay.run.is_some() || self.replay.child.is_some() || self.recorder.is_some() {
            return;
        }
        if self.replay.left > 0 {
            self.replay.left -= 1;
            return;
        }
        self.replay.left = self.rand() % (2 * self.params.replay);
        let start = self.trace(number).start_pc;
        // SAFETY: [CODE] the trace begins at `start`, with the frame at `base`; the child does nothing but interpret, and ends.
        unsafe {
            let mut pipe = [0; 2];
            if libc::pipe(pipe.as_mut_ptr()) != 0 {
                return;
            }
            match libc::fork() {
                0 => {
                    libc::close(pipe[1]);
                    silence(pipe[0]);
                    let mut w = Wanted::default();
                    let n = libc::read(pipe[0], (&raw mut w).cast(), size_of::<Wanted>());
                    if n != size_of::<Wanted>() as isize {
                        libc::_exit(2);
                    }
                    self.replay.child = Some(w);
                    self.params.on = false;
                    let g = &mut *self.g;
                    let l = g.hot.current;
                    g.recording = true;
                    (*l).base = base;
                    (*l).pc = start;
                    dispatch::follow_recording(l);
                    dispatch::run(l, start);
                    // the trace's own entry was left
                    libc::_exit(3);
                }
                pid if pid > 0 => {
                    libc::close(pipe[0]);
                    self.replay.run = Some(Run {
                        pid,
                        pipe: pipe[1],
                        began: self.executed(),
                        trace: number,
                    });
                }
                _ => {
                    libc::close(pipe[0]);
                    libc::close(pipe[1]);
                }
            }
        }
    }

    /// In the child: before the instruction at `pc`. False in the parent.
    pub(crate) unsafe fn replays(&mut self, l: *mut Thread, pc: *const Instr) -> bool {
        let Some(w) = &mut self.replay.child else {
            return false;
        };
        // SAFETY: [STACK-STABLE] the interpreter has written base and pc to the thread.
        unsafe {
            if pc as u64 == w.pc {
                let values = values(l);
                if outline(&values) == w.outline && state_of(&*self.g, values) == w.digest {
                    libc::_exit(0);
                }
            }
            w.left -= 1;
            if w.left == 0 {
                libc::_exit(1);
            }
        }
        true
    }

    /// Exit `exit` of trace `number` has put the state back, that of an instruction without open results if `plain`.
    #[inline(never)]
    pub(crate) unsafe fn replay_exit(
        &mut self,
        l: *mut Thread,
        number: u16,
        exit: u16,
        plain: bool,
    ) {
        let Some(run) = self.replay.run.take() else {
            return;
        };
        let trace = run.trace;
        let executed = self.executed() - run.began;
        // SAFETY: [SNAP-EXACT] the thread's frames are complete.
        unsafe {
            if !plain || executed > MOST {
                run.finish(None);
                return;
            }
            let values = values(l);
            let wanted = Wanted {
                pc: (*l).pc as u64,
                outline: outline(&values),
                digest: state_of(&*self.g, values),
                left: 4 * executed + 1000,
            };
            let status = run.finish(Some(wanted));
            if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) == 1 {
                eprintln!(
                    "replay: entered at trace {trace}, left by exit {exit} of trace {number} after {executed} instructions: \
                     the interpreter does not come to that state"
                );
                std::process::abort();
            }
            self.stats.replayed += u64::from(libc::WEXITSTATUS(status) == 0);
        }
    }

    /// The collector has run: finalizers may have, too.
    pub(crate) fn replay_cancel(&mut self) {
        if let Some(run) = self.replay.run.take() {
            // SAFETY: the child waits for this.
            unsafe { run.finish(None) };
        }
    }
}

/// A root trace is entered: base and number are in `jit_scratch`.
///
/// # Safety
/// Called by the thunk only.
pub(crate) unsafe extern "C" fn entered(g: *mut GlobalHot) {
    // SAFETY: as promised.
    unsafe {
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        let [base, number, ..] = (*g).jit_scratch;
        jit.replay_entered(base as *mut Value, number as u16);
    }
}
