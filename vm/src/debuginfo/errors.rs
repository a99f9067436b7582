//! Messages of runtime errors.

use traceorus_base::chunkid::chunkid;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::names::{self, Operand};
use super::traceback::func_name_in_modules;
use super::walk::{line_at, proto_of, word_index};
use super::{Name, frame_name, func_info, locals, walk};
use crate::ctx::{Ctx, Throw};
use crate::state::Global;
use crate::string::{str_bytes, str_val};
use crate::{body, exec, number, table, throw};

/// What went wrong in [`op_error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrKind {
    /// The first value cannot be indexed.
    Index,
    /// The first value cannot be called.
    Call,
    /// Arithmetic on the two values.
    Arith,
    /// A bitwise operation on the two values.
    BitArith,
    /// One of the two values cannot be concatenated; in native code only, see [`concat_error`].
    Concat,
    /// The first value has no length.
    Len,
    /// The two values cannot be compared.
    Compare,
    /// The first value is a loop's initial value and no number.
    ForInit,
    /// As `ForInit`, the limit.
    ForLimit,
    /// As `ForInit`, the step.
    ForStep,
}

/// Type of a value for messages: its metatable's `__name` if that is a string, else the basic type. `for_arguments`: as
/// library functions name it (`__name` of any type's metatable, "light userdata"), otherwise as the core does.
pub fn type_name_of(g: &mut Global, v: Value, for_arguments: bool) -> String {
    String::from_utf8_lossy(&type_name(g, v, for_arguments)).into_owned()
}

fn type_name(g: &mut Global, v: Value, for_arguments: bool) -> Vec<u8> {
    if for_arguments || matches!(v.tag, Tag::TABLE | Tag::USERDATA) {
        // SAFETY: [GC-LIVE] the caller's value is live.
        unsafe {
            let mt = exec::metatable_of(g, v);
            if !mt.is_null() {
                let n = table::table_get_str(mt, g.hot.meta_names[MetaMethod::Name as usize]);
                if n.tag == Tag::STRING {
                    return str_bytes(n.as_ptr()).to_vec();
                }
            }
        }
    }
    match v.tag {
        Tag::LIGHTUD if for_arguments => b"light userdata".to_vec(),
        t => t.type_name().as_bytes().to_vec(),
    }
}

/// Where an error happens: in an instruction of the running Lua function.
#[derive(Clone, Copy)]
struct Site {
    p: *mut Proto,
    pc: usize,
    base: *const Value,
}

/// The running Lua function at `pc`; `None` in a native function.
unsafe fn site(l: *mut Thread, pc: *const Instr) -> Option<Site> {
    // SAFETY: [STACK-STABLE] the running frame of a live thread.
    unsafe {
        let base = (*l).base;
        let p = proto_of((*base.sub(1)).payload as *const GcHeader)?;
        Some(Site {
            p,
            pc: word_index(p, pc)?,
            base,
        })
    }
}

/// " (local 'x')" and the like, or nothing.
fn shown(name: Option<Name>) -> Vec<u8> {
    match name {
        None => Vec::new(),
        Some(n) => [b" (", n.kind.as_bytes(), b" '", n.text.as_slice(), b"')"].concat(),
    }
}

impl Site {
    /// Describes an operand, provided that it is where the value is (and not something that it led to).
    unsafe fn describe(&self, o: Operand, v: Value) -> Vec<u8> {
        // SAFETY: [STACK-STABLE] operands are inside the frame.
        unsafe {
            match o {
                Operand::Reg(r) if (*self.base.add(r)).same(v) => {
                    shown(names::object_name(self.p, self.pc, r))
                }
                Operand::Upval(u) => {
                    let f = (*self.base.sub(1)).payload as *const u8;
                    let cell = *(f.add(LuaClosure::UPVALS) as *const *const Cell).add(u);
                    if (*cell).value.same(v) {
                        shown(Some(Name::new("upvalue", names::upvalue_name(self.p, u))))
                    } else {
                        Vec::new()
                    }
                }
                _ => Vec::new(),
            }
        }
    }
}

/// " (local 'x')", " (global 'x')", " (field 'x')", " (upvalue 'x')", " (constant 'x')" or " (method 'x')" for what a register
/// of the running function holds at `Thread::pc`; empty if no name is known.
///
/// # Safety
/// [STACK-STABLE] `l` runs a Lua function and its pc is stored.
pub unsafe fn var_info(l: *mut Thread, register: usize) -> String {
    // SAFETY: as promised.
    let name = unsafe { site(l, (*l).pc).and_then(|s| names::object_name(s.p, s.pc, register)) };
    String::from_utf8_lossy(&shown(name)).into_owned()
}

/// "chunk:line: " of the running function; empty in a native one.
///
/// # Safety
/// `l` is a live thread; if its running frame is a Lua function's, `Thread::pc` is that function's pc.
pub unsafe fn position(l: *mut Thread) -> Vec<u8> {
    // SAFETY: as promised.
    unsafe {
        match proto_of((*(*l).base.sub(1)).payload as *const GcHeader) {
            Some(p) => place(p, (*l).pc),
            None => Vec::new(),
        }
    }
}

/// What [`where_`] gives for a frame that runs the Lua function `p` at `pc`.
///
/// # Safety
/// [CODE] `pc` is in the code of `p`, which is live.
pub unsafe fn where_at(p: *const Proto, pc: *const Instr) -> Vec<u8> {
    // SAFETY: as promised.
    unsafe {
        if line_at(p, pc) <= 0 || body::is_body(p) {
            return Vec::new();
        }
        place(p, pc)
    }
}

unsafe fn place(p: *const Proto, pc: *const Instr) -> Vec<u8> {
    // SAFETY: [GC-LIVE] the caller's prototype is live.
    unsafe {
        let mut m = chunkid(str_bytes((*p).source));
        m.extend_from_slice(format!(":{}: ", line_at(p, pc)).as_bytes());
        m
    }
}

/// A text behind the position of the running function at `pc` (null: at `Thread::pc`), as `luaG_runerror`.
unsafe fn placed(l: *mut Thread, pc: *const Instr, text: &[u8]) -> Vec<u8> {
    // SAFETY: `l` is live.
    unsafe {
        let mut m = match proto_of((*(*l).base.sub(1)).payload as *const GcHeader) {
            Some(p) => place(p, if pc.is_null() { (*l).pc } else { pc }),
            None => Vec::new(),
        };
        m.extend_from_slice(text);
        m
    }
}

unsafe fn raise_message(l: *mut Thread, message: &[u8]) -> Throw {
    // SAFETY: `l` is live; a fresh string.
    unsafe {
        let s = Global::of((*l).global).str_new(message);
        throw::set_error(l, str_val(s), 2)
    }
}

/// The error of an operation that failed on `a` (and `b`), in the instruction at `pc` of the running Lua function, or (null)
/// in native code. Operands are in the order of the source.
///
/// # Safety
/// [GC-LIVE] `l` is the running thread; the values are live.
#[cold]
pub unsafe fn op_error(
    l: *mut Thread,
    pc: *const Instr,
    what: ErrKind,
    a: Value,
    b: Value,
) -> Throw {
    // SAFETY: as promised.
    unsafe { raise_message(l, &op_message(l, pc, what, a, b)) }
}

/// The message of [`op_error`], which depends on the instruction and on the types of the values alone, unless they have metatables.
///
/// # Safety
/// As [`op_error`].
pub unsafe fn op_message(
    l: *mut Thread,
    pc: *const Instr,
    what: ErrKind,
    a: Value,
    b: Value,
) -> Vec<u8> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        let site = if pc.is_null() { None } else { site(l, pc) };
        let text = match what {
            ErrKind::Call => {
                let at = if pc.is_null() { (*l).pc } else { pc };
                call_text(l, at, a)
            }
            ErrKind::Compare => order_text(g, a, b),
            ErrKind::ForInit => for_text(g, "initial value", a),
            ErrKind::ForLimit => for_text(g, "limit", a),
            ErrKind::ForStep => for_text(g, "step", a),
            ErrKind::Index => attempt(g, site, 0, "index", a),
            ErrKind::Len => attempt(g, site, 0, "get length of", a),
            ErrKind::Concat => {
                let text = a.tag == Tag::STRING || a.tag.is_number();
                failed(g, "concatenate", if text { b } else { a })
            }
            ErrKind::Arith if a.tag == Tag::STRING || b.tag == Tag::STRING => {
                // What the string library's metamethods say.
                let event = site
                    .and_then(|s| names::event_name(names::op(s.p, s.pc)))
                    .unwrap_or("perform arithmetic on");
                let (t, u) = (type_name(g, a, false), type_name(g, b, false));
                [
                    b"attempt to ",
                    event.as_bytes(),
                    b" a '",
                    &t,
                    b"' with a '",
                    &u,
                    b"'",
                ]
                .concat()
            }
            ErrKind::Arith | ErrKind::BitArith => {
                let both = a.tag.is_number() && b.tag.is_number();
                if what == ErrKind::BitArith && both {
                    // The first that has no integer value.
                    let second = number::tointeger_ns(a).is_some();
                    let mut m = b"number".to_vec();
                    if let Some(s) = site {
                        let o = names::operands(s.p, s.pc)[second as usize];
                        m.extend(s.describe(o, if second { b } else { a }));
                    }
                    m.extend_from_slice(b" has no integer representation");
                    m
                } else {
                    let op = if what == ErrKind::Arith {
                        "perform arithmetic on"
                    } else {
                        "perform bitwise operation on"
                    };
                    let second = a.tag.is_number();
                    attempt(g, site, second as usize, op, if second { b } else { a })
                }
            }
        };
        placed(l, pc, &text)
    }
}

/// The error of concatenating the values in registers `r` and `r + 1` in the instruction at `pc` of the running Lua
/// function. The name is that of the operand's register, which may hold a partial result.
///
/// # Safety
/// As [`op_error`].
#[cold]
pub unsafe fn concat_error(l: *mut Thread, pc: *const Instr, r: usize) -> Throw {
    // SAFETY: as promised.
    unsafe { raise_message(l, &concat_message(l, pc, r)) }
}

/// The message of [`concat_error`].
///
/// # Safety
/// As [`op_error`].
pub unsafe fn concat_message(l: *mut Thread, pc: *const Instr, r: usize) -> Vec<u8> {
    // SAFETY: as promised.
    unsafe {
        let text = |v: Value| v.tag == Tag::STRING || v.tag.is_number();
        let r = r + text(*(*l).base.add(r)) as usize;
        let mut m = failed(Global::of((*l).global), "concatenate", *(*l).base.add(r));
        if let Some(s) = site(l, pc) {
            m.extend(shown(names::object_name(s.p, s.pc, r)));
        }
        placed(l, pc, &m)
    }
}

fn failed(g: &mut Global, op: &str, v: Value) -> Vec<u8> {
    [
        b"attempt to ",
        op.as_bytes(),
        b" a ",
        &type_name(g, v, false),
        b" value",
    ]
    .concat()
}

/// "attempt to `op` a nil value (local 'x')", `v` being the given operand.
unsafe fn attempt(
    g: &mut Global,
    site: Option<Site>,
    operand: usize,
    op: &str,
    v: Value,
) -> Vec<u8> {
    let mut m = failed(g, op, v);
    if let Some(s) = site {
        // SAFETY: the site is that of the running instruction.
        unsafe {
            m.extend(match names::operands(s.p, s.pc)[operand] {
                // A string constant as operand was put into a register by `LoadK`; a number has no name.
                Operand::Other => Vec::new(),
                o => s.describe(o, v),
            });
        }
    }
    m
}

fn for_text(g: &mut Global, what: &str, v: Value) -> Vec<u8> {
    [
        b"bad 'for' ",
        what.as_bytes(),
        b" (number expected, got ",
        &type_name(g, v, false),
        b")",
    ]
    .concat()
}

/// "attempt to compare two nil values", "attempt to compare nil with number".
///
/// # Safety
/// As [`op_error`].
#[cold]
pub unsafe fn order_error(l: *mut Thread, a: Value, b: Value) -> Throw {
    // SAFETY: as promised.
    unsafe {
        let text = order_text(Global::of((*l).global), a, b);
        raise_message(l, &placed(l, std::ptr::null(), &text))
    }
}

fn order_text(g: &mut Global, a: Value, b: Value) -> Vec<u8> {
    let (t, u) = (type_name(g, a, false), type_name(g, b, false));
    if t == u {
        [b"attempt to compare two ", t.as_slice(), b" values"].concat()
    } else {
        [b"attempt to compare ", t.as_slice(), b" with ", &u].concat()
    }
}

/// "attempt to call a nil value (global 'f')". The name is that of what the running instruction calls, be it by a
/// metamethod.
///
/// # Safety
/// As [`op_error`]; `Thread::pc` is stored if the running function is a Lua function.
#[cold]
pub unsafe fn call_error(l: *mut Thread, v: Value) -> Throw {
    // SAFETY: as promised.
    unsafe {
        let text = call_text(l, (*l).pc, v);
        raise_message(l, &placed(l, std::ptr::null(), &text))
    }
}

unsafe fn call_text(l: *mut Thread, pc: *const Instr, v: Value) -> Vec<u8> {
    // SAFETY: as `call_error`.
    unsafe {
        let mut m = failed(Global::of((*l).global), "call", v);
        if let Some(s) = site(l, pc) {
            m.extend(shown(names::called_name(s.p, s.pc)));
        }
        m
    }
}

/// The error of closing a variable whose value has lost its `__close` metamethod.
///
/// # Safety
/// As [`call_error`].
#[cold]
pub unsafe fn close_error(l: *mut Thread, _v: Value) -> Throw {
    // SAFETY: as promised. What is called is the missing metamethod.
    unsafe { call_error(l, Value::NIL) }
}

/// Name of the local variable in a slot of the running frame, for messages; "?" if there is none.
///
/// # Safety
/// [STACK-STABLE] `slot` is in the running frame of `l`, whose pc is stored.
pub unsafe fn local_name_of_slot(l: *mut Thread, slot: *const Value) -> String {
    // SAFETY: as promised.
    unsafe {
        let name = walk::level(l, 0).and_then(|f| {
            let name = locals::name_at(&f, slot.offset_from(f.base) as i64 + 1);
            let native = proto_of(f.func).is_none();
            name.or_else(|| native.then(|| b"(C temporary)".to_vec()))
        });
        String::from_utf8_lossy(&name.unwrap_or_else(|| b"?".to_vec())).into_owned()
    }
}

/// "chunk:line: " of the function at a level (0: the running one); empty where no line is known.
pub fn where_(cx: Ctx<'_>, level: i32) -> Vec<u8> {
    // SAFETY: [NATIVE-FRAME]
    unsafe {
        match walk::level(cx.l, level) {
            Some(f) => {
                let line = super::current_line(&f);
                if line <= 0 {
                    return Vec::new();
                }
                let mut m = func_info(f.function()).short_src;
                m.extend_from_slice(format!(":{line}: ").as_bytes());
                m
            }
            None => Vec::new(),
        }
    }
}

/// "bad argument #i to 'f' (msg)", as `luaL_argerror`.
#[cold]
pub fn arg_error(cx: Ctx<'_>, i: usize, msg: &[u8]) -> Throw {
    // SAFETY: [NATIVE-FRAME]
    let (frame, name) = unsafe {
        let f = walk::level(cx.l, 0);
        (f, f.as_ref().and_then(|f| frame_name(f)))
    };
    let mut i = i;
    let mut m;
    match name {
        Some(Name {
            kind: "method",
            text,
        }) if i == 1 => {
            m = [b"calling '", text.as_slice(), b"' on bad self ("].concat();
        }
        name => {
            if name.as_ref().is_some_and(|n| n.kind == "method") {
                i -= 1; // self does not count
            }
            // SAFETY: [GC-LIVE] the running function is live.
            let in_modules = || unsafe { func_name_in_modules(cx.g(), frame?.function()) };
            let text = name
                .map(|n| n.text)
                .or_else(in_modules)
                .unwrap_or_else(|| b"?".to_vec());
            m = format!("bad argument #{i} to '").into_bytes();
            m.extend_from_slice(&text);
            m.extend_from_slice(b"' (");
        }
    }
    m.extend_from_slice(msg);
    m.push(b')');
    cx.error_bytes(&m)
}
