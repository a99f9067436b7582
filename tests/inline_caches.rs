//! What the interpreter's handlers do without their helpers, once caches are filled: helpers are counted by a table of them that counts.

use std::cell::RefCell;

use traceorus::raw::base::bytecode::{self, Op};
use traceorus::raw::base::objects::{Instr, Thread};
use traceorus::raw::gc::HostAlloc;
use traceorus::raw::trace::{Config, Outputs};
use traceorus::raw::vm::ctx::Ctx;
use traceorus::raw::vm::state::{self, Global};
use traceorus::raw::vm::{dispatch, helpers};
use traceorus::raw::{new_state, open_libs};

thread_local! {
    static LEFT: RefCell<Vec<Op>> = const { RefCell::new(Vec::new()) };
}

/// Table accesses, which is what is counted.
const COUNTED: [Op; 7] = [
    Op::GetField,
    Op::SetField,
    Op::SelfGet,
    Op::GetIndex,
    Op::SetIndex,
    Op::GetGlobal,
    Op::SetGlobal,
];

unsafe extern "C" fn counting(l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as every helper.
    unsafe {
        let op = dispatch::op_of(bytecode::op_field(*pc));
        LEFT.with_borrow_mut(|left| left.push(op));
        helpers::HELPERS[op as usize](l, pc)
    }
}

/// Runs `source` without traces: how often its table accesses were left to helpers. None without a generated interpreter.
fn left(source: &str) -> Option<usize> {
    let mut config = Config::default();
    config.params.on = false;
    // SAFETY: a fresh state that is closed below; the table outlives it.
    unsafe {
        let l = new_state(HostAlloc::System, None, &config, Outputs::default());
        let g = Global::of((*l).global);
        let generated = !g.hot.resume.is_null();
        let mut table = [0; 4 * Op::ALL.len()];
        let size = Op::ALL.len() + dispatch::EXTRA_HELPERS;
        table[..size].copy_from_slice(std::slice::from_raw_parts(g.hot.helpers, size));
        for op in COUNTED {
            table[op as usize] = counting as *const () as u64;
        }
        g.hot.helpers = table.as_ptr();
        let cx = Ctx::new(l);
        open_libs(cx, |_| true);
        LEFT.take();
        let f = g.loader.expect("new_state sets it")(l, source.as_bytes(), b"=test", b"t");
        cx.push(f.unwrap_or_else(|_| panic!("{source}")));
        assert!(cx.call(0, 0).is_ok(), "{source}");
        state::close(l);
        let left = LEFT.take().len();
        generated.then_some(left)
    }
}

/// Classes; objects of theirs have a metatable each. `Other` has what `Class` has.
const CLASSES: &str = "
    local Base = { common = 1, count = 0 }
    function Base:inherited() return self.x end
    local Class = setmetatable({}, { __index = Base })
    function Class:own() return self.x end
    local Other = { common = 2, count = 0 }
    function Other:own() return -self.x end
    function Other:inherited() return -self.x end
    local function new(c, x) return setmetatable({ x = x }, { __index = c }) end
    local objects = {}
    for i = 1, 50 do objects[i] = new(i % 3 == 0 and Other or Class, i) end
    Base.count = 1
    Other.count = 2
    local function all(f) for _ = 1, 40 do for i = 1, #objects do f(objects[i], i) end end end
";

fn check(what: &[&str], few: bool) {
    let Some(nothing) = left(CLASSES) else {
        return;
    };
    for code in what {
        let more = left(&format!("{CLASSES} {code}")).expect("as before") - nothing;
        assert_eq!(more < 100, few, "{more} accesses left to helpers: {code}");
    }
}

#[test]
fn plain_metatables() {
    check(
        &[
            "all(function(o) return o:own() end)",
            "all(function(o) return o:inherited() end)",
            "all(function(o) return o.common end)",
            "all(function(o) return o.nothing end)",
            // a value that changes
            "for n = 1, 9 do Base.count = n all(function(o) return o.count end) end",
            // no constant of the instruction
            "local k = 'common' all(function(o) return o[k] end)",
            // an own field that is nil, of a shape of its own
            "for _, o in ipairs(objects) do o.common = 1 end all(function(o) o.common = nil return o.common end)",
            // a new field
            "all(function(o, i) local n = new(Class, i) n.a = 1 return n.a end)",
            // an object that changes its metatable is no more than itself
            "getmetatable(objects[1]).__name = 'x' all(function(o) return o:own() end)",
        ],
        true,
    );
}

#[test]
fn other_metatables() {
    check(
        &[
            // two keys: such a metatable is not plain
            "for _, o in ipairs(objects) do setmetatable(o, { __index = Class, __name = 'x' }) end
             all(function(o) return o:own() end)",
            // the metatable has what stores of new keys must ask for
            "for _, o in ipairs(objects) do getmetatable(o).__newindex = rawset end
             all(function(o) o.a = 1 o.a = nil end)",
        ],
        false,
    );
}
