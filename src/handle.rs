//! Handles: references to Lua objects.

use std::fmt;
use std::rc::{Rc, Weak};

use traceorus_base::Tag;

use crate::runtime::Inner;
use crate::{Error, ErrorKind, FromValue, FromValues, IntoValue, IntoValues, Result, Value};

/// A slot of the runtime's reference table. The object lives at least as long.
pub(crate) struct Reference {
    runtime: Weak<Inner>,
    slot: u32,
}

impl Reference {
    pub(crate) fn new(runtime: &Rc<Inner>, slot: u32) -> Reference {
        Reference {
            runtime: Rc::downgrade(runtime),
            slot,
        }
    }
    /// The runtime, unless it is closed.
    fn runtime(&self) -> Result<Rc<Inner>> {
        self.runtime.upgrade().ok_or_else(Error::closed)
    }
    /// The slot, if the reference belongs to this runtime.
    pub(crate) fn slot_in(&self, runtime: &Rc<Inner>) -> Result<u32> {
        if self.runtime.as_ptr() == Rc::as_ptr(runtime) {
            Ok(self.slot)
        } else {
            Err(Error::new(
                ErrorKind::Handle,
                "the value belongs to another runtime",
            ))
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some(rt) = self.runtime.upgrade() {
            rt.release(self.slot);
        }
    }
}

macro_rules! handle_types {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(crate) Rc<Reference>);
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(#{})"), self.0.slot)
            }
        }
    )* };
}
handle_types! {
    /// A Lua table.
    Table
    /// A Lua function, or a Rust one made by [`Runtime::function`](crate::Runtime::function).
    Function
    /// A userdata or coroutine.
    Other
}

impl Table {
    /// `t[key]`, metamethods included.
    pub fn get<V: FromValue>(&self, key: impl IntoValue) -> Result<V> {
        let rt = self.0.runtime()?;
        let v = rt.enter(|cx| {
            let t = rt.referenced(cx, self.0.slot);
            let k = rt.push_value(cx, &key.into_value())?;
            let v = cx.index(t, k).map_err(|_| rt.caught(cx))?;
            cx.push(v);
            rt.value_of(cx, v)
        })?;
        rt.convert(v)
    }
    /// `t[key] = value`, metamethods included.
    pub fn set(&self, key: impl IntoValue, value: impl IntoValue) -> Result<()> {
        let rt = self.0.runtime()?;
        rt.enter(|cx| {
            let t = rt.referenced(cx, self.0.slot);
            let k = rt.push_value(cx, &key.into_value())?;
            let v = rt.push_value(cx, &value.into_value())?;
            cx.set_index(t, k, v).map_err(|_| rt.caught(cx))
        })
    }
    /// `#t`, metamethods included.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a border, not a count of entries"
    )]
    pub fn len(&self) -> Result<i64> {
        let rt = self.0.runtime()?;
        rt.enter(|cx| {
            cx.len(rt.referenced(cx, self.0.slot))
                .map_err(|_| rt.caught(cx))
        })
    }
    /// All entries (raw, in no particular order).
    pub fn entries(&self) -> Result<Vec<(Value, Value)>> {
        let rt = self.0.runtime()?;
        rt.enter(|cx| {
            let t = rt.referenced(cx, self.0.slot);
            let mut all = Vec::new();
            let mut key = traceorus_base::Value::NIL;
            loop {
                // SAFETY: [GC-LIVE] referenced by the handle; nothing changes the table meanwhile.
                let next = unsafe { traceorus_vm::table::table_next(t.as_ptr(), key, key.aux) };
                let Ok(Some((k, v, hint))) = next else {
                    return Ok(all);
                };
                all.push((rt.value_of(cx, k)?, rt.value_of(cx, v)?));
                key = k;
                key.aux = hint;
            }
        })
    }
}

impl Function {
    /// Calls the function. The results become what the caller asks for: a value, a tuple, `Vec<Value>`, `()`.
    pub fn call<R: FromValues>(&self, args: impl IntoValues) -> Result<R> {
        let rt = self.0.runtime()?;
        let args = args.into_values();
        let results = rt.enter(|cx| {
            let base = cx.top();
            cx.check_stack(args.len() + 8, "too many arguments")
                .map_err(|_| rt.caught(cx))?;
            cx.push(rt.referenced(cx, self.0.slot));
            for a in &args {
                rt.push_value(cx, a)?;
            }
            let n = rt.protected(cx, args.len())?;
            (1..=n)
                .map(|i| rt.value_of(cx, cx.arg(base + i)))
                .collect::<Result<Vec<_>>>()
        })?;
        R::from_values(results).map_err(|m| Error::new(ErrorKind::Conversion, m.to_string()))
    }
}

/// The handle for a collected object with the reference.
pub(crate) fn handle_for(tag: Tag, r: Reference) -> Value {
    let r = Rc::new(r);
    match tag {
        Tag::TABLE => Value::Table(Table(r)),
        Tag::FUNCTION => Value::Function(Function(r)),
        _ => Value::Other(Other(r)),
    }
}
