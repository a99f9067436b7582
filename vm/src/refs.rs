//! Values that native code keeps alive, by number.
//!
//! An array of values that are roots, with the free numbers linked through it. All operations take constant time and
//! neither allocate collected memory nor collect, so that a reference may be dropped at any time. Roots need no barrier.

use traceorus_base::{Tag, Value};

/// The end of the list of free numbers.
const NONE: u64 = u64::MAX;

/// See the module.
#[derive(Debug)]
pub struct Refs {
    /// A free slot is nil, its payload the next free number.
    slots: Vec<Value>,
    free: u64,
    live: usize,
}

impl Default for Refs {
    fn default() -> Refs {
        Refs {
            slots: Vec::new(),
            free: NONE,
            live: 0,
        }
    }
}

impl Refs {
    /// Keeps a value; gives its number.
    #[inline]
    pub fn add(&mut self, v: Value) -> u32 {
        self.live += 1;
        let v = Value::new(v.payload, v.tag);
        match self.slots.get_mut(self.free as usize) {
            Some(slot) => {
                let n = self.free as u32;
                self.free = slot.payload;
                *slot = v;
                n
            }
            None => {
                self.slots.push(v);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 references fit memory")
            }
        }
    }
    /// The value with this number.
    #[inline]
    pub fn get(&self, n: u32) -> Value {
        self.slots[n as usize]
    }
    /// Puts another value in its place.
    #[inline]
    pub fn set(&mut self, n: u32, v: Value) {
        self.slots[n as usize] = Value::new(v.payload, v.tag);
    }
    /// Lets go of a value; the number may be given out again.
    #[inline]
    pub fn remove(&mut self, n: u32) {
        self.live -= 1;
        self.slots[n as usize] = Value::new(self.free, Tag::NIL);
        self.free = u64::from(n);
    }
    /// How many values are kept.
    pub fn live(&self) -> usize {
        self.live
    }
    /// All slots, the free ones as nil.
    pub(crate) fn slots(&self) -> &[Value] {
        &self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::Refs;
    use traceorus_base::Value;

    #[test]
    fn numbers_are_used_again() {
        let mut r = Refs::default();
        let n: Vec<u32> = (0..4).map(|i| r.add(Value::int(i))).collect();
        assert_eq!(n, [0, 1, 2, 3]);
        r.remove(1);
        r.remove(2);
        assert_eq!(r.live(), 2);
        assert!(r.slots()[1].is_nil() && r.slots()[2].is_nil());
        assert_eq!(
            [
                r.add(Value::NIL),
                r.add(Value::int(8)),
                r.add(Value::int(9))
            ],
            [2, 1, 4]
        );
        r.set(2, Value::int(7));
        let all: Vec<i64> = (0..5).map(|i| r.get(i).as_int()).collect();
        assert_eq!(all, [0, 8, 7, 3, 9]);
    }
}
