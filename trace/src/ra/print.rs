//! An allocation as text: one line per instruction, with moves where they happen.
//!
//! ```text
//! head          rcx = s3
//! 0002 num LDV     xmm0 <- rcx
//!                   s4 = xmm0
//! ```

use std::fmt::Write;

use super::backward::Job;
use super::plan;
use super::*;

/// Name of a place; general registers are `r0`, float ones `f0`, by hardware number.
pub fn place(p: Place) -> String {
    match p {
        Place::None => "-".into(),
        Place::Reg(r) => reg(r),
        Place::Slot(s) => format!("s{s}"),
        Place::Const(k) => format!("k{}", k.const_index()),
        Place::ParkGpr => "rpark".into(),
        Place::ParkFpr => "fpark".into(),
    }
}

fn reg(r: Reg) -> String {
    if r.is_none() {
        "-".into()
    } else if r.is_fpr() {
        format!("f{}", r.number())
    } else {
        format!("r{}", r.number())
    }
}

fn name(r: Ref) -> String {
    if r.is_const() {
        format!("k{}", r.const_index())
    } else if r.is_none() {
        "-".into()
    } else {
        format!("{:04}", r.ins_index())
    }
}

/// The whole allocation.
pub fn print(job: &Job<'_>, out: &Allocation) -> String {
    let ir = job.ir;
    let mut s = String::new();
    let moves = |s: &mut String, at: &str, list: &[Move]| {
        for m in list {
            let _ = writeln!(s, "{at:<17}{} = {}", place(m.dst), place(m.src));
        }
    };
    moves(&mut s, "head", &out.head);
    let mut at = out.moves.len();
    let gap = |s: &mut String, at: &mut usize, gap: u32| {
        while *at > 0 && out.moves[*at - 1].gap == gap {
            *at -= 1;
            moves(s, "", &[out.moves[*at].mv]);
        }
    };
    for (i, ins) in ir.ins.iter().enumerate() {
        let r = Ref::from_ins(i);
        gap(&mut s, &mut at, 2 * i as u32);
        if let Some(n) = ir.snap_of(r)
            && ir.snaps[n.0 as usize].first == r
        {
            let _ = write!(s, "     #{}", n.0);
            let snap = &ir.snaps[n.0 as usize];
            for e in snap.start as usize..snap.end as usize {
                let [val, tag] = out.snaps[e];
                let _ = write!(s, " {}:{}/{}", ir.entries[e].slot, place(val), place(tag));
            }
            for recipe in ir.snap_recipes(crate::ir::SnapNo(n.0)) {
                let _ = write!(s, " {}{{", name(recipe.object));
                for f in recipe.start as usize..recipe.end as usize {
                    let [val, tag] = out.fillings[f];
                    let _ = write!(s, " {}/{}", place(val), place(tag));
                }
                s.push_str(" }");
            }
            s.push('\n');
        }
        let al = out.ins[i];
        let _ = write!(s, "{i:04} {} {:<8}", ins.ty.name(), ins.op.name());
        if al.skip {
            let [a, b] = plan::operands(*ins);
            let _ = writeln!(s, "({} {})", name(a), name(b));
        } else {
            if !al.dst.is_none() {
                let _ = write!(s, "{} <- ", reg(al.dst));
            }
            for (k, &(v, _)) in job.plan.inputs(ir, r).list().iter().enumerate() {
                let _ = write!(s, "{}={} ", name(v), reg(al.ops[k]));
            }
            s.push('\n');
        }
        if Ref::from_ins(i) == ir.loop_ref {
            for &(v, p) in &out.contract {
                let _ = writeln!(s, "{:<17}{} at {}", "contract", name(v), place(p));
            }
            moves(&mut s, "top", &out.loop_top);
        }
        gap(&mut s, &mut at, 2 * i as u32 + 1);
    }
    moves(&mut s, "back edge", &out.back_edge);
    s
}
