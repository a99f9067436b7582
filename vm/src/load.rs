//! From a front end's [`Chunk`] to prototypes and closures, and back.
//!
//! Loaded code differs from a chunk's: a header word in front, handler offsets for op numbers, registers scaled to byte
//! offsets (`r w s` by 16, `u` by 8), payloads and addresses for the numbers in further words, and the constant's tag in the
//! `k` operand. Whatever code names by address is in `Proto::consts` or `Proto::protos` too, where the collector looks.
//!
//! A chunk from a front end is trusted (debug builds verify it); one from `string.dump` has been verified by
//! [`crate::dump::undump`]. Building allocates only after one `reserve`, and allocation never collects, so that nothing needs
//! to be rooted in between.

use std::collections::HashMap;

use traceorus_base::bytecode::{self as bc, Extra, Mode, Op};
use traceorus_base::chunk::{Chunk, Const, Function, LocVarInfo, UpvalInfo};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::ctx::LResult;
use crate::state::Global;
use crate::string::{str_bytes, str_val};
use crate::{dispatch, exec, shape, throw, verify};

/// Argument count that no call has: the header of a vararg function never compares equal.
const NEVER: u16 = 0xFFFE;
/// Bytes of a register and of an upvalue pointer.
const REG: u16 = 16;
const UPVAL: u16 = 8;

/// Makes a closure of the chunk's main function. Its first upvalue is a new cell with the globals table, the others hold
/// nil. Raises "not enough memory".
///
/// # Safety
/// [NATIVE-FRAME] `l` is the running thread; the caller makes the closure reachable before the next safepoint. The chunk
/// obeys the contract of `base::chunk`.
pub unsafe fn load_chunk(l: *mut Thread, chunk: &Chunk) -> LResult<Value> {
    if cfg!(debug_assertions)
        && let Err(e) = verify::verify(chunk)
    {
        panic!("{}: {e}", String::from_utf8_lossy(&chunk.source));
    }
    // SAFETY: as promised; nothing is live here that an emergency collection could take.
    unsafe {
        throw::reserve(l, bytes_for(&chunk.main) + chunk.source.len() + 64)?;
        let g = Global::of((*l).global);
        let source = g.str_new(&chunk.source);
        let p = build(g, &chunk.main, source, &mut HashMap::new());
        let n = (*p).nupvals as usize;
        let c = g.heap.alloc(ObjKind::LuaClosure, LuaClosure::size_for(n)) as *mut LuaClosure;
        (*c).hdr.extra = n as u8;
        (*c).pc = (*p).code.add(1);
        (*c).proto = p;
        (*p).ninstances = 1;
        let upvals = (c as *mut u8).add(LuaClosure::UPVALS) as *mut *mut Cell;
        for i in 0..n {
            let v = if i == 0 {
                Value::ptr(g.hot.globals, Tag::TABLE)
            } else {
                Value::NIL
            };
            *upvals.add(i) = exec::new_cell(g, v, false);
        }
        Ok(Value::ptr(c, Tag::FUNCTION))
    }
}

/// Generous estimate of the memory that a function takes, closures and cells included.
fn bytes_for(f: &Function) -> usize {
    let name = |n: &[u8]| n.len() + 64;
    let consts: usize = f
        .consts
        .iter()
        .map(|k| if let Const::Str(s) = k { name(s) } else { 0 })
        .sum();
    let upvals: usize = f.upvals.iter().map(|u| name(&u.name) + 64).sum();
    let locals: usize = f
        .locvars
        .iter()
        .map(|v| name(&v.name) + size_of::<LocVar>())
        .sum();
    // A template may need a shape per key, with its table of transitions.
    let shapes: usize = f
        .templates
        .iter()
        .map(|t| 64 + t.len() * (size_of::<Shape>() + 160))
        .sum();
    let own = 1024 + f.code.len() * 13 + f.consts.len() * 16 + consts + upvals + locals + shapes;
    own + f.functions.iter().map(bytes_for).sum::<usize>()
}

/// A run that holds the items; null if there are none.
unsafe fn run_of<T: Copy>(g: &mut Global, items: &[T]) -> *mut T {
    if items.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: a fresh run of the right size; runs are aligned for 8-byte words.
    unsafe {
        let p = g.heap.alloc_run(size_of_val(items)) as *mut T;
        std::ptr::copy_nonoverlapping(items.as_ptr(), p, items.len());
        p
    }
}

/// The name, or null if it is empty.
unsafe fn name_of(g: &mut Global, name: &[u8]) -> *mut Str {
    if name.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: a fresh or interned string.
    unsafe { g.str_new(name) }
}

/// Long strings of a chunk: equal ones in different functions are the same object, as programs can see by `%p`.
type LongStrings<'a> = HashMap<&'a [u8], *mut Str>;

/// Builds the prototype of a function and of those in it.
///
/// # Safety
/// Memory is reserved; no safepoint before the prototype is reachable.
unsafe fn build<'a>(
    g: &mut Global,
    f: &'a Function,
    source: *mut Str,
    long: &mut LongStrings<'a>,
) -> *mut Proto {
    // SAFETY: all parts are fresh or kept by the caller; the prototype is written completely.
    unsafe {
        let protos: Vec<*mut Proto> = f
            .functions
            .iter()
            .map(|inner| build(g, inner, source, long))
            .collect();
        let mut consts: Vec<Value> = f.consts.iter().map(|k| const_value(g, k, long)).collect();
        let shapes: Vec<*mut Shape> = f
            .templates
            .iter()
            .map(|t| template(g, t, &consts))
            .collect();
        let code = encode(f, &consts, &shapes, &protos);
        consts.extend(shapes.iter().map(|&s| Value::ptr(s, Tag::SHAPE)));
        let upvals: Vec<UpvalDesc> = f
            .upvals
            .iter()
            .map(|u| UpvalDesc {
                name: name_of(g, &u.name),
                index: u.index,
                in_stack: u.in_stack as u8,
                readonly: u.readonly as u8,
                attrib: u.attrib,
                spare: 0,
            })
            .collect();
        let locvars: Vec<LocVar> = f
            .locvars
            .iter()
            .map(|v| LocVar {
                name: name_of(g, &v.name),
                start_pc: v.start_pc + 1,
                end_pc: v.end_pc + 1,
                reg: v.reg.into(),
                boxed: v.boxed.into(),
            })
            .collect();
        // Entry 0 is the header's.
        let lines: Vec<u32> = match f.lines.is_empty() {
            true => Vec::new(),
            false => std::iter::once(f.line_defined)
                .chain(f.lines.iter().copied())
                .collect(),
        };
        let live: Vec<u8> = std::iter::once(f.nparams)
            .chain(f.live.iter().copied())
            .collect();

        let p = g.heap.alloc(ObjKind::Proto, size_of::<Proto>()) as *mut Proto;
        (*p).code = run_of(g, &code);
        (*p).ncode = code.len() as u32;
        (*p).consts = run_of(g, &consts);
        (*p).nconsts = consts.len() as u32;
        (*p).protos = run_of(g, &protos);
        (*p).nprotos = protos.len() as u32;
        (*p).upvals = run_of(g, &upvals);
        (*p).nupvals = upvals.len() as u8;
        (*p).locvars = run_of(g, &locvars);
        (*p).nlocvars = locvars.len() as u32;
        (*p).lines = run_of(g, &lines);
        (*p).live = run_of(g, &live);
        (*p).source = source;
        (*p).line_defined = f.line_defined;
        (*p).last_line_defined = f.last_line_defined;
        (*p).nparams = f.nparams;
        (*p).is_vararg = f.is_vararg as u8;
        (*p).frame_size = f.frame_size;
        (*p).ninstances = 0;
        p
    }
}

unsafe fn const_value<'a>(g: &mut Global, k: &'a Const, long: &mut LongStrings<'a>) -> Value {
    match k {
        Const::Nil => Value::NIL,
        Const::Bool(b) => Value::bool(*b),
        Const::Int(i) => Value::int(*i),
        Const::Float(x) => Value::float(*x),
        // SAFETY: a fresh or interned string.
        Const::Str(s) if s.len() <= Str::MAX_SHORT => str_val(unsafe { g.str_new(s) }),
        // SAFETY: as above.
        Const::Str(s) => str_val(*long.entry(s).or_insert_with(|| unsafe { g.str_new(s) })),
    }
}

/// The shape of a record template. Where the budget of shapes is spent it is a private one of dictionary kind that only
/// lists the keys.
unsafe fn template(g: &mut Global, keys: &[u32], consts: &[Value]) -> *mut Shape {
    let keys: Vec<*mut Str> = keys.iter().map(|&k| consts[k as usize].as_ptr()).collect();
    // SAFETY: [GC-LIVE] no safepoint while the chunk is being built; the keys are distinct short strings.
    unsafe {
        let s = shape::shape_for_template(g, &keys);
        if s.is_null() {
            return shape::shape_of_keys(g, &keys);
        }
        s
    }
}

/// The executable words.
fn encode(
    f: &Function,
    consts: &[Value],
    shapes: &[*mut Shape],
    protos: &[*mut Proto],
) -> Vec<Instr> {
    let mut code = Vec::with_capacity(f.code.len() + 1);
    let (op, count) = if f.is_vararg {
        (Op::FuncV, NEVER)
    } else {
        (Op::FuncF, f.nparams.into())
    };
    code.push(bc::pack(
        dispatch::handler_of(op),
        0,
        f.frame_size.into(),
        count,
    ));
    for (pc, op) in f.instructions() {
        let words = &f.code[pc..pc + op.words()];
        let info = op.info();
        // A `k` operand is the tag of the first further word.
        let tag = || match info.extra.first() {
            Some(Extra::Const) => consts[words[1] as usize].tag.0 as u16,
            _ => 0,
        };
        let mut operands = [bc::a(words[0]), bc::b(words[0]), bc::c(words[0])];
        for (v, mode) in operands.iter_mut().zip(info.modes) {
            *v = match mode {
                Mode::W | Mode::R | Mode::S => *v * REG,
                Mode::U => *v * UPVAL,
                Mode::K => tag(),
                Mode::None | Mode::X => 0,
                Mode::I | Mode::N | Mode::T | Mode::J | Mode::L | Mode::H => *v,
            };
        }
        code.push(bc::pack(
            dispatch::handler_of(op),
            operands[0],
            operands[1],
            operands[2],
        ));
        for (extra, &w) in info.extra.iter().zip(&words[1..]) {
            code.push(match extra {
                Extra::Const | Extra::Str => consts[w as usize].payload,
                Extra::Cache => 0,
                Extra::Proto => protos[w as usize] as u64,
                Extra::Template => shapes[w as usize] as u64,
                Extra::Imm2 => w,
            });
        }
    }
    code
}

// ---- back to a chunk -----------------------------------------------------------------------------------------

/// The chunk that a prototype was loaded from, with its function as main function.
///
/// # Safety
/// [GC-LIVE] `p` is live.
pub unsafe fn chunk_of(p: *const Proto) -> Chunk {
    // SAFETY: [GC-LIVE] as promised.
    unsafe {
        Chunk {
            source: str_bytes((*p).source).into(),
            main: function_of(p),
        }
    }
}

/// The items of a run.
unsafe fn items<'a, T>(p: *const T, n: u32) -> &'a [T] {
    if p.is_null() {
        return &[];
    }
    // SAFETY: the caller names a run of `n` items that stays while the slice is used.
    unsafe { std::slice::from_raw_parts(p, n as usize) }
}

unsafe fn text(s: *mut Str) -> Box<[u8]> {
    // SAFETY: [GC-LIVE] null or a name that the prototype keeps.
    if s.is_null() {
        Box::default()
    } else {
        // SAFETY: [GC-LIVE] as the line above says of the string.
        unsafe { str_bytes(s).into() }
    }
}

unsafe fn function_of(p: *const Proto) -> Function {
    // SAFETY: [GC-LIVE] the prototype is live and its runs have the lengths it says; see `build`.
    unsafe {
        let all = items((*p).consts, (*p).nconsts);
        let plain = all
            .iter()
            .position(|v| v.tag == Tag::SHAPE)
            .unwrap_or(all.len());
        let (consts, shapes) = all.split_at(plain);
        let protos = items((*p).protos, (*p).nprotos);
        let by_value: HashMap<(u64, i32), u32> = consts
            .iter()
            .enumerate()
            .map(|(i, v)| ((v.payload, v.tag.0), i as u32))
            .collect();
        let number =
            |payload: u64, tag: Tag| by_value.get(&(payload, tag.0)).copied().unwrap_or(u32::MAX);
        let templates = shapes
            .iter()
            .map(|v| {
                let s = v.as_ptr::<Shape>();
                (0..(*s).nfields)
                    .map(|i| number(shape::shape_key_at(s, i) as u64, Tag::STRING))
                    .collect()
            })
            .collect();
        let code = items((*p).code, (*p).ncode);
        let mut f = Function {
            line_defined: (*p).line_defined,
            last_line_defined: (*p).last_line_defined,
            nparams: (*p).nparams,
            is_vararg: (*p).is_vararg != 0,
            frame_size: (*p).frame_size,
            code: Vec::with_capacity(code.len() - 1),
            lines: items((*p).lines, (*p).ncode)
                .iter()
                .skip(1)
                .copied()
                .collect(),
            live: items((*p).live, (*p).ncode)[1..].to_vec(),
            consts: consts.iter().map(|&v| const_of(v)).collect(),
            templates,
            functions: protos.iter().map(|&inner| function_of(inner)).collect(),
            upvals: Vec::new(),
            locvars: Vec::new(),
        };
        let mut pc = 1;
        while pc < code.len() {
            let op = dispatch::op_of(bc::op_field(code[pc]));
            let words = &code[pc..pc + op.words()];
            let info = op.info();
            let mut operands = [bc::a(words[0]), bc::b(words[0]), bc::c(words[0])];
            let mut tag = Tag::NIL;
            for (v, mode) in operands.iter_mut().zip(info.modes) {
                *v = match mode {
                    Mode::W | Mode::R | Mode::S => *v / REG,
                    Mode::U => *v / UPVAL,
                    Mode::K => {
                        tag = Tag(*v as i16 as i32);
                        0
                    }
                    Mode::None | Mode::X => 0,
                    Mode::I | Mode::N | Mode::T | Mode::J | Mode::L | Mode::H => *v,
                };
            }
            f.code
                .push(bc::pack(op as u16, operands[0], operands[1], operands[2]));
            for (extra, &w) in info.extra.iter().zip(&words[1..]) {
                f.code.push(match extra {
                    Extra::Const => number(w, tag).into(),
                    Extra::Str => number(w, Tag::STRING).into(),
                    Extra::Cache => 0,
                    Extra::Proto => protos
                        .iter()
                        .position(|&q| q as u64 == w)
                        .map_or(u64::MAX, |i| i as u64),
                    Extra::Template => shapes
                        .iter()
                        .position(|v| v.payload == w)
                        .map_or(u64::MAX, |i| i as u64),
                    Extra::Imm2 => w,
                });
            }
            pc += op.words();
        }
        for u in items((*p).upvals, (*p).nupvals.into()) {
            f.upvals.push(UpvalInfo {
                name: text(u.name),
                in_stack: u.in_stack != 0,
                index: u.index,
                readonly: u.readonly != 0,
                attrib: u.attrib,
            });
        }
        for v in items((*p).locvars, (*p).nlocvars) {
            f.locvars.push(LocVarInfo {
                name: text(v.name),
                start_pc: v.start_pc - 1,
                end_pc: v.end_pc - 1,
                reg: v.reg as u8,
                boxed: v.boxed != 0,
            });
        }
        f
    }
}

unsafe fn const_of(v: Value) -> Const {
    match v.tag {
        Tag::INT => Const::Int(v.as_int()),
        Tag::FLOAT => Const::Float(v.as_float()),
        Tag::TRUE | Tag::FALSE => Const::Bool(v.tag == Tag::TRUE),
        // SAFETY: [GC-LIVE] a constant of a live prototype.
        Tag::STRING => Const::Str(unsafe { str_bytes(v.as_ptr()).into() }),
        _ => Const::Nil,
    }
}

#[cfg(test)]
mod tests;
