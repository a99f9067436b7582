//! Chunks made by hand: good ones, and one bad one per rule.

use traceorus_base::bytecode::{self as bc, Op, pack};
use traceorus_base::chunk::{
    Chunk, Const, Function, LocVarInfo, NO_NAME, StrNum, Strings, UpvalInfo,
};

use super::verify;

/// Appends an instruction and its further words.
fn ins(f: &mut Function, live: u8, op: Op, a: u16, b: u16, c: u16, extra: &[u64]) {
    let line = 1 + f.code.len() as u32 / 3;
    for w in std::iter::once(pack(op as u16, a, b, c)).chain(extra.iter().copied()) {
        f.code.push(w);
        f.live.push(live);
        f.lines.push(line);
    }
}

fn jump(f: &mut Function, live: u8, op: Op, a: u16, distance: i32) {
    let d = distance as u32;
    ins(f, live, op, a, d as u16, (d >> 16) as u16, &[]);
}

fn upval(in_stack: bool, index: u8, readonly: bool) -> UpvalInfo {
    UpvalInfo {
        name: text("u"),
        in_stack,
        index,
        readonly,
        attrib: 0,
    }
}

/// The strings of all samples.
fn texts() -> Vec<String> {
    let mut all: Vec<String> = ["u", "p", "v", "print", "x", "y", "no number", "a", "a"]
        .map(String::from)
        .into();
    all.extend(["long ".repeat(20), "k".repeat(41)]);
    all
}

fn text(s: &str) -> StrNum {
    texts().iter().position(|t| t == s).unwrap() as StrNum
}

fn s(s: &str) -> Const {
    Const::Str(text(s))
}

fn function(frame_size: u8) -> Function {
    Function {
        frame_size,
        upvals: vec![upval(true, 0, false)],
        ..Function::default()
    }
}

fn chunk(main: Function) -> Chunk {
    let mut strings = Strings::default();
    for t in texts() {
        strings.push(t.as_bytes());
    }
    Chunk {
        source: b"@sample".as_slice().into(),
        strings,
        main,
    }
}

/// A closure over a cell, a loop, calls with open results, constructors, a to-be-closed variable.
fn rich() -> Function {
    use Op::*;
    let mut f = function(12);
    f.is_vararg = true;
    f.consts = vec![
        s("print"),
        s("x"),
        s("y"),
        Const::Float(1.5),
        Const::Int(-7),
        s(&"long ".repeat(20)),
    ];
    f.templates = vec![vec![1, 2]];
    let mut inner = function(4);
    inner.nparams = 1;
    inner.upvals = vec![upval(true, 0, false), upval(false, 0, false)];
    inner.consts = vec![Const::Int(10)];
    ins(&mut inner, 1, GetUpval, 1, 0, 0, &[]);
    ins(&mut inner, 2, Add, 1, 1, 0, &[]);
    ins(&mut inner, 2, SetUpval, 0, 1, 0, &[]);
    ins(&mut inner, 2, AddK, 1, 1, 0, &[0]);
    ins(&mut inner, 2, Ret1, 1, 0, 0, &[]);
    inner.line_defined = 3;
    inner.locvars = vec![LocVarInfo {
        name: text("p"),
        start_pc: 0,
        end_pc: 5,
        reg: 0,
        boxed: false,
    }];
    f.functions.push(inner);

    ins(&mut f, 0, LoadI, 0, 5, 0, &[]);
    ins(&mut f, 1, NewCell, 0, 0, 0, &[]);
    ins(&mut f, 1, Closure, 1, 0, 0, &[0]);
    ins(&mut f, 2, LoadK, 2, 0, 0, &[5]);
    ins(&mut f, 3, SetCell, 0, 2, 0, &[]);
    // print(f(...), {x = .., y = ..}, {..., ...})
    ins(&mut f, 2, GetGlobal, 2, 0, 0, &[0, 0, 0]);
    ins(&mut f, 3, Move, 3, 1, 0, &[]);
    ins(&mut f, 4, VarargM, 4, 0, 0, &[]);
    ins(&mut f, 4, CallM, 3, 0, 1, &[0]);
    ins(&mut f, 4, GetCell, 4, 0, 0, &[]);
    ins(&mut f, 5, LoadNil, 5, 1, 0, &[]);
    ins(&mut f, 6, NewRecord, 4, 4, 2, &[0]);
    ins(&mut f, 5, NewTable, 5, 0, 0, &[2]);
    ins(&mut f, 6, LoadI, 6, 1, 0, &[]);
    ins(&mut f, 7, VarargM, 7, 0, 0, &[]);
    ins(&mut f, 7, SetListM, 5, 0, 0, &[0]);
    ins(&mut f, 6, Call, 2, 3, 0, &[0]);
    // for i = 1, 10 do R5 = i .. i end
    ins(&mut f, 2, LoadI, 2, 1, 0, &[]);
    ins(&mut f, 3, LoadI, 3, 10, 0, &[]);
    ins(&mut f, 4, LoadI, 4, 1, 0, &[]);
    jump(&mut f, 5, ForPrep, 2, 4);
    ins(&mut f, 5, Move, 5, 2, 0, &[]);
    ins(&mut f, 6, Move, 6, 2, 0, &[]);
    ins(&mut f, 7, Concat, 5, 5, 2, &[]);
    ins(&mut f, 5, ForLoop, 2, 0, -4i16 as u16, &[]);
    // generic loop with a to-be-closed value
    ins(&mut f, 2, LoadNil, 2, 4, 0, &[]);
    jump(&mut f, 6, TForPrep, 2, 1);
    ins(&mut f, 7, Move, 7, 6, 0, &[]);
    ins(&mut f, 6, TForCall, 6, 0, 1, &[0]);
    jump(&mut f, 7, TForLoop, 6, -4);
    ins(&mut f, 6, Close, 2, 0, 0, &[]);
    // x and 1 or 2
    ins(&mut f, 2, GetField, 2, 1, 0, &[0, 1]);
    ins(&mut f, 3, JFSet, 3, 2, 2, &[]);
    ins(&mut f, 3, LoadK, 3, 0, 0, &[3]);
    ins(&mut f, 4, JEqK, 3, 0, 4, &[1]);
    ins(&mut f, 4, SelfGet, 3, 3, 0, &[0, 0, 2]);
    ins(&mut f, 4, Ret, 3, 1, 0, &[]);
    f.locvars = vec![LocVarInfo {
        name: text("v"),
        start_pc: 2,
        end_pc: 40,
        reg: 0,
        boxed: true,
    }];
    f
}

/// `if g(...) then return print(...) end return print()`
fn tails() -> Function {
    use Op::*;
    let mut f = function(4);
    f.is_vararg = true;
    f.consts = vec![s("print")];
    ins(&mut f, 0, GetGlobal, 0, 0, 0, &[0, 0, 0]);
    ins(&mut f, 1, VarargM, 1, 0, 0, &[]);
    ins(&mut f, 1, CallM, 0, 0, 1, &[0]);
    ins(&mut f, 1, JF, 0, 0, 8, &[]);
    ins(&mut f, 0, GetGlobal, 0, 0, 0, &[0, 0, 0]);
    ins(&mut f, 1, VarargM, 1, 0, 0, &[]);
    ins(&mut f, 1, TailCallM, 0, 0, bc::MULTI, &[0]);
    ins(&mut f, 0, RetM, 0, 0, 0, &[]);
    ins(&mut f, 0, GetGlobal, 0, 0, 0, &[0, 0, 0]);
    ins(&mut f, 1, TailCall, 0, 0, bc::MULTI, &[0]);
    ins(&mut f, 0, RetM, 0, 0, 0, &[]);
    f
}

/// Chunks that verify.
pub(crate) fn samples() -> Vec<Chunk> {
    let mut small = function(2);
    small.is_vararg = true;
    ins(&mut small, 0, Op::Ret0, 0, 0, 0, &[]);
    let mut all = vec![chunk(small), chunk(rich()), chunk(tails())];
    all.iter_mut().for_each(Chunk::compact);
    all
}

#[test]
fn samples_verify() {
    for c in samples() {
        verify(&c).unwrap();
    }
}

/// The error of a function made by `build`, which must not verify.
#[track_caller]
fn refused(frame: u8, build: impl FnOnce(&mut Function)) -> String {
    let mut f = function(frame);
    build(&mut f);
    verify(&chunk(f)).expect_err("verified")
}

#[track_caller]
fn refused_for(text: &str, frame: u8, build: impl FnOnce(&mut Function)) {
    let e = refused(frame, build);
    assert!(e.contains(text), "{e}");
}

#[test]
fn strings_that_are_not_there() {
    let none = texts().len() as StrNum;
    for bad in [none, NO_NAME] {
        refused_for("constant 0", 2, |f| {
            f.consts = vec![Const::Str(bad)];
            ins(f, 0, Op::Ret0, 0, 0, 0, &[]);
        });
    }
    refused_for("upvalue 0", 2, |f| {
        f.upvals[0].name = none;
        ins(f, 0, Op::Ret0, 0, 0, 0, &[]);
    });
    refused_for("local variable 0", 2, |f| {
        f.locvars = vec![LocVarInfo {
            name: none,
            start_pc: 0,
            end_pc: 1,
            reg: 0,
            boxed: false,
        }];
        ins(f, 0, Op::Ret0, 0, 0, 0, &[]);
    });
}

#[test]
fn operands_out_of_range() {
    use Op::*;
    refused_for("operand 2", 2, |f| {
        ins(f, 0, LoadI, 2, 0, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("operand 1", 2, |f| {
        ins(f, 0, GetUpval, 0, 1, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("operand 65476", 2, |f| {
        // a table's tag as primitive
        ins(f, 0, LoadPrim, 0, -60i16 as u16, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("bad word", 2, |f| {
        ins(f, 0, LoadK, 0, 0, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("bad word", 2, |f| {
        f.consts = vec![s(&"k".repeat(41))];
        ins(f, 0, GetGlobal, 0, 0, 0, &[0, 0, 0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("bad word", 2, |f| {
        f.consts = vec![s("no number")];
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, AddK, 0, 0, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    // chunks do not say where calls go on
    refused_for("bad word", 2, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, Call, 0, 0, 0, &[1]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("bad range", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, Call, 0, 4, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("negative index", 2, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, GetInt, 0, 0, -1i16 as u16, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("bad range", 4, |f| {
        // not a vararg function
        ins(f, 0, Vararg, 0, 1, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
}

#[test]
fn control_flow() {
    use Op::*;
    refused_for("words of code", 2, |_| {});
    refused_for("falls off", 2, |f| ins(f, 0, LoadI, 0, 0, 0, &[]));
    refused_for("unknown instruction", 2, |f| ins(f, 0, FuncF, 0, 0, 0, &[]));
    refused_for("cut-off", 2, |f| ins(f, 0, LoadK, 0, 0, 0, &[]));
    refused_for("cut-off", 2, |f| ins(f, 0, Call, 0, 0, 0, &[]));
    refused_for("jump not onto", 2, |f| jump(f, 0, Jmp, 0, 1000));
    refused_for("jump not onto", 2, |f| {
        f.consts = vec![Const::Int(1)];
        jump(f, 0, Jmp, 0, 1);
        ins(f, 0, LoadK, 0, 0, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("wrong direction", 2, |f| jump(f, 0, Jmp, 0, -1));
    refused_for("wrong direction", 2, |f| {
        jump(f, 0, Loop, 0, 0);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
}

#[test]
fn liveness() {
    use Op::*;
    refused_for("not written", 4, |f| {
        ins(f, 1, LoadI, 1, 0, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("R0 holds no live value", 4, |f| {
        ins(f, 0, Ret1, 0, 0, 0, &[])
    });
    refused_for("R0 holds no live value", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 0, Ret1, 0, 0, 0, &[]);
    });
    // R1 was invisible to the collector in between.
    refused_for("R1 is live but not written", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, LoadI, 1, 0, 0, &[]);
        ins(f, 1, LoadI, 2, 0, 0, &[]);
        ins(f, 2, Ret1, 1, 0, 0, &[]);
    });
    // Written on one path only.
    refused_for("R1 is live but not written", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, JT, 0, 0, 1, &[]);
        ins(f, 1, LoadI, 1, 0, 0, &[]);
        ins(f, 2, Ret1, 1, 0, 0, &[]);
    });
    // A call destroys what is above its function slot.
    refused_for("R2 is live but not written", 6, |f| {
        ins(f, 0, LoadNil, 0, 3, 0, &[]);
        ins(f, 3, Call, 1, 0, 1, &[0]);
        ins(f, 3, Ret1, 2, 0, 0, &[]);
    });
    refused_for("topmost", 6, |f| {
        ins(f, 0, LoadNil, 0, 3, 0, &[]);
        ins(f, 3, NewTable, 1, 0, 0, &[0]);
        ins(f, 2, Ret1, 1, 0, 0, &[]);
    });
}

#[test]
fn open_results() {
    use Op::*;
    refused_for("do not meet", 4, |f| {
        ins(f, 0, LoadNil, 0, 1, 0, &[]);
        ins(f, 1, Call, 0, 0, bc::MULTI, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("do not meet", 4, |f| ins(f, 0, RetM, 0, 0, 0, &[]));
    refused_for("begin too low", 4, |f| {
        f.is_vararg = true;
        ins(f, 0, LoadNil, 0, 2, 0, &[]);
        ins(f, 2, VarargM, 1, 0, 0, &[]);
        ins(f, 1, CallM, 1, 0, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("between open results", 4, |f| {
        f.is_vararg = true;
        ins(f, 0, LoadNil, 0, 1, 0, &[]);
        ins(f, 1, JT, 0, 0, 1, &[]);
        ins(f, 1, VarargM, 1, 0, 0, &[]);
        ins(f, 1, RetM, 0, 0, 0, &[]);
    });
}

#[test]
fn cells() {
    use Op::*;
    refused_for("no live cell", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, GetCell, 1, 0, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("no live value", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, NewCell, 0, 0, 0, &[]);
        ins(f, 1, Ret1, 0, 0, 0, &[]);
    });
    refused_for("no live cell", 4, |f| {
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, JT, 0, 0, 1, &[]);
        ins(f, 1, NewCell, 0, 0, 0, &[]);
        ins(f, 1, GetCell, 1, 0, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("constant", 4, |f| {
        ins(f, 0, LoadNil, 0, 2, 0, &[]);
        ins(f, 2, NewCell, 0, 1, 0, &[]);
        ins(f, 2, SetCell, 0, 1, 0, &[]);
        ins(f, 2, SetCell, 0, 1, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    let closure = |readonly: bool, constant: u16, assigned: bool| {
        let mut f = function(4);
        let mut inner = function(2);
        inner.upvals = vec![upval(true, 0, readonly)];
        ins(&mut inner, 0, LoadI, 0, 0, 0, &[]);
        if assigned {
            ins(&mut inner, 1, SetUpval, 0, 0, 0, &[]);
        }
        ins(&mut inner, 0, Ret0, 0, 0, 0, &[]);
        f.functions.push(inner);
        ins(&mut f, 0, LoadI, 0, 0, 0, &[]);
        ins(&mut f, 1, NewCell, 0, constant, 0, &[]);
        ins(&mut f, 1, Closure, 1, 0, 0, &[0]);
        ins(&mut f, 2, Ret1, 1, 0, 0, &[]);
        verify(&chunk(f))
    };
    closure(true, 1, false).unwrap();
    closure(false, 0, true).unwrap();
    closure(false, 0, false).unwrap();
    assert!(
        closure(true, 0, false)
            .unwrap_err()
            .contains("does not match")
    );
    assert!(
        closure(false, 1, true)
            .unwrap_err()
            .contains("does not match")
    );
    assert!(
        closure(true, 1, true)
            .unwrap_err()
            .contains("said to be constant")
    );
    refused_for("no live cell", 4, |f| {
        let mut inner = function(2);
        inner.upvals = vec![upval(true, 0, false)];
        ins(&mut inner, 0, Ret0, 0, 0, 0, &[]);
        f.functions.push(inner);
        ins(f, 0, LoadI, 0, 0, 0, &[]);
        ins(f, 1, Closure, 1, 0, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("upvalue 0", 4, |f| {
        let mut inner = function(2);
        inner.upvals = vec![upval(false, 1, false)];
        ins(&mut inner, 0, Ret0, 0, 0, 0, &[]);
        f.functions.push(inner);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
}

#[test]
fn loops_and_lists() {
    use Op::*;
    refused_for("not prepared", 4, |f| {
        ins(f, 0, LoadNil, 0, 3, 0, &[]);
        ins(f, 3, ForLoop, 0, 0, -1i16 as u16, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    // The limit is overwritten in the body.
    refused_for("not prepared", 4, |f| {
        ins(f, 0, LoadNil, 0, 3, 0, &[]);
        jump(f, 3, ForPrep, 0, 2);
        ins(f, 3, LoadNil, 1, 1, 0, &[]);
        ins(f, 3, ForLoop, 0, 0, -2i16 as u16, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
    refused_for("not a new table", 4, |f| {
        ins(f, 0, LoadNil, 0, 2, 0, &[]);
        ins(f, 2, SetList, 0, 1, 0, &[0]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
}

#[test]
fn to_be_closed() {
    use Op::*;
    refused_for("return with variables", 4, |f| {
        ins(f, 0, LoadNil, 0, 1, 0, &[]);
        ins(f, 1, Tbc, 0, 0, 0, &[]);
        ins(f, 1, Ret0, 0, 0, 0, &[]);
    });
    refused_for("to be closed but not live", 4, |f| {
        ins(f, 0, LoadNil, 0, 2, 0, &[]);
        ins(f, 2, Tbc, 1, 0, 0, &[]);
        ins(f, 1, LoadI, 3, 0, 0, &[]);
        ins(f, 1, RetC, 0, 0, 0, &[]);
    });
    refused_for("not in order", 4, |f| {
        ins(f, 0, LoadNil, 0, 2, 0, &[]);
        ins(f, 2, Tbc, 1, 0, 0, &[]);
        ins(f, 2, Tbc, 0, 0, 0, &[]);
        ins(f, 2, RetC, 0, 0, 0, &[]);
    });
    // Marked again in each iteration.
    refused_for("not in order", 4, |f| {
        ins(f, 0, LoadNil, 0, 1, 0, &[]);
        ins(f, 1, Tbc, 0, 0, 0, &[]);
        jump(f, 1, Loop, 0, -2);
    });
    refused_for("overwrites", 4, |f| {
        ins(f, 0, LoadNil, 0, 1, 0, &[]);
        ins(f, 1, Tbc, 0, 0, 0, &[]);
        ins(f, 1, LoadI, 0, 0, 0, &[]);
        ins(f, 1, RetC, 0, 0, 0, &[]);
    });
    let mut f = function(4);
    ins(&mut f, 0, LoadNil, 0, 1, 0, &[]);
    ins(&mut f, 1, Tbc, 0, 0, 0, &[]);
    ins(&mut f, 1, Close, 0, 0, 0, &[]);
    ins(&mut f, 0, Ret0, 0, 0, 0, &[]);
    verify(&chunk(f)).unwrap();
    refused_for("to be closed but not live", 4, |f| {
        ins(f, 0, LoadNil, 0, 1, 0, &[]);
        ins(f, 1, Tbc, 0, 0, 0, &[]);
        ins(f, 0, Close, 0, 0, 0, &[]);
        ins(f, 0, Ret0, 0, 0, 0, &[]);
    });
}

#[test]
fn tables_and_nesting() {
    refused_for("different lengths", 2, |f| {
        ins(f, 0, Op::Ret0, 0, 0, 0, &[]);
        f.live.pop();
    });
    refused_for("template", 2, |f| {
        let a = text("a");
        f.consts = vec![Const::Str(a), Const::Str(a + 1)];
        f.templates = vec![vec![0, 1]];
        ins(f, 0, Op::Ret0, 0, 0, 0, &[]);
    });
    refused_for("local variable", 2, |f| {
        f.locvars = vec![LocVarInfo {
            name: NO_NAME,
            start_pc: 0,
            end_pc: 9,
            reg: 0,
            boxed: false,
        }];
        ins(f, 0, Op::Ret0, 0, 0, 0, &[]);
    });
    let mut f = function(2);
    ins(&mut f, 0, Op::Ret0, 0, 0, 0, &[]);
    f.upvals.clear();
    for _ in 0..super::MAX_DEPTH + 1 {
        let mut outer = function(2);
        outer.upvals.clear();
        ins(&mut outer, 0, Op::Ret0, 0, 0, 0, &[]);
        outer.functions.push(f);
        f = outer;
    }
    assert!(verify(&chunk(f)).unwrap_err().contains("too deeply"));
}

/// A function whose states never settle quickly must be given up, not looped over.
#[test]
fn hostile_flow_ends() {
    use Op::*;
    let mut f = function(250);
    ins(&mut f, 0, LoadNil, 0, 250, 0, &[]);
    let n = 3000;
    for i in 0..n {
        ins(&mut f, 250, JT, (i % 250) as u16, 0, 1, &[]);
        ins(
            &mut f,
            250,
            Move,
            (i * 7 % 250) as u16,
            (i * 13 % 250) as u16,
            0,
            &[],
        );
    }
    jump(&mut f, 250, Loop, 0, -(2 * n + 1));
    let t = std::time::Instant::now();
    let _ = verify(&chunk(f));
    assert!(t.elapsed().as_secs() < 20);
}
