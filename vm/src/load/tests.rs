//! Chunks survive loading.

use traceorus_base::bytecode::{Op, pack};
use traceorus_gc::HostAlloc;

use super::*;
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
                assert_eq!(chunk_of(p), c);
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
                    0,
                    c.main.frame_size.into(),
                    NEVER
                )
            );
            let inner = *(*p).protos;
            assert_eq!(
                *(*inner).code,
                pack(dispatch::handler_of(Op::FuncF), 0, 4, 1)
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
