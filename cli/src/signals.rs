//! Signals: Ctrl-C and broken pipes.

use std::sync::atomic::{AtomicPtr, Ordering};

use traceorus::raw::base::objects::GlobalHot;
use traceorus::raw::vm::ctx::{Ctx, LResult};
use traceorus::raw::vm::{state, throw};

/// The state to interrupt.
static TARGET: AtomicPtr<GlobalHot> = AtomicPtr::new(std::ptr::null_mut());

/// Makes `g` the state that Ctrl-C interrupts.
pub fn set_target(g: *mut GlobalHot) {
    TARGET.store(g, Ordering::Relaxed);
}

fn set_handler(signal: libc::c_int, handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: a zeroed action is valid; the handlers do only what a signal handler may.
    unsafe {
        let mut a: libc::sigaction = std::mem::zeroed();
        a.sa_sigaction = handler;
        a.sa_flags = flags;
        libc::sigemptyset(&mut a.sa_mask);
        libc::sigaction(signal, &a, std::ptr::null_mut());
    }
}

/// First Ctrl-C: asks the state to stop. A second one, before it did, ends the program.
extern "C" fn on_interrupt(signal: libc::c_int) {
    set_handler(signal, libc::SIG_DFL, 0);
    let g = TARGET.load(Ordering::Relaxed);
    if !g.is_null() {
        // SAFETY: the handler is only installed while code of the state runs.
        unsafe { state::request_interrupt(g) };
    }
}

/// Whether Ctrl-C is a Lua error (while Lua code runs) or ends the program.
pub fn catch_interrupt(on: bool) {
    let handler = on_interrupt as extern "C" fn(libc::c_int);
    set_handler(
        libc::SIGINT,
        if on {
            handler as libc::sighandler_t
        } else {
            libc::SIG_DFL
        },
        0,
    );
}

/// Interrupt function of the state.
///
/// # Safety
/// `cx` is the running frame.
pub unsafe fn interrupted(cx: Ctx<'_>) -> LResult<()> {
    // SAFETY: as promised.
    Err(unsafe { throw::run_error(cx.l, "interrupted!") })
}

extern "C" fn ignore(_: libc::c_int) {}

/// Makes writing to a closed pipe an error instead of the program's death, for us but not for the programs that we
/// start: a handler, unlike the disposition "ignore", is not inherited.
pub fn keep_broken_pipes_quiet() {
    let handler = ignore as extern "C" fn(libc::c_int);
    set_handler(
        libc::SIGPIPE,
        handler as libc::sighandler_t,
        libc::SA_RESTART,
    );
}
