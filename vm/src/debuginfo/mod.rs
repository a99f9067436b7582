//! What running code looks like from outside: frames, lines, names of functions and variables, messages, tracebacks.
//!
//! * [`walk`]: the frames of a thread, innermost first;
//! * [`names`]: names for registers and calls, by symbolic execution of the code before them (as PUC's ldebug.c);
//! * [`errors`]: error messages that name what was wrong;
//! * [`traceback`]: `luaL_traceback`, names of library functions;
//! * [`locals`]: local variables and upvalues, read and written.
//!
//! Texts are those of PUC 5.4.8.

mod errors;
mod locals;
mod names;
mod traceback;
mod walk;

pub use errors::{
    ErrKind, arg_error, call_error, close_error, concat_error, concat_message, local_name_of_slot,
    op_error, op_message, order_error, position, type_name_of, var_info, where_, where_at,
};
pub use locals::{
    get_upvalue, local_at, param_name, read_local, set_upvalue, upvalue_id, upvalue_join,
    write_local,
};
pub use traceback::{func_name_in_modules, traceback};
pub(crate) use walk::code_of;
pub use walk::{
    Called, Frame, Frames, frames, level, line_at, line_of_word, live_at, proto_of, word_index,
};

use traceorus_base::chunkid::chunkid;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::string::str_bytes;

/// A name and what it is the name of ("local", "global", "method", "metamethod" ...).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Kind, as messages show it.
    pub kind: &'static str,
    /// The name.
    pub text: Vec<u8>,
}

impl Name {
    fn new(kind: &'static str, text: impl Into<Vec<u8>>) -> Name {
        Name {
            kind,
            text: text.into(),
        }
    }
}

/// What is known of a function from its definition (`getinfo`'s `S` and `u`).
#[derive(Clone, Debug)]
pub struct FuncInfo {
    /// Source with its prefix. Lives as long as the function.
    pub source: &'static [u8],
    /// Printable source.
    pub short_src: Vec<u8>,
    /// Line of `function`; -1 for a native function.
    pub line_defined: i64,
    /// Line of `end`; -1 for a native function.
    pub last_line_defined: i64,
    /// `Lua`, `C` or `main`.
    pub what: &'static str,
    /// Upvalues.
    pub nups: usize,
    /// Fixed parameters.
    pub nparams: usize,
    /// Takes more.
    pub is_vararg: bool,
}

/// Describes a function value.
///
/// # Safety
/// [GC-LIVE] `f` is a live function.
pub unsafe fn func_info(f: Value) -> FuncInfo {
    // SAFETY: [GC-LIVE] as promised.
    unsafe {
        let h = if f.tag == Tag::FUNCTION {
            f.as_ptr::<GcHeader>()
        } else {
            std::ptr::null_mut()
        };
        let Some(p) = proto_of(h) else {
            return FuncInfo {
                source: b"=[C]",
                short_src: b"[C]".to_vec(),
                line_defined: -1,
                last_line_defined: -1,
                what: "C",
                nups: if h.is_null() { 0 } else { (*h).extra as usize },
                nparams: 0,
                is_vararg: true,
            };
        };
        let source = str_bytes((*p).source);
        FuncInfo {
            source,
            short_src: chunkid(source),
            line_defined: (*p).line_defined.into(),
            last_line_defined: (*p).last_line_defined.into(),
            what: if (*p).line_defined == 0 {
                "main"
            } else {
                "Lua"
            },
            nups: (*h).extra as usize,
            nparams: (*p).nparams as usize,
            is_vararg: (*p).is_vararg != 0,
        }
    }
}

/// Lines on which the function has instructions, in order of code with repetitions.
///
/// # Safety
/// [GC-LIVE] `p` is live.
pub unsafe fn active_lines(p: *const Proto) -> Vec<u32> {
    // SAFETY: [GC-LIVE] as promised; lines go with words.
    unsafe {
        if (*p).lines.is_null() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut pc = names::first_after_prologue(p);
        while pc < (*p).ncode as usize {
            lines.push(line_of_word(p, pc));
            pc += names::op(p, pc).words();
        }
        lines
    }
}

/// True for the instructions at a function's start that put its parameters into cells. They belong to the call, not to a
/// line: hooks pass them over.
///
/// # Safety
/// [GC-LIVE] `index` is the first word of an instruction of the live `p`.
pub unsafe fn is_prologue(p: *const Proto, index: usize) -> bool {
    // SAFETY: as promised.
    unsafe { index < names::first_after_prologue(p) }
}

/// The name of the function that runs in a frame, from the instruction that called it.
///
/// # Safety
/// [GC-LIVE] the frame is one of a live thread, unchanged since.
pub unsafe fn frame_name(f: &Frame) -> Option<Name> {
    if f.tail {
        return None;
    }
    match f.called {
        Called::Hook => Some(Name::new("hook", "?")),
        Called::Finalizer => Some(Name::new("metamethod", "__gc")),
        Called::Native => None,
        // SAFETY: [GC-LIVE] the caller's frame keeps its function.
        Called::Lua(p, pc) => unsafe { names::called_name(p, word_index(p, pc)?) },
    }
}

/// Source line that a frame is at; -1 for native functions and stripped code.
///
/// # Safety
/// As [`frame_name`].
pub unsafe fn current_line(f: &Frame) -> i64 {
    // SAFETY: as promised.
    unsafe {
        match proto_of(f.func) {
            Some(p) => line_at(p, f.pc),
            None => -1,
        }
    }
}
