//! Where the time goes: the processor's timer interrupts the program (SIGPROF), and the handler looks at what runs.
//!
//! Nothing in the runtime is slower for it. In a trace or in the interpreter the program counter tells. In a function that one of them has called,
//! the first return address on the stack that lies in the code of either does. Recordings and collections say so in two flags. The
//! interval is what the kernel's tick allows, often 4 ms; it is measured, not assumed.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};

use traceorus::raw::base::objects::GlobalHot;
use traceorus::raw::trace::Jit;
use traceorus::raw::trace::report::Samples;
use traceorus::raw::vm::dispatch;
use traceorus::raw::vm::state::Global;

/// Counts by address: open addressing, written by the handler only.
struct Table(Box<[(AtomicU64, AtomicU64)]>);

impl Table {
    const SIZE: usize = 1 << 14;

    fn new() -> Table {
        let empty = || (AtomicU64::new(0), AtomicU64::new(0));
        Table((0..Table::SIZE).map(|_| empty()).collect())
    }
    /// False: there is no room.
    fn count(&self, address: u64) -> bool {
        let start = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize;
        for i in 0..64 {
            let (key, n) = &self.0[(start + i) % Table::SIZE];
            let k = key.load(Relaxed);
            if k == 0 {
                key.store(address, Relaxed);
            }
            if k == 0 || k == address {
                n.fetch_add(1, Relaxed);
                return true;
            }
        }
        false
    }
    fn list(&self) -> Vec<(u64, u64)> {
        let pairs = self
            .0
            .iter()
            .map(|(k, n)| (k.load(Relaxed), n.load(Relaxed)));
        pairs.filter(|p| p.0 != 0).collect()
    }
}

/// What the handler works with.
struct Sampler {
    g: *const GlobalHot,
    recording: *const bool,
    collecting: *const AtomicBool,
    traces: Range<u64>,
    interpreter: Range<u64>,
    counts: [AtomicU64; 5],
    lost: AtomicU64,
    bytecode: Table,
    code: Table,
}

const INTERPRETED: usize = 0;
const COMPILED: usize = 1;
const RECORDING: usize = 2;
const COLLECTING: usize = 3;
const OTHER: usize = 4;

static SAMPLER: AtomicPtr<Sampler> = AtomicPtr::new(std::ptr::null_mut());

/// Most words of the stack that are looked at.
const MOST_WORDS: u64 = 4096;

/// Program counter, stack pointer, and the register that holds the bytecode's pc in the interpreter.
///
/// # Safety
/// `context` is what a signal handler got.
#[cfg(target_arch = "x86_64")]
unsafe fn registers(context: *mut libc::c_void) -> (u64, u64, u64) {
    // SAFETY: as promised.
    let regs = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let reg = |n: libc::c_int| regs[n as usize] as u64;
    (reg(libc::REG_RIP), reg(libc::REG_RSP), reg(libc::REG_RBX))
}
#[cfg(not(target_arch = "x86_64"))]
unsafe fn registers(_: *mut libc::c_void) -> (u64, u64, u64) {
    // nothing is generated for this target yet
    (0, 0, 0)
}

extern "C" fn on_tick(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let s = SAMPLER.load(Relaxed);
    if !s.is_null() {
        // SAFETY: the sampler is never freed, and set back before the state is closed.
        unsafe { (*s).look(context) };
    }
}

impl Sampler {
    unsafe fn look(&self, context: *mut libc::c_void) {
        // SAFETY: the state is live; words of it are read as they happen to be.
        unsafe {
            let (pc, sp, bytecode) = registers(context);
            let running = (*self.g).current;
            let (what, place) = if (*self.collecting).load(Relaxed) {
                (COLLECTING, None)
            } else if self.recording.read_volatile() {
                (RECORDING, None)
            } else if self.traces.contains(&pc) {
                (COMPILED, Some((&self.code, pc)))
            } else if self.interpreter.contains(&pc) {
                (INTERPRETED, Some((&self.bytecode, bytecode)))
            } else {
                match self.caller(sp) {
                    Some(at) if self.traces.contains(&at) => (COMPILED, Some((&self.code, at - 1))),
                    Some(_) => {
                        let at = std::ptr::read_volatile(&raw const (*running).pc);
                        (INTERPRETED, Some((&self.bytecode, at as u64)))
                    }
                    None => (OTHER, None),
                }
            };
            self.counts[what].fetch_add(1, Relaxed);
            if let Some((table, at)) = place
                && !table.count(at)
            {
                self.lost.fetch_add(1, Relaxed);
            }
        }
    }

    /// The innermost return address in a trace or the interpreter.
    unsafe fn caller(&self, sp: u64) -> Option<u64> {
        // SAFETY: what lies between the stack pointer and the activation record, which is on the same stack, is mapped.
        unsafe {
            let top = std::ptr::read_volatile(&raw const (*self.g).activation) as u64;
            let end = top.min(sp + 8 * MOST_WORDS);
            let mut at = sp & !7;
            while at < end {
                let word = std::ptr::read_volatile(at as *const u64);
                if self.traces.contains(&word) || self.interpreter.contains(&word) {
                    return Some(word);
                }
                at += 8;
            }
            None
        }
    }
}

fn processor_time_us() -> u64 {
    // SAFETY: the clock exists; the result is written to a local.
    unsafe {
        let mut t: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t);
        t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
    }
}

fn set_timer(us: libc::suseconds_t) {
    let t = libc::timeval {
        tv_sec: 0,
        tv_usec: us,
    };
    let timer = libc::itimerval {
        it_interval: t,
        it_value: t,
    };
    // SAFETY: a valid timer.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()) };
}

/// Begins to sample. [`stop`] comes before the state is closed.
///
/// # Safety
/// `g` is a live state.
pub unsafe fn start(g: *mut GlobalHot) {
    // SAFETY: as promised; a zeroed action is valid.
    unsafe {
        let global = Global::of(g);
        let sampler = Box::new(Sampler {
            g,
            recording: &raw const global.recording,
            collecting: global.heap.at_work(),
            traces: Jit::of(global).map_or(0..0, |j| j.code()),
            interpreter: dispatch::interpreter_code(),
            counts: [const { AtomicU64::new(0) }; 5],
            lost: AtomicU64::new(0),
            bytecode: Table::new(),
            code: Table::new(),
        });
        SAMPLER.store(Box::into_raw(sampler), Relaxed);
        let mut a: libc::sigaction = std::mem::zeroed();
        let handler =
            on_tick as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        a.sa_sigaction = handler as libc::sighandler_t;
        a.sa_flags = libc::SA_RESTART | libc::SA_SIGINFO;
        libc::sigemptyset(&mut a.sa_mask);
        libc::sigaction(libc::SIGPROF, &a, std::ptr::null_mut());
    }
    set_timer(1000);
}

/// Ends sampling; what was seen.
pub fn stop() -> Option<Samples> {
    set_timer(0);
    let s = SAMPLER.swap(std::ptr::null_mut(), Relaxed);
    if s.is_null() {
        return None;
    }
    // SAFETY: from `start`; not freed, since a handler might still be on its way.
    let s = unsafe { &*s };
    let [interpreted, compiled, recording, collecting, other] =
        [INTERPRETED, COMPILED, RECORDING, COLLECTING, OTHER].map(|i| s.counts[i].load(Relaxed));
    let mut samples = Samples {
        period_us: 0,
        interpreted,
        compiled,
        recording,
        collecting,
        other,
        lost: s.lost.load(Relaxed),
        bytecode: s.bytecode.list(),
        code: s.code.list(),
    };
    samples.period_us = processor_time_us() / samples.total().max(1);
    Some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting() {
        let t = Table::new();
        for i in 0..100 {
            for _ in 0..=i % 3 {
                assert!(t.count(1000 + i));
            }
        }
        let mut list = t.list();
        list.sort_unstable();
        assert_eq!(list.len(), 100);
        assert_eq!(list[4], (1004, 2));
        assert_eq!(list.iter().map(|p| p.1).sum::<u64>(), 199);
    }
}
