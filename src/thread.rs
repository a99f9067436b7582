//! Coroutines.

use traceorus_base::objects::{self, thread_status};
use traceorus_base::{Tag, Value as Raw};

use crate::convert::{Args, Stack};
use crate::state::{Op, Ref};
use crate::{Error, ErrorKind, FromLuaMulti, Function, IntoLuaMulti, Lua, Result};

/// A coroutine.
///
/// ```
/// use traceorus::{Lua, ThreadStatus};
///
/// let lua = Lua::new();
/// let co = lua.create_thread(lua.load("local a = ... local b = coroutine.yield(a + 1) return b * 2").into_function()?)?;
/// assert_eq!(co.resume::<i64>(1)?, 2);
/// assert_eq!(co.status(), ThreadStatus::Resumable);
/// assert_eq!(co.resume::<i64>(10)?, 20);
/// assert_eq!(co.status(), ThreadStatus::Finished);
/// assert!(co.resume::<()>(()).is_err());
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone)]
pub struct Thread(pub(crate) Ref);

/// What a coroutine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadStatus {
    /// It has not begun yet, or has yielded.
    Resumable,
    /// It runs.
    Running,
    /// It has resumed another one.
    Normal,
    /// It has ended.
    Finished,
    /// It has ended by an error.
    Error,
}

impl Lua {
    /// A coroutine that will run the function.
    pub fn create_thread(&self, f: Function) -> Result<Thread> {
        self.state.enter(|cx| {
            let f = f.0.raw_in(&self.state)?;
            self.state.reserve(cx, 1024)?;
            // SAFETY: [GC-LIVE] the function has a reference; the thread gets one at once.
            let t = unsafe { traceorus_vm::coroutine::new(cx.l, f) };
            Ok(Thread(Ref::new(&self.state, cx, Raw::ptr(t, Tag::THREAD))))
        })
    }
    /// The running coroutine; outside of coroutines, the main thread.
    pub fn current_thread(&self) -> Result<Thread> {
        self.state.enter(|cx| {
            Ok(Thread(Ref::new(
                &self.state,
                cx,
                Raw::ptr(cx.l, Tag::THREAD),
            )))
        })
    }
}

impl Thread {
    fn raw_status(&self) -> Option<u32> {
        // SAFETY: [GC-LIVE] the thread has a reference.
        self.0
            .peek()
            .map(|t| unsafe { (*t.as_ptr::<objects::Thread>()).status })
    }
    /// Its status. Finished once the state is closed.
    pub fn status(&self) -> ThreadStatus {
        match self.raw_status() {
            Some(thread_status::FRESH) => ThreadStatus::Resumable,
            Some(s) if traceorus_vm::coroutine::is_suspended(s) => ThreadStatus::Resumable,
            Some(thread_status::RUNNING) => ThreadStatus::Running,
            Some(thread_status::NORMAL) => ThreadStatus::Normal,
            Some(thread_status::ERROR) => ThreadStatus::Error,
            _ => ThreadStatus::Finished,
        }
    }
    /// It can be resumed.
    pub fn is_resumable(&self) -> bool {
        self.status() == ThreadStatus::Resumable
    }
    /// Starts it with these arguments, or goes on with them as results of the `yield` that waits. Gives what it yields or returns
    /// then.
    pub fn resume<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            match self.status() {
                ThreadStatus::Resumable => {}
                ThreadStatus::Running | ThreadStatus::Normal => {
                    return Err(Error::new(
                        ErrorKind::Coroutine,
                        "cannot resume non-suspended coroutine",
                    ));
                }
                _ => {
                    return Err(Error::new(
                        ErrorKind::Coroutine,
                        "cannot resume dead coroutine",
                    ));
                }
            }
            lua.state.begin_call(cx);
            lua.state.push_op(cx, Op::Resume);
            let co = self.0.raw(cx);
            cx.push(co);
            let n = args.push_multi_into_lua(&lua, Stack(cx))?;
            let n = lua.state.finish_call(cx, n + 1, -1)?;
            let first = cx.top() + 1 - n;
            if cx.arg(first).is_falsy() {
                let e = cx.arg(first + 1);
                return Err(lua.state.error_of_thread(cx, co, e));
            }
            R::from_lua_args(&mut Args::results(cx, n - 1), &lua)
        })
    }
    /// Ends it: its pending to-be-closed variables are closed. The error is the one that it has ended by, or one of
    /// the closing functions.
    pub fn close(&self) -> Result<()> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            lua.state.begin_call(cx);
            lua.state.push_op(cx, Op::Close);
            cx.push(self.0.raw(cx));
            let n = lua.state.finish_call(cx, 1, -1)?;
            let first = cx.top() + 1 - n;
            if cx.arg(first).is_falsy() {
                let e = cx.arg(first + 1);
                return Err(lua.state.error_from(cx, e, 2));
            }
            Ok(())
        })
    }
}
