//! Library functions that are called by name and run Lua code of their own: their *bodies*.
//!
//! A native function that calls Lua functions again and again (the order function of `table.sort`) would enter the interpreter for each
//! of these calls, and nothing could be compiled across them. So it gives its frame to a Lua function ([`enter`]) that does the work:
//! loops are loops of the interpreter, calls are frames, and the recorder needs to know nothing of them.
//!
//! Programs see native functions. `debuginfo` shows the frame of a body as one of the native function that it stands for, without lines
//! and names; native functions that only bodies call are not shown at all. No hook is called for what a body does: while there is a
//! hook, and where the function that would be called is a native one, the native function does everything itself; so it does while nothing is compiled,
//! if that is faster ([`Body::slow`]).
//!
//! Most of these functions cannot be yielded across (`Body::closed`). While their bodies run, the upper half of `Thread::ncalls` is
//! higher by one: `enter` sees to that, the body calls [`leave`] in a tail call as the last thing that it does, and `throw::raise` takes it back
//! for the bodies that it unwinds.
//!
//! A body that calls many different functions would have traces of many branches. So there are up to [`WAYS`] instances of each body, with
//! code of their own: which one a call takes is decided by the prototype of the function that it will call ([`Bodies::way_for`]).
//!
//! Bodies are compiled at their first use.

use std::ptr;

use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::call::{self, word_at};
use crate::ctx::{Ctx, LResult, SWITCHED};
use crate::pieces::Pieces;
use crate::state::Global;
use crate::{ccall, fastfn, jithooks};

/// Instances of a body.
pub const WAYS: usize = 16;
/// Elements from which on a sort is left to its body. In shorter loops traces of order functions with branches that nobody can foresee are left
/// too soon to pay.
pub const FEW: i64 = 32;
/// Number of the body of `table.sort`.
pub const SORT: u8 = 0;
/// Of `tostring`.
pub const TOSTRING: u8 = 1;
/// Of `pairs`.
pub const PAIRS: u8 = 2;
/// Of `string.format`.
pub const FORMAT: u8 = 3;
/// Most items of a format that this one takes.
pub const FORMAT_ARGS: usize = 6;
/// Of `string.gsub`.
pub const GSUB: u8 = 4;
/// Its argument, from 0, that says where its text starts in [`Bodies::pieces`]; it does not change.
const GSUB_START: usize = 4;
/// Of `error` under a message handler.
pub const ERROR: u8 = 5;
/// How many there are.
const COUNT: usize = 6;
/// Closed bodies in one another, less than `call::MAX_CCALLS`.
pub const MAX_DEPTH: u32 = 190;
/// What one of them adds to `Thread::ncalls`.
pub const DEPTH_ONE: u32 = 0x1_0000;

/// A native function that a body calls, with its number for the trace compiler.
pub type Helper = (&'static str, NativeFn, FastFn);

/// A body. Its source is a chunk that gets the helpers as arguments and returns the function.
pub struct Body {
    /// Its number, less than [`COUNT`].
    pub id: u8,
    /// Name of the library function, for reports of the trace compiler.
    pub name: &'static str,
    /// The chunk.
    pub source: &'static str,
    /// What it gets.
    pub helpers: &'static [Helper],
    /// No yield may cross it. The function then ends by a tail call of the helper [`leave`].
    pub closed: bool,
    /// Interpreted, it takes longer than the native function does: this does the work itself while the trace compiler is off.
    pub slow: bool,
}

/// Instances that have been compiled, and the native functions that they stand for; null at first.
pub struct Bodies {
    instances: [[*mut LuaClosure; WAYS]; COUNT],
    /// Prototypes of the functions that have them to themselves, or native functions; compared only, they may be gone.
    owners: [[*const GcHeader; WAYS]; COUNT],
    natives: [*mut NativeClosure; COUNT],
    /// The texts of the calls of `string.gsub` that run.
    pub pieces: Pieces,
}

impl Bodies {
    /// None.
    pub const fn new() -> Bodies {
        Bodies {
            instances: [[ptr::null_mut(); WAYS]; COUNT],
            owners: [[ptr::null(); WAYS]; COUNT],
            natives: [ptr::null_mut(); COUNT],
            pieces: Pieces::new(),
        }
    }
    /// An instance, if it has been compiled.
    pub fn instance(&self, id: u8, way: usize) -> Option<*mut LuaClosure> {
        let c = self.instances[usize::from(id)][way];
        (!c.is_null()).then_some(c)
    }
    /// The instance of body `id` for calls of `f`: its own as long as there are any left. `None`: `f` is neither a Lua function nor a native one that
    /// the trace compiler knows.
    ///
    /// # Safety
    /// [GC-LIVE] `f` is live.
    #[inline]
    pub unsafe fn way_for(&mut self, id: u8, f: Value) -> Option<usize> {
        // SAFETY: as promised.
        unsafe {
            if f.tag != Tag::FUNCTION {
                return None;
            }
            let p = match f.as_ptr::<GcHeader>() {
                c if (*c).kind == ObjKind::LuaClosure as u8 => {
                    (*c.cast::<LuaClosure>()).proto as *const GcHeader
                }
                c if (*c).word != FastFn::Other as u32 => c,
                _ => return None,
            };
            let first = ((p as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % WAYS;
            let owners = &mut self.owners[usize::from(id)];
            for k in 0..WAYS {
                let way = (first + k) % WAYS;
                if owners[way] == p {
                    return Some(way);
                }
                if owners[way].is_null() {
                    owners[way] = p;
                    return Some(way);
                }
            }
            Some(first)
        }
    }
    /// Everything that the collector has to know of.
    pub fn objects(&self) -> impl Iterator<Item = *mut GcHeader> {
        let closures = self.instances.iter().flatten().map(|&c| c as *mut GcHeader);
        let natives = self.natives.iter().map(|&c| c as *mut GcHeader);
        closures.chain(natives).filter(|c| !c.is_null())
    }
}

impl Default for Bodies {
    fn default() -> Bodies {
        Bodies::new()
    }
}

/// The instance of `b` that the running native function of `l` may enter for calls of `f`: there is one for it ([`Bodies::way_for`]), no hook
/// watches, not too many bodies are active, and the body is worth it.
///
/// # Safety
/// [GC-LIVE] `f` is live; `l` is the running thread.
pub unsafe fn way_of(l: *mut Thread, b: &Body, f: Value) -> Option<usize> {
    // SAFETY: as promised.
    unsafe {
        let depth = (*l).ncalls & !ccall::CONTINUABLE;
        let g = Global::of((*l).global);
        let fits = (*l).hook_mask == 0
            && (!b.closed || depth < MAX_DEPTH * DEPTH_ONE)
            && (!b.slow || jithooks::compiles(g));
        match fits {
            true => g.bodies.way_for(b.id, f),
            false => None,
        }
    }
}

/// The body that the function `f` (or null) is.
///
/// # Safety
/// [GC-LIVE] `f` is null or a live function.
#[inline]
unsafe fn proto_of_body(f: *const GcHeader) -> Option<*mut Proto> {
    // SAFETY: as promised.
    unsafe {
        if f.is_null() || (*f).kind != ObjKind::LuaClosure as u8 {
            return None;
        }
        let p = (*(f as *const LuaClosure)).proto;
        ((*p).hdr.flags & flags::PROTO_BODY != 0).then_some(p)
    }
}

/// Whether `p` is the prototype of a body.
///
/// # Safety
/// [GC-LIVE] `p` is live.
#[inline]
pub unsafe fn is_body(p: *const Proto) -> bool {
    // SAFETY: as promised.
    unsafe { (*p).hdr.flags & flags::PROTO_BODY != 0 }
}

/// Whether no yield may cross frames of `p`.
///
/// # Safety
/// [GC-LIVE] `p` is live.
#[inline]
pub unsafe fn is_closed(p: *const Proto) -> bool {
    // SAFETY: as promised.
    unsafe { (*p).hdr.flags & flags::PROTO_CLOSED != 0 }
}

/// The frame with this base is given up for an error.
///
/// # Safety
/// [STACK-STABLE] it is a frame of the live thread `l`.
#[inline]
pub unsafe fn unwind(l: *mut Thread, base: *mut Value) {
    // SAFETY: as promised.
    unsafe {
        let Some(p) = proto_of_body((*base.sub(1)).payload as *const GcHeader) else {
            return;
        };
        if is_closed(p) {
            left(l);
        }
        if is_gsub(p) {
            let start = (*base.add(GSUB_START)).as_int() as usize;
            Global::of((*l).global).bodies.pieces.drop_from(start);
        }
    }
}

/// Whether `p`, the prototype of a body, is that of `string.gsub`.
///
/// # Safety
/// [GC-LIVE] `p` is live.
#[inline]
pub unsafe fn is_gsub(p: *const Proto) -> bool {
    // SAFETY: as promised.
    unsafe { (*p).hdr.word == GSUB.into() }
}

/// Whether `p` is the prototype of the body of `error`.
///
/// # Safety
/// [GC-LIVE] `p` is live.
#[inline]
pub unsafe fn is_error(p: *const Proto) -> bool {
    // SAFETY: as promised.
    unsafe { is_body(p) && (*p).hdr.word == ERROR.into() }
}

/// Whether the frame with this base is that of the body of `error`.
///
/// # Safety
/// [STACK-STABLE] it is a frame of a live thread.
pub unsafe fn in_error(base: *mut Value) -> bool {
    // SAFETY: as promised.
    unsafe { proto_of_body((*base.sub(1)).payload as *const GcHeader).is_some_and(|p| is_error(p)) }
}

/// One closed body less runs in `l`. (An error behind [`leave`] is counted twice, if an interrupt or a hook raises it there.)
unsafe fn left(l: *mut Thread) {
    // SAFETY: the caller's thread is live.
    unsafe {
        if (*l).ncalls & !ccall::CONTINUABLE >= DEPTH_ONE {
            (*l).ncalls -= DEPTH_ONE;
        }
    }
}

/// The function that programs see in place of `f` (or null).
///
/// # Safety
/// [GC-LIVE] `f` is null or a live function of a thread of the state `g`.
#[inline]
pub unsafe fn seen_as(g: &Global, f: *mut GcHeader) -> *mut GcHeader {
    // SAFETY: as promised.
    unsafe {
        match proto_of_body(f) {
            Some(p) => g.bodies.natives[(*p).hdr.word as usize] as *mut GcHeader,
            None => f,
        }
    }
}

/// Gives the frame of the running native function to the instance `way` of its body, with these arguments (at most
/// `call::MIN_NATIVE`), which [`way_of`] has allowed. What comes back is the native function's result.
pub fn enter(cx: Ctx<'_>, b: &'static Body, way: usize, args: &[Value]) -> LResult<usize> {
    // SAFETY: [NATIVE-FRAME] the frame keeps the arguments, which are its own or reachable from them.
    unsafe {
        let c = match cx.g().bodies.instance(b.id, way) {
            Some(c) => c,
            None => compile(cx, b, way)?,
        };
        let (l, g) = (cx.l, cx.g());
        let func = (*l).base.sub(1);
        g.bodies.natives[usize::from(b.id)] = (*func).payload as *mut NativeClosure;
        for (n, &v) in args.iter().enumerate() {
            v.store((*l).base.add(n));
        }
        (*l).top = (*l).base.add(args.len());
        let pc = call::enter_lua(l, func, args.len(), word_at(func), c);
        // there may have been no room for it
        if pc == (*c).pc && b.closed && (*(*l).base.sub(1)).payload == c as u64 {
            (*l).ncalls += DEPTH_ONE;
        }
        g.hot.next_pc = pc;
        Ok(SWITCHED)
    }
}

/// Compiles an instance of a body.
#[cold]
fn compile(cx: Ctx<'_>, b: &'static Body, way: usize) -> LResult<*mut LuaClosure> {
    let g = cx.g();
    let Some(loader) = g.loader else {
        return Err(cx.error("no loader for chunks in this state"));
    };
    let top = cx.top();
    let name = format!("={}", b.name);
    // SAFETY: [NATIVE-FRAME] the values are pushed to the running frame.
    unsafe {
        let chunk = loader(cx.l, b.source.as_bytes(), name.as_bytes(), b"t")?;
        cx.push(chunk);
        for &(name, f, id) in b.helpers {
            let v = cx.new_native(name, f, &[]);
            fastfn::number(v, id);
            (*v.as_ptr::<NativeClosure>()).hdr.flags |= flags::NATIVE_HIDDEN;
            cx.push(v);
        }
        cx.call(b.helpers.len(), 1)?;
        let c = cx.pop().as_ptr::<LuaClosure>();
        let p = (*c).proto;
        (*p).hdr.word = b.id.into();
        (*p).hdr.flags |= flags::PROTO_BODY | if b.closed { flags::PROTO_CLOSED } else { 0 };
        g.bodies.instances[usize::from(b.id)][way] = c;
        cx.set_top(top);
        Ok(c)
    }
}

/// Helper of closed bodies: ends the body that calls it in a tail call; gives its arguments back.
pub fn leave(cx: Ctx<'_>) -> LResult<usize> {
    // SAFETY: [NATIVE-FRAME] the frame below is the body's.
    unsafe { left(cx.l) };
    Ok(cx.top())
}
