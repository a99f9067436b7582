//! Debug hooks and warnings.

use traceorus_base::Value as Raw;
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::hooks::{self, Event};
use traceorus_vm::{call, debuginfo};

use crate::callback::{self, Closure};
use crate::state::{RawThread, State};
use crate::{Lua, Result};

/// What a hook is called for. While a thread has a hook, its code is interpreted.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use traceorus::{Error, HookTriggers, Lua};
///
/// let lua = Lua::new();
/// let budget = Rc::new(Cell::new(10));
/// let left = budget.clone();
/// lua.set_hook(HookTriggers::new().every_nth_instruction(1000), move |_, _| {
///     left.set(left.get() - 1);
///     if left.get() == 0 {
///         return Err(Error::runtime("budget used up"));
///     }
///     Ok(())
/// })?;
/// let e = lua.load("while true do end").exec().unwrap_err();
/// assert!(e.message().ends_with("budget used up"));
/// lua.remove_hook()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookTriggers {
    /// Calls of functions.
    pub on_calls: bool,
    /// Returns from functions.
    pub on_returns: bool,
    /// Before a new line is executed, and after jumps backwards.
    pub every_line: bool,
    /// Whenever so many instructions have been executed.
    pub every_nth_instruction: Option<u32>,
}

impl HookTriggers {
    /// Nothing.
    pub const fn new() -> HookTriggers {
        HookTriggers {
            on_calls: false,
            on_returns: false,
            every_line: false,
            every_nth_instruction: None,
        }
    }
    /// Also calls.
    pub const fn on_calls(mut self) -> Self {
        self.on_calls = true;
        self
    }
    /// Also returns.
    pub const fn on_returns(mut self) -> Self {
        self.on_returns = true;
        self
    }
    /// Also lines.
    pub const fn every_line(mut self) -> Self {
        self.every_line = true;
        self
    }
    /// Also every `n` instructions.
    pub const fn every_nth_instruction(mut self, n: u32) -> Self {
        self.every_nth_instruction = Some(n);
        self
    }
}

/// Why a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugEvent {
    /// A function was called.
    Call,
    /// A function was called by a tail call.
    TailCall,
    /// A function is about to return.
    Ret,
    /// A line is about to be executed.
    Line,
    /// So many instructions have been executed.
    Count,
}

/// What an active function is doing, as hooks and [`Lua::inspect_stack`] see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Debug {
    /// Why the hook is called.
    pub event: Option<DebugEvent>,
    /// The line that is being executed, or is about to be.
    pub current_line: Option<usize>,
    /// Name by which the function was called, if there is one.
    pub name: Option<String>,
    /// What the name is: `"local"`, `"global"`, `"method"` ...
    pub name_what: Option<&'static str>,
    /// Printable name of the chunk.
    pub short_src: String,
    /// `"Lua"`, `"main"` (a chunk), or `"C"` (a native function).
    pub what: &'static str,
    /// Line where the function begins.
    pub line_defined: Option<usize>,
    /// It was called by a tail call.
    pub is_tail_call: bool,
}

fn inspect(cx: Ctx, level: i32, event: Option<DebugEvent>) -> Option<Debug> {
    // SAFETY: [NATIVE-FRAME] the frames of the running thread are intact.
    unsafe {
        let f = debuginfo::level(cx.l, level)?;
        let i = debuginfo::func_info(f.function());
        let name = debuginfo::frame_name(&f);
        Some(Debug {
            event,
            current_line: usize::try_from(debuginfo::current_line(&f)).ok(),
            name_what: name.as_ref().map(|n| n.kind),
            name: name.map(|n| String::from_utf8_lossy(&n.text).into_owned()),
            short_src: String::from_utf8_lossy(&i.short_src).into_owned(),
            what: i.what,
            line_defined: usize::try_from(i.line_defined).ok(),
            is_tail_call: f.tail,
        })
    }
}

fn event_of(n: i64) -> DebugEvent {
    match n {
        0 => DebugEvent::Call,
        1 => DebugEvent::Ret,
        2 => DebugEvent::Line,
        3 => DebugEvent::Count,
        _ => DebugEvent::TailCall,
    }
}

/// The hook of a thread: calls the Rust function, as a native function in a frame of its own.
unsafe fn rust_hook(l: *mut RawThread, event: Event, line: i64) -> LResult<()> {
    // SAFETY: [STACK-STABLE] a hook may use the slots above the top.
    unsafe {
        let cx = Ctx::new(l);
        let Some(lua) = State::of(cx) else {
            return Ok(());
        };
        let Some(f) = lua.state.hook.borrow().as_ref().map(|r| r.raw(cx)) else {
            return Ok(());
        };
        let func = (*l).top;
        *func = f;
        *func.add(1) = Raw::int(event as i64);
        *func.add(2) = Raw::int(line);
        (*l).top = func.add(3);
        hooks::enter(l, func, 2)
    }
}

impl Lua {
    /// Calls `f` on these events in the running thread, and in coroutines that it makes from now on. An `Err` is raised as a Lua error. There is one
    /// hook at a time; it is not called for what it does itself.
    pub fn set_hook(
        &self,
        triggers: HookTriggers,
        f: impl Fn(&Lua, &Debug) -> Result<()> + 'static,
    ) -> Result<()> {
        let hook = move |lua: &Lua, (event, line): (i64, i64)| {
            let at = lua
                .state
                .enter(|cx| Ok(inspect(cx, 1, Some(event_of(event)))))?;
            match at {
                Some(mut d) => {
                    if let Ok(line) = usize::try_from(line) {
                        d.current_line = Some(line);
                    }
                    f(lua, &d)
                }
                None => Ok(()),
            }
        };
        let hook = callback::function(&self.state, Closure::new(hook))?;
        let mut mask = 0;
        for (on, bit) in [
            (triggers.on_calls, hooks::MASK_CALL),
            (triggers.on_returns, hooks::MASK_RET),
            (triggers.every_line, hooks::MASK_LINE),
            (triggers.every_nth_instruction.is_some(), hooks::MASK_COUNT),
        ] {
            mask |= if on { bit } else { 0 };
        }
        let count = triggers.every_nth_instruction.unwrap_or(0);
        let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
        let before = self.state.hook.replace(Some(hook.0));
        drop(before);
        self.set_raw_hook(Some(rust_hook), mask, count)
    }
    /// Removes the hook of the running thread.
    pub fn remove_hook(&self) -> Result<()> {
        self.set_raw_hook(None, 0, 0)
    }
    fn set_raw_hook(&self, f: Option<hooks::HookFn>, mask: u32, count: i32) -> Result<()> {
        self.state.enter(|cx| {
            // SAFETY: [GC-LIVE] the running thread.
            unsafe { hooks::set_hook(cx.l, f, Raw::NIL, mask, count) };
            Ok(())
        })
    }
    /// What the active function at a level is doing: 0 is the Rust function that runs (if Lua has called it), 1 the one that
    /// has called it.
    pub fn inspect_stack(&self, level: usize) -> Option<Debug> {
        let level = i32::try_from(level).ok()?;
        self.state
            .enter(|cx| Ok(inspect(cx, level, None)))
            .ok()
            .flatten()
    }
    /// Stack traceback of the running thread, below a message if there is one, from a level on.
    pub fn traceback(&self, message: Option<&str>, level: usize) -> Result<String> {
        self.state.enter(|cx| {
            let level = i32::try_from(level).unwrap_or(i32::MAX);
            let text = crate::engine::traceback(cx, message.map(str::as_bytes), level);
            Ok(String::from_utf8_lossy(&text).into_owned())
        })
    }

    /// Calls `f` with each piece of a warning; true if more pieces follow. An `Err` is ignored: nobody waits for it.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// let lua = traceorus::Lua::new();
    /// let seen = Rc::new(RefCell::new(String::new()));
    /// let to = seen.clone();
    /// lua.set_warning_function(move |_, text, more| {
    ///     to.borrow_mut().push_str(text);
    ///     if !more {
    ///         to.borrow_mut().push('\n');
    ///     }
    ///     Ok(())
    /// })?;
    /// lua.load("warn('disk ', 'full')").exec()?;
    /// assert_eq!(*seen.borrow(), "disk full\n");
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn set_warning_function(
        &self,
        f: impl Fn(&Lua, &str, bool) -> Result<()> + 'static,
    ) -> Result<()> {
        let warn = move |lua: &Lua, (text, more): (crate::Bytes, bool)| {
            f(lua, &String::from_utf8_lossy(&text.0), more)
        };
        let warn = callback::function(&self.state, Closure::new(warn))?;
        self.state.enter(|cx| {
            let before = self.state.warn.replace(Some(warn.0));
            drop(before);
            cx.g().warn = Some(rust_warn);
            Ok(())
        })
    }
    /// Ignores warnings.
    pub fn remove_warning_function(&self) -> Result<()> {
        self.state.enter(|cx| {
            cx.g().warn = Some(traceorus_stdlib::base::warn_off);
            let before = self.state.warn.take();
            drop(before);
            Ok(())
        })
    }
    /// Emits a piece of a warning, as `warn` does; `more` pieces follow or not.
    pub fn warning(&self, text: &str, more: bool) -> Result<()> {
        self.state.enter(|cx| {
            traceorus_stdlib::base::warning(cx, text.as_bytes(), more);
            Ok(())
        })
    }
}

/// The warning function: calls the Rust function, as a native function in a frame of its own.
unsafe fn rust_warn(cx: Ctx<'_>, text: &[u8], more: bool) {
    let Some(lua) = State::of(cx) else { return };
    let Some(f) = lua.state.warn.borrow().as_ref().map(|r| r.raw(cx)) else {
        return;
    };
    let h = &cx.g().hot;
    let under_way = (h.error_value, h.error_status, h.error_handled);
    cx.push(f);
    cx.push(cx.str(text));
    cx.push(Raw::bool(more));
    // SAFETY: what was pushed is above everything that is live: warnings come from native functions, or with the top there.
    let r = unsafe { call::call(cx.l, 2, 0) };
    if r.is_err() {
        cx.take_error();
    }
    let h = &mut cx.g().hot;
    (h.error_value, h.error_status, h.error_handled) = under_way;
}
