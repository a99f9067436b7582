//! Time limits and interrupts. A watchdog thread, started when a limit is first used, asks the state to look at the clock at
//! its next safepoint.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use traceorus_base::objects::GlobalHot;
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{state, throw};

use crate::state::State;

/// Interrupts a state from any thread. Made by [`Lua::interrupt_handle`](crate::Lua::interrupt_handle).
///
/// ```
/// let lua = traceorus::Lua::new();
/// let handle = lua.interrupt_handle();
/// let t = std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_millis(20));
///     handle.interrupt();
/// });
/// let e = lua.load("while true do end").exec().unwrap_err();
/// assert!(e.message().ends_with("interrupted!"));
/// # t.join().unwrap();
/// ```
#[derive(Clone)]
pub struct InterruptHandle(pub(crate) Arc<Watch>);

impl std::fmt::Debug for InterruptHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InterruptHandle")
    }
}

impl InterruptHandle {
    /// Makes running Lua code fail with "interrupted!" soon; if none runs, the code that runs next does. Without effect on a
    /// closed state.
    pub fn interrupt(&self) {
        let mut s = self.0.lock();
        s.interrupted = true;
        s.request();
    }
}

/// What the watchdog thread and interrupt handles share with a state.
#[derive(Default)]
pub(crate) struct Watch {
    state: Mutex<WatchState>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct WatchState {
    /// Address of the state, 0 once it is closed.
    target: usize,
    interrupted: bool,
    deadline: Option<Instant>,
}

impl WatchState {
    fn request(&self) {
        if self.target != 0 {
            // SAFETY: the state is live as long as the address is here, and we hold the lock.
            unsafe { state::request_interrupt(self.target as *mut GlobalHot) };
        }
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// From now on the state may be interrupted. It calls [`Watch::close`] before it goes.
    pub(crate) fn open(&self, g: *mut GlobalHot) {
        self.lock().target = g as usize;
    }
    pub(crate) fn close(&self) {
        self.lock().target = 0;
        self.changed.notify_all();
    }
    fn set_deadline(&self, d: Option<Instant>) {
        self.lock().deadline = d;
        if d.is_some() {
            self.changed.notify_all();
        }
    }
    /// The watchdog: requests an interrupt when the deadline has come, again and again until it is lifted (the code
    /// may catch the error).
    fn run(&self) {
        let mut s = self.lock();
        while s.target != 0 {
            let wait = match s.deadline {
                None => None,
                Some(d) => match d.checked_duration_since(Instant::now()) {
                    Some(t) if !t.is_zero() => Some(t),
                    _ => {
                        s.request();
                        Some(Duration::from_millis(5))
                    }
                },
            };
            s = match wait {
                None => self.changed.wait(s).unwrap_or_else(PoisonError::into_inner),
                Some(t) => {
                    self.changed
                        .wait_timeout(s, t)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

impl State {
    /// Starts or (`None`) lifts the time limit of an entry from Rust.
    #[cold]
    pub(crate) fn set_deadline(&self, limit: Option<Duration>) {
        let d = limit.and_then(|t| Instant::now().checked_add(t));
        self.deadline.set(d);
        if d.is_some() && !self.watchdog.replace(true) {
            let watch = self.watch.clone();
            let started = std::thread::Builder::new()
                .name("traceorus-watchdog".into())
                .spawn(move || watch.run());
            self.watchdog.set(started.is_ok());
        }
        self.watch.set_deadline(d);
    }
}

/// Interrupt function of the state.
pub(crate) unsafe fn on_interrupt(cx: Ctx<'_>) -> LResult<()> {
    let Some(lua) = State::of(cx) else {
        return Ok(());
    };
    // SAFETY: `cx` is the running frame.
    let fail = |msg| unsafe { Err(throw::run_error(cx.l, msg)) };
    let state = &lua.state;
    let mut s = state.watch.lock();
    if std::mem::take(&mut s.interrupted) {
        return fail("interrupted!");
    }
    if state.deadline.get().is_some_and(|d| Instant::now() >= d) {
        s.request(); // the error may be caught: the next safepoint raises it again
        return fail("time limit exceeded");
    }
    Ok(())
}
