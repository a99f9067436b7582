//! Names for registers and calls, found by following the code that leads to an instruction.
//!
//! Source: PUC's ldebug.c (`findsetreg`, `getobjname`, `funcnamefromcode`); the same rules for another instruction set.
//! Positions are word numbers in `Proto::code`, whose word 0 is the header.

use traceorus_base::bytecode::{self as bc, Mode, Op};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;

use super::Name;
use crate::string::str_bytes;
use crate::{dispatch, verify};

/// Name of the variable that holds the globals.
const ENV: &[u8] = b"_ENV";

/// The op at word `pc`.
///
/// # Safety
/// [GC-LIVE] `pc` is the first word of an instruction of the live `p`; so in all of this module.
pub(super) unsafe fn op(p: *const Proto, pc: usize) -> Op {
    // SAFETY: as promised.
    unsafe { dispatch::op_of(bc::op_field(*(*p).code.add(pc))) }
}

unsafe fn word(p: *const Proto, pc: usize) -> Instr {
    // SAFETY: as `op`.
    unsafe { *(*p).code.add(pc) }
}

/// Register number of a loaded operand.
fn reg(operand: u16) -> usize {
    operand as usize / 16
}

/// First instruction behind those that put parameters into cells.
pub(super) unsafe fn first_after_prologue(p: *const Proto) -> usize {
    // SAFETY: code ends with an instruction that is no NewCell.
    unsafe {
        let mut pc = 1;
        while op(p, pc) == Op::NewCell {
            pc += 1;
        }
        pc
    }
}

/// Name of the local variable that is active at `pc` and lives in the register.
pub(super) unsafe fn local_name<'a>(p: *const Proto, r: usize, pc: usize) -> Option<&'a [u8]> {
    // SAFETY: as `op`; names live as long as the prototype.
    unsafe {
        (0..(*p).nlocvars as usize)
            .rev()
            .map(|i| &*(*p).locvars.add(i))
            .find(|v| v.reg() as usize == r && v.start_pc as usize <= pc && pc < v.end_pc as usize)
            .map(|v| {
                if v.name().is_null() {
                    b"?".as_slice()
                } else {
                    str_bytes(v.name())
                }
            })
    }
}

pub(super) unsafe fn upvalue_name<'a>(p: *const Proto, i: usize) -> &'a [u8] {
    // SAFETY: as `local_name`.
    unsafe {
        if i >= (*p).nupvals as usize {
            return b"?";
        }
        let name = (*(*p).upvals.add(i)).name;
        if name.is_null() {
            b"?"
        } else {
            str_bytes(name)
        }
    }
}

/// The string that further word `i` of the instruction at `pc` names.
unsafe fn key(p: *const Proto, pc: usize, i: usize) -> Vec<u8> {
    // SAFETY: the caller names an `S` word.
    unsafe { str_bytes(word(p, pc + i) as *mut Str).to_vec() }
}

/// Does the instruction change the register when control goes on behind it (or, for back edges, anywhere)?
unsafe fn changes(p: *const Proto, pc: usize, r: usize) -> bool {
    use Op::*;
    // SAFETY: as `op`.
    let (w, op) = unsafe { (word(p, pc), op(p, pc)) };
    let a = reg(bc::a(w));
    let n = bc::b(w) as usize;
    match op {
        LoadNil | Vararg => (a..a + n).contains(&r),
        SelfGet => r == a || r == a + 1,
        Call | CallM | TailCall | TailCallM | TForCall | VarargM => r >= a,
        ForPrep | ForLoop => (a..a + 3).contains(&r),
        ForLoopV => (a..a + 4).contains(&r),
        TForLoop => r + 2 == a,
        JTSet | JFSet => r == a,
        _ => op.info().modes[0] == Mode::W && r == a,
    }
}

/// The last instruction before `last` that has certainly set the register.
unsafe fn find_set_reg(p: *const Proto, last: usize, r: usize) -> Option<usize> {
    // SAFETY: as `op`.
    unsafe {
        let mut found = None;
        // Code before this is conditional.
        let mut target = 0;
        let mut pc = 1;
        while pc < last {
            let o = op(p, pc);
            if changes(p, pc, r) {
                found = (pc >= target).then_some(pc);
            }
            if !matches!(o, Op::ForPrep | Op::TForPrep)
                && let Some(d) = verify::jump_distance(o, word(p, pc))
            {
                let to = (pc + o.words()) as i64 + d;
                if to > target as i64 && to <= last as i64 {
                    target = to as usize;
                }
            }
            pc += o.words();
        }
        found
    }
}

/// A name for the register at `pc`, table accesses excepted; and the instruction that set it.
unsafe fn basic_name(p: *const Proto, pc: usize, r: usize) -> (Option<Name>, Option<usize>) {
    // SAFETY: as `op`.
    unsafe {
        if let Some(n) = local_name(p, r, pc) {
            return (Some(Name::new("local", n)), None);
        }
        let Some(set) = find_set_reg(p, pc, r) else {
            return (None, None);
        };
        let w = word(p, set);
        let (a, b) = (reg(bc::a(w)), reg(bc::b(w)));
        let name = match op(p, set) {
            Op::Move if b < a => return basic_name(p, set, b),
            Op::GetCell => local_name(p, b, set).map(|n| Name::new("local", n)),
            Op::GetUpval => Some(Name::new("upvalue", upvalue_name(p, bc::b(w) as usize / 8))),
            Op::LoadK if bc::c(w) as i16 as i32 == traceorus_base::Tag::STRING.0 => {
                Some(Name::new("constant", key(p, set, 1)))
            }
            _ => None,
        };
        (name, Some(set))
    }
}

/// "global" or "field", as the indexed variable is `_ENV` or not.
fn access(table: Option<Name>) -> &'static str {
    match table {
        Some(n) if matches!(n.kind, "local" | "upvalue") && n.text == ENV => "global",
        _ => "field",
    }
}

/// A name for what the register holds at `pc`.
pub(super) unsafe fn object_name(p: *const Proto, pc: usize, r: usize) -> Option<Name> {
    // SAFETY: as `op`.
    unsafe {
        let (name, set) = basic_name(p, pc, r);
        if name.is_some() {
            return name;
        }
        let set = set?;
        let w = word(p, set);
        let table = || basic_name(p, set, reg(bc::b(w))).0;
        Some(match op(p, set) {
            Op::GetGlobal => {
                let env = upvalue_name(p, bc::b(w) as usize / 8) == ENV;
                Name::new(if env { "global" } else { "field" }, key(p, set, 3))
            }
            Op::GetField => Name::new(access(table()), key(p, set, 2)),
            Op::GetIndex => {
                let k = basic_name(p, set, reg(bc::c(w))).0;
                let text = k
                    .filter(|k| k.kind == "constant")
                    .map_or(b"?".to_vec(), |k| k.text);
                Name::new(access(table()), text)
            }
            Op::GetInt => Name::new("field", "integer index"),
            Op::SelfGet if r == reg(bc::a(w)) => Name::new("method", key(p, set, 3)),
            _ => return None,
        })
    }
}

/// The metamethod that an instruction may call.
fn event(op: Op) -> Option<MetaMethod> {
    use MetaMethod as M;
    use Op::*;
    Some(match op {
        GetGlobal | GetField | SelfGet | GetIndex | GetInt => M::Index,
        SetGlobal | SetField | SetIndex | SetInt => M::NewIndex,
        Add | AddK | AddKR | AddI => M::Add,
        Sub | SubK | SubKR | SubI => M::Sub,
        Mul | MulK | MulKR => M::Mul,
        Div | DivK | DivKR => M::Div,
        Mod | ModK | ModKR => M::Mod,
        Pow | PowK | PowKR => M::Pow,
        IDiv | IDivK | IDivKR => M::IDiv,
        BAnd | BAndK | BAndKR => M::BAnd,
        BOr | BOrK | BOrKR => M::BOr,
        BXor | BXorK | BXorKR => M::BXor,
        Shl | ShlK | ShlKR => M::Shl,
        Shr | ShrK | ShrKR => M::Shr,
        Unm => M::Unm,
        BNot => M::BNot,
        Len => M::Len,
        Concat => M::Concat,
        JEq | JNe => M::Eq,
        JLt | JNLt | JLtI | JNLtI | JGtI | JNGtI => M::Lt,
        JLe | JNLe | JLeI | JNLeI | JGeI | JNGeI => M::Le,
        Close | RetC => M::Close,
        _ => return None,
    })
}

/// The bare name of the arithmetic event of an instruction ("add"), if it has one.
pub(super) fn event_name(op: Op) -> Option<&'static str> {
    event(op).map(|e| &e.name()[2..])
}

/// The name of a function that the instruction at `pc` has called.
pub(super) unsafe fn called_name(p: *const Proto, pc: usize) -> Option<Name> {
    // SAFETY: as `op`.
    unsafe {
        match op(p, pc) {
            Op::Call | Op::CallM | Op::TailCall | Op::TailCallM => {
                object_name(p, pc, reg(bc::a(word(p, pc))))
            }
            Op::TForCall => Some(Name::new("for iterator", "for iterator")),
            o => event_name(o).map(|e| Name::new("metamethod", e)),
        }
    }
}

/// The values that an instruction works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    /// A register.
    Reg(usize),
    /// An upvalue.
    Upval(usize),
    /// A constant, or unknown.
    Other,
}

/// First and second operand of an arithmetic instruction or loop preparation, or the indexed object (twice).
pub(super) unsafe fn operands(p: *const Proto, pc: usize) -> [Operand; 2] {
    use Op::*;
    use Operand::*;
    // SAFETY: as `op`.
    let (w, op) = unsafe { (word(p, pc), op(p, pc)) };
    let (a, b, c) = (Reg(reg(bc::a(w))), Reg(reg(bc::b(w))), Reg(reg(bc::c(w))));
    match op {
        GetGlobal | SetGlobal => [Upval(bc::b(w) as usize / 8); 2],
        GetField | SelfGet | GetIndex | GetInt | Len | Unm | BNot => [b; 2],
        SetField | SetIndex | SetInt => [a; 2],
        Add | Sub | Mul | Div | Mod | Pow | IDiv | BAnd | BOr | BXor | Shl | Shr => [b, c],
        AddK | SubK | MulK | DivK | ModK | PowK | IDivK | BAndK | BOrK | BXorK | ShlK | ShrK
        | AddI | SubI => [b, Other],
        AddKR | SubKR | MulKR | DivKR | ModKR | PowKR | IDivKR | BAndKR | BOrKR | BXorKR
        | ShlKR | ShrKR => [Other, b],
        _ => [Other; 2],
    }
}
