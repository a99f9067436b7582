//! Chunks survive loading.

use traceorus_base::bytecode::{Op, pack};
use traceorus_gc::HostAlloc;

use super::*;
use crate::jithooks::{self, HOTCALL};
use crate::verify::tests::samples;
use crate::{dump, state};

/// Runs `test` in a state of its own.
fn with_state(test: impl FnOnce(*mut Thread)) {
    // SAFETY: nothing runs in the state when it is closed.
    unsafe {
        let l = state::new(HostAlloc::System);
        test(l);
        state::close(l);
    }
}

#[test]
fn loaded_code_is_the_same_chunk() {
    with_state(|l| {
        for c in samples() {
            // SAFETY: nothing collects here.
            unsafe {
                let f = load_chunk(l, &c).unwrap();
                let p = (*f.as_ptr::<LuaClosure>()).proto;
                let mut back = chunk_of(p);
                back.compact();
                assert_eq!(back, c);
                // What is dumped loads again, with and without debug information.
                for strip in [false, true] {
                    let bytes = dump::dump(p, strip);
                    let again = dump::undump(&bytes, b"=x").unwrap();
                    let g = load_chunk(l, &again).unwrap();
                    assert_eq!(dump::dump((*g.as_ptr::<LuaClosure>()).proto, strip), bytes);
                }
            }
        }
    });
}

/// What has been built is rooted while the rest is.
#[test]
fn collections_between_functions() {
    unsafe fn feed(l: *mut Thread, loader: &mut Loader, c: &Chunk, f: &Function) {
        for inner in &f.functions {
            // SAFETY: as below.
            unsafe { feed(l, loader, c, inner) };
        }
        let upvals = f.functions.iter().flat_map(|inner| &inner.upvals);
        let captures: Vec<UpvalInfo> = upvals.copied().collect();
        loader
            .function(&c.strings, f, f.functions.len(), &captures)
            .unwrap();
        // SAFETY: nothing runs in the state.
        unsafe { Global::of((*l).global).heap.full(true) };
    }
    with_state(|l| {
        for c in samples() {
            // SAFETY: nothing collects behind `finish`.
            unsafe {
                let mut loader = Loader::new(l, &c.source);
                feed(l, &mut loader, &c, &c.main);
                let f = loader.finish().unwrap();
                assert!(Global::of((*l).global).loading.is_empty());
                let mut back = chunk_of((*f.as_ptr::<LuaClosure>()).proto);
                back.compact();
                assert_eq!(back, c);
            }
        }
    });
}

/// Lines are found again, be they next to each other or far apart.
#[test]
fn lines_of_any_distance() {
    with_state(|l| {
        let far = |step: u32, jump: u32| move |i: u32| 7 + i * step + i / 100 * jump;
        let orders: [&dyn Fn(u32) -> u32; 5] = [
            &far(0, 0),
            &far(1, 0),
            &far(1, 128),
            &far(1, 1 << 20),
            &|i| 5000 - i,
        ];
        for line in orders {
            for n in [1, 126, 127, 128, 129, 1000] {
                let mut c = samples().swap_remove(0);
                let f = &mut c.main;
                f.code = vec![pack(Op::LoadI as u16, 0, 0, 0); n - 1];
                f.code.push(pack(Op::Ret0 as u16, 0, 0, 0));
                f.live = vec![0; n];
                f.lines = (0..n as u32).map(line).collect();
                // SAFETY: nothing collects here.
                unsafe {
                    let f = load_chunk(l, &c).unwrap();
                    let p = (*f.as_ptr::<LuaClosure>()).proto;
                    assert_eq!(chunk_of(p).main.lines, c.main.lines);
                }
            }
        }
    });
}

#[test]
fn header_and_operands() {
    with_state(|l| {
        let mut c = samples().swap_remove(1);
        c.main.is_vararg = true;
        // SAFETY: nothing collects here.
        unsafe {
            let f = load_chunk(l, &c).unwrap();
            let closure = f.as_ptr::<LuaClosure>();
            let p = (*closure).proto;
            assert_eq!((*closure).pc, (*p).code.add(1) as *const Instr);
            assert_eq!(
                *(*p).code,
                pack(
                    dispatch::handler_of(Op::FuncV),
                    HOTCALL,
                    c.main.frame_size.into(),
                    bc::HEADER_VARARG
                )
            );
            let inner = *(*p).protos;
            assert_eq!(
                *(*inner).code,
                pack(dispatch::handler_of(Op::FuncF), HOTCALL, 4, 1)
            );
            // Word 1 is GetUpval R1 U0, word 2 Add R1 R1 R0.
            assert_eq!(
                *(*inner).code.add(1),
                pack(dispatch::handler_of(Op::GetUpval), 16, 0, 0)
            );
            assert_eq!(
                *(*inner).code.add(2),
                pack(dispatch::handler_of(Op::Add), 16, 16, 0)
            );
            // AddK R1 R1 K(10): tag and payload.
            assert_eq!(
                *(*inner).code.add(4),
                pack(dispatch::handler_of(Op::AddK), 16, 16, Tag::INT.0 as u16)
            );
            assert_eq!(*(*inner).code.add(5), 10);
            assert_eq!(*(*inner).live, 1);
            assert_eq!((*p).nlocvars, 1);
            assert_eq!((*(*p).locvars).start_pc, 3);
        }
    });
}

/// The pcs of the instructions that have a continuation word, by op.
unsafe fn calls(p: *const Proto) -> Vec<(Op, *mut Instr)> {
    // SAFETY: [CODE] [GC-LIVE] the caller's prototype is live; word 0 is the header.
    unsafe {
        let mut all = Vec::new();
        let mut pc = 1;
        while pc < (*p).ncode as usize {
            let at = (*p).code.add(pc);
            let op = dispatch::op_at(at);
            if op.has_continuation() {
                all.push((op, at));
            }
            pc += op.words();
        }
        all
    }
}

#[test]
fn continuation_words() {
    with_state(|l| {
        let mut seen = Vec::new();
        for c in samples() {
            // SAFETY: nothing collects or runs here, so that any address will do.
            unsafe {
                let f = load_chunk(l, &c).unwrap();
                let p = (*f.as_ptr::<LuaClosure>()).proto;
                let before = dump::dump(p, false);
                for (op, pc) in calls(p) {
                    seen.push(op);
                    let w = *pc;
                    assert_eq!(jithooks::continuation(pc), 0);
                    jithooks::set_continuation(pc, u64::MAX - 7);
                    assert_eq!(jithooks::continuation(pc), u64::MAX - 7);
                    assert_eq!(*pc, w);
                }
                // it is the state's, not the chunk's
                let mut back = chunk_of(p);
                back.compact();
                assert_eq!(back, c);
                assert_eq!(dump::dump(p, false), before);
            }
        }
        for op in Op::ALL.iter().filter(|op| op.has_continuation()) {
            assert!(
                seen.contains(&op.original()),
                "{op:?} is not in the samples"
            );
        }
    });
}

#[test]
fn first_upvalue_is_the_globals_table() {
    with_state(|l| {
        // SAFETY: nothing collects here.
        unsafe {
            let f = load_chunk(l, &samples()[0]).unwrap();
            let cell = *(f.as_ptr::<u8>().add(LuaClosure::UPVALS) as *const *const Cell);
            assert_eq!((*cell).value.tag, Tag::TABLE);
            assert_eq!(
                (*cell).value.as_ptr::<Table>(),
                Global::of((*l).global).hot.globals
            );
        }
    });
}
