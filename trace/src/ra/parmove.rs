//! Puts parallel moves in an order that one-at-a-time execution respects.
//!
//! A move can go first when nobody else reads its destination. If there is none, only cycles are left: one destination's
//! old value is parked in a reserved register and read from there. Moves from slot to slot pass through the general
//! reserved register, so a cycle with such a move parks in the float one.

use super::{Move, Place};

/// Orders `moves` (destinations differ from one another) into `out`, which is emptied first. `moves` is used up.
pub fn sequence(moves: &mut Vec<Move>, out: &mut Vec<Move>) {
    out.clear();
    moves.retain(|m| m.dst != m.src);
    debug_assert!(
        (1..moves.len()).all(|i| moves[..i].iter().all(|m| m.dst != moves[i].dst)),
        "a destination is written twice: {moves:?}"
    );
    // constants read nothing: they are moved to the end below, when every other source has been read
    out.extend(moves.iter().copied().filter(|m| is_const(m.src)));
    let constants = out.len();
    moves.retain(|m| !is_const(m.src));
    while !moves.is_empty() {
        let mut i = 0;
        let before = moves.len();
        while i < moves.len() {
            let dst = moves[i].dst;
            if moves.iter().all(|m| m.src != dst) {
                out.push(moves.swap_remove(i));
            } else {
                i += 1;
            }
        }
        if moves.len() == before {
            let dst = moves[0].dst;
            let park = park_of(moves, dst);
            out.push(Move {
                dst: park,
                src: dst,
            });
            for m in moves.iter_mut() {
                if m.src == dst {
                    m.src = park;
                }
            }
        }
    }
    out.rotate_left(constants);
}

fn is_const(p: Place) -> bool {
    matches!(p, Place::Const(_))
}

/// Where the old value of `dst`, which is part of a cycle, can wait.
fn park_of(moves: &[Move], dst: Place) -> Place {
    let Place::Reg(reg) = dst else {
        return Place::ParkFpr;
    };
    if reg.is_fpr() {
        return Place::ParkFpr;
    }
    let mut at = dst;
    loop {
        let Some(m) = moves.iter().find(|m| m.dst == at) else {
            return Place::ParkGpr;
        };
        if matches!((m.dst, m.src), (Place::Slot(_), Place::Slot(_))) {
            return Place::ParkFpr;
        }
        at = m.src;
        if at == dst {
            return Place::ParkGpr;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use quickcheck::{TestResult, quickcheck};

    use super::*;
    use crate::ir::Ref;
    use crate::ra::Reg;

    fn place(n: u8) -> Place {
        match n % 12 {
            n @ 0..=3 => Place::Reg(Reg::gpr(n)),
            n @ 4..=6 => Place::Reg(Reg::fpr(n)),
            n => Place::Slot(u16::from(n)),
        }
    }

    fn run(moves: &[Move]) -> bool {
        let mut state: HashMap<Place, Place> = HashMap::new();
        let value = |state: &HashMap<Place, Place>, p: Place| state.get(&p).copied().unwrap_or(p);
        let mut order = Vec::new();
        sequence(&mut moves.to_vec(), &mut order);
        for m in &order {
            if matches!((m.dst, m.src), (Place::Slot(_), Place::Slot(_))) {
                // passes through the general register
                state.insert(Place::ParkGpr, Place::None);
            }
            let v = value(&state, m.src);
            state.insert(m.dst, v);
        }
        moves.iter().all(|m| value(&state, m.dst) == m.src)
            && (0..12)
                .map(place)
                .all(|p| moves.iter().any(|m| m.dst == p) || value(&state, p) == p)
    }

    quickcheck! {
        fn any_moves(pairs: Vec<(u8, u8)>) -> TestResult {
            let mut moves: Vec<Move> = Vec::new();
            for (d, s) in pairs {
                let dst = place(d);
                if moves.iter().all(|m| m.dst != dst) {
                    let src = if s > 220 { Place::Const(Ref(u16::from(s))) } else { place(s) };
                    moves.push(Move { dst, src });
                }
            }
            TestResult::from_bool(run(&moves))
        }
    }

    #[test]
    fn cycles() {
        let r = |n| Place::Reg(Reg::gpr(n));
        let s = Place::Slot;
        assert!(run(&[
            Move {
                dst: r(0),
                src: r(1)
            },
            Move {
                dst: r(1),
                src: r(2)
            },
            Move {
                dst: r(2),
                src: r(0)
            },
            Move {
                dst: s(3),
                src: s(4)
            },
            Move {
                dst: s(4),
                src: s(3)
            },
        ]));
        assert!(run(&[
            Move {
                dst: r(0),
                src: s(1)
            },
            Move {
                dst: s(1),
                src: s(2)
            },
            Move {
                dst: s(2),
                src: r(0)
            },
        ]));
    }
}
