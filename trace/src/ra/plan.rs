//! What each instruction reads, after the selection of memory operands: shared by allocation, checker and emission.
//!
//! A load becomes a memory operand of its only user if nothing between the two may write memory. Addresses (class R) are
//! always parts of what uses them.

use std::mem::offset_of;
use traceorus_asm::Scale;
use traceorus_base::objects::{Cell, DictEntry, LuaClosure, NativeClosure, Str, Table};

use super::{MAX_INPUTS, Reg, RegInfo};
use crate::abort::Abort;
use crate::ir::{CallId, Class, FieldId, Ins, IrBuf, IrOp, REF_NONE, Ref, SnapNo, Ty};

/// What an input has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// In a register, constants too.
    Reg,
    /// In a register, or any constant.
    RegOrConst,
}

/// Inputs of an instruction, in order.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    list: [(Ref, Kind); MAX_INPUTS],
    len: usize,
    /// From this one on they are parts of a memory operand.
    pub mem: usize,
}

impl Inputs {
    fn new() -> Inputs {
        Inputs {
            list: [(REF_NONE, Kind::Reg); MAX_INPUTS],
            len: 0,
            mem: MAX_INPUTS,
        }
    }
    fn push(&mut self, r: Ref, kind: Kind) {
        self.list[self.len] = (r, kind);
        self.len += 1;
    }
    /// As a slice.
    pub fn list(&self) -> &[(Ref, Kind)] {
        &self.list[..self.len]
    }
}

/// Base of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// The frame's base register.
    Frame,
    /// A value.
    Ref(Ref),
}

/// An address: `base + index * scale + disp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    /// Base.
    pub base: Base,
    /// Index, if there is one.
    pub index: Option<(Ref, Scale)>,
    /// Bytes.
    pub disp: i32,
}

/// Bytes of a stack slot.
pub const SLOT: i32 = 16;
/// Offset of the tag in a slot.
pub const SLOT_TAG: i32 = 8;
const CELL: i32 = offset_of!(Cell, value) as i32;
const ENTRY: i32 = offset_of!(DictEntry, val_payload) as i32;
const ENTRY_TAG: i32 = offset_of!(DictEntry, val_tag) as i32;

/// Selection for a trace.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// By index of instruction: it is a memory operand of its user.
    pub fused: Vec<bool>,
    /// By index of instruction: how often it is used (saturating).
    uses: Vec<u8>,
}

impl Plan {
    /// Counts uses and chooses memory operands.
    pub fn new(ir: &IrBuf) -> Plan {
        let mut p = Plan {
            fused: vec![false; ir.len()],
            uses: vec![0; ir.len()],
        };
        for ins in &ir.ins {
            let [a, b] = operands(*ins);
            p.used(a);
            p.used(b);
        }
        for e in &ir.entries {
            p.used(e.val);
            p.used(e.tag);
        }
        let mut effect = 0;
        for (i, &ins) in ir.ins.iter().enumerate() {
            for r in candidates(ins) {
                if r.is_ins()
                    && r.ins_index() > effect
                    && p.uses[r.ins_index()] == 1
                    && fits(ir, ins, r)
                {
                    p.fused[r.ins_index()] = true;
                    break;
                }
            }
            if writes(ins) {
                effect = i;
            }
        }
        p
    }
    fn used(&mut self, r: Ref) {
        if r.is_ins() {
            let u = &mut self.uses[r.ins_index()];
            *u = u.saturating_add(1);
        }
    }
    /// `r` is a load that its user performs.
    pub fn is_fused(&self, r: Ref) -> bool {
        r.is_ins() && self.fused[r.ins_index()]
    }
    /// The inputs of instruction `r` that are read from registers (or are constants), without those of calls.
    pub fn inputs(&self, ir: &IrBuf, r: Ref) -> Inputs {
        use IrOp::*;
        let ins = ir.at(r);
        let mut n = Inputs::new();
        match ins.op {
            SSt | SStT | SStW => n.push(ins.b, Kind::RegOrConst),
            FSt | StV | StB | StW => {
                n.push(ins.b, Kind::RegOrConst);
                n.mem = 1;
                push_mem(&mut n, mem(ir, ins.a));
            }
            SLoad | SLoadT | FLd | LdV | LdB | LdW | UpRef | NUpv | StrByte | TRun => {
                n.mem = 0;
                push_mem(&mut n, mem(ir, r));
            }
            TEq | TNe | TFalsy | TTruthy | BitsZ | BitsNz => {
                self.operand(ir, &mut n, ins.a, Kind::Reg)
            }
            Eq | Ne | Lt | Ge | Le | Gt | NLt | NLe | NGt | NGe | Ult | Uge | Ule | Ugt => {
                // one side at least is in a register; integer constants on the left change sides
                let left = if ins.a.is_const() && !ins.b.is_const() && ins.ty != Ty::Float {
                    Kind::RegOrConst
                } else {
                    Kind::Reg
                };
                let right = if left == Kind::Reg {
                    Kind::RegOrConst
                } else {
                    Kind::Reg
                };
                self.pair(ir, &mut n, ins, left, right);
            }
            Add | Sub | Mul | Div | And | Or | Xor | Shl | Shr | Sar => {
                self.pair(ir, &mut n, ins, Kind::Reg, Kind::RegOrConst);
            }
            IsEq | IsLt | IsLe | IsGe => {
                n.push(ins.a, Kind::Reg);
                n.push(ins.b, Kind::RegOrConst);
            }
            Min | Max => {
                // b first: it is what the result is unless a is better
                n.push(ins.b, Kind::Reg);
                n.push(ins.a, Kind::Reg);
            }
            IDiv | IMod => {
                n.push(ins.a, Kind::Reg);
                let general = division(ir, ins) == Some(Division::General);
                n.push(ins.b, if general { Kind::Reg } else { Kind::RegOrConst });
            }
            Neg | Not | Abs | Sqrt | ItoF | FtoI | Cast => n.push(ins.a, Kind::Reg),
            Round => n.push(ins.a, Kind::Reg),
            Copy => n.push(ins.a, Kind::RegOrConst),
            Bar => {
                n.push(ins.a, Kind::Reg);
                n.push(ins.b, Kind::RegOrConst);
                if let Some(tag) = bar_tag(ir, r) {
                    n.push(tag, Kind::RegOrConst);
                }
            }
            TNew | TArr | FNew | CoWord | CoPc | CoLeave | CoEnter => n.push(ins.a, Kind::Reg),
            SlotOf | Method => {
                n.push(ins.a, Kind::Reg);
                n.push(ins.b, Kind::RegOrConst);
            }
            Base | Nop | Loop | Phi | PVal | StkChk | Poll | RetF | FRef | ARef | ATRef | RetPc
            | RetWord | RetKind | SetTail | TopEq | STop | Sunk | HRef | HTRef | CRef | CTRef
            | ERef | ETRef | XRef | VRef | CNew | UpAddr | CArg | Call | CallN | CallL | XOp
            | XOpQ | XOpR => {}
        }
        n
    }
    fn operand(&self, ir: &IrBuf, n: &mut Inputs, r: Ref, kind: Kind) {
        if self.is_fused(r) {
            n.mem = n.len;
            push_mem(n, mem(ir, r));
        } else {
            n.push(r, kind);
        }
    }
    /// The two operands; a memory operand comes last.
    fn pair(&self, ir: &IrBuf, n: &mut Inputs, ins: Ins, left: Kind, right: Kind) {
        if self.is_fused(ins.a) {
            n.push(ins.b, right);
            self.operand(ir, n, ins.a, left);
        } else {
            n.push(ins.a, left);
            self.operand(ir, n, ins.b, right);
        }
    }
}

/// Snapshot `n` names the payload `r`, in a slot or in a sunk object.
pub fn names(ir: &IrBuf, n: SnapNo, r: Ref) -> bool {
    let in_object = |recipe| ir.recipe_fillings(recipe).iter().any(|f| f.val == r);
    ir.snap_entries(n).iter().any(|e| e.val == r) || ir.snap_recipes(n).iter().any(in_object)
}

/// The operands that are refs.
pub fn operands(ins: Ins) -> [Ref; 2] {
    use crate::ir::Mode;
    let [a, b] = ins.op.modes();
    let pick = |m: Mode, r: Ref| {
        if matches!(m, Mode::Ref | Mode::Const) {
            r
        } else {
            REF_NONE
        }
    };
    [pick(a, ins.a), pick(b, ins.b)]
}

/// No load may move from before to behind it.
fn writes(ins: Ins) -> bool {
    matches!(ins.op, IrOp::Poll | IrOp::RetF | IrOp::Loop)
        || matches!(ins.op.class(), Class::S | Class::A)
        || matches!(ins.op, IrOp::CallN | IrOp::CallL)
}

/// Operands of `ins` that may be in memory.
fn candidates(ins: Ins) -> [Ref; 2] {
    use IrOp::*;
    let float = ins.ty == Ty::Float;
    match ins.op {
        TEq | TNe | TFalsy | TTruthy | BitsZ | BitsNz => [ins.a, REF_NONE],
        Eq | Ne | Lt | Ge | Le | Gt | NLt | NLe | NGt | NGe | Ult | Uge | Ule | Ugt => {
            if float || ins.a.is_const() || ins.a == ins.b {
                [ins.b, REF_NONE]
            } else {
                [ins.b, ins.a]
            }
        }
        // of floats the order matters: of two NaNs the first one is the result
        Add | Mul if float => [ins.b, REF_NONE],
        Add | Mul | And | Or | Xor if ins.a.is_ins() && ins.b.is_ins() => [ins.b, ins.a],
        Add | Mul | And | Or | Xor | Sub | Div => [ins.b, REF_NONE],
        _ => [REF_NONE; 2],
    }
}

/// The load `r` has the width that `ins` compares or computes in.
fn fits(ir: &IrBuf, ins: Ins, r: Ref) -> bool {
    use IrOp::*;
    let load = ir.at(r);
    let bytes = match load.op {
        SLoad | LdV | UpRef | NUpv => 8,
        SLoadT | LdW => 4,
        LdB => 1,
        FLd => field(load).map_or(0, |f| f.info().size),
        _ => return false,
    };
    match ins.op {
        TEq | TNe | TFalsy | TTruthy => matches!(load.op, SLoadT | LdW | LdB),
        _ if ins.ty == Ty::Float => load.ty == Ty::Float && bytes == 8,
        Eq | Ne | Lt | Ge | Le | Gt | Ult | Uge | Ule | Ugt | BitsZ | BitsNz => {
            let other = if ins.a == r { ins.b } else { ins.a };
            match ins.ty {
                Ty::U8 => bytes == 1 && !matches!(ins.op, Lt | Ge | Le | Gt),
                Ty::Tag => {
                    bytes == 4 || (bytes == 1 && matches!(ins.op, Eq | Ne) && other.is_const())
                }
                Ty::U32 => bytes == 4,
                _ => bytes == 8 && load.ty != Ty::Float,
            }
        }
        _ => bytes == 8 && load.ty == Ty::Int && ins.ty == Ty::Int,
    }
}

/// The field of an FLD or FREF.
pub fn field(ins: Ins) -> Option<FieldId> {
    FieldId::from_u16(ins.lit_b())
}

fn push_mem(n: &mut Inputs, m: Mem) {
    if let Base::Ref(b) = m.base {
        n.push(b, Kind::Reg);
    }
    if let Some((i, _)) = m.index {
        n.push(i, Kind::Reg);
    }
}

/// The address that the load or address instruction `r` stands for.
pub fn mem(ir: &IrBuf, r: Ref) -> Mem {
    use IrOp::*;
    let ins = ir.at(r);
    let at = |base: Ref, disp: i32| based(ir, base, disp);
    let lit = i32::from(ins.lit_b());
    match ins.op {
        SLoad => frame(SLOT * i32::from(ins.slot())),
        SLoadT => frame(SLOT * i32::from(ins.slot()) + SLOT_TAG),
        LdV | LdB | LdW => mem(ir, ins.a),
        FLd | FRef => at(ins.a, field(ins).map_or(0, |f| f.info().offset)),
        ARef => indexed(ir, ins.a, ins.b, Scale::S8, 0),
        ATRef => indexed(ir, ins.a, ins.b, Scale::S1, 0),
        HRef => at(ins.a, 8 * lit),
        HTRef => at(ins.a, -1 - lit),
        CRef => at(ins.a, CELL),
        CTRef => at(ins.a, CELL + SLOT_TAG),
        ERef => at(ins.a, ENTRY),
        ETRef => at(ins.a, ENTRY_TAG),
        XRef => at(ins.a, lit),
        VRef => match ir.int(ins.a) {
            // the frame word: recorders use no other constant
            Some(n) => frame(8 * n as i32),
            None => Mem {
                base: self::Base::Frame,
                index: Some((ins.a, Scale::S8)),
                disp: 0,
            },
        },
        UpRef | UpAddr => at(ins.a, LuaClosure::UPVALS as i32 + 8 * lit),
        NUpv => at(ins.a, NativeClosure::UPVALS as i32 + SLOT * lit),
        StrByte => indexed(ir, ins.a, ins.b, Scale::S1, Str::DATA as i32),
        TRun => at(ins.a, Table::INLINE_FIELDS as i32),
        _ => unreachable!("{:?} is no address", ins.op),
    }
}

fn frame(disp: i32) -> Mem {
    Mem {
        base: Base::Frame,
        index: None,
        disp,
    }
}

/// `base + disp`; an inline run is reached through its table.
fn based(ir: &IrBuf, base: Ref, disp: i32) -> Mem {
    let (base, disp) = run_base(ir, base, disp);
    Mem {
        base: Base::Ref(base),
        index: None,
        disp,
    }
}

fn run_base(ir: &IrBuf, base: Ref, disp: i32) -> (Ref, i32) {
    if base.is_ins() && ir.at(base).op == IrOp::TRun {
        (ir.at(base).a, disp + Table::INLINE_FIELDS as i32)
    } else {
        (base, disp)
    }
}

fn indexed(ir: &IrBuf, base: Ref, index: Ref, scale: Scale, disp: i32) -> Mem {
    let (base, mut disp) = run_base(ir, base, disp);
    let mut index = index;
    if index.is_ins() && ir.in_addresses.get(index.ins_index()) == Some(&true) {
        let add = ir.at(index);
        // small, or it would not be there
        disp += (ir.int(add.b).unwrap_or(0) << scale.log2()) as i32;
        index = add.a;
    }
    if let Some(c) = ir.int(index)
        && let Some(bytes) = c.checked_mul(1 << scale.log2())
        && let Some(sum) = bytes.checked_add(i64::from(disp))
        && let Ok(disp) = i32::try_from(sum)
    {
        return Mem {
            base: Base::Ref(base),
            index: None,
            disp,
        };
    }
    Mem {
        base: Base::Ref(base),
        index: Some((index, scale)),
        disp,
    }
}

/// The tag of the value that a BAR of an untyped value announces: that of the store behind it.
pub fn bar_tag(ir: &IrBuf, bar: Ref) -> Option<Ref> {
    let ins = ir.at(bar);
    if ir.ty(ins.b) != Ty::Any {
        return None;
    }
    tag_of(ir, ins.b).filter(|t| !t.is_ins() || *t < bar)
}

/// The ref that is the tag of the untyped payload `val`: as snapshots, stores or its load say.
pub fn tag_of(ir: &IrBuf, val: Ref) -> Option<Ref> {
    use IrOp::*;
    if let Some(e) = ir.entries.iter().find(|e| e.val == val) {
        return Some(e.tag);
    }
    if !val.is_ins() {
        return None;
    }
    let load = ir.at(val);
    // payload and tag are loaded one after the other; a tag that was there before stands for both if nothing was stored since
    let at = val.ins_index();
    let twin = |op: IrOp, a: Ref, b: Option<Ref>| {
        let is = |i: &Ins| i.op == op && i.a == a && b.is_none_or(|b| i.b == b);
        let near = (at + 7).min(ir.len());
        (at..near)
            .find(|&n| is(&ir.ins[n]))
            .or_else(|| (0..at).rev().find(|&n| is(&ir.ins[n])))
            .or_else(|| (near..ir.len()).find(|&n| is(&ir.ins[n])))
    };
    let found = match load.op {
        SLoad => twin(SLoadT, load.a, None),
        LdV if load.a.is_ins() => {
            let addr = ir.at(load.a);
            let of = |addr_op, load_op| {
                twin(addr_op, addr.a, Some(addr.b))
                    .and_then(|t| twin(load_op, Ref::from_ins(t), None))
            };
            match addr.op {
                HRef => of(HTRef, LdB),
                CRef => of(CTRef, LdW),
                ERef => of(ETRef, LdW),
                _ => None,
            }
        }
        _ => None,
    };
    if let Some(i) = found {
        return Some(Ref::from_ins(i));
    }
    let store = ir
        .ins
        .iter()
        .position(|i| matches!(i.op, StV | SSt) && i.b == val)?;
    ir.ins[store + 1..]
        .iter()
        .take(4)
        .find(|i| matches!((ir.ins[store].op, i.op), (StV, StB | StW) | (SSt, SStT)))
        .map(|i| i.b)
}

/// How an integer division is performed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Division {
    /// By a power of two: shift, or mask. Needs no registers of its own.
    Power,
    /// By another positive constant from 2 up: multiplication with the reciprocal.
    Reciprocal,
    /// By the processor's instruction.
    General,
}

/// How `ins` divides, if it is an integer division.
pub fn division(ir: &IrBuf, ins: Ins) -> Option<Division> {
    if !matches!(ins.op, IrOp::IDiv | IrOp::IMod) {
        return None;
    }
    Some(match ir.int(ins.b) {
        Some(c) if c > 0 && c & (c - 1) == 0 => Division::Power,
        Some(c) if c > 0 => Division::Reciprocal,
        _ => Division::General,
    })
}

/// How a function is called.
#[derive(Clone, Copy, Debug)]
pub struct CallPlan {
    /// The arguments and their registers.
    args: [(Ref, Reg); 14],
    len: usize,
    /// The running thread goes to the first general argument.
    pub thread: bool,
    /// The function; none: the rounding function with the mode in operand b.
    pub id: Option<CallId>,
    /// The result is a float.
    pub float: bool,
}

impl CallPlan {
    /// The arguments.
    pub fn args(&self) -> &[(Ref, Reg)] {
        &self.args[..self.len]
    }
}

/// `ins` calls native code.
pub fn is_call(ins: Ins, regs: &RegInfo) -> bool {
    match ins.op {
        IrOp::Call | IrOp::CallN | IrOp::CallL | IrOp::XOp | IrOp::XOpQ | IrOp::XOpR => true,
        IrOp::Round => !regs.rounds,
        _ => false,
    }
}

/// The call that `r` makes.
pub fn call(ir: &IrBuf, r: Ref, regs: &RegInfo) -> Result<CallPlan, Abort> {
    let ins = ir.at(r);
    let mut c = CallPlan {
        args: [(REF_NONE, Reg::NONE); 14],
        len: 0,
        thread: false,
        id: None,
        float: true,
    };
    let mut refs = [REF_NONE; 14];
    let mut n = 0;
    match ins.op {
        IrOp::XOp | IrOp::XOpQ | IrOp::XOpR => return Ok(c),
        IrOp::Round => {
            refs[0] = ins.a;
            n = 1;
        }
        _ => {
            let id = CallId::from_u16(ins.lit_b()).ok_or(Abort::Internal)?;
            c.id = Some(id);
            c.thread = id.info().thread;
            c.float = id.info().ret.is_float();
            // the list, last first
            let mut list = ins.a;
            while list.is_ins() && ir.at(list).op == IrOp::CArg {
                *refs.get_mut(n).ok_or(Abort::Internal)? = ir.at(list).b;
                n += 1;
                list = ir.at(list).a;
            }
            if !list.is_none() {
                *refs.get_mut(n).ok_or(Abort::Internal)? = list;
                n += 1;
            }
            refs[..n].reverse();
        }
    }
    let (mut general, mut float) = (usize::from(c.thread), 0);
    for &arg in &refs[..n] {
        let reg = if ir.ty(arg).is_float() {
            float += 1;
            regs.float_args.get(float - 1)
        } else {
            general += 1;
            regs.args.get(general - 1)
        };
        c.args[c.len] = (arg, *reg.ok_or(Abort::Internal)?);
        c.len += 1;
    }
    Ok(c)
}
